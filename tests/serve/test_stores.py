"""`imr` with letters and results on stores: the same rows, and nothing lost, doubled or left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

from imr.data.letter import LetterError
from imr.data.paths import FilePath, LocalPath
from imr.data.sources import Source
from imr.serve import outputs, score
from imr.serve.letters import Chunk, fetched, task_name
from imr.serve.messages import Refused
from imr.serve.outputs import Columns, check_writable, open_table, output_path
from imr.serve.score import RunSettings, open_journal
from tests.serve.programs import FAKE, REAL, command, environment, lines, run, write_records
from tests.serve.test_score import scored
from tests.stores import AtOnce, web_server

COLUMNS: Columns = {"name": "str", "n": "int"}
ROWS = [{"name": "knee", "n": n} for n in range(5)]


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- the same on every kind of place -------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Letters in every form, and two files that are none."""
    folder = tmp_path_factory.mktemp("store") / "in"
    folder.mkdir()
    ids = [f"L{n}" for n in range(40)] + ["fail-1", "crash-1", "M"]
    write_records(folder / "cases.jsonl", ids)
    (folder / "more.csv").write_text(
        "letter_id,case_summary,title\nC1,An MRI of the knee showed a tear.,MRI of the knee\n"
    )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4")
    (folder / "empty.txt").write_bytes(b"")
    return folder


