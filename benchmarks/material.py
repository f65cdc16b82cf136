"""What the benchmarks run on: letters of our own grammar, or real ones, and a model of theirs.

With the environment variable IMR_LETTERS (a folder with ``pdf/`` in it) real PDF letters are
read; else synthetic ones are written.  A benchmark says which it used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from imr.data.letter import LetterError, Text
from imr.data.parse import parse
from imr.data.read import paragraphs, read
from imr.data.synthetic import Format, SyntheticLetter, synthesize, write

if TYPE_CHECKING:
    import pandas as pd

    from imr.models.predictor import Predictor

SEED = 20161013
TRAINING_LETTERS = 1500


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for the run, removed afterwards."""
    with TemporaryDirectory(prefix="imr-bench-") as folder:
        yield Path(folder)


def letters(folder: Path, n: int, form: Format = "txt") -> Path:
    """``n`` synthetic letters in a folder of their own."""
    target = folder / f"{form}-{n}"
    if not target.exists():
        write(n, target, SEED, form, jobs=os.cpu_count() or 1)
    return target


def pdf_letters(folder: Path, n: int) -> tuple[Path, str]:
    """A folder of PDF letters, and what they are."""
    named = os.environ.get("IMR_LETTERS")
    if named and (Path(named) / "pdf").is_dir():
        return Path(named) / "pdf", "real letters"
    return letters(folder, n, "pdf"), "synthetic letters"


def texts(folder: Path) -> list[Text]:
    """The texts of a folder's letters."""
    return [text for text in read([str(folder)]) if not isinstance(text, LetterError)]


def decided_table(n: int) -> pd.DataFrame:
    """Signals and labels of ``n`` synthetic letters."""
    from imr.training.decisions import build

    return build(parse(made_text(made)) for made in synthesize(n, SEED + 1)).table


def made_text(made: SyntheticLetter) -> Text:
    """A synthetic letter as the text of a file."""
    case = made.letter.case
    return Text(case.letter_id, case.source, paragraphs(made.text()))


def trained(folder: Path, named: str | None = None) -> Path:
    """The model folder that was named, else one trained on synthetic letters."""
    if named:
        return Path(named)
    target = folder / "model"
    if not target.exists():
        fitted(decided_table(TRAINING_LETTERS)).save(target)
    return target


def fitted(table: pd.DataFrame) -> Predictor:
    """Both models fitted to a decided table."""
    from imr.models.predictor import Predictor
    from imr.training.decisions import inputs

    overturned = (table["label_outcome"] == "Overturned").tolist()
    return Predictor.fit(inputs(table), overturned, table["label_guideline"].tolist())


def imr(*arguments: object) -> list[str]:
    """A command of `imr` in this Python."""
    return [sys.executable, "-m", "imr.serve.cli", *map(str, arguments)]


def whole_process(command: list[str]) -> tuple[float, float, float]:
    """Wall and processor seconds, and megabytes of resident memory, of all its processes together.

    They are looked at ten times a second, so that the last tenth of each process is missed.

    Raises:
        RuntimeError: where the command fails, with the end of what it said.
    """
    start, peak, ticks = time.perf_counter(), 0.0, dict[int, int]()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        family = _family(process.pid)
        ticks |= family
        peak = max(peak, sum(map(_proportional_kb, family)) / 1024)
        time.sleep(0.1)
    wall = time.perf_counter() - start
    said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"{command[3:]}: status {process.returncode}: {said[-500:]}")
    return wall, sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), peak


def _family(root: int) -> dict[int, int]:
    """A process and all that it started, with the processor ticks that each has used."""
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
            ticks[int(entry.name)] = int(stat[11]) + int(stat[12])
    family = [root]
    for pid in family:
        family.extend(parents.get(pid, []))
    return {pid: ticks.get(pid, 0) for pid in family}


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
