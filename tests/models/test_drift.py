"""The population stability index: right on known figures, quiet on chance, loud on a shift."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from imr.models import drift


def frame(n: int, seed: int, mri: float = 0.4, age: float = 48) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "imaging_mri": pd.array(rng.random(n) < mri, dtype="boolean"),
            "age": pd.array(rng.normal(age, 11, n).round(), dtype="Int64"),
            "work_status": pd.array(
                rng.choice(["modified", "off_work", None], n, p=[0.5, 0.2, 0.3]), dtype="string"
            ),
            "denied": pd.array(
                ["2016-10-13", "2016-11-01"] * (n // 2) + [None] * (n % 2), "string"
            ),
            "letter_id": pd.array([f"L{i}" for i in range(n)], dtype="string"),
        }
    )


def scores(n: int, seed: int) -> list[float]:
    return np.random.default_rng(seed).beta(1, 8, n).tolist()


@pytest.fixture(scope="module")
def trained() -> dict[str, object]:
    table = frame(300, 1)
    return drift.profile(table, table.columns, scores(300, 1))


def test_the_index_on_known_figures() -> None:
    assert drift.psi([10, 10], [10, 10]) == 0
    shares = ((10.5 / 31, 20.5 / 31), (20.5 / 31, 10.5 / 31))
    expected = sum((b - a) * math.log(b / a) for a, b in zip(*shares, strict=True))
    assert drift.psi([10, 20], [20, 10]) == pytest.approx(expected)
    assert math.isfinite(drift.psi([10, 0], [0, 10]))


def test_the_profile_is_plain_and_leaves_identifiers_out(trained: dict[str, object]) -> None:
    import json

    assert json.loads(json.dumps(trained)) == trained
    assert set(trained["columns"]) == {"imaging_mri", "age", "work_status", "p_overturned"}  # type: ignore[call-overload]


def test_every_item_is_in_one_bin(trained: dict[str, object]) -> None:
    counted = drift.count(trained, frame(150, 2), scores(150, 2))
    assert {sum(counts) for counts in counted.values()} == {150}


def test_chance_is_no_shift(trained: dict[str, object]) -> None:
    for seed in range(2, 12):
        counted = drift.count(trained, frame(200, seed), scores(200, seed))
        assert drift.shifts(trained, counted) == {}


def test_a_shift_is_found_and_the_largest_is_first(trained: dict[str, object]) -> None:
    moved = frame(200, 3, mri=0.95, age=60)
    found = drift.shifts(trained, drift.count(trained, moved, scores(200, 3)))
    assert list(found) == sorted(found, key=lambda name: -found[name])
    assert set(found) == {"imaging_mri", "age"}


def test_few_items_say_nothing(trained: dict[str, object]) -> None:
    moved = frame(99, 3, mri=1, age=90)
    assert drift.shifts(trained, drift.count(trained, moved, scores(99, 3))) == {}


def test_counts_add_up(trained: dict[str, object]) -> None:
    whole = drift.count(trained, frame(200, 4), scores(200, 4))
    parts: drift.Counts = {}
    for span in (slice(0, 70), slice(70, 200)):
        part = frame(200, 4)[span]
        drift.add(parts, drift.count(trained, part, scores(200, 4)[span]))
    assert parts == whole
