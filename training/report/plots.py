"""The evaluation as pictures: colours that colour-blind readers tell apart, and never alone.

Palette: Okabe and Ito (jfly.uni-koeln.de/color).  Every figure states its sample; intervals are
those of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imr.models.frame import Array
from imr.training.contenders import MODEL
from imr.training.metrics import Estimate
from imr.training.report.tables import GUIDELINE_COLUMNS, labelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from imr.training.studies.importance import Loss
    from imr.training.train import Evaluation


BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY, INK = "#56B4E9", "#E69F00", "#8A8A8A", "#222222"
# Contenders of the curves, the model last, on top; the rest stands in the table.
CURVES: Mapping[str, dict[str, Any]] = {
    "category base rate": {"color": ORANGE, "ls": "--", "lw": 1.6},
    "imr, before learning": {"color": GREEN, "ls": "-.", "lw": 1.6},
    "TF-IDF + LR, summary": {"color": PINK, "ls": ":", "lw": 1.6},
    "style probe": {"color": AMBER, "ls": (0, (5, 1, 1, 1, 1, 1)), "lw": 1.6},
    MODEL: {"color": BLUE, "ls": "-", "lw": 2.8},
}
MOST_BARS = 20
DIAGONAL: Any = {"color": GREY, "lw": 1, "ls": (0, (1, 2))}
SMALL: Any = {"fontsize": 8.5, "color": GREY}
NEAR: Any = {"textcoords": "offset points", "fontsize": 8.5}
KIND_LOOKS = {
    "model": (BLUE, "o"),
    "part": (SKY, "D"),
    "alternative": (GREY, "s"),
    "probe": (AMBER, "^"),
}
# Panels by figure, and what the title begins with.
COMPARISONS = {
    "outcome": (
        {"auc": "AUC", "average_precision": "average precision", "brier_skill": "Brier skill"},
        "p(overturned)",
    ),
    "guideline": (
        {name: title for name, title in GUIDELINE_COLUMNS.items() if "any" not in name},
        "Cited guideline",
    ),
}
CURVE_TITLES = {
    "auc": "AUC of the outcome",
    "auc_letters_alone": "AUC of the outcome, letters alone",
    "log_loss": "log loss of the outcome (less is better)",
    "chapter_top1": "guideline chapter top-1",
    "section_top1": "guideline section top-1",
}


def draw_all(evaluation: Evaluation, folder: Path) -> None:
    """Draw every plot that the evaluation has figures for, as PNG."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(fname=str(resources.files("imr.training.report") / "plots.mplstyle")):
        for name, draw in PLOTS.items():
            if (figure := draw(evaluation)) is not None:
                # No date and no version: the same figures give the same file.
                look = {"bbox_inches": "tight", "metadata": {"Software": None}}
                figure.savefig(folder / f"{name}.png", **look)


