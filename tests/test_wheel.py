"""The wheel: whole, out of the way of other distributions, and able to do everything by itself.

It is installed with a foreign distribution whose package is called ``models``, as many are, in an
environment that has the locked libraries and nothing of this folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGES = ("data", "features", "models", "training", "serve")
LEFT_OUT = {".git", ".venv", "build", "dist", "mlruns", "__pycache__", ".hypothesis"}
QUICK = "folds = 2\nrepeats = 1\nbootstrap = 200\njobs = 1\n"

OF_A_PROJECT = """
import sys
import warnings
import data, features, models
assert [m.OWN for m in (data, features, models)] == ["data", "features", "models"]
warnings.simplefilter("ignore")
import mlflow.pyfunc
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
record = {"letter_id": "a", "case_summary": "A 44-year-old man hurt his left knee. It locks.",
          "items": '[{"title": "MRI of the left knee"}]'}
[row] = model.predict(pd.DataFrame([record])).to_dict("records")
assert (row["letter_id"], row["item_index"]) == ("a", 0), row
assert 0 < row["p_overturned"] < 1, row
import models as again
assert again.OWN == "models"
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment and an empty folder to work in."""

    folder: Path
    work: Path

    @property
    def packages(self) -> Path:
        base = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", vars=base))

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        kept = {"PATH", "HOME", "LANG", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
        known = {name: value for name, value in os.environ.items() if name in kept}
        done = subprocess.run(
            [str(word) for word in command], cwd=cwd or self.work, env=known, text=True,
            capture_output=True, check=False, timeout=1200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def python(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        return self.run(self.folder / "bin" / "python", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for setuptools leaves files beside what it builds."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "project"
    shutil.copytree(project, copy, ignore=lambda _, names: LEFT_OUT & set(names))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--wheel-dir", str(folder), str(copy)],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    [built] = folder.glob("imr-*.whl")
    return built


def a_foreign_wheel(folder: Path) -> Path:
    path = folder / "foreign-1.0-py3-none-any.whl"
    files = {
        "models/__init__.py": "OWN = 'foreign'\n",
        "foreign-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n",
        "foreign-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, "foreign-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "foreign-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The foreign distribution and ours beside the libraries of the running environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", symlinks=True)
    found = Environment(folder / "env", folder / "work")
    found.work.mkdir()
    # A path in a .pth file does not bring that path's own .pth files, so not this folder either.
    places = [place for place in sys.path if place.endswith("site-packages")]
    (found.packages / "libraries.pth").write_text("\n".join(places) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(found.folder / "bin" / "python")]
    for one in (a_foreign_wheel(folder), wheel):
        subprocess.run(
            [*pip, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(one)],
            check=True, capture_output=True, timeout=600,
        )  # fmt: skip
    return found


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path, project: Path) -> None:
    expected = {
        f"imr/{path.relative_to(project).as_posix()}"
        for package in PACKAGES
        for path in (project / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    } | {f"imr/{path.name}" for path in (project / "imr").glob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"imr"}


def test_a_foreign_package_stays_what_it_is(installed: Environment) -> None:
    code = "import imr, models, imr.models; print(models.OWN, imr.models.__name__, imr.__file__)"
    own, ours, file = installed.python("-c", code).split()
    assert (own, ours) == ("foreign", "imr.models")
    assert Path(file).is_relative_to(installed.packages)


def test_it_trains_and_scores_and_its_model_predicts_inside_another_project(
    installed: Environment, samples: Path
) -> None:
    (installed.work / "quick.toml").write_text(QUICK)
    imr = installed.folder / "bin" / "imr"
    assert installed.run(imr, "--version") == installed.python("-m", "imr", "--version")
    installed.run(imr, "train", "--config", "quick.toml")
    installed.run(imr, "score", samples / "CM16-9000005.txt", "-o", "scores.csv")
    assert (installed.work / "scores.csv").read_text().count("CM16-9000005") >= 1
    other = installed.work / "other"
    for name in ("data", "features", "models"):
        (other / name).mkdir(parents=True)
        (other / name / "__init__.py").write_text(f"OWN = {name!r}\n")
    (other / "use.py").write_text(OF_A_PROJECT)
    code = "import mlflow; print(mlflow.artifacts.download_artifacts('models:/imr@champion'))"
    model = installed.python("-c", code).strip().splitlines()[-1]
    installed.python("use.py", model, cwd=other)
    # Also where our package is not installed: the model carries its code.
    alone = Environment(installed.folder.parent / "alone", other)
    venv.create(alone.folder, symlinks=True)
    shutil.copy(installed.packages / "libraries.pth", alone.packages)
    alone.python("use.py", model, cwd=other)
