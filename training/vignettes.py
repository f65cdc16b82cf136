"""Rated vignettes -> the judgement that the outcome model starts from.

``data/vignettes/*.jsonl`` hold invented cases, one base case a line: ``sentences`` of the summary,
``items`` in dispute, ``p`` the rated chance (percent) that each is overturned, and ``twins`` that
change a sentence or two, and the ratings with them. ``second`` holds those of a rater who saw no
rating, ``third`` those of another where the two differ by more than a factor of three, and
``facts`` names what each twin changes. Beside them stand what raters who saw no decision gave for
real letters (:mod:`imr.training.rated_letters`).

Run ``python -m imr.training.vignettes`` after a change of vignettes, and with ``--letters`` after
one of lexicons or signals: the signals of real letters are shipped, their words are not.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.features.families.diagnosis import HERE
from imr.features.families.facts import FACTS
from imr.models.bundle import sha256
from imr.models.frame import Array, SignalInputs
from imr.models.outcome.start import ABOUT, TREES, Judgement

if TYPE_CHECKING:
    import lightgbm as lgb

    from imr.data.letter import Case
    from imr.features.table import CaseSignals

SEED = 20161013
FURTHER_RATERS = ("second", "third")
ROUNDS = 600
SETTINGS: Mapping[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.08,
    "num_leaves": 63,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.2,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "cat_smooth": 20.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": SEED,
    "verbosity": -1,
}
# Which signals the judgement reads, and why not the others.  Words of summaries are none: a ridge
# on them raised r on unseen base cases from 0.73 to 0.745, and lowered it from 0.75 to 0.69 against
# the blind raters of real items.
INPUTS = "judgement_inputs.csv"
# A label that fewer items carry is not told apart.
LEAST_ITEMS = 10
# Signals that are said, denied or not spoken of.
THREEFOLD = frozenset({*FACTS, *HERE.values()})
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Vignette:
    """One invented case with the rated chance (0-1) that each item is overturned.

    ``base`` is shared by a case and its twins.
    """

    case: Case
    base: str
    p: tuple[float, ...]


def vignettes(lines: Iterable[str], source: str) -> Iterator[Vignette]:
    """The cases of one file, base and twins; raises ValueError naming file and line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield from _family(json.loads(line))
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"{source} line {number}: {error}") from error


def _family(written: Mapping[str, Any]) -> Iterator[Vignette]:
    for number, version in enumerate((written, *written["twins"])):
        sentences = list(written["sentences"])
        for place, sentence in version.get("change", {}).items():
            sentences[int(place)] = sentence
        titles = version.get("items", written["items"])
        raters = [version["p"], *(version[r] for r in FURTHER_RATERS if r in version)]
        if any(len(rated) != len(titles) for rated in raters) or not all(
            0 < p < 100 for rated in raters for p in rated
        ):
            raise ValueError(f"{written['id']}: one rating between 0 and 100 an item is needed")
        summary = " ".join(filter(None, sentences))
        case = _case(f"{written['id']}.{number}", written, summary, titles)
        yield Vignette(
            case,
            written["id"],
            tuple(_mean_chance(ratings) for ratings in zip(*raters, strict=True)),
        )


def _mean_chance(ratings: Sequence[float]) -> float:
    """The mean of ratings in percent, on the scale of log odds, as a chance."""
    odds = math.exp(sum(math.log(p / (100 - p)) for p in ratings) / len(ratings))
    return odds / (1 + odds)


def _case(name: str, written: Mapping[str, Any], summary: str, titles: Sequence[str]) -> Case:
    from imr.data.records import RawRecord, letter_from_record

    record = {
        "letter_id": name,
        "case_summary": summary,
        "date_of_injury": written["injury_date"],
        "ur_denial_date": written["denial_date"],
        "items": [{"title": title} for title in titles],
    }
    return letter_from_record(RawRecord(name, record)).case


def shipped_vignettes() -> list[Vignette]:
    """All vignettes that the project ships, in the order of their files."""
    folder = Path(str(resources.files("imr.data") / "vignettes"))
    return [
        vignette
        for path in sorted(folder.glob("*.jsonl"))
        for vignette in vignettes(path.read_text(encoding="utf-8").splitlines(), path.name)
    ]


@dataclass(frozen=True, slots=True)
class Rated:
    """Signals of rated items, rated log odds, and of each row the base case and what it weighs."""

    frame: pd.DataFrame
    log_odds: Array
    base: NDArray[Any]
    weight: Array

    @classmethod
    def of(cls, rated: Sequence[Vignette], derived: Sequence[CaseSignals] | None = None) -> Rated:
        """The table of vignettes, one row an item; ``derived`` are their signals, where known."""
        from imr.features.table import signals
        from imr.models.frame import signals_frame

        p = np.array([chance for vignette in rated for chance in vignette.p])
        base = np.array([v.base for v in rated for _ in v.p], dtype=object)
        cases = [v.case for v in rated]
        frame = signals_frame(cases, derived or [signals(case) for case in cases])
        return cls(frame, np.log(p / (1 - p)), base, shared_weights(base))

    @classmethod
    def joined(cls, parts: Sequence[Rated]) -> Rated:
        """The rows of several one after another; null where a part lacks a column."""
        frame = pd.concat([part.frame for part in parts], ignore_index=True)
        rest = zip(*((part.log_odds, part.base, part.weight) for part in parts), strict=True)
        return cls(frame, *(np.concatenate(column) for column in rest))

    def rows(self, chosen: NDArray[Any]) -> Rated:
        """Some of the rows."""
        frame = self.frame.iloc[chosen].reset_index(drop=True)
        return Rated(frame, self.log_odds[chosen], self.base[chosen], self.weight[chosen])


