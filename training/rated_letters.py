"""What raters who saw no decision gave for real letters -> rows beside the vignettes.

``data/ratings.csv`` holds three raters' chances (percent) of the items that were in dispute,
``data/rated_requests.csv`` two raters' of further requests, each set against the summary of a real
letter that does not make it: invented ones (``request``), or those of another letter
(``of_letter``, ``of_item``); some of them again with a fact of the record changed: sentences
``added`` in our own words, or characters of the summary ``dropped``. Their signals stand in
``data/rated_signals.csv.gz``, derived from the letters by
``python -m imr.training.vignettes --letters LETTERS``; no word of a letter is kept.

A judgement that learned from a letter's ratings knows more of its items than of others. So whoever
trains or measures on these letters adds what judgements fitted without the letter say less
(``data/judged_apart.csv``, :func:`imr.training.decisions.judged_apart`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.data.letter import Case, LetterError
from imr.data.parse import parse
from imr.data.read import read
from imr.data.records import RawRecord, letter_from_record
from imr.models.frame import KEY_COLUMNS, Array, case_frame
from imr.models.outcome.start import JUDGED_APART, Judgement
from imr.training.decisions import APART, DATA, dtypes, groups, inputs, load_decisions
from imr.training.studies.ratings import correlation, ratings
from imr.training.vignettes import Rated, fit_judgement, shared_weights

REQUESTS, SIGNALS = "rated_requests.csv", "rated_signals.csv.gz"
RATERS = ("rater_a", "rater_b")
# What the items of a letter, the requests invented for it, and those with a changed fact weigh
# beside a base case of the vignettes.  Chosen among 5 to 20, 0 to 10, and 0, 1.5, 3.75 and 5 by
# agreement with the raters of letters that were left out.
ITEMS_WEIGH, REQUESTS_WEIGH, CHANGES_WEIGH = 15.0, 6.0, 3.75
# What a note that is added to a record changes in any case.
OF_ANY_NOTE = ("note_days_after_denial", "last_visit_days", "request_told")
FOLDS = 5


def rated_letters() -> Rated:
    """The items of the shipped letters, then the requests invented for them; ``base`` tells the
    injured worker.
    """
    table = load_decisions().table
    workers = [f"worker {number}" for number in groups(table)]
    worker_of = dict(zip(table["letter_id"], workers, strict=True))
    given = requests()
    p = given[[*RATERS]].to_numpy() / 100
    of_items = np.array(workers, dtype=object)
    of_requests = np.array([worker_of[letter] for letter in given["letter_id"]], dtype=object)
    types = {name: kind for name, kind in dtypes().items() if name not in KEY_COLUMNS}
    path = str(DATA / SIGNALS)
    found = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    if len(found) != len(given):
        raise ValueError(f"{path}: {len(found)} rows of signals for {len(given)} rated requests")
    given_odds, changed = np.log(p / (1 - p)).mean(axis=1), is_changed(given)
    weight = np.empty(len(given))
    for rows, weigh in ((~changed, REQUESTS_WEIGH), (changed, CHANGES_WEIGH)):
        weight[rows] = weigh * shared_weights(of_requests[rows])
    weight[_unseen(found, changed)] = 0.0
    of_letters = Rated(
        inputs(table), ratings(table), of_items, ITEMS_WEIGH * shared_weights(of_items)
    )
    return Rated.joined([of_letters, Rated(found, given_odds, of_requests, weight)])


def is_changed(given: pd.DataFrame) -> NDArray[np.bool_]:
    """Which of the requests stand on a record with a changed fact."""
    return ((given["dropped"] != "") | (given["added"] != "")).to_numpy()


def _unseen(found: pd.DataFrame, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which changes show in no signal: they would teach that the same record is rated otherwise."""
    told = found.drop(columns=[*OF_ANY_NOTE]).astype(str).to_numpy()
    same: NDArray[np.bool_] = (told == told[_as_it_is(changed)]).all(axis=1)
    return changed & same


def _as_it_is(changed: NDArray[np.bool_]) -> NDArray[Any]:
    """The row of each request whose record is as it is: it stands before those with a change."""
    return np.maximum.accumulate(np.where(changed, 0, np.arange(len(changed))))


