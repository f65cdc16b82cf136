"""`imr validate` and `imr score --dry-run`: what would be read, what not and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from imr.data.letter import Letter
from imr.serve.derive import each_letter
from imr.serve.letters import AS_FOUND, Failure, ReadAs

WARNINGS_SHOWN = 5


@dataclass(slots=True)
class Checked:
    """What was read of each file, and the counts over all."""

    files: dict[str, Counter[str]] = field(default_factory=dict)
    total: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def add(self, answer: dict[str, Any]) -> None:
        """Count one letter."""
        counts = {name: answer[name] for name in ("letters", "items", "decided", "warned")}
        self.files.setdefault(answer["file"], Counter()).update(counts)
        self.total.update(counts)
        self.warnings.update(answer["warnings"])

    def lines(self, each_file: bool) -> Iterator[str]:
        """A line a file, where wanted, then the whole and its most frequent warnings."""
        if each_file:
            for name, counts in self.files.items():
                yield f"{name}: {_counts(counts)}"
        yield f"would be read: {_counts(self.total)}; not read: {self.total['failed']}"
        for warning, times in self.warnings.most_common(WARNINGS_SHOWN):
            yield f"warning in {times}: {warning}"


def _counts(of: Counter[str]) -> str:
    letters, items = of["letters"], of["items"]
    kinds = {"decided": "decided", "warned": "with a warning"}
    of_these = ", ".join(f"{of[kind]:,} {said}" for kind, said in kinds.items() if of[kind])
    said = f"{letters:,} letter{'s' * (letters != 1)}" + f" ({of_these})" * bool(of_these)
    return f"{said}, {items:,} item{'s' * (items != 1)}"


def validate(
    letters: tuple[str, ...],
    jobs: int,
    report: Callable[[Failure], None],
    how: ReadAs = AS_FOUND,
) -> Checked:
    """Read everything and score nothing; each letter not read is passed on."""
    checked = Checked()

    def told(failure: Failure) -> None:
        checked.total["failed"] += 1
        report(failure)

    for answer in each_letter(letters, looked_at, jobs, told, how):
        checked.add(answer)
    return checked


def looked_at(letter: Letter) -> dict[str, Any]:
    """What is counted of a letter: no word of it but its warnings, which hold none."""
    source = letter.case.source
    file = next(
        (source.rpartition(f" {unit} ")[0] for unit in ("row", "line", "record")
         if source.rpartition(f" {unit} ")[2].isdigit() and f" {unit} " in source), source
    )  # fmt: skip
    return {
        "file": file,
        "letters": 1,
        "items": len(letter.case.items),
        "decided": int(letter.decided),
        "warned": int(bool(letter.warnings)),
        "warnings": list(letter.warnings),
    }
