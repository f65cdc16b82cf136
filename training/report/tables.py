"""The evaluation in tables and words: on the terminal, and as ``MODEL_CARD.md``.

In a pipe tables keep their width.  Every figure of the card was measured by its run.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from imr.training.contenders import BEFORE, LETTERS_ALONE, MODEL, Kind, Settings
from imr.training.metrics import Difference, Estimate
from imr.training.studies.importance import EXTRAPOLATED_LETTERS
from imr.training.studies.slices import LEVELS_OUT, SCORE_OUT

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from imr.training.studies.importance import CurvePoint, Loss
    from imr.training.studies.ratings import Raters, Sensitivity
    from imr.training.studies.slices import Check
    from imr.training.train import Evaluation

OUTCOME_COLUMNS = {
    "auc": "AUC",
    "average_precision": "av. precision",
    "brier_skill": "Brier skill",
    "log_loss": "log loss",
    "calibration_error": "calibr. error",
}
GUIDELINE_COLUMNS = {
    "chapter_top1": "chapter top-1",
    "chapter_top3": "chapter top-3",
    "section_top1": "section top-1",
    "section_top3": "section top-3",
    "section_any_top3": "any cited, top-3",
}
ABLATIONS = {
    "outcome_ablation": (
        "what each family of signals adds to p(overturned)",
        {"auc": "AUC", "log_loss": "log loss"},
    ),
    "guideline_ablation": (
        "what each input adds to the guideline",
        {"section_top1": "section top-1", "section_top3": "section top-3"},
    ),
}
CARD_TEMPLATE = "model_card.md.j2"
WIDTH = 118
FORESEEN_LETTERS = EXTRAPOLATED_LETTERS[-1]
HIGHLIGHT = {"model": "bold", "part": "", "alternative": "", "probe": "dim"}


def evaluation_tables(evaluation: Evaluation) -> RenderableType:
    """Both tables of the protocol, those of the studies asked for, then the warnings."""
    from rich.console import Group
    from rich.text import Text

    studies = evaluation.studies
    parts: list[RenderableType] = [Text(headline(evaluation))]
    for subject, columns, title in (
        ("outcome", OUTCOME_COLUMNS, "p(overturned) on unseen letters"),
        ("guideline", GUIDELINE_COLUMNS, "cited guideline on unseen letters"),
    ):
        table = _table(title, ("", *columns.values()), pad_edge=False)
        for name, kind, cells in contender_rows(evaluation, subject, columns, cell):
            table.add_row(labelled(name, kind), *cells, style=HIGHLIGHT[kind])
        parts.append(table)
    for study, (title, columns) in ABLATIONS.items():
        if losses := getattr(studies, study):
            parts.append(_ablation(losses, title, columns))
    if studies.learning_curve:
        parts.append(_curve(studies.learning_curve))
    if studies.sensitivity:
        parts.append(_sensitivity(studies.sensitivity))
    parts.append(Text("\n".join(remarks(evaluation))))
    return Group(*parts)


def headline(evaluation: Evaluation) -> str:
    """What was evaluated, in one line."""
    facts, config = evaluation.facts, evaluation.config
    repeats, folds = len(evaluation.folds), len(evaluation.folds[0])
    how = f"{folds} folds x {repeats} by letter and injured worker"
    if config.by == "time":
        how = f"{folds} later spans, {config.gap_days} days apart"
    return (
        f"{facts['items']} items of {facts['letters']} letters, {facts['overturned']} overturned; "
        f"{how}; 95% intervals over letters"
    )


def contender_rows(
    evaluation: Evaluation,
    subject: str,
    columns: Mapping[str, str],
    show: Callable[[Estimate], str],
) -> Iterator[tuple[str, Kind, list[str]]]:
    """Name, kind and figures of every contender; the reason instead where one was left out."""
    for (of, name), kind in evaluation.kinds.items():
        reason = evaluation.predictions.left_out.get(name)
        if of == subject and reason is not None:
            yield name, kind, [reason, *[""] * (len(columns) - 1)]
        elif of == subject:
            yield name, kind, [show(evaluation.figure(subject, m, name)) for m in columns]


def labelled(contender: str, kind: Kind) -> str:
    """What a contender is called in tables and plots."""
    return f"{contender} (warning)" if kind == "probe" else contender


def _table(
    title: str, head: Sequence[str], *, pad_edge: bool = True, no_wrap: bool = True
) -> Table:
    """A table without rows; ``no_wrap`` is of its first column, the others are figures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=pad_edge)
    table.add_column(head[0], no_wrap=no_wrap)
    for name in head[1:]:
        table.add_column(name, justify="right")
    return table


