"""What needs no model: `imr parse`, `imr features`, `imr validate`, and `imr new`, which writes a
case record to fill in, with what the guideline asks for.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from imr.data.letter import MAX_ITEMS, Case, CaseHeader, Item, Letter, LetterError
from imr.data.records import HEADER_FIELDS, QUESTIONS
from imr.serve import outputs
from imr.serve.letter_json import letter_object
from imr.serve.letters import (
    AS_FOUND,
    ReadAs,
    Task,
    check_apart,
    chunked,
    count_letters,
    fetched,
    read_safely,
    safely,
    something_to_do,
)
from imr.serve.messages import Refused, ended_well, many, progress
from imr.serve.workers import Pool, Work, failure_answer, in_order

ReportFailure = Callable[[LetterError], None]

CHUNK_LETTERS = 16
"""Letters that a worker reads at a time, or derives signals of."""


def each_letter(
    letters: tuple[str, ...],
    make: Callable[[Letter], dict[str, Any]],
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> Iterator[dict[str, Any]]:
    """What ``make`` made of each letter, in order; a letter not read is passed on instead."""
    chunks = chunked(something_to_do(letters, report, how), CHUNK_LETTERS)
    setup = functools.partial(_each, make)
    with progress("reading", lambda: count_letters(letters, how)) as advance:
        for chunk, answer in in_order(Pool(jobs).run(setup, chunks)):
            advance(len(chunk.tasks))
            for one in answer:
                if "error" in one:
                    report(LetterError(**one["error"]))
                else:
                    yield one


def _each(make: Callable[[Letter], dict[str, Any]]) -> Work:
    """A worker's set-up, which loads nothing."""

    def one(task: Task) -> dict[str, Any]:
        letter = read_safely(task)
        if isinstance(letter, LetterError):
            return failure_answer(letter)
        made = safely(letter.case.source, "deriving", lambda: make(letter))
        return failure_answer(made) if isinstance(made, LetterError) else made

    return lambda chunk: [one(task) for task in fetched(chunk.tasks)]


# --- imr parse -----------------------------------------------------------------------------------


