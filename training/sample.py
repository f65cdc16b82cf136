"""The decided items as the protocol sees them: inputs on one side, truth on the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.models.inputs import LIST_SEPARATOR
from imr.training.dataset import Corpus, inputs, outcomes
from imr.training.split import groups

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """``frame`` holds no label; ``y`` is 1 where overturned; ``guideline`` the reviewer's first
    citation and ``cited`` all of them; ``texts`` (or None) is for baselines and probes only;
    ``groups`` numbers what may not be parted.
    """

    frame: pd.DataFrame
    y: NDArray[np.int_]
    guideline: NDArray[Any]
    cited: list[tuple[str, ...]]
    edition: NDArray[Any]
    groups: NDArray[np.intp]
    table: pd.DataFrame
    texts: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def overturned(self) -> list[bool]:
        """The truth as the models take it."""
        return [bool(value) for value in self.y]

    def part(self, rows: NDArray[np.intp]) -> Sample:
        """The rows alone, in the order given."""
        return Sample(
            frame=self.frame.iloc[rows].reset_index(drop=True),
            y=self.y[rows],
            guideline=self.guideline[rows],
            cited=[self.cited[row] for row in rows],
            edition=self.edition[rows],
            groups=self.groups[rows],
            table=self.table.iloc[rows].reset_index(drop=True),
            texts=None if self.texts is None else self.texts.iloc[rows].reset_index(drop=True),
        )


def ordered(corpus: Corpus) -> Corpus:
    """Rows by letter and item, so that the order of files or of a table changes no figure."""
    keys = corpus.table.reset_index(drop=True)[["letter_id", "item_index"]]
    rows = keys.sort_values(["letter_id", "item_index"], kind="stable").index
    texts = None if corpus.texts is None else corpus.texts.iloc[rows].reset_index(drop=True)
    return replace(corpus, table=corpus.table.iloc[rows].reset_index(drop=True), texts=texts)


def sample(corpus: Corpus) -> Sample:
    """The sample of a corpus; the labels are taken off before anything else sees the table."""
    table = corpus.table.reset_index(drop=True)
    texts = None if corpus.texts is None else corpus.texts.reset_index(drop=True)
    return Sample(
        frame=inputs(table),
        y=np.asarray(outcomes(table), dtype=np.int_),
        guideline=table["label_guideline"].astype(object).to_numpy(),
        cited=[tuple(str(cell).split(LIST_SEPARATOR)) for cell in table["label_guidelines"]],
        edition=table["label_edition"].fillna("none printed").astype(object).to_numpy(),
        groups=groups(table),
        table=table,
        texts=texts,
    )
