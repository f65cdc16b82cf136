"""What a run says about itself: counts, the backtest, and how sure its figures are."""

from __future__ import annotations

from typing import Any

import pytest

from imr.serve.report import Tally


def row(p: float, decision: str | None = None, guideline: str | None = None) -> dict[str, Any]:
    return {
        "p_overturned": p, "predicted_outcome": "Overturned" if p >= 0.5 else "Upheld",
        "category": None, "decision": decision, "decision_guideline": guideline,
        "guideline_1": "Low Back", "guideline_2": "Non-MTUS", "guideline_3": None,
    }  # fmt: skip


def tally(*rows: dict[str, Any]) -> Tally:
    made = Tally(letters=1)
    for one in rows:
        made.add(one)
    return made


def test_undecided_letters_have_no_backtest() -> None:
    made = tally(row(0.25), row(0.75))
    assert made.backtest() is None
    assert list(made.lines()) == [
        "1 letter, 2 items scored; 0 letters not read",
        "predicted: 1 Overturned, 1 Upheld; expected share overturned 50.0%",
    ]


def test_the_backtest_on_known_figures() -> None:
    made = tally(
        row(0.9, "Overturned", "Low Back"),
        row(0.2, "Overturned", "Non-MTUS"),
        row(0.4, "Upheld", "Knee"),
        row(0.1, "Upheld"),
        row(0.3),
    )
    result = made.backtest()
    assert result is not None
    assert (result["items"], result["overturned"], result["few"]) == (4, 2, True)
    assert result["expected"] == pytest.approx(1.6)
    assert result["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)
    assert result["auc"] == pytest.approx(0.75)  # 3 of 4 pairs stand in the right order
    assert result["share_agreed"] == 0.75
    assert result["guideline_first"] == pytest.approx(1 / 3)
    assert result["guideline_top3"] == pytest.approx(2 / 3)
    text = "\n".join(made.lines())
    assert "AUC 0.750, Brier 0.205, same outcome 75.0%" in text
    assert "caution: fewer than 30 decisions of one kind" in text


def test_one_kind_of_decision_has_no_auc() -> None:
    made = tally(row(0.2, "Upheld"), row(0.4, "Upheld"))
    assert "AUC not defined (one kind of decision only)" in "\n".join(made.lines())


def test_calibration_groups_have_equal_size() -> None:
    rows = [row(n / 100, "Overturned" if n % 4 == 0 else "Upheld") for n in range(100)]
    groups = tally(*rows).calibration()
    assert [group["n"] for group in groups] == [20] * 5
    assert [group["share"] for group in groups] == [0.25] * 5
    assert [group["p"] for group in groups] == pytest.approx([0.095, 0.295, 0.495, 0.695, 0.895])
    assert tally(*rows[:9]).calibration() == []


def test_a_shift_is_told() -> None:
    profile = {
        "columns": {"imaging_mri": {"values": ["False", "True"], "counts": [100, 100, 0, 0]}}
    }
    made = Tally(profile=profile)
    made.add_letter([], {"imaging_mri": [10, 150, 0, 0]})
    [line] = made.drift_lines()
    assert line.startswith("warning: these letters differ from those the model was trained on")
    assert line.endswith("imaging_mri 1.15")
    assert list(Tally(profile=None).drift_lines()) == []
