"""Signals against the letters annotated by hand: precision and recall, a column a line.

    python -m benchmarks.agreement LETTERS ANNOTATIONS... [--differences]

``LETTERS`` is a folder of real letters, ``ANNOTATIONS`` folders of JSON files with a ``summary``
(``tests/annotations/letters`` and the five of the shared ``gold`` folder).  Truth values count as
found or missed; a number, word or list is right only as a whole.  Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imr.data.letter import Case, LetterError
from imr.data.parse import parse
from imr.data.read import read
from imr.features.context import Summary, read_summary
from imr.features.families import pain, studies, worker
from imr.features.signal import Value
from imr.features.table import signals

Truth = dict[str, object]
Row = dict[str, Value]
_SAME = (
    "age",
    "sex",
    "imaging_present",
    "electrodiagnostic_present",
    "physical_therapy_prior",
    "chiropractic_prior",
    "acupuncture_prior",
    "injection_prior",
    "surgery_prior",
    "radicular_findings",
    "work_status",
)


def _entries(truth: Truth, name: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = list(truth[name])  # type: ignore[call-overload]
    return entries


def _numbers(truth: Truth, name: str) -> list[float]:
    return [float(number) for number in truth[name]]  # type: ignore[attr-defined]


def _modality(name: str) -> Callable[[Truth], bool]:
    return lambda truth: any(entry["modality"] == name for entry in _entries(truth, "imaging"))


def _injury(summary: Summary) -> str | None:
    printed = worker.injury_in_summary(summary)
    return printed.day.isoformat() if printed else None


def _studies(summary: Summary) -> list[tuple[str, str, str]]:
    done = studies.studies(summary)
    return sorted((s.modality, s.region or "not_stated", s.result) for s in done)


def _annotated_studies(truth: Truth) -> list[tuple[str, str, str]]:
    entries = _entries(truth, "imaging")
    return sorted((e["modality"], e["body_part"], e["result"]) for e in entries)


def compared(truth: Truth, row: Row, summary: Summary) -> Iterator[tuple[str, object, object]]:
    """Column, what the annotation says, what the signals say."""
    for name in _SAME:
        if name in row:
            yield name, truth[name], row[name]
    yield "injury_date (of the summary)", truth["injury_date"], _injury(summary)
    for kind in ("mri", "ct", "xray"):
        yield f"imaging_{kind}", _modality(kind)(truth), row[f"imaging_{kind}"]
    yield "imaging studies (whole list)", _annotated_studies(truth), _studies(summary)
    percents, scores = _numbers(truth, "relief_percent"), _numbers(truth, "pain_scores")
    yield "relief_percent_max", max(percents, default=None), row["relief_percent_max"]
    yield "relief percents (whole list)", percents, [r.percent for r in pain.reliefs(summary)]
    yield "pain_score_max", max(scores, default=None), row["pain_score_max"]
    told = [s.points for s in pain.pain_scores(summary)]
    yield "pain scores (whole list)", scores, told


def _documented(value: object) -> bool:
    """Whether a value says that something is there (0% relief does)."""
    return not (value is None or value is False or value == [])


@dataclass
class Tally:
    """Counts of one column: right where something was to be found, wrong, missed, agreeing."""

    hit: int = 0
    wrong: int = 0
    missed: int = 0
    agreeing: int = 0
    total: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, letter: str, truth: object, found: object) -> None:
        """Count one letter; an empty value is nothing found."""
        self.total += 1
        if truth == found:
            self.agreeing += 1
            self.hit += _documented(truth)
            return
        self.wrong += _documented(found)
        self.missed += _documented(truth)
        self.differences.append(f"{letter}: annotated {truth}, found {found}")

    def line(self, name: str) -> str:
        """A line of the table."""
        precision = self.hit / (self.hit + self.wrong) if self.hit + self.wrong else 1.0
        recall = self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0
        measured = (precision, recall, self.agreeing / self.total)
        counts = f"| {name} | {self.total} | {self.hit + self.missed} |"
        return counts + "".join(f" {share:.3f} |" for share in measured)


def annotated(folders: list[Path]) -> dict[str, Truth]:
    """The annotated summaries by letter."""
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    read_in = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return {entry["letter_id"]: entry["summary"] for entry in read_in}


def cases(letters: list[str]) -> Iterator[Case]:
    """The letters that can be read, as they are known before the decision."""
    for text in read(letters):
        if not isinstance(text, LetterError):
            yield parse(text).case


def tallies(letters: Path, annotations: list[Path]) -> dict[str, Tally]:
    """The tally of every compared signal, over the letters that are annotated."""
    truths = annotated(annotations)
    found: dict[str, Tally] = {}
    for case in cases([str(letters)]):
        if case.letter_id in truths:
            row, summary = signals(case).rows[0], read_summary(case.case_summary)
            for name, truth, value in compared(truths[case.letter_id], row, summary):
                found.setdefault(name, Tally()).add(case.letter_id, truth, value)
    return found


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("letters", type=Path)
    arguments.add_argument("annotations", type=Path, nargs="+")
    arguments.add_argument("--differences", action="store_true")
    chosen = arguments.parse_args()
    found = tallies(chosen.letters, chosen.annotations)
    print("| signal | letters | documented | precision | recall | agreement |\n|" + " --- |" * 6)
    for name, tally in found.items():
        print(tally.line(name))
        for difference in tally.differences if chosen.differences else ():
            print(f"  {difference}")
    macro = sum(t.agreeing / t.total for t in found.values()) / len(found)
    print(f"\nmacro agreement {macro:.4f} over {len(found)} signals")


if __name__ == "__main__":
    main()
