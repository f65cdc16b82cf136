"""What there is to read: what is listed, and a name for every failure."""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest

from imr.data import read
from imr.data import sources as listing
from imr.data.letter import LetterError, Text
from imr.data.read import load
from imr.data.sources import Kind, Source, sources
from tests.data.documents import (
    failure,
    only,
    plain_pdf,
    zipped,
)

# --- files, folders, globs -------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders with letters of the same name, and what lies about in folders."""
    for name, content in {
        "b/letter.txt": b"Second.",
        "a/letter.txt": b"First.",
        "a/deep/CASE.TXT": b"Third.",
        "a/scan.pdf": plain_pdf("Fourth."),
        "a/cases.csv": b"letter_id\n1\n",
        "a/.hidden.txt": b"no",
        "a/~$letter.txt": b"no",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path


def names(found: object, folder: Path) -> list[str]:
    return [os.path.relpath(source.name, folder) for source in found]  # type: ignore[attr-defined]


def test_folders_are_searched_in_order(tree: Path) -> None:
    found = list(sources([str(tree)]))
    assert names(found, tree) == [
        "a/cases.csv", "a/letter.txt", "a/scan.pdf", "a/deep/CASE.TXT", "b/letter.txt",
    ]  # fmt: skip
    assert [source.kind for source in found if isinstance(source, Source)] == [
        "records", "text", "pdf", "text", "text",
    ]  # fmt: skip


def test_a_name_in_two_folders_is_two_letters(tree: Path) -> None:
    texts = list(read.read([str(tree / "a" / "letter.txt"), str(tree / "b")]))
    assert [(t.letter_id, t.text) for t in texts if isinstance(t, Text)] == [
        ("letter", "First."),
        ("letter", "Second."),
    ]
    assert texts[0].source != texts[1].source


def test_what_is_named_twice_is_read_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    found = list(sources(["b/letter.txt", "./b", str(tree / "b"), "b/*.txt"]))
    assert names(found, Path()) == ["b/letter.txt"]


def test_globs(tree: Path) -> None:
    assert names(sources([str(tree / "*" / "*.txt")]), tree) == ["a/letter.txt", "b/letter.txt"]
    assert names(sources([str(tree / "**" / "*.TXT")]), tree) == ["a/deep/CASE.TXT"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    file = tmp_path / "letter[1].txt"
    file.write_text("Here.")
    assert names(sources([str(file)]), tmp_path) == ["letter[1].txt"]


def test_nothing_is_opened_before_it_is_asked_for(tree: Path) -> None:
    found = sources([str(tree / "a" / "letter.txt"), str(tree / "gone.txt")])
    assert isinstance(next(found), Source)
    assert isinstance(next(found), LetterError)


def test_sources_travel_between_processes(tree: Path) -> None:
    for source in sources([str(tree / "b"), zipped(tree, {"in.txt": b"Inside."})]):
        assert isinstance(source, Source)
        assert load(pickle.loads(pickle.dumps(source))) == load(source)


def path_faults(folder: Path) -> dict[str, tuple[str, str]]:
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "notes.md").write_text("no letter")
    (folder / "letter.doc").write_bytes(b"PK")
    (folder / "letter").write_text("no ending")
    (folder / "mail").mkdir()
    (folder / "mail" / "letter.eml").write_text("From: x")
    return {
        "no such file": ("gone.pdf", "missing"),
        "no match": ("*.nothing", "missing"),
        "an empty folder": ("empty", "no_letters"),
        "a folder of something else": ("other", "unsupported"),
        "a wrong ending": ("letter.doc", "unsupported"),
        "no ending": ("letter", "unsupported"),
        "a document in a folder": ("mail", "unsupported"),
        "records": ("cases.csv", "records"),
        "a NUL in the name": ("let\0ter.pdf", "unreadable"),
        "a name too long": ("x" * 5000 + ".pdf", "unreadable"),
    }


@pytest.mark.parametrize(
    "name",
    ["no such file", "no match", "an empty folder", "a folder of something else", "a wrong ending",
     "no ending", "a document in a folder", "records", "a NUL in the name", "a name too long"],
)  # fmt: skip
def test_a_fault_of_a_path_has_its_name(name: str, tmp_path: Path) -> None:
    faults = path_faults(tmp_path)
    path, reason = faults[name]
    (tmp_path / "cases.csv").write_text("letter_id\n")
    error = failure([str(tmp_path / path)])
    assert error.reason == reason
    assert error.remedy
    assert str(error).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("locked", ["letter.txt", "."])
def test_missing_permissions(locked: str, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "letter.txt").write_text("Hidden.")
    (folder / locked).chmod(0)
    try:
        assert failure([str(folder)]).reason == "unreadable"
    finally:
        (folder / locked).chmod(stat.S_IRWXU)


def test_a_refused_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "letter.txt"
    file.write_text("Hidden.")
    monkeypatch.setattr("builtins.open", refuse)
    error = failure([str(file)])
    assert (error.reason, error.message) == ("unreadable", "permission denied")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "letter.txt")
    assert failure([str(tmp_path / "letter.txt")]).reason == "unsupported"


def test_a_file_that_vanishes_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Here.")
    source = only(sources([str(file)]))
    file.unlink()
    with pytest.raises(LetterError) as caught:
        load(source)
    assert caught.value.reason == "missing"


