"""The evaluation as tables on the terminal; in a pipe they keep their width."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training.contenders.compared import BLIND, EFFECTS, MODEL, NOTHING
from imr.training.metrics import Estimate
from imr.training.studies.learning_curve import EXTRAPOLATED_LETTERS
from imr.training.studies.style import LEVELS_OUT, SCORE_OUT

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from imr.training.evaluate import Evaluation

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
        {"auc_gain": "AUC", "log_loss_gain": "log loss"},
    ),
    "guideline_ablation": (
        "what each input adds to the guideline",
        {
            "section_top1_gain": "section top-1",
            "section_top3_gain": "section top-3",
        },
    ),
}
FORESEEN_LETTERS = EXTRAPOLATED_LETTERS[-1]
HIGHLIGHT = {"model": "bold", "part": "", "alternative": "", "probe": "dim"}


def evaluation_tables(evaluation: Evaluation) -> RenderableType:
    """Both tables of the protocol, then the warnings."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(headline(evaluation)),
        _table(evaluation, "outcome", OUTCOME_COLUMNS, "p(overturned) on unseen letters"),
        _table(evaluation, "guideline", GUIDELINE_COLUMNS, "cited guideline on unseen letters"),
    ]
    for study, (title, columns) in ABLATIONS.items():
        if study in evaluation.studies:
            parts.append(_ablation(evaluation.studies[study], title, columns))
    if "learning_curve" in evaluation.studies:
        parts.append(_curve(evaluation.studies["learning_curve"]))
    parts.append(Text("\n".join(remarks(evaluation))))
    return Group(*parts)


def headline(evaluation: Evaluation) -> str:
    """What was evaluated, in one line."""
    facts, config = evaluation.facts, evaluation.config
    how = (
        f"{len(evaluation.folds[0])} later spans, {config.gap_days} days apart"
        if config.by == "time"
        else f"{config.folds} folds x {config.repeats} by letter and injured worker"
    )
    return (
        f"{facts['items']} items of {facts['letters']} letters, {facts['overturned']} overturned; "
        f"{how}; 95% intervals over letters"
    )