def outcome(folder: Path, output: str) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows, and name and reason of each failure, without the place of the letters."""
    rows = [{**row, "warnings": []} for row in scored(folder / output)]
    errors = lines(folder / f"{output}.errors.jsonl")
    return rows, [(error["source"].rpartition("/")[2], error["reason"]) for error in errors]


def test_a_store_gives_the_rows_of_a_disk(inputs: Path, tmp_path: Path) -> None:
    assert run(FAKE, "score", inputs, "-o", "s.jsonl", cwd=tmp_path).returncode == 1
    for scheme in ("disk", "file"):
        out = tmp_path / scheme
        out.mkdir()
        done = run(
            FAKE, "score", f"{scheme}://{inputs}", "-o", f"{scheme}://{out}/s.jsonl",
            "--report", f"{scheme}://{out}/r.html", "--jobs", 2, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert outcome(out, "s.jsonl") == outcome(tmp_path, "s.jsonl")
        assert names(out) == {"s.jsonl", "s.jsonl.errors.jsonl", "r.html"}
        assert "<title>" in (out / "r.html").read_text()
    assert f"disk://{inputs}/broken.pdf" in (tmp_path / "disk/s.jsonl.errors.jsonl").read_text()
    said = f"written: {out}/s.jsonl and {out}/r.html and {out}/s.jsonl.errors.jsonl"
    assert done.stdout.splitlines()[-1] == said


@pytest.mark.slow
def test_a_web_server_gives_the_rows_of_a_disk(inputs: Path, tmp_path: Path) -> None:
    assert run(FAKE, "score", inputs, "-o", "s.jsonl", cwd=tmp_path).returncode == 1
    with web_server(inputs) as address:
        assert run(FAKE, "score", f"{address}/", "-o", "w.jsonl", cwd=tmp_path).returncode == 1
        no = run(FAKE, "score", f"{address}/", "-o", f"{address}/s.jsonl", cwd=tmp_path)
    assert outcome(tmp_path, "w.jsonl") == outcome(tmp_path, "s.jsonl")
    assert (no.returncode, "a web server takes no results" in no.stderr) == (2, True)


@pytest.mark.slow
def test_parse_and_features_on_a_store(inputs: Path, tmp_path: Path) -> None:
    letters = f"disk://{inputs}/cases.jsonl"
    for name, output in (("parse", "p.jsonl"), ("features", "f.parquet")):
        for at in (str(tmp_path), f"file://{tmp_path}/store"):
            (tmp_path / "store").mkdir(exist_ok=True)
            # The program itself knows no disk://.
            given = letters.removeprefix("disk://") if at.startswith("/") else f"file{letters[4:]}"
            done = run(REAL, name, given, "-o", f"{at}/{output}", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
        assert (tmp_path / "store" / output).read_bytes() == (tmp_path / output).read_bytes()


@pytest.mark.slow
def test_explain_on_a_store(inputs: Path, tmp_path: Path) -> None:
    done = run(FAKE, "explain", f"disk://{inputs}/more.csv", cwd=tmp_path)
    assert (done.returncode, "Letter C1" in done.stdout) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nostore://key:secret@b/s.jsonl", "protocol nostore cannot be used here"),
        ("dropbox://b/s.jsonl", "needs dropboxdrivefs (pip install dropboxdrivefs)"),
        ("disk:///proc/s.jsonl", "cannot write"),
        ("disk://s.jsonl", "it is a bucket"),
        ("disk://{tmp}/in.jsonl", "this is a folder"),
        ("disk://{tmp}/s.doc", ".doc is no output format"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    url: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").mkdir()
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    done = run(FAKE, "score", cases, "-o", url.format(tmp=tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said in line
    assert "secret" not in line


@pytest.mark.slow
def test_objects_are_fetched_ahead_and_stay_in_order(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"{n:02}.txt").write_text(f"Letter {n}.")
    (tmp_path / "13.txt").write_bytes(b"")
    names = [f"{n:02}.txt" for n in range(40)]
    at_once = AtOnce()
    with web_server(tmp_path, at_once, delay_seconds=0.1) as address:
        given = [Source(f"{address}/{name}", "text") for name in names]
        got = list(fetched(given))
    assert [task_name(task).rpartition("/")[2] for task in got] == names
    assert [task.content for task in got if isinstance(task, Source)] == [
        f"Letter {n}.".encode() for n in range(40) if n != 13
    ]
    assert isinstance(got[13], LetterError)
    assert got[13].reason == "empty"
    assert 1 < at_once.most <= 8


# --- whole or not at all -------------------------------------------------------------------------


def write(target: FilePath, full: bool = False) -> None:
    check_writable(target)
    with open_table(target, COLUMNS) as write_rows:
        write_rows(ROWS)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("ending", outputs.SUFFIXES)
def test_a_failed_write_leaves_the_earlier_object(
    ending: str, memory: fsspec.AbstractFileSystem
) -> None:
    target = output_path(f"memory://bucket/t{ending}")
    memory.pipe_file(f"/bucket/t{ending}", b"earlier")
    with pytest.raises(Refused, match="no space left"):
        write(target, full=True)
    assert memory.find("/") == [f"/bucket/t{ending}"]
    assert memory.cat_file(f"/bucket/t{ending}") == b"earlier"
    write(target)
    assert memory.find("/") == [f"/bucket/t{ending}"]
    assert memory.cat_file(f"/bucket/t{ending}") != b"earlier"


@pytest.mark.parametrize("broken", ["mv", "open", "pipe_file"])
def test_a_store_that_fails_is_one_clear_line(
    broken: str, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("https://key:secret@host/")

    memory.pipe_file("/bucket/t.jsonl", b"earlier")
    monkeypatch.setattr(type(memory), broken, fail)
    target = output_path("memory://bucket/t.jsonl")
    with pytest.raises(Refused) as caught:
        write(target)
    assert "cannot write: the store failed (RuntimeError)" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert memory.find("/") == ["/bucket/t.jsonl"]


def test_names_of_places() -> None:
    made = output_path("s3://key:secret@bucket/in/scores.parquet")
    assert made.on_store
    assert (made.name, made.suffix, str(made)) == (
        "scores.parquet", ".parquet", "s3://bucket/in/scores.parquet",
    )  # fmt: skip
    assert made.with_name("x").address == "s3://key:secret@bucket/in/x"
    assert output_path("memory://t.csv").with_name("x").address == "memory://x"
    assert output_path("file:///a/b.csv") == LocalPath("/a/b.csv") == output_path("/a/b.csv")


# --- killed and resumed --------------------------------------------------------------------------


def chunks_done(tmp_path: Path, output: str) -> int:
    return len(list((tmp_path / f"{output}.partial").glob("chunk-*.jsonl")))


def start(tmp_path: Path, cases: Path, *more: object, **changes: str) -> subprocess.Popen[str]:
    arguments = ("score", cases, "-o", f"disk://{tmp_path}/s.jsonl", "--jobs", 2, *more)
    return subprocess.Popen(
        command(FAKE, *arguments), cwd=tmp_path, env=environment(**changes), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_early_resumes_to_the_same_result(
    by: signal.Signals, tmp_path: Path
) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)] + ["fail-1"])
    whole = run(FAKE, "score", cases, "-o", "whole.jsonl", cwd=tmp_path, FAKE_SECONDS="0")
    assert whole.returncode == 1
    program = start(tmp_path, cases, FAKE_SECONDS="0.1")
    while chunks_done(tmp_path, "s.jsonl") < 3:
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)
    os.kill(program.pid, by)
    program.communicate(timeout=60)
    work = tmp_path / "s.jsonl.partial"
    assert not (tmp_path / "s.jsonl").exists()
    assert (work / "lock").exists() == (by == signal.SIGKILL)
    (work / "chunk-00000900.jsonl").write_text('{"chunk": 900, "answ')  # cut short by the kill
    # What is done is not asked for again: now a letter that is asked for fails.
    done = start(tmp_path, cases, "--resume", FAKE_SECONDS="0")
    out, err = done.communicate(timeout=60)
    assert done.returncode == 1, err
    assert scored(tmp_path / "s.jsonl") == scored(tmp_path / "whole.jsonl")
    assert lines(tmp_path / "s.jsonl.errors.jsonl") == lines(tmp_path / "whole.jsonl.errors.jsonl")
    assert out.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    assert not [path for path in work.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    program = start(tmp_path, cases, FAKE_SECONDS="0.1")
    while (kept := chunks_done(tmp_path, "s.jsonl")) < 4:
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)
    program.kill()
    program.communicate()
    done = start(tmp_path, cases, "--resume", FAKE_SECONDS="no number")
    done.communicate(timeout=60)
    read = {row["letter_id"] for row in scored(tmp_path / "s.jsonl")}
    failed = lines(tmp_path / "s.jsonl.errors.jsonl")
    assert len(read) >= 10 * kept
    assert len(read) + len(failed) == 80


@pytest.mark.slow
def test_two_runs_on_one_output_refuse_each_other(tmp_path: Path) -> None:
    ids = [f"{'L' if n < 300 else 'wait'}-{n}" for n in range(304)]
    cases = write_records(tmp_path / "cases.jsonl", ids)
    first = start(tmp_path, cases, FAKE_UNTIL=str(tmp_path / "go"))
    while chunks_done(tmp_path, "s.jsonl") < 1:
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    second = start(tmp_path, cases, FAKE_BEAT="0.5")
    _, said = second.communicate(timeout=60)
    (tmp_path / "go").touch()
    _, err = first.communicate(timeout=60)
    assert (second.returncode, "another run is writing it" in said) == (2, True)
    assert first.returncode == 0, err
    assert len(scored(tmp_path / "s.jsonl")) == 608


def interrupted(target: FilePath) -> None:
    """A run whose one chunk is done when it ends early."""
    with contextlib.suppress(KeyboardInterrupt), open_journal(target, SETTINGS, False) as made:
        made.append(CHUNK, [{"letter_id": "a"}])
        raise KeyboardInterrupt


SETTINGS = RunSettings("m", reasons=True, detail=False, chunk_letters=1, started="now")
CHUNK = Chunk(0, (LetterError("a", "", ""),))


def test_of_two_that_begin_together_the_later_one_keeps_the_lock(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "BEAT_SECONDS", 0.02)
    target = output_path("memory://bucket/s.jsonl")

    def robbed() -> None:
        with open_journal(target, SETTINGS, resume=False) as first:
            memory.pipe_file("/bucket/s.jsonl.partial/lock", b"another 1")
            time.sleep(0.2)
            first.append(CHUNK, [{"letter_id": "a"}])

    with pytest.raises(Refused, match="another run is writing it"):
        robbed()
    assert memory.cat_file("/bucket/s.jsonl.partial/lock") == b"another 1"


def test_a_run_of_other_settings_is_not_resumed(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "BEAT_SECONDS", 0.02)
    target = output_path("memory://bucket/s.jsonl")
    interrupted(target)
    with open_journal(target, SETTINGS, resume=True) as second:
        assert second.has(CHUNK)
        assert list(second.missing([CHUNK], lambda _: None)) == []
        assert list(second.answers()) == [{"letter_id": "a"}]
        assert list(second.letter_ids()) == ["a"]
    assert memory.find("/") == []
    interrupted(target)
    other = RunSettings("other", reasons=True, detail=False, chunk_letters=1, started="now")
    with (
        pytest.raises(Refused, match="cannot resume: model was m, now other"),
        open_journal(target, other, resume=True),
    ):
        pass
    with open_journal(target, other, resume=False) as anew:
        assert not anew.has(CHUNK)
        assert not memory.glob("/bucket/s.jsonl.partial/chunk-*")


def test_a_letter_that_changed_on_its_store_is_scored_again(
    memory: fsspec.AbstractFileSystem,
) -> None:
    from imr.serve.letters import tasks

    def fingerprint() -> str:
        return Chunk(0, tuple(tasks(["memory://bucket/in"]))).fingerprint()

    memory.pipe_file("/bucket/in/a.txt", b"one")
    first = fingerprint()
    assert fingerprint() == first
    memory.pipe_file("/bucket/in/a.txt", b"two")
    assert fingerprint() != first


def test_a_chunk_in_the_journal_is_a_line_of_json(memory: fsspec.AbstractFileSystem) -> None:
    target = output_path("memory://bucket/s.jsonl")
    with open_journal(target, SETTINGS, resume=False) as made:
        made.append(CHUNK, [{"letter_id": "a"}])
        kept = memory.cat_file("/bucket/s.jsonl.partial/chunk-00000000.jsonl")
    assert json.loads(kept)["answer"] == [{"letter_id": "a"}]
