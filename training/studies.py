"""Why the figures are what they are: signals permuted, families left out, fewer letters, style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training import metrics
from training.contenders import (
    MODEL,
    Settings,
    cited,
    fit_guideline,
    fit_outcome,
    plain_booster,
    plain_matrix,
)
from training.figures import Draws
from training.protocol import guideline_hits
from training.sample import Sample
from training.split import Fold
from training.style import OTHER, stock_openings, style_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from training.config import TrainConfig

    Array = NDArray[np.float64]

PERMUTATIONS = 5
CURVE_POINTS = 5
SMALLEST_CURVE = 0.25
CURVE_FIGURES = ("auc", "log_loss", "chapter_top1", "section_top1")
EXTRAPOLATED_LETTERS = (1_000, 10_000)
HOUSE_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def families(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Signal family -> those of its columns that a model reads (keys left out)."""
    from features.table import COLUMNS

    read = set(columns)
    found: dict[str, list[str]] = {}
    for column in COLUMNS:
        if column.name in read and column.family != "key":
            found.setdefault(column.family, []).append(column.name)
    return {family: tuple(names) for family, names in found.items()}


def permutation(
    draws: Draws, folds: Sequence[Fold], config: TrainConfig, *, by_column: bool
) -> list[dict[str, Any]]:
    """Loss of AUC and log loss when a family's (or column's) values are dealt out anew among the
    unseen items: what the fitted models rest on.  Folds of the first repeat.
    """
    from joblib import Parallel, delayed

    work = (delayed(_permuted)(draws.sample, fold, config, by_column) for fold in folds)
    parts = list(Parallel(n_jobs=min(config.jobs, len(folds)))(work))
    plain = _filled(draws, folds, [{"": part[0]} for part in parts])[""]
    rows = []
    for name, p in _filled(draws, folds, [part[1] for part in parts]).items():
        row: dict[str, Any] = {"signal": name}
        for metric in ("auc", "log_loss"):
            before = _first_repeat(draws, metric, plain)
            after = np.mean([_first_repeat(draws, metric, q) for q in p], axis=0)
            loss = after - before if metric == "log_loss" else before - after
            row |= {f"{metric}_loss{end}": v for end, v in _ends(loss)}
        rows.append(row)
    return sorted(rows, key=lambda row: -row["log_loss_loss"])


def _ends(values: Array) -> list[tuple[str, float]]:
    e = metrics.estimate(values)
    return [("", e.value), ("_low", e.low), ("_high", e.high)]


def _permuted(
    sample: Sample, fold: Fold, config: TrainConfig, by_column: bool
) -> tuple[Array, dict[str, Array]]:
    model = fit_outcome(sample.part(fold.train), Settings(seed=config.seed))
    frame = sample.frame.iloc[fold.test].reset_index(drop=True)
    groups = families(model.columns)
    if by_column:
        groups = {name: (name,) for names in groups.values() for name in names}
    random = np.random.default_rng(config.seed)
    orders = [random.permutation(len(frame)) for _ in range(PERMUTATIONS)]
    found = {}
    for name, columns in groups.items():
        dealt = [_dealt(frame, columns, order) for order in orders]
        found[name] = np.array([_p(model, one) for one in dealt])
    return _p(model, frame)[None, :], found


def _dealt(frame: pd.DataFrame, columns: Sequence[str], order: NDArray[np.intp]) -> pd.DataFrame:
    changed = frame.copy()
    for column in columns:
        changed[column] = frame[column].array[order]
    return changed


def _p(model: Any, frame: pd.DataFrame) -> Array:
    return np.asarray(model.predict(frame)["p_overturned"], dtype=np.float64)


def _filled(
    draws: Draws, folds: Sequence[Fold], parts: Sequence[Mapping[str, Array]]
) -> dict[str, Array]:
    """Fold parts (k, test items) -> (k, items)."""
    found: dict[str, Array] = {}
    for fold, part in zip(folds, parts, strict=True):
        for name, values in part.items():
            shape = (len(values), len(draws.sample))
            found.setdefault(name, np.full(shape, np.nan))[:, fold.test] = values
    return found


def _first_repeat(draws: Draws, metric: str, p: Array) -> Array:
    """Draws of a figure on the folds of the first repeat."""
    values = np.atleast_2d(p)[0, draws.rows]
    if metric == "auc":
        strata = draws.predictions.fold[0, draws.rows]
        return metrics.auc(draws.y, values, draws.weights, strata)
    return metrics.OUTCOME_METRICS[metric](draws.y, values, draws.weights)