def parse_letters(
    letters: tuple[str, ...],
    output: str | None,
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> None:
    """`imr parse`: one JSON object a line, in the order of the input."""
    found = each_letter(letters, letter_object, jobs, report, how)
    if output is None:
        with ended_well():
            _write_lines(sys.stdout.buffer, found)
        return
    target = outputs.output_path(output)
    outputs.check_writable(target)
    check_apart(letters, [target], how)
    with ended_well(f"{target} not written"), outputs.open_atomic(target) as file:
        _write_lines(file, found)


def _write_lines(file: IO[bytes], values: Iterable[Any]) -> None:
    for value in values:
        file.write(outputs.json_line(value))
    file.flush()


# --- imr features --------------------------------------------------------------------------------


def write_features(
    letters: tuple[str, ...],
    output: str,
    evidence: str | None,
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> None:
    """`imr features`: the table of signals and, where asked for, the words behind them."""
    from imr.features.table import all_columns

    target = outputs.output_path(output)
    words = outputs.output_path(evidence) if evidence else None
    outputs.table_format(target)
    for path in (target, words) if words else (target,):
        outputs.check_writable(path)
    check_apart(letters, [target, words], how)
    columns = {column.name: column.dtype for column in all_columns()}
    make = functools.partial(signal_rows, evidence=bool(evidence))
    with ended_well(f"{target} not written"), contextlib.ExitStack() as files:
        write = files.enter_context(outputs.open_table(target, columns))
        quotes = files.enter_context(outputs.open_atomic(words)) if words else None
        for answer in each_letter(letters, make, jobs, report, how):
            write(answer["rows"])
            if quotes:
                _write_lines(quotes, answer["evidence"])


def signal_rows(letter: Letter, evidence: bool) -> dict[str, Any]:
    """The letter's rows of `imr features` and, where wanted, the words behind them."""
    from imr.features.table import signals

    found, letter_id = signals(letter.case), letter.case.letter_id
    words = [{"letter_id": letter_id, **asdict(one)} for one in found.evidence if evidence]
    return {"rows": found.rows, "evidence": words}


# --- imr validate, imr score --dry-run -----------------------------------------------------------

WARNINGS_SHOWN = 5


@dataclass(slots=True)
class Checked:
    """What was read of each file, and the counts over all."""

    files: dict[str, Counter[str]] = field(default_factory=dict)
    total: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def lines(self, each_file: bool) -> Iterator[str]:
        """A line a file, where wanted, then the whole and its most frequent warnings."""
        if each_file:
            for name, counts in self.files.items():
                yield f"{name}: {_counts(counts)}"
        yield f"would be read: {_counts(self.total)}; not read: {self.total['failed']}"
        for warning, times in self.warnings.most_common(WARNINGS_SHOWN):
            yield f"warning in {times}: {warning}"


def _counts(of: Counter[str]) -> str:
    kinds = {"decided": "decided", "warned": "with a warning"}
    of_these = ", ".join(f"{of[kind]:,} {said}" for kind, said in kinds.items() if of[kind])
    shown = f" ({of_these})" if of_these else ""
    return f"{many(of['letters'], 'letter')}{shown}, {many(of['items'], 'item')}"


def validate(
    letters: tuple[str, ...], jobs: int, report: ReportFailure, how: ReadAs = AS_FOUND
) -> Checked:
    """Read everything and score nothing; each letter not read is passed on."""
    checked = Checked()

    def told(failure: LetterError) -> None:
        checked.total["failed"] += 1
        report(failure)

    for answer in each_letter(letters, looked_at, jobs, told, how):
        checked.files.setdefault(answer["file"], Counter()).update(answer["counts"])
        checked.total.update(answer["counts"])
        checked.warnings.update(answer["warnings"])
    return checked


def looked_at(letter: Letter) -> dict[str, Any]:
    """What is counted of a letter: no word of it but its warnings, which hold none."""
    counts = {
        "letters": 1,
        "items": len(letter.case.items),
        "decided": int(letter.decided),
        "warned": int(bool(letter.warnings)),
    }
    file = re.sub(r" (row|line|record) \d+$", "", letter.case.source)
    return {"file": file, "counts": counts, "warnings": list(letter.warnings)}


# --- imr new -------------------------------------------------------------------------------------

SUMMARY_ASKS = (
    "Write into case_summary, in sentences, what the records document: age and work, the injury, "
    "complaints, findings of examination and studies, treatment so far and what came of it. "
    "ur_denial_date (2016-11-21; of a draft, its day) decides which edition of a guideline stands. "
    "The questions of each item say what its guideline asks for; they are not read."
)
NO_CRITERIA = (
    "no criteria are known for this kind of request: say what it is for and what was tried"
)


def new_record(titles: Sequence[str], letter_id: str) -> dict[str, Any]:
    """A record with nothing but its items, and the questions of each item's class of request.

    Raises:
        Refused: without a title, or with too many.
    """
    titles = [" ".join(title.split()) for title in titles]
    if not all(titles) or not 0 < len(titles) <= MAX_ITEMS:
        problem = f"--item: 1 to {MAX_ITEMS} titles that are not empty"
        raise Refused(problem, "name what is asked for")
    from imr.data.request import item_of_heading

    items = tuple(item_of_heading(n, title, None) for n, title in enumerate(titles))
    return {
        "letter_id": letter_id,
        **{field.name: None for field in HEADER_FIELDS},
        "case_summary": "",
        QUESTIONS: [SUMMARY_ASKS],
        "items": [
            {"title": item.title, "claims_administrator_guideline": None, QUESTIONS: asked}
            for item, asked in zip(items, _questions(items), strict=True)
        ],
    }


def _questions(items: tuple[Item, ...]) -> Iterator[list[str]]:
    """A line a criterion: what is asked for, and what can be done to show it."""
    from imr.features.checklist import checklist
    from imr.features.table import signals
    from imr.models.whatif import DOCUMENT, remedy_of

    case = Case("", "", CaseHeader(), "", items)
    for item, row in zip(items, signals(case).rows, strict=True):
        asked = []
        for criterion in checklist(case, item, row):
            remedy = remedy_of(criterion.id, item, row)
            done = f": {remedy.action}" if remedy and remedy.kind == DOCUMENT else ""
            asked.append(f"{criterion.text}{done} [{criterion.guideline}]")
        yield asked or [NO_CRITERIA]


def write_new(record: dict[str, Any], path: str) -> None:
    """Write the record as ``.json``, or ``.csv`` with one row an item; no file is replaced.

    Raises:
        Refused: for another ending, or where the file is there or cannot be written.
    """
    target = outputs.output_path(path)
    ending = target.suffix.lower()
    if ending not in (".json", ".csv"):
        problem = f"{path}: {ending or 'no ending'} is no record to fill in"
        raise Refused(problem, "name it .json or .csv")
    if not target.on_store and Path(path).exists():
        raise Refused(f"{path}: is there already", "name a new file")
    shown = json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"
    with outputs.open_atomic(target) as file:
        file.write(shown if ending == ".json" else _csv(record))


def _csv(record: dict[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    shared = {name: record[name] for name in record if name not in ("items", QUESTIONS)}
    rows = [{**shared, **item, QUESTIONS: " | ".join(item[QUESTIONS])} for item in record["items"]]
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(outputs.csv_cell("str", value) for value in row.values())
    return text.getvalue().encode("utf-8-sig")  # with its mark Excel reads it as UTF-8
