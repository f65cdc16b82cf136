"""What a change did to the corpus: parsed fields, signals and verdicts, before and after.

    python -m benchmarks.diff [--before REVISION] [--list] [LETTERS...]

*Before* is a commit, by default the last one, *after* the files as they are now.  The letters are
those named, by default ``data/samples`` and the folder that ``IMR_LETTERS`` names.  Printed are, a
field, signal or criterion a line, the rows that changed and one of them (``--list``: all of them).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("data", "features", "models", "training", "serve")
ABSENT = "(absent)"
NOTHING = (ABSENT, None, False)
"""A column that is new says something of the rows only where it is documented."""

Row = dict[str, Any]
Rows = dict[str, Row]


def read_rows(letters: list[str]) -> Iterator[tuple[str, Row]]:
    """Every item with what is read and derived of it, by the ``imr`` that this process imports."""
    from imr.data.letter import LetterError
    from imr.data.parse import parse
    from imr.data.read import read

    for text in read(letters):
        name = text.source if isinstance(text, LetterError) else text.letter_id
        try:
            if isinstance(text, LetterError):
                raise text
            letter = parse(text)
        except LetterError as error:
            yield name, {"refused": error.reason}
            continue
        yield from _item_rows(name, letter)


def _item_rows(name: str, letter: Any) -> Iterator[tuple[str, Row]]:
    from imr.features.checklist import checklist
    from imr.features.table import signals
    from imr.serve.letter_json import letter_object

    case, found, parsed = letter.case, signals(letter.case), letter_object(letter)
    shared = {"parse header": parsed["header"], "parse case_summary": parsed["case_summary"]}
    for item, values, fields in zip(case.items, found.rows, parsed["items"], strict=True):
        verdicts = checklist(case, item, values, found.evidence)
        yield (
            f"{name} item {item.index}",
            {
                **shared,
                **{f"parse {key}": value for key, value in fields.items()},
                **values,
                **{f"criterion {criterion.id}": criterion.status for criterion in verdicts},
            },
        )


def started(tree: Path, letters: list[str], folder: Path) -> subprocess.Popen[str]:
    """A process that prints the rows as the code in ``tree`` reads them."""
    package = folder / "imr"
    package.mkdir(parents=True)
    for module in (tree / "imr").glob("*.py"):
        (package / module.name).symlink_to(module)
    for name in PACKAGES:
        (package / name).symlink_to(tree / name)
    return subprocess.Popen(
        [sys.executable, __file__, "--rows", *letters],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def printed_rows(process: subprocess.Popen[str]) -> Rows:
    """What such a process printed.  Raises SystemExit where it failed; it has said why."""
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return dict(json.loads(line) for line in said.splitlines())


def export(revision: str, folder: Path) -> None:
    """The packages as they were at a commit."""
    command = ["git", "-C", str(ROOT), "archive", revision, "imr", *PACKAGES]
    packed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=packed)


def changes(before: Rows, after: Rows) -> dict[str, dict[str, str]]:
    """By field, signal or criterion: the rows whose value changed, with both values."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in sorted({*before, *after}):
        old: Mapping[str, Any] = before.get(row, {})
        new: Mapping[str, Any] = after.get(row, {})
        if not (old and new):
            found["rows"][row] = "gone" if old else "new"
            continue
        for name in sorted({*old, *new}):
            was, now = old.get(name, ABSENT), new.get(name, ABSENT)
            if was != now and not (ABSENT in (was, now) and was in NOTHING and now in NOTHING):
                found[name][row] = f"{_short(was)} -> {_short(now)}"
    return dict(sorted(found.items()))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def main() -> None:
    """Print the changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("letters", nargs="*")
    parser.add_argument("--before", default="HEAD", metavar="REVISION")
    parser.add_argument("--list", action="store_true", help="every changed row")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    letters = asked.letters or [str(ROOT / "data" / "samples"), os.environ.get("IMR_LETTERS", "")]
    letters = [place for place in letters if place]
    if asked.rows:
        for row in read_rows(letters):
            print(json.dumps(row, ensure_ascii=False))
        return
    with TemporaryDirectory(prefix="imr-diff-") as name:
        folder = Path(name)
        export(asked.before, folder / "before")
        trees = {"old": folder / "before", "new": ROOT}
        running = [started(tree, letters, folder / at) for at, tree in trees.items()]
        before, after = map(printed_rows, running)
    found = changes(before, after)
    touched = {row for rows in found.values() for row in rows}
    print(f"{len(after)} rows read; {len(touched)} changed since {asked.before}")
    for field, rows in found.items():
        print(f"{field}: {len(rows)} row{'' if len(rows) == 1 else 's'}")
        for row, change in list(rows.items())[: None if asked.list else 1]:
            print(f"  {row}: {change}")


if __name__ == "__main__":
    main()
