"""``python -m imr.data.synthetic`` writes ``data/samples`` anew from its ``expected`` objects."""

from __future__ import annotations

from pathlib import Path

from imr.data.synthetic.page import render_samples

if __name__ == "__main__":
    for sample in render_samples(Path(__file__).parent.parent / "samples"):
        print(sample.name)
