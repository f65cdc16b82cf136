"""The protocol's table on terminals and in pipes of every encoding."""

from __future__ import annotations

import io
import sys

import pytest

from imr.serve.messages import show_any_text
from imr.training.report.tables import print_table


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_every_encoding_shows_the_figures_without_question_marks(evaluation, monkeypatch, encoding):
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding=encoding, errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    show_any_text()  # as the command line does
    print_table(evaluation.table())
    stream.flush()
    said = out.getvalue().decode(encoding)
    asked = "Does style carry the AUC?"
    assert asked in said
    assert "?" not in said.replace(asked, "")
    auc = evaluation.figure("outcome", "auc")
    dash = "–" if encoding == "utf-8" else "-"
    assert f"{auc.value:.2f} {auc.low:.2f}{dash}{auc.high:.2f}" in said
