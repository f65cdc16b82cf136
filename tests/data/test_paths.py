"""Letters on object stores and web servers: the same letters, bounds and refusals as on disk."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

import fsspec
import pytest

from imr.data import paths, read
from imr.data import sources as listing
from imr.data.letter import LetterError, Text
from imr.data.paths import StorePath, file_path
from imr.data.read import load
from imr.data.sources import Source, sources
from tests.stores import web_server

LETTER = b"A letter.\n\nIts second paragraph."
BASE = "memory://bucket"


def packed(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return held.getvalue()


def outcome(path: str) -> list[str]:
    """Names of what is read, and the reason of what is not."""
    return [
        f"{one.source} {one.reason}" if isinstance(one, LetterError) else one.source
        for one in read.read([path])
    ]


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a.pdf", "s3://bucket/a.pdf"),
        ("s3://key:secret@bucket/a.pdf", "s3://bucket/a.pdf"),
        ("https://user:secret@host/a.pdf?sig=secret", "https://host/a.pdf"),
        ("https://secret@host/a.pdf", "https://host/a.pdf"),
        ("abfs://container@account.dfs.core.windows.net/a.pdf",) * 2,
        ("abfs://c@a.net/x.pdf?sv=1&sig=secret", "abfs://c@a.net/x.pdf"),
        ("sftp://user:p@ss@host/a@b.pdf", "sftp://host/a@b.pdf"),
        ("s3://bucket/a?.pdf", "s3://bucket/a?.pdf"),
        ("s3://bucket/a@b:c.pdf", "s3://bucket/a@b:c.pdf"),
        ("/a/b.pdf", "/a/b.pdf"),
    ],
)
def test_a_name_keeps_the_url_without_its_credentials(url: str, name: str) -> None:
    assert str(file_path(url)) == name
    assert Source(url, "pdf").name == name
    assert "secret" not in Source(url, "pdf", "member.pdf").name


def test_an_id_is_the_name_of_the_object() -> None:
    assert Source("s3://bucket/in/CM16-1.pdf", "pdf").letter_id == "CM16-1"
    assert Source("https://host/CM16%201.pdf?sig=x", "pdf").letter_id == "CM16 1"


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(LETTER)
    assert outcome(f"file://{tmp_path}") == [str(tmp_path / "a.txt")]
    both = [f"file://{tmp_path}/a.txt", str(tmp_path / "a.txt")]
    assert len(list(sources(both))) == 1


# --- what lies there -----------------------------------------------------------------------------


def test_folders_objects_patterns_and_archives(memory: fsspec.AbstractFileSystem) -> None:
    for name in ("a.txt", "sub/b.txt", ".hidden.txt", "scan.doc"):
        memory.pipe_file(f"/bucket/in/{name}", LETTER)
    memory.pipe_file("/bucket/in/z.zip", packed(c__txt=LETTER, d__rtf=b"x"))
    everything = [
        f"{BASE}/in/a.txt",
        f"{BASE}/in/scan.doc unsupported",
        f"{BASE}/in/z.zip!c.txt",
        f"{BASE}/in/z.zip!d.rtf unsupported",
        f"{BASE}/in/sub/b.txt",
    ]
    assert outcome(f"{BASE}/in") == outcome(f"{BASE}/in/") == everything
    assert outcome(f"{BASE}/in/sub/b.txt") == [f"{BASE}/in/sub/b.txt"]
    assert outcome(f"{BASE}/in/*.txt") == [f"{BASE}/in/a.txt"]
    assert outcome(f"{BASE}/in/**/b.txt") == [f"{BASE}/in/sub/b.txt"]
    assert outcome(f"{BASE}/none") == [f"{BASE}/none missing"]
    assert outcome(f"{BASE}/none*") == [f"{BASE}/none* missing"]
    assert len(list(sources([f"{BASE}/in", f"{BASE}/in/a.txt"]))) == len(everything)


def test_parts_are_read_in_the_order_of_their_numbers(
    memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    names = ["part.0.parquet", "part.9.parquet", "part.10.parquet", "z.parquet"]
    for name in names:
        memory.pipe_file(f"/bucket/in/{name}", b"x")
        (tmp_path / name).write_bytes(b"x")
    for place in (f"{BASE}/in", str(tmp_path)):
        found = [one.path for one in sources([place]) if isinstance(one, Source)]
        assert found == [f"{place}/{name}" for name in names]


def test_the_name_of_an_object_is_no_url(tmp_path: Path) -> None:
    """fsspec would follow ``zip://…::file://…``: a name must not lead out of its store."""
    (tmp_path / "secret.txt").write_bytes(b"not for you")
    for url in (f"memory://b/x::file://{tmp_path}/secret.txt", f"x::file://{tmp_path}/secret.txt"):
        assert outcome(url)[0].endswith("missing")
    assert outcome(f"zip://secret.txt::file://{tmp_path}/a.zip")[0].endswith("unsupported")