def cell(e: Estimate) -> str:
    """``0.71 0.60–0.82``; a dash where there is nothing to say."""
    if np.isnan(e.value):
        return "–"
    return f"{e.value:.2f} {e.low:.2f}–{e.high:.2f}".replace("-", "−")


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader must know beside the table."""
    lines = []
    for subject, metric, name in (
        ("outcome", "auc", "AUC"),
        ("outcome", "log_loss", "log loss"),
        ("guideline", "section_top1", "section top-1"),
    ):
        if known := rivals(evaluation, subject, metric):
            best = min(known, key=lambda row: row.value.value)
            lines.append(
                f"{name}: {MODEL} against {best.against}, the best alternative: "
                f"{signed(best.value)}, better in {best.p_better:.0%} of draws"
            )
    lines.append(expectation_line(evaluation))
    studies = evaluation.studies
    if studies.raters:
        lines.append(raters_line(studies.raters))
    if evaluation.predictions.left_out:
        lines.append("Alternatives on texts need the letters themselves: imr train --letters PATH")
    else:
        lines.append(
            "Probes are warnings, no rivals: what length and stock opening give is who wrote the "
            "summary, and the rationale is the decision itself."
        )
    if style := studies.style:
        lines.append(
            f"House style: AUC {style.within} among summaries of one style, {style.across} between "
            f"styles; the signals tell the commonest style from the others with AUC "
            f"{style.recognised}."
        )
        lines.append(harm_line(style.checks))
    if studies.learning_curve:
        lines.append(curve_line(studies.learning_curve))
    return lines


def expectation_line(evaluation: Evaluation) -> str:
    """How much of the model was known beforehand, and how much it learned."""
    whole, before, learned = (
        evaluation.figure("outcome", "auc", name) for name in (MODEL, BEFORE, LETTERS_ALONE)
    )
    return (
        f"Of the AUC {whole.value:.2f}, ratings, blind to every decision, reach "
        f"{before.value:.2f} without learning; these letters alone reach {learned.value:.2f}."
    )


def raters_line(raters: Raters) -> str:
    """What a reader of the case can tell, and how far the model agrees with it."""
    agreed = [f"{name} {raters.agreement[name].value:.2f}" for name in (MODEL, BEFORE)]
    return (
        "Three language models that read each case, blind to its outcome, rank it with AUC "
        f"{raters.figures['auc']}, average precision {raters.figures['average_precision']}: so "
        "much more the case summaries hold than our signals take up. Correlation with their "
        f"ratings: {', '.join(agreed)}."
    )


def harm_line(checks: Sequence[Check]) -> str:
    """How much of the ranking is lost without what style tells."""
    lost = {row.check: signed(row.value) for row in checks}
    said = f"Does style carry the AUC? Lost with style levels out: {lost[LEVELS_OUT]}"
    if SCORE_OUT not in lost:
        return said + "."
    return said + f"; with the style probe's score out: {lost[SCORE_OUT]}."


def signed(e: Estimate) -> str:
    """A difference with its interval: ``+0.031 (-0.010 to +0.070)``."""
    return f"{e.value:+.3f} ({e.low:+.3f} to {e.high:+.3f})"


def curve_line(rows: Sequence[CurvePoint]) -> str:
    """What somebody with 10,000 letters may expect, and how little that is known."""
    last = max(row.letters for row in rows if row.measured)
    said = {row.metric: row.value for row in rows if row.letters == FORESEEN_LETTERS}
    return (
        f"With {FORESEEN_LETTERS:,} letters like these: AUC {said['auc']}, without the "
        f"judgement {said['auc_letters_alone']}; section top-1 {said['section_top1']}. That is "
        f"extrapolated from {last} training letters, nobody has measured it."
    )


def _ablation(rows: Sequence[Loss], title: str, columns: Mapping[str, str]) -> Table:
    table = _table(title, ("family", "columns", *columns.values()), no_wrap=False)
    for row in rows:
        table.add_row(row.family, str(row.columns), *(signed(row.worse[name]) for name in columns))
    return table


def _curve(rows: Sequence[CurvePoint]) -> Table:
    names = list(dict.fromkeys(row.metric for row in rows))
    head = ("letters", *(name.replace("_", " ") for name in names))
    table = _table("more letters", head)
    cells = {(row.letters, row.measured, row.metric): str(row.value) for row in rows}
    for letters, measured in sorted({(row.letters, row.measured) for row in rows}):
        label = f"{letters:,}" + ("" if measured else " extrapolated")
        table.add_row(label, *(cells[letters, measured, name] for name in names))
    return table


def _sensitivity(rows: Sequence[Sensitivity]) -> Table:
    title = "change of the estimate per change of the rating, between twins of rated vignettes"
    head = ("changed fact", "pairs", "rated change", "slope", "r", "scatter")
    table = _table(title, head, no_wrap=False)
    for row in rows:
        values = (f"{value:.2f}" for value in (row.rated_change, row.slope, row.r, row.scatter))
        table.add_row(row.fact.replace("_", " "), str(row.pairs), *values)
    return table


def as_text(table: RenderableType) -> str:
    """Plain text of a table, without colours."""
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def print_table(table: RenderableType) -> None:
    """To standard output: coloured on a terminal, plain and of full width in a pipe."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
    else:
        sys.stdout.write(as_text(table))


