"""``MODEL_CARD.md`` out of a run: every figure in it was measured by that run."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training.contenders.compared import MODEL
from imr.training.report.tables import (
    GUIDELINE_COLUMNS,
    OUTCOME_COLUMNS,
    curve_line,
    expectation_line,
    harm_line,
    headline,
    raters_line,
)

if TYPE_CHECKING:
    from imr.training.evaluate import Evaluation
    from imr.training.metrics import Estimate

TEMPLATE = "model_card.md.j2"


def model_card(evaluation: Evaluation) -> str:
    """The card as Markdown."""
    import jinja2

    curve = evaluation.studies.get("learning_curve")
    source = (resources.files("imr.training.report") / TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown of our own figures
    )
    return environment.from_string(source).render(
        facts=evaluation.facts,
        config=evaluation.config,
        headline=headline(evaluation),
        outcome=_rows(evaluation, "outcome", OUTCOME_COLUMNS),
        outcome_columns=list(OUTCOME_COLUMNS.values()),
        guideline=_rows(evaluation, "guideline", GUIDELINE_COLUMNS),
        guideline_columns=list(GUIDELINE_COLUMNS.values()),
        expectation=expectation_line(evaluation),
        raters=raters_line(evaluation.studies) if "raters" in evaluation.studies else "",
        thresholds=[_threshold(row) for row in evaluation.studies["thresholds"]],
        slices=[_slice(row) for row in evaluation.studies["slices"] if row["items"] >= 5],
        style=_style(evaluation),
        curve=curve,
        curve_said=curve_line(curve) if curve else "",
    )


def _rows(evaluation: Evaluation, subject: str, columns: dict[str, str]) -> list[dict[str, Any]]:
    rows = []
    for (of, name), kind in evaluation.kinds.items():
        if of != subject:
            continue
        reason = evaluation.predictions.left_out.get(name)
        cells = (
            [reason, *[""] * (len(columns) - 1)]
            if reason
            else [_said(evaluation.figure(subject, metric, name)) for metric in columns]
        )
        shown = f"**{name}**" if name == MODEL else name
        rows.append({"name": f"{shown} (warning)" if kind == "probe" else shown, "cells": cells})
    return rows


def _said(e: Estimate) -> str:
    return "–" if np.isnan(e.value) else f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})"


def _between(row: dict[str, Any], name: str) -> str:
    value = row.get(name, float("nan"))
    if np.isnan(value):
        return "–"
    return f"{value:.2f} ({row[name + '_low']:.2f} to {row[name + '_high']:.2f})"


def _threshold(row: dict[str, Any]) -> dict[str, str]:
    shown = {name: _between(row, name) for name in ("flagged", "precision", "recall")}
    return shown | {"threshold": f"{row['threshold']:.2f}" + (" (default)" * row["default"])}


def _slice(row: dict[str, Any]) -> dict[str, str]:
    shown = {name: _between(row, name) for name in ("observed", "auc", "section_top1")}
    name = f"{row['slice']}: {row['value']}"
    return shown | {"name": name, "n": str(row["items"]), "expected": f"{row['expected']:.2f}"}


def _style(evaluation: Evaluation) -> dict[str, Any] | None:
    from imr.training.metrics import Estimate

    style = evaluation.studies.get("style")
    if style is None:
        return None
    names = ("auc_within", "auc_across", "signals_know_style_auc")
    return {
        **{name: _said(Estimate(**style[name])) for name in names},
        "harm": harm_line(evaluation.studies["style_harm"]),
        "houses": [_house(row) for row in evaluation.studies["style_houses"]],
    }


def _house(row: dict[str, Any]) -> dict[str, str]:
    shown = {name: _between(row, name) for name in ("observed", "too_high", "auc")}
    # Not "items": a template takes that for the method of the mapping.
    counts = {"letters": str(row["letters"]), "n": str(row["items"])}
    return shown | counts | {"name": row["house"], "predicted": f"{row['predicted']:.2f}"}
