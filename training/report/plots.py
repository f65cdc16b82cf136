"""The evaluation as pictures: colours that colour-blind readers tell apart, and never alone.

Palette: Okabe and Ito (jfly.uni-koeln.de/color).  Every figure states its sample; intervals are
those of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training.contenders.compared import MODEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from imr.training.evaluate import Evaluation

    Array = NDArray[np.float64]

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY, INK, PALE = "#56B4E9", "#E69F00", "#8A8A8A", "#222222", "#E6E6E6"
STYLE: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "imr",
}
# Text alternatives to show beside the model; the rest stands in the table.
BESIDE = ("category base rate", "rated vignettes alone", "TF-IDF + LR, summary", "style probe")
BESIDE_LOOK = ((ORANGE, "--"), (GREEN, "-."), (PINK, ":"), (AMBER, (0, (5, 1, 1, 1, 1, 1))))
MOST_BARS = 20


def draw_all(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw every plot the evaluation has figures for; the paths written, PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in PLOTS.items():
        with _canvas() as make:
            figure = draw(evaluation, make)
            if figure is not None:
                path = folder / f"{name}.png"
                # No date and no version: the same figures give the same file.
                figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
                written.append(path)
    return written


Make = Callable[..., Any]


@contextmanager
def _canvas() -> Iterator[Make]:
    """A maker of figures that needs no display and leaves no state behind."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def make(width: float = 6.4, height: float = 4.8, **grid: Any) -> Any:
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(**grid)

    with mpl.rc_context(STYLE):
        yield make


def _sample_line(evaluation: Evaluation) -> str:
    facts = evaluation.facts
    return f"{facts['tested_items']} unseen items, {facts['tested_overturned']} overturned"


def _note(axes: Axes, evaluation: Evaluation, extra: str = "") -> None:
    text = _sample_line(evaluation) + (f"; {extra}" if extra else "")
    axes.annotate(
        text,
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8.5,
        color=GREY,
        va="bottom",
    )


def _foot(figure: Figure, evaluation: Evaluation, extra: str) -> None:
    text = f"{_sample_line(evaluation)}; {extra}"
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8.5, color=GREY)


def _pooled(evaluation: Evaluation, name: str) -> tuple[Array, Array]:
    """Truth and prediction of all repeats, one after the other."""
    p = evaluation.predictions.outcome[name][:, evaluation.predictions.tested]
    y = evaluation.sample.y[evaluation.predictions.tested]
    return np.tile(y, len(p)), p.ravel()


def _curves(evaluation: Evaluation) -> list[tuple[str, str, Any, float]]:
    """(contender, colour, line style, width) for the curves, the model last, on top."""
    there = [name for name in BESIDE if name in evaluation.predictions.outcome]
    looks = dict(zip(BESIDE, BESIDE_LOOK, strict=True))
    return [(name, *looks[name], 1.6) for name in there] + [(MODEL, BLUE, "-", 2.8)]