def _table(evaluation: Evaluation, subject: str, columns: dict[str, str], title: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in columns.values():
        table.add_column(name, justify="right")
    for (of, name), kind in evaluation.kinds.items():
        if of == subject:
            cells = _cells(evaluation, subject, name, columns)
            label = f"{name} (warning)" if kind == "probe" else name
            table.add_row(label, *cells, style=HIGHLIGHT[kind])
    return table


def _cells(
    evaluation: Evaluation, subject: str, name: str, columns: dict[str, str]
) -> Sequence[str]:
    reason = evaluation.predictions.left_out.get(name)
    if reason is not None:
        return [reason, *[""] * (len(columns) - 1)]
    return [cell(evaluation.figure(subject, metric, name)) for metric in columns]


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
        best = _closest(evaluation, subject, metric)
        if best:
            lines.append(
                f"{name}: {MODEL} against {best['against']}, the best alternative: "
                f"{best['value']:+.3f} ({best['low']:+.3f} to {best['high']:+.3f}), "
                f"better in {best['p_better']:.0%} of draws"
            )
    lines.append(expectation_line(evaluation))
    if "raters" in evaluation.studies:
        lines.append(raters_line(evaluation.studies))
    if evaluation.predictions.left_out:
        lines.append("Alternatives on texts need the letters themselves: imr train --letters PATH")
    else:
        lines.append(
            "Probes are warnings, no rivals: what length and stock opening give is who wrote the "
            "summary, and the rationale is the decision itself."
        )
    lines.extend(_style_lines(evaluation.studies))
    if "learning_curve" in evaluation.studies:
        lines.append(curve_line(evaluation.studies["learning_curve"]))
    return lines


def expectation_line(evaluation: Evaluation) -> str:
    """How much of the model was known beforehand, and how much it learned."""
    whole, effects, blind, learned = (
        evaluation.figure("outcome", "auc", name) for name in (MODEL, EFFECTS, BLIND, NOTHING)
    )
    return (
        f"Of the AUC {whole.value:.2f}, effects written down beforehand reach {effects.value:.2f} "
        "without learning, but one of their two tables was written with these letters in view, "
        "which folds cannot test. Rated vignettes, blind to every letter, reach "
        f"{blind.value:.2f}; learning from these letters alone reaches {learned.value:.2f}."
    )


def raters_line(studies: dict[str, Any]) -> str:
    """What a reader of the case can tell, and how far the model agrees with it."""
    figures = {row["metric"]: Estimate(row["value"], row["low"], row["high"])
               for row in studies["raters"]}  # fmt: skip
    agreed = {row["of"]: row["value"] for row in studies["rater_agreement"]}
    return (
        "Three language models that read each case, blind to its outcome, rank it with AUC "
        f"{figures['auc']}, average precision {figures['average_precision']}: so much more the "
        f"case summaries hold than our signals take up. Correlation with their ratings: {MODEL} "
        f"{agreed[MODEL]:.2f}, expected effects alone {agreed[EFFECTS]:.2f}, rated vignettes alone "
        f"{agreed[BLIND]:.2f}."
    )


def _closest(evaluation: Evaluation, subject: str, metric: str) -> dict[str, Any] | None:
    rows = [
        row
        for row in evaluation.differences
        if (row["subject"], row["metric"]) == (subject, metric)
        and evaluation.kinds[subject, row["against"]] == "alternative"
    ]
    return min(rows, key=lambda row: row["value"], default=None)


def _style_lines(studies: dict[str, Any]) -> list[str]:
    if "style" not in studies:
        return []
    style = studies["style"]
    within, across = Estimate(**style["auc_within"]), Estimate(**style["auc_across"])
    known = Estimate(**style["signals_know_style_auc"])
    return [
        (
            f"House style: AUC {within} among summaries of one style, {across} between styles; "
            f"the signals tell the commonest style from the others with AUC {known}."
        ),
        harm_line(studies["style_harm"]),
    ]


def harm_line(checks: Sequence[dict[str, Any]]) -> str:
    """How much of the ranking is lost without what style tells."""
    found = {row["check"]: row for row in checks}

    def lost(name: str) -> str:
        row = found[name]
        return f"{row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"

    said = f"Does style carry the AUC? Lost with style levels out: {lost(LEVELS_OUT)}"
    if SCORE_OUT not in found:
        return said + "."
    return said + f"; with the style probe's score out: {lost(SCORE_OUT)}."


def curve_line(rows: Sequence[dict[str, Any]]) -> str:
    """What somebody with 10,000 letters may expect, and how little that is known."""
    last = max((row for row in rows if row["measured"]), key=lambda row: row["letters"])
    said = {
        row["metric"]: str(Estimate(row["value"], row["low"], row["high"]))
        for row in rows
        if row["letters"] == FORESEEN_LETTERS
    }
    return (
        f"With {FORESEEN_LETTERS:,} letters like these: AUC {said['auc']}, without expected "
        f"effects {said['auc_nothing_expected']}; section top-1 {said['section_top1']}. That is "
        f"extrapolated from {last['letters']} training letters, nobody has measured it."
    )


def _ablation(rows: Sequence[dict[str, Any]], title: str, columns: dict[str, str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("family", "columns", *columns.values()):
        table.add_column(name, justify="left" if name == "family" else "right")
    for row in rows:
        gains = (_signed(row, name) for name in columns)
        table.add_row(row["family"], str(row["columns"]), *gains)
    return table


def _signed(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:+.3f} ({row[name + '_low']:+.3f} to {row[name + '_high']:+.3f})"


def _curve(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    names = list(dict.fromkeys(row["metric"] for row in rows))
    table = Table(title="more letters", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("letters", no_wrap=True)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for letters, measured in sorted({(row["letters"], row["measured"]) for row in rows}):
        cells = [
            str(Estimate(row["value"], row["low"], row["high"]))
            for name in names
            for row in rows
            if (row["letters"], row["measured"], row["metric"]) == (letters, measured, name)
        ]
        table.add_row(f"{letters:,}" + ("" if measured else " extrapolated"), *cells)
    return table


def as_text(table: RenderableType, width: int = 118) -> str:
    """Plain text of a table, without colours."""
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def print_table(table: RenderableType) -> None:
    """To standard output: coloured on a terminal, plain and of full width in a pipe."""
    import sys

    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
    else:
        sys.stdout.write(as_text(table))