def ablation(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> list[dict[str, Any]]:
    """Gain of each family: the figures with it less those of a model fitted without it.

    A family is left out by making its columns undocumented, in training and in test.
    """
    from joblib import Parallel, delayed

    model = fit_outcome(draws.sample.part(folds[0].train), Settings(seed=config.seed))
    left_out = families(model.columns)
    work = (
        delayed(_without)(draws.sample, fold, config, columns)
        for columns in ((), *left_out.values())
        for fold in folds
    )
    found = list(Parallel(n_jobs=config.jobs)(work))
    n = len(folds)
    parts = [_filled(draws, folds, found[at : at + n]) for at in range(0, len(found), n)]
    full = parts[0]["p"]
    rows = []
    for name, part in zip(left_out, parts[1:], strict=True):
        row: dict[str, Any] = {"family": name, "columns": len(left_out[name])}
        for metric in ("auc", "log_loss"):
            with_it = _first_repeat(draws, metric, full)
            without = _first_repeat(draws, metric, part["p"])
            gain = without - with_it if metric == "log_loss" else with_it - without
            row |= {f"{metric}_gain{end}": v for end, v in _ends(gain)}
        rows.append(row)
    return sorted(rows, key=lambda row: -row["log_loss_gain"])


def _without(
    sample: Sample, fold: Fold, config: TrainConfig, columns: Sequence[str]
) -> dict[str, Array]:
    from dataclasses import replace

    blanked = replace(sample, frame=undocumented(sample.frame, columns))
    model = fit_outcome(blanked.part(fold.train), Settings(seed=config.seed))
    return {"p": _p(model, blanked.part(fold.test).frame)[None, :]}


def undocumented(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The frame with these signals as they stand where a summary says nothing of them."""
    import pandas as pd

    from features.table import COLUMNS

    absent = {column.name: column.undocumented for column in COLUMNS}
    changed = frame.copy()
    for name in columns:
        value = pd.NA if absent[name] is None else absent[name]
        changed[name] = pd.Series([value] * len(frame), index=frame.index, dtype=frame[name].dtype)
    return changed


def learning_curve(
    draws: Draws, folds: Sequence[Fold], config: TrainConfig
) -> list[dict[str, Any]]:
    """Figures against the number of training letters, and what a line through them would give
    at 1,000 and 10,000 letters (``measured`` false: an extrapolation, not a promise).

    Sizes are spaced by the logarithm; a smaller training set is part of the larger one.
    """
    from joblib import Parallel, delayed

    shares = np.geomspace(SMALLEST_CURVE, 1.0, CURVE_POINTS)
    work = (delayed(_part_trained)(draws.sample, f, config, s) for s in shares for f in folds)
    found = list(Parallel(n_jobs=config.jobs)(work))
    n = len(folds)
    rows: list[dict[str, Any]] = []
    curves: dict[str, list[Array]] = {name: [] for name in CURVE_FIGURES}
    letters: list[float] = []
    for at in range(0, len(found), n):
        part = _filled(draws, folds, [one for one, _ in found[at : at + n]])
        letters.append(float(np.mean([count for _, count in found[at : at + n]])))
        for name in CURVE_FIGURES:
            curves[name].append(_curve_figure(draws, name, part))
            rows.append(_curve_row(name, letters[-1], curves[name][-1], measured=True))
    for name, values in curves.items():
        for count in EXTRAPOLATED_LETTERS:
            beyond = extrapolated(np.array(letters), np.array(values), count, name)
            rows.append(_curve_row(name, count, beyond, measured=False))
    return rows


def _curve_row(name: str, letters: float, values: Array, *, measured: bool) -> dict[str, Any]:
    e = asdict(metrics.estimate(values))
    return {"metric": name, "letters": round(letters), "measured": measured, **e}


def _part_trained(
    sample: Sample, fold: Fold, config: TrainConfig, share: float
) -> tuple[dict[str, Array], int]:
    rows = nested_part(sample, fold.train, share, config.seed)
    train, test = sample.part(rows), sample.part(fold.test)
    settings = Settings(seed=config.seed)
    found = {"p": _p(fit_outcome(train, settings), test.frame)[None, :]}
    hits = guideline_hits(cited(fit_guideline(train, settings), test), test)
    found |= {name: hits[name][None, :] for name in CURVE_FIGURES if name in hits}
    return found, int(train.frame["letter_id"].nunique())


def nested_part(
    sample: Sample, rows: NDArray[np.intp], share: float, seed: int
) -> NDArray[np.intp]:
    """Rows of that share of the groups with and without an overturned item; a smaller share is
    part of a larger one.
    """
    random = np.random.default_rng(seed)
    group = sample.groups[rows]
    positive = set(group[sample.y[rows] == 1])
    chosen: set[int] = set()
    for of_kind in (sorted(positive), sorted(set(group) - positive)):
        order = random.permutation(np.array(of_kind, dtype=np.intp))
        chosen.update(order[: max(2, round(share * len(order)))].tolist())
    return np.asarray(rows[np.isin(group, sorted(chosen))])


def _curve_figure(draws: Draws, name: str, part: Mapping[str, Array]) -> Array:
    if name in ("auc", "log_loss"):
        return _first_repeat(draws, name, part["p"])
    return draws.share(part[name])


def extrapolated(letters: Array, values: Array, count: float, name: str) -> Array:
    """Value at ``count`` letters of ``a + b / sqrt(letters)`` through the curve, draw by draw.

    ``values`` (sizes, draws).  The form is that of an error falling with the root of the sample;
    shares and AUC are kept within 0 and 1.
    """
    design = np.column_stack([np.ones_like(letters), letters**-0.5])
    known = ~np.isnan(values).any(axis=0)
    beyond = np.full(values.shape[1], np.nan)
    line, *_ = np.linalg.lstsq(design, values[:, known], rcond=None)
    beyond[known] = line[0] + line[1] * count**-0.5
    upper = np.inf if name == "log_loss" else 1.0
    return np.asarray(np.clip(beyond, 0.0, upper))


def importance(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Mean size and mean direction of each effect's contribution (log odds) on unseen items."""
    import pandas as pd

    parts = pd.concat([r.contributions for r in results], ignore_index=True).fillna(0.0)
    size = parts.abs().mean().sort_values(ascending=False, kind="stable")
    spread = parts.std(ddof=0)
    return [
        {"effect": str(name), "mean_size": float(value), "spread": float(spread[name])}
        for name, value in size.items()
        if value > 0
    ]


def style_report(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> dict[str, Any] | None:
    """How far the signals betray the house style, and how the model ranks inside one style.

    ``house`` names a stock opening by a letter (A is the commonest): no words of a summary.
    None without texts.
    """
    sample = draws.sample
    if sample.texts is None:
        return None
    summaries = sample.texts["case_summary"].tolist()
    stock = stock_openings(summaries)
    if not stock:
        return None
    names = {name: f"house {HOUSE_NAMES[i % 26]}" for i, name in enumerate(stock)}
    style = np.array([names.get(name, OTHER) for name in style_of(summaries, stock)], dtype=object)
    right, pairs = draws.concordant(draws.predictions.outcome[MODEL])
    right_in, pairs_in = draws.concordant(draws.predictions.outcome[MODEL], within=style)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = (right_in / pairs_in).mean(axis=0)
        across = ((right - right_in) / (pairs - pairs_in)).mean(axis=0)
    return {
        "houses": _houses(draws, style),
        "auc_within": asdict(metrics.estimate(inside)),
        "auc_across": asdict(metrics.estimate(across)),
        "signals_know_style_auc": asdict(_knows_style(draws, folds, style, config)),
    }


def _houses(draws: Draws, style: NDArray[Any]) -> list[dict[str, Any]]:
    rows = []
    tested = style[draws.rows]
    p = draws.predictions.per_item(MODEL)[draws.rows]
    for name in sorted(set(tested), key=lambda v: -int((tested == v).sum())):
        inside = tested == name
        share = metrics.estimate(metrics.mean(draws.y[inside], draws.weights[:, inside]))
        rows.append(
            {
                "house": name,
                "items": int(inside.sum()),
                "overturned": int(draws.y[inside].sum()),
                "observed": share.value,
                "observed_low": share.low,
                "observed_high": share.high,
                "expected": float(p[inside].mean()),
            }
        )
    return rows


def _knows_style(
    draws: Draws, folds: Sequence[Fold], style: NDArray[Any], config: TrainConfig
) -> metrics.Estimate:
    """AUC of plain LightGBM that guesses the commonest opening from the signals."""
    sample = draws.sample
    target = (style == f"house {HOUSE_NAMES[0]}").astype(np.float64)
    p = np.full(len(sample), np.nan)
    for fold in folds:
        a, b = plain_matrix(sample.frame.iloc[fold.train], sample.frame.iloc[fold.test])
        y = target[fold.train].astype(int)
        p[fold.test] = plain_booster(config.seed).fit(a, y).predict_proba(b)[:, 1]
    strata = draws.predictions.fold[0, draws.rows]
    found = metrics.auc(target[draws.rows], p[draws.rows], draws.weights, strata)
    return metrics.estimate(found)