def model_card(evaluation: Evaluation) -> str:
    """The card as Markdown."""
    import jinja2

    studies = evaluation.studies
    source = (resources.files("imr.training.report") / CARD_TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown of our own figures
    )
    environment.filters["interval"] = interval
    return environment.from_string(source).render(
        facts=evaluation.facts,
        config=evaluation.config,
        headline=headline(evaluation),
        outcome=contender_rows(evaluation, "outcome", OUTCOME_COLUMNS, interval),
        outcome_columns=list(OUTCOME_COLUMNS.values()),
        guideline=contender_rows(evaluation, "guideline", GUIDELINE_COLUMNS, interval),
        guideline_columns=list(GUIDELINE_COLUMNS.values()),
        labelled=labelled,
        expectation=expectation_line(evaluation),
        raters=raters_line(studies.raters) if studies.raters else "",
        thresholds=studies.thresholds,
        default=studies.default_threshold,
        missed_cost=Settings.of(evaluation.config).outcome.missed_cost,
        unproven=[
            f"{row.against}, {signed(row.value)}"
            for row in rivals(evaluation, "outcome", "auc")
            if row.value.low <= 0  # it may be as good
        ],
        slices=[row for row in studies.slices if row.items >= 5],
        style=studies.style,
        harm=harm_line(studies.style.checks) if studies.style else "",
        curve=studies.learning_curve,
        curve_said=curve_line(studies.learning_curve) if studies.learning_curve else "",
    )


def rivals(evaluation: Evaluation, subject: str, metric: str) -> list[Difference]:
    """The model against each alternative in one figure."""
    return [
        row
        for row in evaluation.differences
        if (row.subject, row.metric) == (subject, metric)
        and evaluation.kinds[subject, row.against] == "alternative"
    ]


def interval(e: Estimate) -> str:
    """``0.71 (0.60 to 0.82)``; a dash where there is nothing to say."""
    return "–" if np.isnan(e.value) else f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
