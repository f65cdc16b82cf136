"""The evaluation in tables and words: on the terminal, and as ``MODEL_CARD.md``.

In a pipe tables keep their width.  Every figure of the card was measured by its run.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

from imr.training.contenders import Kind, Settings
from imr.training.metrics import Difference, Estimate
from imr.training.studies.importance import EXTRAPOLATED_LETTERS

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from imr.training.studies import Studies
    from imr.training.studies.importance import CurvePoint
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
SENSITIVITY = (
    "change of the estimate per change of the rating, between twins of rated vignettes",
    ("changed fact", "pairs", "rated change", "slope", "r", "scatter"),
)
WIDTH = 118
FORESEEN_LETTERS = EXTRAPOLATED_LETTERS[-1]
HIGHLIGHT = {"model": "bold", "part": "", "alternative": "", "probe": "dim"}


def evaluation_tables(evaluation: Evaluation) -> RenderableType:
    """Both tables of the protocol, those of the studies asked for, then the warnings."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(headline(evaluation))]
    for subject, columns, title in (
        ("outcome", OUTCOME_COLUMNS, "p(overturned) on unseen letters"),
        ("guideline", GUIDELINE_COLUMNS, "cited guideline on unseen letters"),
    ):
        table = _table(title, ("", *columns.values()), pad_edge=False)
        for name, kind, cells in contender_rows(evaluation, subject, columns, cell):
            table.add_row(labelled(name, kind), *cells, style=HIGHLIGHT[kind])
        parts.append(table)
    return Group(*parts, *_of_studies(evaluation.studies), Text("\n".join(remarks(evaluation))))


def _of_studies(studies: Studies) -> Iterator[Table]:
    for study, (title, columns) in ABLATIONS.items():
        if losses := getattr(studies, study):
            table = _table(title, ("family", "columns", *columns.values()), no_wrap=False)
            for loss in losses:
                worse = (signed(loss.worse[name]) for name in columns)
                table.add_row(loss.family, str(loss.columns), *worse)
            yield table
    if studies.learning_curve:
        yield _curve(studies.learning_curve)
    if studies.sensitivity:
        table = _table(*SENSITIVITY, no_wrap=False)
        for row in studies.sensitivity:
            values = (f"{value:.2f}" for value in (row.rated_change, row.slope, row.r, row.scatter))
            table.add_row(row.fact.replace("_", " "), str(row.pairs), *values)
        yield table


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
    return e.shown("{:.2f} {:.2f}–{:.2f}").replace("-", "−")


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader must know beside the table."""
    return _rendered("remarks.txt.j2", evaluation).splitlines()


def signed(e: Estimate) -> str:
    """A difference with its interval: ``+0.031 (-0.010 to +0.070)``."""
    return f"{e.value:+.3f} ({e.low:+.3f} to {e.high:+.3f})"


def _curve(rows: Sequence[CurvePoint]) -> Table:
    names = list(dict.fromkeys(row.metric for row in rows))
    head = ("letters", *(name.replace("_", " ") for name in names))
    table = _table("more letters", head)
    cells = {(row.letters, row.measured, row.metric): str(row.value) for row in rows}
    for letters, measured in sorted({(row.letters, row.measured) for row in rows}):
        label = f"{letters:,}" + ("" if measured else " extrapolated")
        table.add_row(label, *(cells[letters, measured, name] for name in names))
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
    return _rendered("model_card.md.j2", evaluation)


def _rendered(template: str, evaluation: Evaluation) -> str:
    """One of our templates, of the figures of an evaluation."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(resources.files("imr.training.report"))),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown of our own figures
    )
    environment.filters |= {"interval": interval, "signed": signed}
    studies, style = evaluation.studies, evaluation.studies.style
    curve = studies.learning_curve
    return environment.get_template(template).render(
        facts=evaluation.facts,
        config=evaluation.config,
        figure=evaluation.figure,
        headline=headline(evaluation),
        outcome=contender_rows(evaluation, "outcome", OUTCOME_COLUMNS, interval),
        outcome_columns=list(OUTCOME_COLUMNS.values()),
        guideline=contender_rows(evaluation, "guideline", GUIDELINE_COLUMNS, interval),
        guideline_columns=list(GUIDELINE_COLUMNS.values()),
        labelled=labelled,
        rivals=partial(rivals, evaluation),
        left_out=evaluation.predictions.left_out,
        studies=studies,
        missed_cost=Settings.of(evaluation.config).outcome.missed_cost,
        lost={row.check: row.value for row in style.checks} if style else {},
        foreseen_letters=FORESEEN_LETTERS,
        measured_letters=max((row.letters for row in curve if row.measured), default=0),
        foreseen={row.metric: row.value for row in curve if row.letters == FORESEEN_LETTERS},
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
    return e.shown("{:.2f} ({:.2f} to {:.2f})")
