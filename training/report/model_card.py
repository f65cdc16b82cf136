"""``MODEL_CARD.md`` out of a run: every figure in it was measured by that run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training.contenders.compared import MODEL, Settings
from imr.training.report.tables import (
    GUIDELINE_COLUMNS,
    OUTCOME_COLUMNS,
    contender_rows,
    curve_line,
    expectation_line,
    harm_line,
    headline,
    raters_line,
    signed,
)

if TYPE_CHECKING:
    from imr.training.evaluate import Evaluation
    from imr.training.metrics import Estimate

TEMPLATE = "model_card.md.j2"


def model_card(evaluation: Evaluation) -> str:
    """The card as Markdown."""
    import jinja2

    studies = evaluation.studies
    source = (resources.files("imr.training.report") / TEMPLATE).read_text(encoding="utf-8")
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
        outcome=list(_rows(evaluation, "outcome", OUTCOME_COLUMNS)),
        outcome_columns=list(OUTCOME_COLUMNS.values()),
        guideline=list(_rows(evaluation, "guideline", GUIDELINE_COLUMNS)),
        guideline_columns=list(GUIDELINE_COLUMNS.values()),
        expectation=expectation_line(evaluation),
        raters=raters_line(studies.raters) if studies.raters else "",
        thresholds=studies.thresholds,
        default=studies.default_threshold,
        missed_cost=Settings.of(evaluation.config).outcome.missed_cost,
        unproven=no_lead(evaluation),
        slices=[row for row in studies.slices if row.items >= 5],
        style=studies.style,
        harm=harm_line(studies.style.checks) if studies.style else "",
        curve=studies.learning_curve,
        curve_said=curve_line(studies.learning_curve) if studies.learning_curve else "",
    )


def no_lead(evaluation: Evaluation) -> list[str]:
    """The alternatives whose AUC may be as good, with the difference and its interval."""
    return [
        f"{row.against}, {signed(row.value)}"
        for row in evaluation.differences
        if (row.subject, row.metric) == ("outcome", "auc")
        and evaluation.kinds["outcome", row.against] == "alternative"
        and row.value.low <= 0
    ]


def _rows(
    evaluation: Evaluation, subject: str, columns: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for name, kind, cells in contender_rows(evaluation, subject, columns, interval):
        shown = f"**{name}**" if name == MODEL else name
        yield {"name": f"{shown} (warning)" if kind == "probe" else shown, "cells": cells}


def interval(e: Estimate) -> str:
    """``0.71 (0.60 to 0.82)``; a dash where there is nothing to say."""
    return "–" if np.isnan(e.value) else f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})"