def roc(evaluation: Evaluation, make: Make) -> Any:
    """ROC curves of the model and some alternatives."""
    from sklearn.metrics import roc_curve

    figure, axes = make(6.2, 5.6)
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=(0, (1, 2)))
    for name, colour, line, width in _curves(evaluation):
        x, y, _ = roc_curve(*_pooled(evaluation, name))
        label = f"{_label(evaluation, name)}: {evaluation.figure('outcome', 'auc', name)}"
        axes.plot(x, y, color=colour, ls=line, lw=width, label=label)
    axes.set(
        xlabel="share of upheld items flagged",
        ylabel="share of overturned items found",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    axes.set_title("ROC: finding denials that are overturned", pad=20)
    _note(axes, evaluation)
    _legend(axes, "AUC (95% interval)", "lower right")
    return figure


def _label(evaluation: Evaluation, name: str) -> str:
    probe = evaluation.kinds["outcome", name] == "probe"
    return f"{name} (warning)" if probe else name


def _legend(axes: Axes, title: str, place: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    legend: Any = axes.legend(  # type: ignore[call-overload]
        handles[::-1],
        labels[::-1],
        title=title,
        loc=place,
        fontsize=8.5,
        title_fontsize=8.5,
        frameon=True,
        framealpha=0.92,
        edgecolor="none",
    )
    legend.get_title().set_color(GREY)
    legend._legend_box.align = "left"


def precision_recall(evaluation: Evaluation, make: Make) -> Any:
    """Precision against recall, with the base rate."""
    from sklearn.metrics import precision_recall_curve

    figure, axes = make(6.6, 5.2)
    y, _ = _pooled(evaluation, MODEL)
    axes.axhline(y.mean(), color=GREY, lw=1, ls=(0, (1, 2)))
    axes.annotate(
        f"base rate {y.mean():.0%}",
        (0.995, y.mean()),
        (0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=INK,
        zorder=5,
    )
    for name, colour, line, width in _curves(evaluation):
        precision, recall, _ = precision_recall_curve(*_pooled(evaluation, name))
        figure_ = evaluation.figure("outcome", "average_precision", name)
        label = f"{_label(evaluation, name)}: {figure_}"
        # The curve's artificial first point (recall 0, precision 1) is no measurement.
        axes.plot(
            recall[:-1],
            precision[:-1],
            color=colour,
            ls=line,
            lw=width,
            label=label,
            drawstyle="steps-post",
        )
    axes.set(
        xlabel="recall: share of overturned items found",
        ylabel="precision: share of flagged items overturned",
        xlim=(0, 1.0),
        ylim=(0, 1.02),
    )
    axes.set_title("Precision and recall of Overturned", pad=20)
    _note(axes, evaluation)
    _legend(axes, "average precision (95% interval)", "upper right")
    return figure


def calibration(evaluation: Evaluation, make: Make) -> Any:
    """Observed against predicted shares, with the spread of predictions below."""
    figure, (axes, below) = make(
        6.2, 6.2, nrows=2, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
    )
    rows = evaluation.studies["calibration"]
    x, y = _column(rows, "predicted"), _column(rows, "observed")
    low, high = _column(rows, "observed_low"), _column(rows, "observed_high")
    top = min(1.0, 1.1 * max(high.max(), x.max(), 0.2))
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=(0, (1, 2)))
    axes.annotate(
        "perfect",
        (top * 0.93, top * 0.93),
        (-6, 4),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color=GREY,
    )
    axes.errorbar(
        x,
        y,
        yerr=[y - low, high - y],
        fmt="o-",
        color=BLUE,
        ecolor=SKY,
        elinewidth=2,
        capsize=3,
        ms=7,
        lw=1.8,
    )
    axes.set(ylabel="observed share overturned", ylim=(-0.01, top), xlim=(0, top))
    axes.set_title("Calibration of p(overturned)", pad=20)
    error = evaluation.figure("outcome", "calibration_error")
    _note(axes, evaluation, f"about {rows[0]['items']:.0f} a bin; calibration error {error}")
    _, p = _pooled(evaluation, MODEL)
    below.hist(
        p,
        bins=np.linspace(0, top, 31),
        color=SKY,
        weights=np.full(len(p), _per(p, y_of(evaluation))),
    )
    below.set(xlabel="predicted p(overturned)", ylabel="items")
    return figure


def y_of(evaluation: Evaluation) -> Any:
    """Truth of the tested items."""
    return evaluation.sample.y[evaluation.predictions.tested]


def _per(p: Array, y: Array) -> float:
    return len(y) / len(p)


def scores(evaluation: Evaluation, make: Make) -> Any:
    """Predictions of upheld and overturned items, and the default threshold."""
    figure, axes = make(7.0, 4.2)
    p = evaluation.predictions.per_item(MODEL)[evaluation.predictions.tested]
    y = y_of(evaluation)
    upper = max(0.4, float(np.ceil(p.max() * 20) / 20))
    bins = np.linspace(0, upper, 26)
    shares = []
    for value, colour, hatch, name in ((0, GREY, "", "Upheld"), (1, ORANGE, "//", "Overturned")):
        values = p[y == value]
        weights = np.full(len(values), 1 / max(1, len(values)))
        n, *_ = axes.hist(
            values,
            bins=bins,
            weights=weights,
            color=colour,
            alpha=0.62,
            hatch=hatch,
            edgecolor="white",
            label=f"{name} ({len(values)} items)",
        )
        shares.append(n.max())
        axes.axvline(float(np.median(values)), color=colour, lw=2, ls="-")
    own = next(r["threshold"] for r in evaluation.studies["thresholds"] if r["default"])
    axes.axvline(own, color=INK, lw=1.2, ls="--")
    axes.annotate(
        f"called Overturned from {own:.2f}",
        (own, max(shares)),
        (5, 0),
        textcoords="offset points",
        fontsize=8.5,
        va="top",
    )
    axes.set(xlabel="predicted p(overturned)", ylabel="share of items of that outcome")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_title("How far the predictions part the outcomes", pad=20)
    _note(axes, evaluation, "bars add up to 100% an outcome; solid lines: medians")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.88))
    return figure


