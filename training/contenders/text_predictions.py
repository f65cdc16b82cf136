"""What the contenders on texts predicted for the shipped decisions, fold by fold.

The shipped table holds no text, so that these contenders cannot be fitted on it; texts are the
strongest alternative, and a table without them would flatter the models.  ``PREDICTIONS`` holds
numbers only: a row an item and repeat with the fold that tested it, p(overturned) by contender,
and whether each place of the guideline was hit.  They are shown where a run has the same folds.

Built by one command, never edited, after letters or folds changed::

    python -m imr.training.contenders.text_predictions LETTERS...
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imr.training.decisions import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imr.training.folds import Predictions

    Array = NDArray[np.float64]

PREDICTIONS = "text_predictions.csv"
KEYS = ("letter_id", "item_index")


@dataclass(frozen=True, slots=True)
class TextPredictions:
    """As in :class:`imr.training.folds.Predictions`: p(overturned) by contender, and hits by
    contender and figure, shape (repeats, items).
    """

    outcome: dict[str, Array]
    hits: dict[str, dict[str, Array]]


def shipped_path() -> Path:
    """Where the predictions stand."""
    return Path(str(resources.files("imr.data") / PREDICTIONS))


def shipped_for(sample: Sample, fold: NDArray[np.intp]) -> TextPredictions | None:
    """The shipped predictions of these items in these folds (repeats, items); None where an item
    is not among them or was tested in another fold.
    """
    table = pd.read_csv(shipped_path(), dtype={"letter_id": "string"})
    items = sample.frame[list(KEYS)].astype({"letter_id": "string", "item_index": "int64"})
    outcome: dict[str, list[Array]] = {}
    hits: dict[str, dict[str, list[Array]]] = {}
    for repeat, tested_in in enumerate(fold):
        rows = items.merge(table[table["repeat"] == repeat], on=list(KEYS), how="left")
        if len(rows) != len(items) or not (rows["fold"] == tested_in).all():
            return None
        for column in rows.columns[4:]:
            subject, name, *figure = column.split("/")
            values = rows[column].to_numpy(dtype=np.float64)
            if subject == "outcome":
                outcome.setdefault(name, []).append(values)
            else:
                hits.setdefault(name, {}).setdefault(figure[0], []).append(values)
    return TextPredictions(
        {name: np.array(parts) for name, parts in outcome.items()},
        {
            name: {figure: np.array(parts) for figure, parts in figures.items()}
            for name, figures in hits.items()
        },
    )


def table_of(sample: Sample, predictions: Predictions) -> pd.DataFrame:
    """Predictions as the shipped table."""
    parts = []
    for repeat, fold in enumerate(predictions.fold):
        part = sample.frame[list(KEYS)].assign(repeat=repeat, fold=fold)
        columns = {
            f"outcome/{name}": p[repeat].round(6) for name, p in predictions.outcome.items()
        } | {
            f"guideline/{name}/{figure}": values[repeat].astype(int)
            for name, hits in predictions.hits.items()
            for figure, values in hits.items()
        }
        parts.append(part.assign(**columns))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Run the contenders on texts in the folds of the usual protocol, and write the table."""
    from imr.training.config import TrainConfig
    from imr.training.decisions import ordered, read_corpus, sample
    from imr.training.folds import folds_of, run_texts

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("letters", nargs="+")
    data = sample(ordered(read_corpus(parser.parse_args().letters)))
    config = TrainConfig()
    table = table_of(data, run_texts(data, folds_of(data, config), config))
    table.to_csv(shipped_path(), index=False, lineterminator="\n")
    print(f"{shipped_path()}: {len(table)} rows of {len(data)} items")


if __name__ == "__main__":
    main()
