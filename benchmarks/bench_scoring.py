"""Scoring ready frames of signals, with and without reasons, on one core.

    python benchmarks/bench_scoring.py [--model FOLDER] [--letters N] [--items N]

The frame holds the signals of synthetic letters, repeated under other letter ids up to ``--items``.
Requests that were ranked before are not ranked again, in real letters too; so the figures are
given for requests never met (every distinct request once, on a fresh predictor), for the letters as
they come on a fresh predictor, and for the whole frame.
The reference for reasons is LightGBM's own ``pred_contrib`` on 300 trees of 31 leaves.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from machine import describe, table
from material import made_text, trained, workplace

from imr.data.letter import Case
from imr.data.parse import parse
from imr.data.synthetic import synthesize
from imr.features.table import CaseSignals, signals

if TYPE_CHECKING:
    import pandas as pd

PLAIN_BAR, REASONS_BAR = 50_000, 5_000
SEED = 99


def seconds(step: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    step()
    return time.process_time() - start


def repeated(frame: pd.DataFrame, items: int) -> pd.DataFrame:
    """The frame again and again under other letter ids."""
    import pandas as pd

    times = -(-items // len(frame))
    copies = [frame.assign(letter_id=frame["letter_id"] + f"-{n}") for n in range(times)]
    return pd.concat(copies, ignore_index=True).iloc[:items]


def reference_rate(frame: pd.DataFrame) -> float:
    """Items a second of LightGBM's contributions, 300 trees of 31 leaves on all number columns."""
    import lightgbm as lgb
    import numpy as np

    numbers = frame.select_dtypes(["boolean", "Int64", "Float64"])
    x = numbers.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    y = np.random.default_rng(0).random(len(x)) < 0.2
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbosity": -1}
    booster = lgb.train(settings, lgb.Dataset(x, y), num_boost_round=300)
    some = x[:1000]
    spent = seconds(lambda: booster.predict(some, pred_contrib=True, num_threads=1))
    return len(some) / spent


def main() -> None:
    """Print items a second."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--letters", type=int, default=3000)
    arguments.add_argument("--items", type=int, default=100_000)
    chosen = arguments.parse_args()
    describe("Scoring of ready frames")
    from imr.models.frame import signals_frame
    from imr.models.guideline.candidates import request_keys
    from imr.models.predictor import Predictor

    with workplace() as folder:
        model = trained(folder, chosen.model)
        fresh = partial(Predictor.load, model)
        cases: list[Case] = [parse(made_text(m)).case for m in synthesize(chosen.letters, SEED)]
        found: list[CaseSignals] = [signals(case) for case in cases]
        frame = signals_frame(cases, found)
        fresh().predict_frame(frame.iloc[:50])
        keys = request_keys(frame)
        new = frame.iloc[sorted({key: row for row, key in enumerate(keys)}.values())]
        whole = repeated(frame, chosen.items)
        parts = {"requests never met": new, "letters as they come": frame, "whole frame": whole}
        rows = []
        for name, part in parts.items():
            spent = seconds(partial(fresh().predict_frame, part))
            rows.append((f"without reasons, {name}", len(part), len(part) / spent))
        predictor, evidence = fresh(), [one.evidence for one in found]
        spent = seconds(lambda: predictor.predict_rows(cases, frame, evidence))
        rows.append(("with reasons and quotes", len(frame), len(frame) / spent))
    rows.append(("LightGBM pred_contrib, 300 trees x 31 leaves", 1000, reference_rate(frame)))
    table(("what", "items", "items a second and core"), rows)
    print(f"bars: {PLAIN_BAR:,} without and {REASONS_BAR:,} with reasons")


if __name__ == "__main__":
    main()