def _column(rows: Sequence[dict[str, Any]], name: str) -> Array:
    return np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)


def comparison(evaluation: Evaluation, make: Make) -> Any:
    """AUC and average precision of all contenders."""
    return _dots(
        evaluation,
        make,
        "outcome",
        {"auc": "AUC", "average_precision": "average precision", "brier_skill": "Brier skill"},
        "p(overturned): the model and what one would use instead",
    )


def guideline(evaluation: Evaluation, make: Make) -> Any:
    """Guideline hits of all contenders."""
    return _dots(
        evaluation,
        make,
        "guideline",
        {
            "chapter_top1": "chapter top-1",
            "chapter_top3": "chapter top-3",
            "section_top1": "section top-1",
            "section_top3": "section top-3",
        },
        "Cited guideline: the model and what one would use instead",
    )


LOOKS = {
    "model": (BLUE, "o"),
    "part": (SKY, "D"),
    "alternative": (GREY, "s"),
    "probe": (AMBER, "^"),
}


def _dots(
    evaluation: Evaluation, make: Make, subject: str, panels: dict[str, str], title: str
) -> Any:
    names = [
        name
        for (of, name) in evaluation.kinds
        if of == subject and name not in evaluation.predictions.left_out
    ][::-1]
    figure, axes = make(
        2.4 + 2.5 * len(panels), 1.4 + 0.36 * len(names), ncols=len(panels), sharey=True
    )
    for ax, (metric, label) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        for place, name in enumerate(names):
            e = evaluation.figure(subject, metric, name)
            colour, marker = LOOKS[evaluation.kinds[subject, name]]
            if np.isnan(e.value):
                ax.text(
                    0.02,
                    place,
                    "chapters only",
                    fontsize=8,
                    color=GREY,
                    va="center",
                    transform=ax.get_yaxis_transform(),
                )
                continue
            ax.plot([e.low, e.high], [place, place], color=colour, lw=2.2, alpha=0.55)
            ax.plot(e.value, place, marker, color=colour, ms=8 if name == MODEL else 6.5)
        ours = evaluation.figure(subject, metric)
        ax.axvline(ours.value, color=BLUE, lw=0.8, alpha=0.5)
        ax.set_title(label, fontsize=10)
        ax.grid(axis="y", visible=False)
    first = np.atleast_1d(axes)[0]
    probes = {n for (of, n), kind in evaluation.kinds.items() if of == subject and kind == "probe"}
    first.set_yticks(range(len(names)), [f"{n} (warning)" if n in probes else n for n in names])
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    _foot(figure, evaluation, "bars: 95% intervals over letters")
    return figure


def importance(evaluation: Evaluation, make: Make) -> Any:
    """Mean contribution of each effect to the log odds, on unseen items."""
    rows = evaluation.studies["outcome_importance"][:MOST_BARS][::-1]
    if not rows:
        return None
    figure, axes = make(7.4, 1.4 + 0.28 * len(rows))
    axes.barh(
        [_words(r["effect"]) for r in rows], _column(rows, "mean_size"), color=BLUE, height=0.7
    )
    axes.set(xlabel="mean size of the contribution to the log odds")
    axes.set_title("What the outcome model rests on", pad=20)
    axes.grid(axis="y", visible=False)
    _note(axes, evaluation, "LightGBM's own contributions and the logistic member's, added")
    return figure


def _words(name: str) -> str:
    return name.replace("_", " ")


LOSSES = {"auc_loss": "AUC lost", "log_loss_loss": "log loss gained"}
GAINS = {"auc_gain": "AUC gained", "log_loss_gain": "log loss saved"}
HIT_LOSSES = {"section_top1_loss": "section top-1 lost", "chapter_top1_loss": "chapter top-1 lost"}
HIT_GAINS = {
    "section_top1_gain": "section top-1 gained",
    "chapter_top1_gain": "chapter top-1 gained",
}