def _figure(width: float, height: float, **grid: Any) -> Any:
    """A figure that needs no display, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def _titled(axes: Axes, evaluation: Evaluation, title: str, extra: str = "") -> None:
    """The title, and the sample in small print below it."""
    axes.set_title(title, pad=20)
    text = _sample_line(evaluation) + (f"; {extra}" if extra else "")
    place: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(text, (0, 1), (0, 4), **place, **SMALL)


def _framed(figure: Figure, evaluation: Evaluation, title: str, extra: str) -> Figure:
    """A title over all panels, and the sample in small print below them."""
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    figure.supxlabel(f"{_sample_line(evaluation)}; {extra}", x=0.01, ha="left", **SMALL)
    figure.set_layout_engine("constrained", w_pad=0.12)
    return figure


def _sample_line(evaluation: Evaluation) -> str:
    facts = evaluation.facts
    return f"{facts['tested_items']} unseen items, {facts['tested_overturned']} overturned"


def _pooled(evaluation: Evaluation, name: str) -> tuple[Array, Array]:
    """Truth and prediction of all repeats, one after the other."""
    p = evaluation.predictions.outcome[name][:, evaluation.predictions.tested]
    return np.tile(_truth(evaluation), len(p)), p.ravel()


def _truth(evaluation: Evaluation) -> Array:
    return evaluation.sample.y[evaluation.predictions.tested].astype(np.float64)


def _ends(estimates: Sequence[Estimate]) -> tuple[Array, Array, Array]:
    """Values, lower and upper ends."""
    found = np.array([(e.value, e.low, e.high) for e in estimates], dtype=np.float64)
    value, low, high = found.reshape(-1, 3).T
    return value, low, high


def _rows_of(axes: Axes, names: Sequence[str]) -> NDArray[np.intp]:
    """The places of named rows, the first name at the top; the names are written on the axis."""
    places = np.arange(len(names))[::-1]
    axes.set_yticks(places, list(names))
    return places


def _intervals(
    axes: Axes, places: NDArray[np.intp], estimates: Sequence[Estimate], missing: str = ""
) -> None:
    """A dot with its interval a row; ``missing`` stands where there is no figure."""
    value, low, high = _ends(estimates)
    axes.hlines(places, low, high, color=SKY, lw=2.4)
    axes.plot(value, places, "o", color=BLUE, ms=6.5, label="observed")
    axes.grid(axis="y", visible=False)
    for place in places[np.isnan(value)]:
        _say_in_row(axes, place, missing)


def _panel(axes: Axes, title: str) -> None:
    """One of several panels side by side: few ticks, or those of two panels run into each other."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, fontsize=10)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))


def _say_in_row(axes: Axes, place: float, text: str) -> None:
    across = axes.get_yaxis_transform()
    axes.text(0.02, place, text, fontsize=8, color=GREY, va="center", transform=across)


def _legend_above(figure: Figure, axes: Axes) -> None:
    place: Any = "outside upper right"
    figure.legend(*axes.get_legend_handles_labels(), loc=place, ncols=2, fontsize=8.5)