def fit_judgement(rated: Rated, about: Mapping[str, Any] | None = None) -> Judgement:
    """Regress the rated log odds on the signals."""
    inputs = _inputs(rated.frame)
    first = _fitted(rated, inputs)
    used = first.feature_importance("split") > 0
    kept = inputs.only(tuple(n for n, splits in zip(inputs.columns, used, strict=True) if splits))
    booster = first if kept == inputs else _fitted(rated, kept)
    return Judgement(booster, kept, dict(about or {}))


def _fitted(rated: Rated, inputs: SignalInputs) -> lgb.Booster:
    import lightgbm as lgb

    data = lgb.Dataset(
        inputs.matrix(rated.frame),
        label=rated.log_odds,
        weight=rated.weight,
        feature_name=list(inputs.columns),
        categorical_feature=[name for name in inputs.columns if name in inputs.labels],
    )
    settings = {**SETTINGS, "monotone_constraints": inputs.signs}
    return lgb.train(settings, data, num_boost_round=ROUNDS)


def _inputs(frame: pd.DataFrame) -> SignalInputs:
    """The inputs: truth values, numbers, and labels that enough items carry."""
    from imr.features.table import all_columns

    rules = pd.read_csv(str(resources.files("imr.training") / INPUTS)).groupby("rule")["name"]
    named = {rule: tuple(names) for rule, names in rules}
    chosen = tuple(
        column.name
        for column in all_columns()
        if column.family not in named["no family"]
        and column.name not in named["no column"]
        and not column.name.startswith(named["no prefix"])
        and (column.dtype in {"bool", "int", "float"} or column.name in named["label"])
    )
    labels = {}
    for name in (name for name in chosen if name in named["label"]):
        counts = frame[name].value_counts()
        labels[name] = tuple(sorted(str(v) for v in counts.index[counts >= LEAST_ITEMS]))
    return SignalInputs(chosen, labels, frozenset(chosen) & THREEFOLD)


def shared_weights(base: NDArray[Any]) -> Array:
    """Rows of one base case, twins and siblings, weigh together as the root of their number."""
    _, codes, counts = np.unique(base, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / np.sqrt(counts[codes]))


def out_of_fold(rated: Rated, folds: int = FOLDS, asked: Rated | None = None) -> Array:
    """The log odds of every item (of ``asked``, whose base cases are those of ``rated``; else of
    ``rated``) by judgements fitted without its base case.
    """
    from sklearn.model_selection import GroupKFold

    asked = rated if asked is None else asked
    predicted = np.zeros(len(asked.log_odds))
    for train, test in GroupKFold(folds).split(rated.log_odds, groups=rated.base):
        known = rated.rows(train)
        chosen = np.flatnonzero(np.isin(asked.base, rated.base[test]))
        predicted[chosen] = fit_judgement(known).log_odds(asked.rows(chosen).frame)
    return predicted


def within_cases(values: Array, rated: Rated) -> Array:
    """Values less their mean over the versions of the same item: what a changed fact changes."""
    groups = [rated.base, rated.frame["item_index"].to_numpy()]
    means: Array = pd.Series(values).groupby(groups).transform("mean").to_numpy()
    return values - means


def write(judgement: Judgement, folder: Path) -> None:
    """The two files of a judgement, the trees named by their digest."""
    text = judgement.booster.model_to_string()
    judgement.about["trees_sha256"] = sha256(text)
    (folder / TREES).write_text(text, encoding="utf-8")
    stored = json.dumps(judgement.to_json(), indent=1, sort_keys=True)
    (folder / ABOUT).write_text(stored + "\n", encoding="utf-8")


def described(rated: Rated) -> dict[str, Any]:
    """What a judgement is made from: how many cases and items, and the digest of their signals.

    A digest other than the shipped one means that rules or vignettes changed since it was built.
    """
    table = rated.frame.assign(log_odds=rated.log_odds).to_csv(index=False, float_format="%.9g")
    return {
        "base_cases": len(set(rated.base)),
        "items": len(rated.base),
        "signals_sha256": sha256(table),
    }


def main() -> None:
    """Build ``models/outcome/judgement.*`` and print how well it repeats unseen ratings."""
    from imr.training import rated_letters

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", nargs="+", help="derive the signals of rated letters anew")
    parser.add_argument("--check", action="store_true", help="print the figures, write nothing")
    parser.add_argument("--build", action="store_true", help="write the files, print no figures")
    arguments = parser.parse_args()
    if arguments.letters:
        rated_letters.derive(arguments.letters, rated_letters.signals_path())
    invented, real = Rated.of(shipped_vignettes()), rated_letters.rated_letters()
    rated = Rated.joined([invented, real])
    fitted = fit_judgement(rated, described(rated))
    print(f"{fitted.about['base_cases']} base cases, {fitted.about['items']} rated items")
    judged = rated_letters.out_of_letter(invented, real)
    if not arguments.check:
        write(fitted, Path(str(resources.files("imr.models.outcome"))))
        rated_letters.write_apart(judged, fitted)
    if not arguments.build:
        rated_letters.print_agreement(judged, real)
        print_figures(invented)


def print_figures(invented: Rated) -> None:
    """How well judgements of vignettes repeat the ratings of unseen base cases."""
    from imr.training.studies.ratings import correlation

    unseen = out_of_fold(invented)
    within = correlation(within_cases(unseen, invented), within_cases(invented.log_odds, invented))
    scatter = f"{np.std(invented.log_odds - unseen):.2f} log odds (standard deviation)"
    print(f"a rating lies {scatter} from the judgement of its case")
    print(f"on vignettes of other base cases: r {correlation(unseen, invented.log_odds):.3f}")
    print(f"between versions of one case, which differ in a fact or two: r {within:.3f}")


if __name__ == "__main__":
    main()
