"""The README says what the project does: its commands, its files and its table of properties."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from imr.serve.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def commands() -> set[str]:
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_table_of_commands_is_the_command_line() -> None:
    listed = set(re.findall(r"^\| `imr (\w+)", README, re.MULTILINE))
    assert listed == commands()


def test_every_command_and_option_in_the_readme_exists() -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]
    used = re.findall(
        r"\bimr (parse|features|train|evaluate|score|explain|schema|synthesize)\b([^\n`|]*)", README
    )
    assert len(used) > 10
    for name, rest in used:
        options = {o for p in known[name].params for o in (*p.opts, *p.secondary_opts)}
        for option in re.findall(r"(?<!\w)--?[a-z][a-z-]*", rest):
            assert option in options, (name, option)


def test_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b(?! )", README))
    assert {"train", "test"} <= named <= targets


@pytest.mark.parametrize("text", [README, SECURITY], ids=["README", "SECURITY"])
def test_files_that_are_named_exist(text: str) -> None:
    named = set(
        re.findall(
            r"`((?:tests|data|features|models|training|serve|benchmarks|docs|fuzz)/[\w./-]+)`", text
        )
    )
    named |= {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_property_has_a_test_that_exists() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`tests/[^|]+) \|$", README, re.MULTILINE)
    assert len(rows) >= 6
    for row in rows:
        for file in re.findall(r"`([^`]+)`", row):
            assert "def test_" in (ROOT / file).read_text(encoding="utf-8"), file
