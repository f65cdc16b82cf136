"""README, SECURITY and docs say what the project does: commands, options, files, modules, tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from imr.data import letter, paths, sources, tables
from imr.data import read as reading
from imr.serve import processes
from imr.serve.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAPERS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
]
FOLDERS = "tests|data|features|models|training|serve|benchmarks|docs|fuzz|imr"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> set[str]:
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 9_000


def test_the_table_of_commands_is_the_command_line() -> None:
    listed = set(re.findall(r"^\| `imr (\w+)", README, re.MULTILINE))
    assert listed == commands()


@pytest.mark.parametrize("name", PAPERS)
def test_every_command_and_option_that_is_named_exists(name: str) -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]
    used = re.findall(rf"\bimr ({'|'.join(sorted(known))})\b([^\n`|]*)", read(name))
    assert name != "README.md" or len(used) > 10
    for command, rest in used:
        options = {o for p in known[command].params for o in (*p.opts, *p.secondary_opts)}
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest):
            assert option in options, (command, option)


@pytest.mark.parametrize("name", PAPERS)
def test_make_targets_that_are_named_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", read(name), re.MULTILINE))
    assert named <= targets
    assert name != "README.md" or {"train", "test"} <= named


@pytest.mark.parametrize("name", PAPERS)
def test_files_that_are_named_exist(name: str) -> None:
    text, folder = read(name), (ROOT / name).parent
    named = {ROOT / found for found in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", text)}
    named |= {folder / f for f in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in f}
    assert not [str(path) for path in named if not path.exists()]


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/architecture.md"])
def test_every_property_has_a_test_that_exists(name: str) -> None:
    rows = re.findall(r"^\| [^|]+ \| (`tests/[^|]+) \|$", read(name), re.MULTILINE)
    assert len(rows) >= 5
    for row in rows:
        for file in re.findall(r"`([^`]+)`", row):
            found = [ROOT / file] if file.endswith(".py") else list((ROOT / file).glob("test_*.py"))
            assert any("def test_" in path.read_text(encoding="utf-8") for path in found), file


def test_a_walk_passes_no_module_twice() -> None:
    walks = re.split(r"^## ", read("docs/architecture.md"), flags=re.MULTILINE)[1:3]
    for walk in walks:
        passed = re.findall(r"^\| `([\w/]+\.py)`", walk, re.MULTILINE)
        assert len(passed) > 20
        every = re.findall(r"`((?:data|features|models|training|serve)/[\w/]+\.py)`", walk)
        in_table = [name for name in every if name in set(passed)]
        assert len(passed) == len(set(passed))
        assert all(in_table.count(name) <= 2 for name in passed)


def test_the_bounds_of_security_are_those_of_the_code() -> None:
    text = " ".join(read("SECURITY.md").split())
    for bound in (
        f"{sources.MAX_PDF_BYTES // 2**20} MiB a PDF, {reading.MAX_PAGES} pages",
        f"{reading.MAX_PAGE_CHARS:,} characters a page",
        f"{sources.MAX_TEXT_BYTES // 2**20} MiB a text",
        f"{letter.MAX_SUMMARY_CHARS:,} characters a case summary, {letter.MAX_ITEMS:,} items",
        f"{sources.MAX_RECORD_BYTES // 2**20} MiB a record",
        f"{tables.BATCH_BYTES // 2**20} MiB of a Parquet table at a time",
        (
            f"{sources.MAX_UNPACKED_BYTES // 2**20} MiB unpacked, {tables.MAX_COLUMNS} columns and "
            f"{tables.MAX_CELL_CHARS:,} characters a cell of an Office file"
        ),
        f"{paths.MAX_SPOOLED_BYTES // 2**30} GiB of what a web server gives only as a whole",
        f"{processes.LETTER_SECONDS:g} seconds of the processor",
        f"its worker {processes.WORKER_BYTES // 2**30} GiB",
    ):
        assert bound in text
    assert sources.MAX_RATIO == 100
    assert "a hundredfold growth of an archive or table" in text