def permutation(evaluation: Evaluation, make: Make) -> Any:
    """Loss of AUC when a family's values are dealt out anew."""
    title = "Outcome: what is lost when a family of signals is dealt out anew"
    return _losses(evaluation, make, "outcome_permutation", LOSSES, title)


def permutation_columns(evaluation: Evaluation, make: Make) -> Any:
    """The same, signal by signal."""
    title = "Outcome: what is lost when one signal is dealt out anew"
    return _losses(evaluation, make, "outcome_permutation_columns", LOSSES, title)


def ablation(evaluation: Evaluation, make: Make) -> Any:
    """What each family adds to the outcome model."""
    title = "Outcome: what each family of signals adds (the model refitted without it)"
    return _losses(evaluation, make, "outcome_ablation", GAINS, title)


def guideline_permutation(evaluation: Evaluation, make: Make) -> Any:
    """Loss of guideline hits when what the ranker reads is dealt out anew."""
    title = "Guideline: what is lost when an input is dealt out anew"
    return _losses(evaluation, make, "guideline_permutation", HIT_LOSSES, title)


def guideline_ablation(evaluation: Evaluation, make: Make) -> Any:
    """What each input adds to the guideline model."""
    title = "Guideline: what each input adds (the model refitted without it)"
    return _losses(evaluation, make, "guideline_ablation", HIT_GAINS, title)


def _losses(
    evaluation: Evaluation, make: Make, study: str, panels: dict[str, str], title: str
) -> Any:
    rows = evaluation.studies.get(study, [])[:MOST_BARS][::-1]
    if not rows:
        return None
    names = [_words(row.get("signal") or row["family"]) for row in rows]
    figure, axes = make(9.6, 1.5 + 0.3 * len(rows), ncols=len(panels), sharey=True)
    for ax, (metric, label) in zip(axes, panels.items(), strict=True):
        value, low, high = (_column(rows, f"{metric}{end}") for end in ("", "_low", "_high"))
        ax.axvline(0, color=GREY, lw=1)
        for place in range(len(rows)):
            sure = low[place] > 0
            ax.plot(
                [low[place], high[place]],
                [place, place],
                color=BLUE if sure else GREY,
                lw=2.2,
                alpha=0.6,
            )
            ax.plot(
                value[place],
                place,
                "o",
                ms=6.5,
                color=BLUE if sure else GREY,
                mfc=BLUE if sure else "white",
            )
        ax.set_title(label, fontsize=10)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(rows)), names)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    _foot(figure, evaluation, "filled: the 95% interval lies above 0")
    return figure


CURVE_TITLES = {
    "auc": "AUC of the outcome",
    "auc_nothing_expected": "AUC of the outcome, nothing expected",
    "log_loss": "log loss of the outcome (less is better)",
    "chapter_top1": "guideline chapter top-1",
    "section_top1": "guideline section top-1",
}


def learning_curve(evaluation: Evaluation, make: Make) -> Any:
    """Figures against training letters, and where a line through them points."""
    rows = evaluation.studies.get("learning_curve")
    if not rows:
        return None
    names = list(dict.fromkeys(row["metric"] for row in rows))
    figure, axes = make(13.0, 6.4, nrows=2, ncols=3, sharex=True)
    for ax, name in zip(axes.ravel(), names, strict=False):
        for measured, colour, line in ((True, BLUE, "o-"), (False, GREY, "o:")):
            part = [r for r in rows if r["metric"] == name and r["measured"] == measured]
            if not measured:
                part = [r for r in rows if r["metric"] == name and r["measured"]][-1:] + part
            x, y = _column(part, "letters"), _column(part, "value")
            ax.plot(
                x,
                y,
                line,
                color=colour,
                ms=6,
                lw=1.8,
                mfc=colour if measured else "white",
                zorder=3 if measured else 2,
                label="measured" if measured else "extrapolated: a + b / letters^c",
            )
            ax.fill_between(
                x, _column(part, "low"), _column(part, "high"), color=colour, alpha=0.15, lw=0
            )
        ax.set_xscale("log")
        ax.set_title(CURVE_TITLES.get(name, name), fontsize=10)
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel("training letters")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8.5
    )
    figure.suptitle("Is more data worth it?", x=0.01, ha="left", fontweight="bold", fontsize=12)
    _foot(
        figure,
        evaluation,
        "bands: 95% intervals over letters; grey: c = 1/2, the band over c = 1/4, 1/2 and 1",
    )
    return figure