@pytest.mark.parametrize("kind", ["pdf", "text"])
def test_a_file_over_the_limit(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(listing.MAX_BYTES, kind, 10)
    file = tmp_path / ("letter.pdf" if kind == "pdf" else "letter.txt")
    file.write_bytes(plain_pdf())
    assert failure([str(file)]).reason == "too_large"
    assert failure([zipped(tmp_path, {file.name: plain_pdf()})]).reason == "too_large"


def test_one_bad_letter_leaves_the_others(tree: Path) -> None:
    (tree / "a" / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    found = list(read.read([str(tree), str(tree / "gone")]))
    assert [x.reason for x in found if isinstance(x, LetterError)] == [
        "corrupt", "records", "missing",
    ]  # fmt: skip
    assert [x.text for x in found if isinstance(x, Text)] == [
        "First.", "Fourth.", "Third.", "Second.",
    ]  # fmt: skip


# --- archives --------------------------------------------------------------------------------


def test_members_are_read_in_place(tmp_path: Path) -> None:
    path = zipped(
        tmp_path,
        {
            "2/letter.txt": b"Two.",
            "1/letter.pdf": plain_pdf("One."),
            "../../outside.txt": b"Three.",
            "/etc/root.txt": b"Four.",
            "__MACOSX/._letter.txt": b"no",
        },
    )
    before = sorted(p for p in tmp_path.parent.rglob("*"))
    texts = [t for t in read.read([path]) if isinstance(t, Text)]
    assert [(t.letter_id, t.text) for t in texts] == [
        ("outside", "Three."),
        ("root", "Four."),
        ("letter", "One."),
        ("letter", "Two."),
    ]
    assert texts[2].source == f"{path}!1/letter.pdf"
    assert sorted(p for p in tmp_path.parent.rglob("*")) == before


def test_an_archive_without_letters(tmp_path: Path) -> None:
    assert failure([zipped(tmp_path, {"__MACOSX/a.txt": b"no"})]).reason == "no_letters"


def test_what_cannot_be_read_is_named_wherever_it_lies(tmp_path: Path) -> None:
    files = {"photo.heic": b"x", "notes.md": b"x", "Thumbs.db": b"x", "~$a.docx": b"x",
             "a.txt": b"Here."}  # fmt: skip
    packed = zipped(tmp_path, files)
    (tmp_path / "folder").mkdir()
    for name, content in files.items():
        (tmp_path / "folder" / name).write_bytes(content)
    for path in (packed, str(tmp_path / "folder")):
        found = list(sources([path]))
        assert sum(isinstance(one, Source) for one in found) == 1
        errors = [one for one in found if isinstance(one, LetterError)]
        assert {one.reason for one in errors} == {"unsupported"}
        ends = [one.source.replace("!", "/").rpartition("/")[2] for one in errors]
        assert ends == ["notes.md", "photo.heic"]


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    assert failure([zipped(tmp_path, {"inner.zip": b"PK"})]).reason == "unsupported"


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 and then nothing"])
def test_a_broken_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "letters.zip").write_bytes(content)
    assert failure([str(tmp_path / "letters.zip")]).reason == "bad_zip"


def test_a_damaged_member_leaves_the_others(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": b"first letter " * 50, "b.txt": b"second"})
    content = bytearray(Path(path).read_bytes())
    content[45] ^= 0xFF
    Path(path).write_bytes(content)
    bad, good = read.read([path])
    assert isinstance(bad, LetterError)
    assert isinstance(good, Text)
    assert (bad.reason, good.text) == ("bad_zip", "second")


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": b"secret"})
    content = bytearray(Path(path).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    Path(path).write_bytes(content)
    assert failure([path]).reason == "encrypted"


def test_an_archive_that_would_grow_without_end(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": bytes(150 * 2**20)})
    error = failure([path])
    assert error.reason == "too_large"
    assert "100 times" in error.message


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_ZIP_MEMBERS", 1)
    assert failure([zipped(tmp_path, {"a.txt": b"1", "b.txt": b"2"})]).reason == "too_large"


def test_names_that_would_break_a_line(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"one\ntwo.txt": b"Fine.", "\x1b[31mred.txt": b"\0"})
    red, fine = read.read([path])
    assert isinstance(fine, Text)
    assert fine.letter_id == "one\\ntwo"
    assert isinstance(red, LetterError)
    assert str(red).isprintable()


# --- standard input --------------------------------------------------------------------------


def on_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (plain_pdf(), "pdf"),
        (b"A letter.", "text"),
        (b'{"letter_id": "1"}', "records"),
        (b"PAR1", "records"),
    ],
)
def test_standard_input_is_told_by_its_bytes(
    content: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_standard_input(content, monkeypatch)
    source = only(sources(["-"]))
    assert (source.kind, source.letter_id, source.content) == (kind, "stdin", content)


CASE: dict[str, Any] = {"letter_id": "1", "items": [{"title": "MRI"}], "case_summary": "Pain."}
IN_LINES, INDENTED = json.dumps(CASE).encode(), json.dumps(CASE, indent=2).encode()


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (IN_LINES, ".jsonl"),
        (IN_LINES + b"\n" + IN_LINES, ".jsonl"),
        (IN_LINES[:-3] + b"\n" + IN_LINES, ".jsonl"),  # its first line alone is broken
        (INDENTED, ".json"),
        (b"\xef\xbb\xbf" + INDENTED, ".json"),
        (INDENTED.replace(b",", b",,", 1), ".json"),
        (b"[" + IN_LINES + b"]", ".json"),
        (b"[\n" + INDENTED + b",\n" + INDENTED + b"]", ".json"),
        (b"[Page 1] A letter.", ""),
    ],
)
def test_json_on_standard_input_is_one_whole_or_an_object_a_line(
    content: bytes, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_standard_input(content, monkeypatch)
    source = only(sources(["-"]))
    assert source.ending == (ending or ".txt")


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    on_standard_input(b"A letter.", monkeypatch)
    [text] = read.read(["-"])
    assert text == Text("stdin", "-", "A letter.")


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"PK\x03\x04", "unsupported")])
def test_faults_of_standard_input(
    content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_standard_input(content, monkeypatch)
    assert failure(["-"]).reason == reason
