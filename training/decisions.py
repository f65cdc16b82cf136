"""Decided letters -> one table of signals and labels: the only reader of determinations.

A row is an item.  Its columns are the keys, the case's own dates, the signals and, with the prefix
``label_``, what was decided: :func:`inputs` takes that away, and models refuse frames that carry
it.  ``data/decisions.csv`` is this table for real letters.  It holds facts and figures only, no
sentence of a letter, and is built by one command, never edited::

    python -m imr.training.decisions LETTERS... -o data/decisions.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.data.citations import labels
from imr.data.letter import Case, Decision, Item, Letter, LetterError
from imr.data.parse import parse
from imr.data.read import read
from imr.features.table import all_columns, frame
from imr.models.bundle import sha256
from imr.models.frame import CASE_FACTS, KEY_COLUMNS, LIST_SEPARATOR, case_frame, row_order
from imr.models.guideline.candidates import chapter_of
from imr.models.outcome.start import JUDGED_APART

DATA = resources.files("imr.data")
APART = "judged_apart.csv"
SHIPPED = Path(str(DATA / "decisions.csv"))
LABEL_PREFIX = "label_"
LABELS: dict[str, str] = {
    "label_outcome": "string",  # Upheld or Overturned
    "label_guideline": "string",  # the reviewer's primary guideline, Chapter > Section
    "label_chapter": "string",  # its chapter
    "label_guidelines": "string",  # every cited guideline, separated by " | "
    "label_edition": "string",  # printed year of the primary guideline, for slices
    "label_decision_date": "string",  # ISO; for splits by time and for prior years only
}


class NoDecisionsError(ValueError):
    """No decided item to learn from; the message names the source and the remedy."""


@dataclass
class Corpus:
    """Letters read for training: ``table`` has a row a decided item; ``texts`` (same index; None
    without letters) the columns ``title``, ``administrator``, ``case_summary``, ``rationale``, for
    baselines and probes only; ``errors`` what could not be read.
    """

    table: pd.DataFrame
    texts: pd.DataFrame | None = None
    errors: list[LetterError] = field(default_factory=list)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the table as CSV: the version of the data in the experiment log."""
        return sha256(self.table.to_csv(index=False))


def build(letters: Iterable[Letter]) -> Corpus:
    """The table of the decided items.  Raises :class:`NoDecisionsError` where there is none."""
    letters = list(letters)
    table = case_frame([letter.case for letter in letters])
    decided: list[bool] = []
    label_rows, text_rows = [], []
    for letter in letters:
        for item, decision in zip(letter.case.items, letter.determination.decisions, strict=True):
            decided.append(decision is not None)
            if decision is not None:
                label_rows.append(_label_row(letter, decision))
                text_rows.append(_text_row(letter.case, item, decision))
    if not any(decided):
        raise NoDecisionsError("no decided item in these letters (give published determinations)")
    found = pd.DataFrame(label_rows, columns=list(LABELS)).astype(LABELS)
    table = _rows(table, np.flatnonzero(decided))
    return Corpus(pd.concat([table, found], axis=1), pd.DataFrame(text_rows))


