"""PDF -> scored items on one core, beside bare text extraction of the same files.

    python benchmarks/bench_letters.py [--model FOLDER] [--letters N] [--rounds N]

Scoring reads the file, rebuilds the layout, parses, derives every signal, predicts outcome and
guideline and makes the rows; the reference is pypdfium2's own way to the text of every page.
Processor seconds of one process.  The predictor starts cold in every round, so that it knows no
request from the round before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from machine import cpu_seconds, describe, table
from material import pdf_letters, trained, workplace

from imr.serve.letters import Chunk, chunked, tasks
from imr.serve.model import ScoreSetup
from imr.serve.score import CHUNK_LETTERS

BAR = 0.75


def bare_text(path: str) -> int:
    """What pypdfium2 is asked for when only the text is wanted."""
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    characters = 0
    for page in document:
        text_page = page.get_textpage()
        characters += len(text_page.get_text_bounded())
        text_page.close()
        page.close()
    document.close()
    return characters


def scored(model: Path, chunks: list[Chunk], reasons: bool) -> None:
    """All chunks through a worker's function, the model freshly loaded."""
    work = ScoreSetup(str(model), reasons)()
    for chunk in chunks:
        work(chunk)


def main() -> None:
    """Print letters a second and the share of the reference's rate."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--letters", type=int, default=300, help="synthetic letters to write")
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    describe("PDF to scored items")
    with workplace() as folder:
        model = trained(folder, chosen.model)
        pdfs, kind = pdf_letters(folder, chosen.letters)
        chunks = list(chunked(tasks([str(pdfs)]), CHUNK_LETTERS))
        paths = [task.path for chunk in chunks for task in chunk.tasks]  # type: ignore[union-attr]
        scored(model, chunks[:1], True)
        setting_up, bare, plain, explained = cpu_seconds(
            [
                lambda: scored(model, [], False),
                lambda: [bare_text(path) for path in paths],
                lambda: scored(model, chunks, False),
                lambda: scored(model, chunks, True),
            ],
            chosen.rounds,
        )
    print(f"{len(paths)} {kind}, best of {chosen.rounds} rounds; loading the model not counted\n")
    rows = [
        (name, 1e3 * seconds / len(paths), len(paths) / seconds, bare / seconds)
        for name, seconds in (
            ("bare pypdfium2 text", bare),
            ("scored, without reasons", plain - setting_up),
            ("scored, with reasons", explained - setting_up),
        )
    ]
    table(("path", "ms a letter", "letters a second and core", "share of the bare rate"), rows)
    print(f"bar: {BAR:.2f} of the bare rate")


if __name__ == "__main__":
    main()
