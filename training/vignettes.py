"""Rated vignettes -> the judgement that the outcome model starts from.

``data/vignettes/*.jsonl`` hold invented cases, one base case a line: ``sentences`` of the summary,
``items`` in dispute, ``p`` the rated chance (percent) that each is overturned, and ``twins`` that
change a sentence or two, and the ratings with them.  What three raters gave for the items of real
letters (:mod:`imr.training.studies.raters`) judges the judgement
(:mod:`imr.models.outcome.judgement`) and trains nothing.

Run ``python -m imr.training.vignettes`` after a change of lexicons, signals or vignettes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.models.outcome.judgement import ABOUT, TREES, Judgement, digest, inputs

if TYPE_CHECKING:
    import lightgbm as lgb
    import pandas as pd
    from numpy.typing import NDArray

    from imr.data.letter import Case

    Array = NDArray[np.float64]

SEED = 20161013
ROUNDS = 100
SETTINGS: Mapping[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.16,
    "num_leaves": 12,
    # Split points at random: writers' ratings and ours of the facts are both coarse.
    "extra_trees": True,
    "min_data_in_leaf": 15,
    "feature_fraction": 0.3,
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
LABELS = (
    "category",
    "subcategory",
    "request_term",
    "criteria_class",
    "indication",
    "case_body_part",
    "request_body_part",
    "request_region",
    "work_status",
    "chronicity_class",
    "ur_action",
    "quantity_unit",
    "relief_treatment",
    "electrodiagnostic_result",
)
# A label that fewer items carry is not told apart.
LEAST_ITEMS = 10
# Who the worker is, and what the administrator cites, is no ground of a judgement; vignettes
# cite nothing.
LEFT_OUT_FAMILIES = ("key", "person")
# What the administrator's reasons are is told by one house style only: it would tell the style.
LEFT_OUT_PREFIX = "ur_reason_"
LEFT_OUT = ("ca_guideline", "ca_chapter", "ca_none_cited", "ca_mtus", "ca_non_mtus", "ca_several")
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
        titles, rated = version.get("items", written["items"]), version["p"]
        if len(titles) != len(rated) or not all(0 < percent < 100 for percent in rated):
            raise ValueError(f"{written['id']}: one rating between 0 and 100 an item is needed")
        summary = " ".join(filter(None, sentences))
        case = _case(f"{written['id']}.{number}", written, summary, titles)
        yield Vignette(case, written["id"], tuple(percent / 100 for percent in rated))


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
    """Signals of rated items, rated log odds, and the base case of each row."""

    frame: pd.DataFrame
    log_odds: Array
    base: NDArray[Any]

    @classmethod
    def of(cls, rated: Sequence[Vignette]) -> Rated:
        """The table of vignettes, one row an item."""
        from imr.models.frame import case_frame

        p = np.array([chance for vignette in rated for chance in vignette.p])
        base = np.array([v.base for v in rated for _ in v.p], dtype=object)
        return cls(case_frame([v.case for v in rated]), np.log(p / (1 - p)), base)

    def rows(self, chosen: NDArray[Any]) -> Rated:
        """Some of the rows."""
        frame = self.frame.iloc[chosen].reset_index(drop=True)
        return Rated(frame, self.log_odds[chosen], self.base[chosen])


def fit_judgement(rated: Rated, about: Mapping[str, Any] | None = None) -> Judgement:
    """Regress the rated log odds on the signals; twins and siblings weigh as their root."""
    columns, categories = _columns(rated.frame)
    first = _fitted(rated, columns, categories)
    used = first.feature_importance("split") > 0
    kept = tuple(name for name, splits in zip(columns, used, strict=True) if splits)
    known = {name: labels for name, labels in categories.items() if name in kept}
    return Judgement(_fitted(rated, kept, known), kept, known, dict(about or {}))


def _fitted(
    rated: Rated, columns: tuple[str, ...], categories: Mapping[str, tuple[str, ...]]
) -> lgb.Booster:
    import lightgbm as lgb

    data = lgb.Dataset(
        inputs(rated.frame, columns, categories),
        label=rated.log_odds,
        weight=_weights(rated.base),
        feature_name=list(columns),
        categorical_feature=[name for name in columns if name in categories],
    )
    settings = {**SETTINGS, "monotone_constraints": _signs(columns)}
    return lgb.train(settings, data, num_boost_round=ROUNDS)


def _signs(columns: tuple[str, ...]) -> list[int]:
    """The sign that medicine or law fixes for a signal: that of all expected effects it has.

    A signal that is also a condition of other effects may turn either way.
    """
    from imr.models.outcome.effects import expected_effects

    effects = expected_effects()
    either = {condition.column for effect in effects for condition in effect.conditions}
    found: dict[str, set[int]] = {}
    for effect in effects:
        found.setdefault(effect.signal, set()).add(effect.sign if effect.transform == "flag" else 0)
    fixed = {name: signs.pop() for name, signs in found.items() if len(signs) == 1}
    return [0 if name in either else fixed.get(name, 0) for name in columns]


def _columns(frame: pd.DataFrame) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The inputs: truth values, numbers, and labels that enough items carry."""
    from imr.features.table import COLUMNS

    chosen = [
        column.name
        for column in COLUMNS
        if column.family not in LEFT_OUT_FAMILIES
        and column.name not in LEFT_OUT
        and not column.name.startswith(LEFT_OUT_PREFIX)
        and (column.dtype in {"bool", "int", "float"} or column.name in LABELS)
    ]
    categories = {}
    for name in (name for name in chosen if name in LABELS):
        counts = frame[name].value_counts()
        categories[name] = tuple(sorted(str(v) for v in counts.index[counts >= LEAST_ITEMS]))
    return tuple(chosen), categories


def _weights(base: NDArray[Any]) -> Array:
    _, codes, counts = np.unique(base, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / np.sqrt(counts[codes]))


def out_of_fold(rated: Rated, folds: int = FOLDS) -> Array:
    """The log odds of every item by judgements fitted without its base case."""
    from sklearn.model_selection import GroupKFold

    predicted = np.zeros(len(rated.log_odds))
    for train, test in GroupKFold(folds).split(predicted, groups=rated.base):
        fitted = fit_judgement(rated.rows(train))
        predicted[test] = fitted.log_odds(rated.frame.iloc[test])
    return predicted


def write(judgement: Judgement, folder: Path) -> None:
    """The two files of a judgement, the trees named by their digest."""
    text = judgement.booster.model_to_string()
    judgement.about["trees_sha256"] = digest(text)
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
        "signals_sha256": digest(table),
    }


def main() -> None:
    """Build ``models/outcome/judgement.*`` and print how well it repeats unseen judgements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="print the figures, write nothing")
    arguments = parser.parse_args()
    from imr.training.decisions import inputs as signals_of
    from imr.training.decisions import load_decisions
    from imr.training.studies.raters import correlation, ratings

    rated = Rated.of(shipped_vignettes())
    fitted = fit_judgement(rated, described(rated))
    print(f"{fitted.about['base_cases']} base cases, {fitted.about['items']} rated items")
    unseen = correlation(out_of_fold(rated), rated.log_odds)
    print(f"on vignettes of other base cases: r {unseen:.3f}")
    table = load_decisions().table
    judged = fitted.log_odds(signals_of(table))
    print(f"on real items, against three blind raters: r {correlation(judged, ratings(table)):.3f}")
    if not arguments.check:
        write(fitted, Path(str(resources.files("imr.models.outcome"))))


if __name__ == "__main__":
    main()