def _rows(table: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """The rows at these positions, numbered anew."""
    return table.iloc[rows].reset_index(drop=True)


def _label_row(letter: Letter, decision: Decision) -> dict[str, str | None]:
    cited, guideline = labels(decision.guideline), decision.guideline
    day = letter.determination.decision_date
    return {
        "label_outcome": decision.outcome,
        "label_guideline": cited[0],
        "label_chapter": chapter_of(cited[0]),
        "label_guidelines": LIST_SEPARATOR.join(cited),
        "label_edition": guideline.mtus[0].edition if guideline and guideline.mtus else None,
        "label_decision_date": day.isoformat() if day else None,
    }


def _text_row(case: Case, item: Item, decision: Decision) -> dict[str, str]:
    administrator = item.claims_administrator_guideline
    return {
        "title": item.requested,
        "administrator": administrator.raw if administrator else "",
        "case_summary": case.case_summary,
        "rationale": decision.rationale,
    }


def read_corpus(paths: Iterable[str]) -> Corpus:
    """Read letters into a table.  Raises :class:`NoDecisionsError` where none is decided."""
    paths = list(paths)
    letters: list[Letter] = []
    errors: list[LetterError] = []
    for text in read(paths):
        try:
            if isinstance(text, LetterError):
                raise text
            letters.append(parse(text))
        except LetterError as error:
            errors.append(error)
    if not letters:
        reasons = f": {errors[0]}" if errors else ""
        raise NoDecisionsError(f"no letter could be read from {', '.join(paths)}{reasons}")
    return replace(build(letters), errors=errors)


def dtypes() -> dict[str, str]:
    """Column -> pandas type of the table, in order."""
    empty = frame([]).dtypes
    signals_types = {c.name: str(empty[c.name]) for c in all_columns()}
    return signals_types | {k: v for k, v in CASE_FACTS.items() if k not in signals_types} | LABELS


def load_decisions(path: str | Path | None = None) -> Corpus:
    """A table written by :func:`write_decisions`, by default the shipped one.  Raises
    :class:`NoDecisionsError` where the file is missing, empty or of another version.
    """
    path = Path(path) if path else SHIPPED
    if not path.is_file():
        raise NoDecisionsError(f"{path}: no such file (build it: python -m imr.training.decisions)")
    types = dtypes()
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise NoDecisionsError(f"{path}: not a table of decisions ({error})") from error
    except (TypeError, ValueError) as error:
        raise NoDecisionsError(f"{path}: a value of the wrong type ({error})") from error
    missing = [name for name in types if name not in table]
    if missing:
        raise NoDecisionsError(
            f"{path}: lacks {len(missing)} column(s) of this version, e.g. "
            f"{', '.join(missing[:5])} (build it anew: python -m imr.training.decisions)"
        )
    if table.empty:
        raise NoDecisionsError(f"{path}: holds no decided item")
    return Corpus(table[list(types)])


def write_decisions(corpus: Corpus, out: Path) -> None:
    """Write the table as CSV, sorted by letter and item, so that a rebuild shows its changes."""
    table = corpus.table.sort_values([*KEY_COLUMNS], kind="stable")
    table.to_csv(out, index=False, lineterminator="\n")


def inputs(table: pd.DataFrame) -> pd.DataFrame:
    """The table without what was decided: what models may see."""
    return table.drop(columns=[c for c in table if str(c).startswith(LABEL_PREFIX)])


def judged_apart(table: pd.DataFrame) -> NDArray[Any]:
    """What judgements without a letter's ratings say less than the shipped one, in log odds."""
    apart = pd.read_csv(str(DATA / APART), dtype={"letter_id": str}).set_index([*KEY_COLUMNS])
    found = apart[JUDGED_APART].reindex(keys_of(table)).fillna(0.0)
    return found.to_numpy(dtype=np.float64)


def keys_of(table: pd.DataFrame) -> pd.MultiIndex:
    """The keys of the rows, for a look-up in tables that we ship."""
    columns: Any = [table["letter_id"].astype(str), table["item_index"].astype("int64")]
    return pd.MultiIndex.from_arrays(columns, names=KEY_COLUMNS)


def outcomes(table: pd.DataFrame) -> pd.Series[int]:
    """1 where overturned, 0 where upheld."""
    return (table["label_outcome"] == "Overturned").astype(int)


@dataclass(frozen=True)
class Sample:
    """``frame`` holds no label; ``y`` is 1 where overturned; ``guideline`` the reviewer's first
    citation and ``cited`` all of them; ``texts`` (or None) is for baselines and probes only;
    ``groups`` numbers what may not be parted.
    """

    frame: pd.DataFrame
    y: NDArray[np.int_]
    guideline: NDArray[Any]
    cited: list[tuple[str, ...]]
    edition: NDArray[Any]
    groups: NDArray[np.intp]
    table: pd.DataFrame
    texts: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def overturned(self) -> list[bool]:
        """The truth as the models take it."""
        return [bool(value) for value in self.y]

    def part(self, rows: NDArray[np.intp]) -> Sample:
        """The rows alone, in the order given."""
        return Sample(
            frame=_rows(self.frame, rows),
            y=self.y[rows],
            guideline=self.guideline[rows],
            cited=[self.cited[row] for row in rows],
            edition=self.edition[rows],
            groups=self.groups[rows],
            table=_rows(self.table, rows),
            texts=None if self.texts is None else _rows(self.texts, rows),
        )


def ordered(corpus: Corpus) -> Corpus:
    """Rows by letter and item, so that the order of files or of a table changes no figure."""
    rows = row_order(corpus.table)
    if (rows == np.arange(len(rows))).all():
        return corpus
    texts = None if corpus.texts is None else _rows(corpus.texts, rows)
    return replace(corpus, table=_rows(corpus.table, rows), texts=texts)


def groups(table: pd.DataFrame) -> NDArray[np.intp]:
    """A group number a row, shared by one letter (its items share the summary) and one injured
    worker (whose letters share the injury), which would carry the answer from training to test.
    Columns read: ``letter_id, injury_date, age, sex``; a worker is known by all three facts.
    """
    facts: list[Any] = [table["age"].astype("string"), table["sex"]]
    worker: Any = table["injury_date"].str.cat(facts, sep="|")
    number: dict[Any, int] = {}
    letter_group: dict[str, int] = {}
    for letter, who in zip(table["letter_id"], worker, strict=True):
        if letter not in letter_group:
            key = letter if pd.isna(who) else who
            letter_group[letter] = number.setdefault(key, len(number))
        if not pd.isna(who):
            number.setdefault(who, letter_group[letter])
    return np.array([letter_group[letter] for letter in table["letter_id"]], dtype=np.intp)


def sample(corpus: Corpus) -> Sample:
    """The sample of a corpus; the labels are taken off before anything else sees the table."""
    table = corpus.table.reset_index(drop=True)
    texts = None if corpus.texts is None else corpus.texts.reset_index(drop=True)
    return Sample(
        frame=inputs(table).assign(**{JUDGED_APART: judged_apart(table)}),
        y=np.asarray(outcomes(table), dtype=np.int_),
        guideline=table["label_guideline"].astype(object).to_numpy(),
        cited=[tuple(str(cell).split(LIST_SEPARATOR)) for cell in table["label_guidelines"]],
        edition=table["label_edition"].fillna("none printed").astype(object).to_numpy(),
        groups=groups(table),
        table=table,
        texts=texts,
    )


def main() -> None:
    """``python -m imr.training.decisions LETTERS... -o FILE``."""
    parser = argparse.ArgumentParser(description="Build the table of decisions from letters.")
    parser.add_argument("letters", nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.letters)
    write_decisions(corpus, arguments.output)
    overturned = int(outcomes(corpus.table).sum())
    print(f"{arguments.output}: {len(corpus.table)} items, {overturned} overturned")
    for error in corpus.errors:
        print(f"left out: {error}")


if __name__ == "__main__":
    main()
