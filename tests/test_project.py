"""What a fresh clone relies on: the packages and their data, the order of imports."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ORDER = ["data", "features", "models", "training", "serve"]
"""Imports point down this list: a package uses those before it, never those after it."""

HEAVY = ["dask", "distributed", "lightgbm", "matplotlib", "mlflow", "numpy", "optuna", "pandas",
         "pyarrow", "pypdfium2", "reportlab", "scipy", "sklearn"]  # fmt: skip


@pytest.fixture(scope="module")
def settings(project: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    return tomllib.loads((project / "pyproject.toml").read_text())


def test_the_packages_are_the_folders(settings: dict, project: Path) -> None:  # type: ignore[type-arg]
    folders = {
        path.parent.relative_to(project).as_posix()
        for name in ["imr", *ORDER]
        for path in (project / name).rglob("__init__.py")
    }
    expected = {"imr" if f == "imr" else "imr." + f.replace("/", "."): f for f in folders}
    setuptools = settings["tool"]["setuptools"]
    assert sorted(setuptools["packages"]) == sorted(expected)
    assert setuptools["package-dir"] == {
        name: folder for name, folder in expected.items() if name.count(".") < 2
    }


def test_every_module_stands_in_a_package(project: Path) -> None:
    homeless = [
        str(p.relative_to(project))
        for name in ORDER
        for p in (project / name).rglob("*.py")
        if not (p.parent / "__init__.py").exists()
    ]
    assert homeless == []


def test_data_files_are_installed(settings: dict, project: Path) -> None:  # type: ignore[type-arg]
    [patterns] = settings["tool"]["setuptools"]["package-data"].values()
    left_out = [
        str(path.relative_to(project))
        for name in ORDER
        for path in (project / name).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix not in {".py", ".md"}
        and not any(fnmatch.fnmatch(path.name, pattern.split("/")[-1]) for pattern in patterns)
    ]
    assert left_out == []


def imported(module: Path) -> set[str]:
    """The packages of this project that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("imr.")}


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_down(package: str, project: Path) -> None:
    later = set(ORDER[ORDER.index(package) + 1 :])
    wrong = {
        f"{module.relative_to(project)} imports {', '.join(sorted(imported(module) & later))}"
        for module in (project / package).rglob("*.py")
        if imported(module) & later
    }
    assert wrong == set()


def test_the_command_loads_nothing_heavy(project: Path) -> None:
    code = f"import sys, imr.serve.cli; print(*sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_changelog_knows_the_version(settings: dict, project: Path) -> None:  # type: ignore[type-arg]
    latest = re.search(r"^## (\S+)", (project / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest
    assert latest[1] == settings["project"]["version"]


def test_the_licence_is_the_declared_one(settings: dict, project: Path) -> None:  # type: ignore[type-arg]
    assert settings["project"]["license"] == "Apache-2.0"
    text = (project / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
