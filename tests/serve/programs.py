"""Running `imr` as a program, and letters to run it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]

FAKE = "tests.serve.fake_imr"
REAL = "imr.serve.cli"


def command(module: str, *arguments: object) -> list[str]:
    """The command line of a program of this project."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    """This environment with the project on the path, no terminal and no MLflow address."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FAKE_"))}
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, **changes}


def run(
    module: str, *arguments: object, cwd: Path, **changes: str
) -> subprocess.CompletedProcess[str]:
    """The finished program."""
    return subprocess.run(
        command(module, *arguments),
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def record(letter_id: str, count: int = 2, **more: Any) -> dict[str, Any]:
    """A case record written for tests."""
    return {
        "letter_id": letter_id,
        "case_summary": (
            "A 47-year-old baker hurt her low back on 03-02-2015. An MRI of the lumbar spine "
            "dated 05-01-2015 showed a disc bulge. She had 8 visits of physical therapy."
        ),
        "items": [{"title": f"Epidural injection {n} of the low back"} for n in range(count)],
        **more,
    }


def write_records(path: Path, ids: Sequence[str], **more: Any) -> Path:
    """A file of case records with these ids."""
    path.write_text("".join(json.dumps(record(i, **more)) + "\n" for i in ids))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