def _curves(evaluation: Evaluation, metric: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Contenders of the curves with their look and label."""
    for name, look in CURVES.items():
        if name in evaluation.predictions.outcome:
            shown = labelled(name, evaluation.kinds["outcome", name])
            yield name, {**look, "label": f"{shown}: {evaluation.figure('outcome', metric, name)}"}


def _legend(axes: Axes, title: str, place: str) -> None:
    """The model first."""
    handles, labels = axes.get_legend_handles_labels()
    look: Any = {"title": title, "loc": place, "alignment": "left", "title_fontsize": 8.5}
    look |= {"fontsize": 8.5, "frameon": True, "framealpha": 0.92, "edgecolor": "none"}
    legend: Any = axes.legend(handles[::-1], labels[::-1], **look)
    legend.get_title().set_color(GREY)


def roc(evaluation: Evaluation) -> Any:
    """ROC curves of the model and some alternatives."""
    from sklearn.metrics import roc_curve

    figure, axes = _figure(6.2, 5.6)
    axes.plot([0, 1], [0, 1], **DIAGONAL)
    for name, look in _curves(evaluation, "auc"):
        x, y, _ = roc_curve(*_pooled(evaluation, name))
        axes.plot(x, y, **look)
    axes.set(xlabel="share of upheld items flagged", ylabel="share of overturned items found")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _titled(axes, evaluation, "ROC: finding denials that are overturned")
    _legend(axes, "AUC (95% interval)", "lower right")
    return figure


def precision_recall(evaluation: Evaluation) -> Any:
    """Precision against recall, with the base rate."""
    from sklearn.metrics import precision_recall_curve

    figure, axes = _figure(6.6, 5.2)
    rate = _truth(evaluation).mean()
    axes.axhline(rate, **DIAGONAL)
    text: Any = {"ha": "right", "va": "bottom", "color": INK, "zorder": 5, **NEAR}
    axes.annotate(f"base rate {rate:.0%}", (0.995, rate), (0, 3), **text)
    for name, look in _curves(evaluation, "average_precision"):
        precision, recall, _ = precision_recall_curve(*_pooled(evaluation, name))
        # The curve's artificial first point (recall 0, precision 1) is no measurement.
        axes.plot(recall[:-1], precision[:-1], drawstyle="steps-post", **look)
    axes.set(xlabel="recall: share of overturned items found", xlim=(0, 1.0))
    axes.set(ylabel="precision: share of flagged items overturned", ylim=(0, 1.02))
    _titled(axes, evaluation, "Precision and recall of Overturned")
    _legend(axes, "average precision (95% interval)", "upper right")
    return figure


def calibration(evaluation: Evaluation) -> Any:
    """Observed against predicted shares, with the spread of predictions below."""
    heights = {"height_ratios": [4, 1]}
    figure, (axes, below) = _figure(6.2, 6.2, nrows=2, sharex=True, gridspec_kw=heights)
    rows = evaluation.studies.calibration
    x = np.array([row.predicted for row in rows])
    y, low, high = _ends([row.observed for row in rows])
    truth, p = _pooled(evaluation, MODEL)
    # As wide as the estimates are, as high as their intervals reach.
    right = min(1.0, 1.05 * max(p.max(), 0.1))
    top = min(1.0, 1.05 * max(high.max(), x.max(), 0.1))
    axes.plot([0, 1], [0, 1], **DIAGONAL)
    where = (0.93 * min(top, right),) * 2
    axes.annotate("perfect", where, (-6, 4), ha="right", color=GREY, **NEAR)
    bars: Any = {"ecolor": SKY, "elinewidth": 2, "capsize": 3}
    axes.errorbar(x, y, yerr=[y - low, high - y], fmt="o-", color=BLUE, ms=7, lw=1.8, **bars)
    axes.set(ylabel="observed share overturned", ylim=(-0.01, top), xlim=(0, right))
    error = evaluation.figure("outcome", "calibration_error")
    extra = f"about {rows[0].items:.0f} a bin; calibration error {error}"
    _titled(axes, evaluation, "Calibration of p(overturned)", extra)
    # All repeats are drawn, so that each counts a part of an item.
    weights = np.full(len(p), len(_truth(evaluation)) / len(truth))
    below.hist(p, bins=np.linspace(0, right, 31), color=SKY, weights=weights)
    below.set(xlabel="predicted p(overturned)", ylabel="items")
    return figure


def scores(evaluation: Evaluation) -> Any:
    """Predictions of upheld and overturned items, and the default threshold."""
    figure, axes = _figure(7.0, 4.2)
    p = evaluation.predictions.per_item(MODEL)[evaluation.predictions.tested]
    y = _truth(evaluation)
    bins = np.linspace(0, max(0.4, float(np.ceil(p.max() * 20) / 20)), 26)
    top = 0.0
    for value, colour, hatch, name in ((0, GREY, "", "Upheld"), (1, ORANGE, "//", "Overturned")):
        values = p[y == value]
        weights = np.full(len(values), 1 / max(1, len(values)))
        look: Any = {"color": colour, "alpha": 0.62, "hatch": hatch, "edgecolor": "white"}
        label = f"{name} ({len(values)} items)"
        n, *_ = axes.hist(values, bins=bins, weights=weights, label=label, **look)
        top = max(top, n.max())
        axes.axvline(float(np.median(values)), color=colour, lw=2, ls="-")
    own = evaluation.studies.default_threshold.threshold
    axes.axvline(own, color=INK, lw=1.2, ls="--")
    axes.annotate(f"called Overturned from {own:.2f}", (own, top), (5, 0), va="top", **NEAR)
    axes.set(xlabel="predicted p(overturned)", ylabel="share of items of that outcome")
    axes.yaxis.set_major_formatter("{x:.0%}")
    extra = "bars add up to 100% an outcome; solid lines: medians"
    _titled(axes, evaluation, "How far the predictions part the outcomes", extra)
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.88))
    return figure


def comparison(evaluation: Evaluation, *, subject: str) -> Any:
    """All contenders, a row each, a panel a figure."""
    panels, title = COMPARISONS[subject]
    kinds = {
        name: kind
        for (of, name), kind in evaluation.kinds.items()
        if of == subject and name not in evaluation.predictions.left_out
    }
    width, height = 2.4 + 2.5 * len(panels), 1.4 + 0.36 * len(kinds)
    figure, axes = _figure(width, height, ncols=len(panels), sharey=True)
    places = _rows_of(axes[0], [labelled(name, kind) for name, kind in kinds.items()])
    for ax, (metric, label) in zip(axes, panels.items(), strict=True):
        for place, (name, kind) in zip(places, kinds.items(), strict=True):
            e = evaluation.figure(subject, metric, name)
            if np.isnan(e.value):
                _say_in_row(ax, place, "chapters only")
                continue
            colour, marker = KIND_LOOKS[kind]
            ax.plot([e.low, e.high], [place, place], color=colour, lw=2.2, alpha=0.55)
            ax.plot(e.value, place, marker, color=colour, ms=8 if name == MODEL else 6.5)
        ax.axvline(evaluation.figure(subject, metric).value, color=BLUE, lw=0.8, alpha=0.5)
        _panel(ax, label)
    title = f"{title}: the model and what one would use instead"
    return _framed(figure, evaluation, title, "bars: 95% intervals over letters")


def importance(evaluation: Evaluation) -> Any:
    """Mean contribution of each effect to the log odds, on unseen items."""
    rows = evaluation.studies.outcome_importance[:MOST_BARS]
    if not rows:
        return None
    figure, axes = _figure(7.4, 1.4 + 0.28 * len(rows))
    effects = [row.effect.rpartition(":")[::2] for row in rows]
    names = ["number of items" if s == "n_items" else s.replace("_", " ") for _, s in effects]
    places = _rows_of(axes, names)
    for learned, colour, label in (
        (False, BLUE, "known before any letter"),
        (True, ORANGE, "learned from these letters"),
    ):
        chosen = [n for n, (part, _) in enumerate(effects) if (part == "learned") == learned]
        sizes = [rows[n].mean_size for n in chosen]
        axes.barh(places[chosen], sizes, color=colour, height=0.7, label=label)
    axes.set(xlabel="mean size of what it adds to the log odds")
    axes.grid(axis="y", visible=False)
    axes.legend(fontsize=8.5, loc="lower right")
    _titled(axes, evaluation, "What the estimate rests on")
    return figure


def losses(evaluation: Evaluation, *, study: str, title: str) -> Any:
    """A study of what is lost, a row a family, a panel a figure."""
    rows: list[Loss] = getattr(evaluation.studies, study)[:MOST_BARS]
    if not rows:
        return None
    figures = LOSS_FIGURES[study.partition("_")[0]]
    figure, axes = _figure(9.6, 1.5 + 0.3 * len(rows), ncols=len(figures), sharey=True)
    places = _rows_of(axes[0], [row.family.replace("_", " ") for row in rows])
    for ax, (name, lost) in zip(axes, figures.items(), strict=True):
        ax.axvline(0, color=GREY, lw=1)
        for place, row in zip(places, rows, strict=True):
            e = row.worse[name]
            colour, fill = (BLUE, BLUE) if e.low > 0 else (GREY, "white")
            ax.plot([e.low, e.high], [place, place], color=colour, lw=2.2, alpha=0.6)
            ax.plot(e.value, place, "o", ms=6.5, color=colour, mfc=fill)
        _panel(ax, lost)
    return _framed(figure, evaluation, title, "filled: the 95% interval lies above 0")


def learning_curve(evaluation: Evaluation) -> Any:
    """Figures against training letters, and where a line through them points."""
    rows = evaluation.studies.learning_curve
    if not rows:
        return None
    names = list(dict.fromkeys(row.metric for row in rows))
    figure, axes = _figure(13.0, 6.4, nrows=2, ncols=3, sharex=True)
    for ax, name in zip(axes.ravel(), names, strict=False):
        measured = [row for row in rows if row.metric == name and row.measured]
        beyond = [row for row in rows if row.metric == name and not row.measured]
        for part, colour, line, label in (
            (measured, BLUE, "o-", "measured"),
            ([measured[-1], *beyond], GREY, "o:", "extrapolated: a + b / letters^c"),
        ):
            x = [row.letters for row in part]
            y, low, high = _ends([row.value for row in part])
            fill, order = (colour, 3) if part is measured else ("white", 2)
            ax.plot(x, y, line, color=colour, ms=6, lw=1.8, mfc=fill, zorder=order, label=label)
            ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        ax.set_xscale("log")
        ax.set_title(CURVE_TITLES[name], fontsize=10)
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel("training letters")
    _legend_above(figure, axes[0, 0])
    extra = "bands: 95% intervals over letters; grey: c = 1/2, the band over c = 1/4, 1/2 and 1"
    return _framed(figure, evaluation, "Is more data worth it?", extra)


def slices(evaluation: Evaluation) -> Any:
    """Observed and expected overturn share and guideline hits by slice."""
    rows = [row for row in evaluation.studies.slices if row.items >= 5]
    if not rows:
        return None
    figure, axes = _figure(10.5, 1.5 + 0.3 * len(rows), ncols=3, sharey=True)
    names = [f"{row.slice}: {row.value} ({row.items})" for row in rows]
    places = _rows_of(axes[0], names)
    panels = (("observed", "share overturned"), ("auc", "AUC"), ("section_top1", "section top-1"))
    for ax, (figure_name, label) in zip(axes, panels, strict=True):
        _intervals(ax, places, [getattr(row, figure_name) for row in rows], "too few overturned")
        _panel(ax, label)
    expected = [row.expected for row in rows]
    look: Any = {"mfc": "white", "mec": ORANGE, "ms": 6, "mew": 1.6}
    axes[0].plot(expected, places, "D", label="expected by the model", **look)
    _legend_above(figure, axes[0])
    axes[1].axvline(0.5, **DIAGONAL)
    extra = "items in brackets; slices of five items and more; 95% intervals"
    return _framed(figure, evaluation, "Figures by slice", extra)


def style(evaluation: Evaluation) -> Any:
    """Observed and predicted share by house style, and what style gives the AUC."""
    study = evaluation.studies.style
    if study is None:
        return None
    figure, (left, right) = _figure(11.0, 4.6, ncols=2)
    places = _rows_of(left, [f"{row.house} ({row.items} items)" for row in study.houses])
    _intervals(left, places, [row.observed for row in study.houses])
    predicted = [row.predicted for row in study.houses]
    left.plot(predicted, places, "D", mfc="white", mec=ORANGE, ms=6, label="predicted")
    left.set_title("share overturned by stock opening", fontsize=10)
    left.legend(fontsize=8.5, loc="lower right")
    checks = [row for row in study.checks if row.check.startswith("AUC")]
    places = _rows_of(right, [row.check for row in checks])
    _intervals(right, places, [row.value for row in checks])
    right.axvline(0.5, **DIAGONAL)
    right.set_title("how much of the ranking is style", fontsize=10)
    extra = "bars: 95% intervals over letters"
    return _framed(figure, evaluation, "House style of the summary", extra)


# Studies of what is lost, by name; the subject is the first word.
LOSSES = {
    "outcome_permutation": "Outcome: what is lost when a family of signals is shuffled",
    "outcome_permutation_columns": "Outcome: what is lost when one signal is shuffled",
    "outcome_ablation": "Outcome: what is lost without a family of signals (the model refitted)",
    "guideline_permutation": "Guideline: what is lost when an input is shuffled",
    "guideline_ablation": "Guideline: what is lost without an input (the model refitted)",
}
LOSS_FIGURES = {
    "outcome": {"auc": "AUC lost", "log_loss": "log loss gained"},
    "guideline": {"section_top1": "section top-1 lost", "chapter_top1": "chapter top-1 lost"},
}
PLOTS: dict[str, Callable[[Any], Any]] = {
    "outcome_roc": roc,
    "outcome_precision_recall": precision_recall,
    "outcome_calibration": calibration,
    "outcome_scores": scores,
    "outcome_importance": importance,
    "outcome_style": style,
    "learning_curve": learning_curve,
    "slices": slices,
    **{f"{name}_comparison": partial(comparison, subject=name) for name in COMPARISONS},
    **{name: partial(losses, study=name, title=title) for name, title in LOSSES.items()},
}