def slices(evaluation: Evaluation, make: Make) -> Any:
    """Observed and expected overturn share and guideline hits by slice."""
    rows = [row for row in evaluation.studies["slices"] if row["items"] >= 5][::-1]
    if not rows:
        return None
    figure, axes = make(10.5, 1.5 + 0.3 * len(rows), ncols=3, sharey=True)
    places = np.arange(len(rows))
    panels = (("observed", "share overturned"), ("auc", "AUC"), ("section_top1", "section top-1"))
    for ax, (metric, label) in zip(axes, panels, strict=True):
        value, low, high = (_column(rows, f"{metric}{end}") for end in ("", "_low", "_high"))
        ax.hlines(places, low, high, color=SKY, lw=2.4)
        ax.plot(value, places, "o", color=BLUE, ms=6.5, label="observed")
        ax.set_title(label, fontsize=10)
        ax.grid(axis="y", visible=False)
        for place in np.flatnonzero(np.isnan(value)):
            ax.text(
                0.02,
                place,
                "too few overturned",
                fontsize=8,
                color=GREY,
                va="center",
                transform=ax.get_yaxis_transform(),
            )
    axes[0].plot(
        _column(rows, "expected"),
        places,
        "D",
        mfc="white",
        mec=ORANGE,
        ms=6,
        mew=1.6,
        label="expected by the model",
    )
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8.5
    )
    axes[1].axvline(0.5, color=GREY, lw=1, ls=(0, (1, 2)))
    axes[0].set_yticks(places, [f"{row['slice']}: {row['value']} ({row['items']})" for row in rows])
    figure.suptitle("Figures by slice", x=0.01, ha="left", fontweight="bold", fontsize=12)
    _foot(figure, evaluation, "items in brackets; slices of five items and more; 95% intervals")
    return figure


def style(evaluation: Evaluation, make: Make) -> Any:
    """Observed and predicted share by house style, and what style gives the AUC."""
    houses = evaluation.studies.get("style_houses", [])[::-1]
    if not houses:
        return None
    figure, (left, right) = make(11.0, 4.6, ncols=2)
    places = np.arange(len(houses))
    left.hlines(
        places, _column(houses, "observed_low"), _column(houses, "observed_high"), SKY, lw=2.4
    )
    left.plot(_column(houses, "observed"), places, "o", color=BLUE, ms=6.5, label="observed")
    left.plot(
        _column(houses, "predicted"), places, "D", mfc="white", mec=ORANGE, ms=6, label="predicted"
    )
    left.set_yticks(places, [f"{row['house']} ({row['items']} items)" for row in houses])
    left.set_title("share overturned by stock opening", fontsize=10)
    left.legend(fontsize=8.5, loc="lower right")
    checks = [r for r in evaluation.studies["style_harm"] if r["check"].startswith("AUC")][::-1]
    rows = np.arange(len(checks))
    right.hlines(rows, _column(checks, "low"), _column(checks, "high"), SKY, lw=2.4)
    right.plot(_column(checks, "value"), rows, "o", color=BLUE, ms=6.5)
    right.axvline(0.5, color=GREY, lw=1, ls=(0, (1, 2)))
    right.set_yticks(rows, [row["check"] for row in checks])
    right.set_title("how much of the ranking is style", fontsize=10)
    for ax in (left, right):
        ax.grid(axis="y", visible=False)
    figure.suptitle("House style of the summary", x=0.01, ha="left", fontweight="bold", fontsize=12)
    _foot(figure, evaluation, "bars: 95% intervals over letters")
    return figure


PLOTS: dict[str, Callable[[Any, Make], Any]] = {
    "outcome_comparison": comparison,
    "outcome_roc": roc,
    "outcome_precision_recall": precision_recall,
    "outcome_calibration": calibration,
    "outcome_scores": scores,
    "outcome_importance": importance,
    "outcome_permutation": permutation,
    "outcome_permutation_columns": permutation_columns,
    "outcome_ablation": ablation,
    "outcome_style": style,
    "guideline_comparison": guideline,
    "guideline_permutation": guideline_permutation,
    "guideline_ablation": guideline_ablation,
    "learning_curve": learning_curve,
    "slices": slices,
}
