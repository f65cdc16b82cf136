"""Letters that we wrote by program, with known truth, for load, round-trip and simulation tests.

A letter depends on the seed and its own number only, so neither the count nor the number of
processes changes it.  No sentence is taken from a letter; the figures are not estimates of
anything.

**Outcome.** ``P(overturned) = 1 / (1 + exp(-x))`` with ``x`` the sum of the effects whose term
holds; the terms stand in ``data/grammar/effects.csv`` as ``column``, ``column=value`` or
``column>=number``.  With ``effects=None`` nothing is planted: every item is overturned with the
probability ``BASE_RATE``.  House style, layout and wording never enter.

**Reviewer's guideline.** With the probability ``COPY_SHARE`` of ``writer.py`` the reviewer
cites the chapters that the administrator cited, if any; else one of the chapters listed for the
kind of request (``data/grammar/citations.csv``, by weight), with ``CHAIN_SHARE`` followed by the
chapter of the body region.  With ``OUTSIDE_SHARE`` only a source outside the schedule is cited.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Literal

from imr.data import table_rows
from imr.data.sources import TRUTH_NAME
from imr.data.synthetic.page import record
from imr.data.synthetic.writer import BASE_RATE, Row, SyntheticLetter, Writer

__all__ = ["BASE_RATE", "Format", "SyntheticLetter", "planted_effects", "synthesize", "write"]

Format = Literal["pdf", "txt", "jsonl"]

CHUNK = 500
"""Letters that one process writes at a time."""


def planted_effects() -> dict[str, float]:
    """The effects of ``data/grammar/effects.csv``: term -> log-odds."""
    return {row["term"]: float(row["log_odds"]) for row in table_rows("grammar/effects")}


def synthesize(
    n: int,
    seed: int = 0,
    *,
    effects: Mapping[str, float] | Literal["planted"] | None = "planted",
    decided: bool = True,
    start: int = 0,
) -> Iterator[SyntheticLetter]:
    """The letters ``start`` to ``n - 1`` of a seed, one after the other.

    ``effects`` replaces the planted effects; None plants nothing.  Undecided letters are the
    same letters without reviewer, decision date and decisions.
    """
    terms = planted_effects() if effects == "planted" else effects
    odds = None if terms is None else _log_odds(terms)
    for index in range(start, n):
        yield Writer(index, seed, odds).letter(decided)


def _log_odds(terms: Mapping[str, float]) -> Callable[[Row], float]:
    others = dict(terms)
    intercept = others.pop("(intercept)", 0)
    tests = [(_holds(term), odds) for term, odds in sorted(others.items())]
    return lambda row: intercept + sum(odds for holds, odds in tests if holds(row))


def _holds(term: str) -> Callable[[Row], bool]:
    """The test of a term: ``column``, ``column=value`` or ``column>=number``."""
    if ">=" in term:
        column, _, least = term.partition(">=")
        return lambda row: row[column] is not None and row[column] >= float(least)
    column, equals, value = term.partition("=")
    return lambda row: bool(row[column] == value if equals else row[column])


# --- writing ----------------------------------------------------------------------------------


def write(n: int, out: str | Path, seed: int = 0, fmt: Format = "txt", jobs: int = 1) -> list[Path]:
    """Write ``n`` letters into the folder ``out`` and their truth beside them.

    ``txt`` and ``pdf`` write one decided letter a file, ``jsonl`` one file ``letters.jsonl`` of
    undecided case records.  ``truth.jsonl.gz`` has a line a letter (see
    :meth:`SyntheticLetter.truth`); its name keeps it apart from the letters when the folder is
    read.  The bytes depend on ``n``, ``seed`` and ``fmt`` only.  Returns the two paths: the
    folder (or the records' file) and the truth.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    truth, records = folder / TRUTH_NAME, folder / "letters.jsonl"
    with ExitStack() as files:
        truths = files.enter_context(truth.open("wb"))
        letters = files.enter_context(records.open("wb")) if fmt == "jsonl" else None
        for written, known in _chunks(n, folder, seed, fmt, jobs):
            truths.write(known)
            if letters:
                letters.write(written)
    return [records if fmt == "jsonl" else folder, truth]


def _chunks(
    n: int, folder: Path, seed: int, fmt: Format, jobs: int
) -> Iterator[tuple[bytes, bytes]]:
    starts = range(0, n, CHUNK)
    work = functools.partial(_write_chunk, n=n, folder=folder, seed=seed, fmt=fmt)
    if jobs == 1 or len(starts) == 1:
        yield from map(work, starts)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, len(starts))) as pool:
        yield from pool.map(work, starts)


def _write_chunk(
    start: int, *, n: int, folder: Path, seed: int, fmt: Format
) -> tuple[bytes, bytes]:
    """Write the letters of one chunk; returns the records (``jsonl``) and the truth, compressed."""
    records, truths = [], []
    for synthetic in synthesize(min(n, start + CHUNK), seed, start=start, decided=fmt != "jsonl"):
        name = synthetic.letter.case.letter_id
        if fmt == "pdf":
            (folder / f"{name}.pdf").write_bytes(synthetic.pdf())
        elif fmt == "txt":
            (folder / f"{name}.txt").write_bytes(synthetic.text().encode())
        else:
            records.append(json.dumps(record(synthetic.letter)) + "\n")
        truths.append(json.dumps(synthetic.truth(), default=date.isoformat) + "\n")
    packed = gzip.compress("".join(truths).encode(), compresslevel=1, mtime=0)
    return "".join(records).encode(), packed