def requests() -> pd.DataFrame:
    """Columns ``letter_id``; ``request``, or ``of_letter`` and ``of_item``; ``dropped`` and
    ``added``, empty where the summary is as it is; and each rater's chance in percent.
    """
    texts = ("letter_id", "request", "of_letter", "dropped", "added")
    types: Any = {**dict.fromkeys(texts, str), "of_item": "Int64"}
    return pd.read_csv(str(DATA / REQUESTS), dtype=types).fillna({"dropped": "", "added": ""})


def derive(letters: Iterable[str], out: Path) -> int:
    """Write the signals of the rated requests, a row a request, from the letters; the number of
    rows.  Raises ValueError where a rated letter is not among them.
    """
    table = case_frame(request_cases(letters)).drop(columns=[*KEY_COLUMNS])
    table.to_csv(out, index=False, compression={"method": "gzip", "mtime": 0})
    return len(table)


def request_cases(letters: Iterable[str]) -> list[Case]:
    """The rated requests, each a case of one item with the summary of its letter, called
    ``request 0`` and so on.  Raises ValueError where a rated letter is not among ``letters``.
    """
    read_ones = [parse(text) for text in read(letters) if not isinstance(text, LetterError)]
    case_of = {letter.case.letter_id: letter.case for letter in read_ones}
    given = requests()
    missing = sorted({*given["letter_id"], *given["of_letter"].dropna()} - set(case_of))
    if missing:
        raise ValueError(f"{len(missing)} rated letter(s) are not there, e.g. {missing[0]}")
    cases = []
    for number, row in given.iterrows():
        ours = isinstance(row["request"], str)
        title = row["request"] if ours else case_of[row["of_letter"]].items[row["of_item"]].title
        record = {"letter_id": "asked", "case_summary": title, "items": [{"title": title}]}
        asked = letter_from_record(RawRecord(str(number), record)).case.items
        case, name = case_of[row["letter_id"]], f"request {number}"
        summary = changed(case.case_summary, row["dropped"], row["added"])
        cases.append(replace(case, letter_id=name, items=asked, case_summary=summary))
    return cases


def changed(summary: str, dropped: str, added: str) -> str:
    """A summary without what is dropped ("120-164;300-352", characters) and with what is added."""
    for span in reversed(dropped.split(";") if dropped else ()):
        start, end = map(int, span.split("-"))
        summary = summary[:start] + summary[end:]
    return f"{summary.rstrip()} {added}" if added else summary


def out_of_letter(invented: Rated, real: Rated) -> Array:
    """What judgements fitted to the vignettes and to the ratings of other injured workers say of
    each row of real letters (log odds).
    """
    from sklearn.model_selection import GroupKFold

    judged = np.zeros(len(real.log_odds))
    for known, asked in GroupKFold(FOLDS).split(judged, groups=real.base):
        judgement = fit_judgement(Rated.joined([invented, real.rows(known)]))
        judged[asked] = judgement.log_odds(real.rows(asked).frame)
    return judged


def write_apart(judged: Array, fitted: Judgement) -> None:
    """Write ``data/judged_apart.csv``: what :func:`out_of_letter` says of the items less than the
    fitted judgement.
    """
    table = load_decisions().table
    apart = judged[: len(table)] - fitted.log_odds(inputs(table))
    kept = table[[*KEY_COLUMNS]].assign(**{JUDGED_APART: apart.round(6)})
    kept.to_csv(str(DATA / APART), index=False, lineterminator="\n")


def print_agreement(judged: Array, real: Rated) -> None:
    """How far :func:`out_of_letter` agrees with the ratings: of items, of further requests, and of
    what a changed fact moves.
    """
    items, changed = len(load_decisions().table), is_changed(requests())
    given, judged_requests = real.log_odds[items:], judged[items:]
    unchanged = _as_it_is(changed)[changed]
    moved = [of[changed] - of[unchanged] for of in (judged_requests, given)]
    for name, pair in (
        ("items", (judged[:items], real.log_odds[:items])),
        ("further requests", (judged_requests[~changed], given[~changed])),
        ("what a changed fact moves these", moved),
    ):
        r = correlation(*pair)
        print(f"on {name}, of letters left out, against their blind raters: r {r:.3f}")


def signals_path() -> Path:
    """Where the signals of the rated requests are shipped."""
    return Path(str(resources.files("imr.data") / SIGNALS))