def test_entries_outside_of_a_folder_are_not_followed(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = [
        {"name": name, "type": "file", "size": 9}
        for name in ("/bucket/in/a.txt", "/etc/b.txt", "/bucket/in/../c.txt", "/bucket/in/..")
    ] + [{"name": "/bucket/in", "type": "directory", "size": 0}]
    monkeypatch.setattr(type(memory), "ls", lambda *_, **__: listing)
    found = StorePath(f"{BASE}/in").entries()
    assert [one.path.address for one in found] == [f"{BASE}/in/a.txt"]


def test_folders_in_folders_without_end(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(_: object, path: str, **__: object) -> list[dict[str, object]]:
        return [{"name": f"{path}/in", "type": "directory", "size": 0}]

    memory.pipe_file("/bucket/in/a.txt", LETTER)
    monkeypatch.setattr(type(memory), "ls", more)
    [one] = sources([f"{BASE}/in"])
    assert isinstance(one, LetterError)
    assert "64 folders deep" in str(one)


# --- bounds and refusals -------------------------------------------------------------------------


def test_bounds_hold_before_an_object_is_fetched(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/bucket/big.txt", b"x" * 101)
    memory.pipe_file("/bucket/fits.txt", b"x" * 100)
    memory.pipe_file("/bucket/empty.txt", b"")
    memory.pipe_file("/bucket/bomb.zip", packed(a__txt=b"0" * 300_000_000))
    memory.pipe_file("/bucket/broken.zip", b"PK\x03\x04 no archive")
    memory.pipe_file("/bucket/fake.pdf", b"no PDF")
    monkeypatch.setitem(listing.MAX_BYTES, "text", 100)
    listed = list(sources([BASE]))
    fetched: list[str] = []
    whole = type(memory).cat_file
    monkeypatch.setattr(
        type(memory), "cat_file", lambda *a, **k: fetched.append(a[1]) or whole(*a, **k)
    )
    reasons = {}
    for one in listed:
        try:
            reasons[one.name if isinstance(one, Source) else one.source] = (
                load(one).source if isinstance(one, Source) else one.reason
            )
        except LetterError as error:
            reasons[error.source] = error.reason
    assert {name.removeprefix(f"{BASE}/"): reason for name, reason in reasons.items()} == {
        "big.txt": "too_large", "fits.txt": f"{BASE}/fits.txt", "empty.txt": "empty",
        "bomb.zip": "too_large", "broken.zip": "bad_zip", "fake.pdf": "not_pdf",
    }  # fmt: skip
    assert fetched == ["/bucket/fake.pdf", "/bucket/fits.txt"]


def test_an_object_that_grew_since_it_was_listed(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(listing.MAX_BYTES, "text", 100)
    memory.pipe_file("/bucket/a.txt", b"x" * 50)
    [source] = sources([f"{BASE}/a.txt"])
    memory.pipe_file("/bucket/a.txt", b"x" * 5000)
    with pytest.raises(LetterError) as caught:
        load(source)  # type: ignore[arg-type]
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nostore://bucket/a.pdf", "protocol nostore cannot be used here"),
        ("zip://a.pdf", "protocol zip is no store"),
        ("reference://x", "protocol reference is no store"),
        (
            "dropbox://in/a.pdf",
            "protocol dropbox needs dropboxdrivefs (pip install dropboxdrivefs)",
        ),
    ],
)
def test_a_protocol_that_cannot_be_used_is_named(url: str, said: str) -> None:
    [one] = sources([url])
    assert isinstance(one, LetterError)
    assert (one.reason, said in str(one)) == ("unsupported", True)


@pytest.mark.parametrize(
    ("protocol", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")]
)
def test_what_to_install(protocol: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ImportError(f"Install {package} to access")

    monkeypatch.setattr(sys.modules["fsspec.registry"], "get_filesystem_class", missing)
    [one] = sources([f"{protocol}://key:secret@bucket/in"])
    assert str(one).endswith(f"protocol {protocol} needs {package} (pip install {package})")
    assert "secret" not in str(one)


def test_a_store_that_fails_is_told_without_its_words(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StrangeError(Exception):
        pass

    def fail(*_: object, **__: object) -> bytes:
        raise StrangeError("https://key:secret@host/?sig=secret")

    memory.pipe_file("/bucket/a.txt", LETTER)
    memory.pipe_file("/bucket/b.zip", packed(c__txt=LETTER))
    [a, b] = sources([BASE])
    monkeypatch.setattr(type(memory), "cat_file", fail)
    with pytest.raises(LetterError) as caught:
        load(a)  # type: ignore[arg-type]
    assert caught.value.reason == "unreadable"
    assert "the store failed (StrangeError)" in str(caught.value)
    assert "secret" not in str(caught.value)
    listing._opened_archive.cache_clear()
    monkeypatch.setattr(type(memory), "open", fail)
    with pytest.raises(LetterError) as caught:
        load(b)  # type: ignore[arg-type]
    assert caught.value.reason == "unreadable"


def test_no_rights_are_told(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise PermissionError("key secret has no rights")

    memory.pipe_file("/bucket/a.txt", LETTER)
    monkeypatch.setattr(type(memory), "cat_file", fail)
    assert outcome(f"{BASE}/a.txt") == [f"{BASE}/a.txt unreadable"]


# --- web servers ---------------------------------------------------------------------------------


def test_a_web_server_is_read(tmp_path: Path, samples: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_bytes(LETTER)
    (tmp_path / "in" / "sub" / "b b.txt").write_bytes(LETTER)
    (tmp_path / "in" / "empty.txt").write_bytes(b"")
    (tmp_path / "in" / "z.zip").write_bytes(packed(c__txt=LETTER))
    pdf = next(samples.glob("*.pdf"))
    (tmp_path / "in" / pdf.name).write_bytes(pdf.read_bytes())
    (tmp_path / "other.txt").write_bytes(LETTER)
    with web_server(tmp_path) as address:
        assert outcome(f"{address}/in/") == [
            f"{address}/in/{pdf.name}",
            f"{address}/in/a.txt",
            f"{address}/in/empty.txt empty",
            f"{address}/in/z.zip!c.txt",
            f"{address}/in/sub/b%20b.txt",
        ]
        [text] = read.read([f"{address}/in/{pdf.name}?sig=secret"])
        assert isinstance(text, Text)
        assert (text.letter_id, text.source) == (pdf.stem, f"{address}/in/{pdf.name}")
        assert text.text == next(read.read([str(pdf)])).text  # type: ignore[union-attr]
        assert outcome(f"{address}/none.txt") == [f"{address}/none.txt missing"]
        assert outcome(f"{address}/forbidden.txt") == [f"{address}/forbidden.txt unreadable"]
        assert outcome(f"{address}/failing.txt") == [f"{address}/failing.txt unreadable"]
    [gone] = sources([f"{address}/in/a.txt"])
    assert "connection refused" in str(gone)


def test_a_change_on_a_web_server_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with web_server(tmp_path) as address:
        states = []
        for seconds in (1_000_000_000, 1_000_000_000, 1_000_000_060):
            path.write_bytes(LETTER)
            os.utime(path, (seconds, seconds))
            states.append(StorePath(f"{address}/a.txt").state())
        [listed] = sources([f"{address}/"])
    assert states[0] == states[1] != states[2]
    assert isinstance(listed, Source)
    assert listed.state == ""  # the list does not tell: it is asked for when it is needed


def test_bounds_hold_where_a_server_sends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 3_000_000)
    (tmp_path / "z.zip").write_bytes(packed(c__txt=LETTER))
    with web_server(tmp_path) as address:
        assert outcome(f"{address}/a.txt") == [f"{address}/a.txt"]
        monkeypatch.setitem(listing.MAX_BYTES, "text", 100)
        assert outcome(f"{address}/a.txt") == [f"{address}/a.txt too_large"]
        monkeypatch.setattr(paths, "MAX_SPOOLED_BYTES", 100)
        assert outcome(f"{address}/z.zip") == [f"{address}/z.zip unreadable"]
