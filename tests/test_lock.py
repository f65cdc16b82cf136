"""The lock: complete, hashed, without an address, and installed alike by every pip.

The last part installs it, with the commands that the Makefile and the README give, by the pip that
came with this Python and by the newest, from an index made here: of each locked package a wheel
with its name, version and requirements but next to nothing inside, and of each a newer release,
as there will be one on the day after the lock was made.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FIRST_PIP = {(3, 11): "22.3", (3, 12): "23.2.1", (3, 13): "24.2"}
"""The pip that each first CPython brought."""


@dataclass(frozen=True)
class Entry:
    """One requirement of the lock with its hashes."""

    text: str

    @property
    def line(self) -> str:
        """The requirement without its hashes."""
        return self.text.split(" \\")[0]

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.line)

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        [specifier] = self.requirement.specifier
        return specifier.version

    @property
    def wanted(self) -> bool:
        """Whether this machine installs it."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate()


def entries(lock: str) -> list[Entry]:
    lines = "\n".join(line for line in lock.split("\n") if not line.startswith("#"))
    return [Entry(text) for text in re.split(r"\n(?=\S)", lines) if text.strip()]


@pytest.fixture(scope="module")
def lock(project: Path) -> str:
    return (project / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def declared(project: Path) -> list[Requirement]:
    settings = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    lines = settings["dependencies"] + settings["optional-dependencies"]["dev"]
    return [Requirement(line) for line in lines]


def test_every_locked_package_has_one_version_and_hashes(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 100
    for entry in found:
        start = r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.!+]+( ; [^\n]+)? \\\n"
        assert re.match(start, entry.text), entry.text[:60]
        hashes = entry.text.split("\\\n")[1:]
        assert hashes
        assert all(re.fullmatch(r"\s+--hash=sha256:[0-9a-f]{64}\s*", line) for line in hashes)


def test_the_lock_names_no_place(lock: str) -> None:
    assert re.findall(r"://|find-links|index-url|@ |file:|(?<!\S)/\w", lock) == []


def test_the_lock_holds_what_is_declared(declared: list[Requirement], lock: str) -> None:
    versions: dict[str, list[str]] = {}
    for entry in entries(lock):
        versions.setdefault(entry.name, []).append(entry.version)
    for requirement in declared:
        locked = versions.get(canonicalize_name(requirement.name), [])
        assert locked, f"{requirement} is not in requirements.lock: run make lock"
        assert all(requirement.specifier.contains(version) for version in locked), requirement


def required(declared: list[Requirement], locked: list[Entry]) -> Iterator[tuple[str, Requirement]]:
    """Who asks for what on this machine: the project, then each locked package with its extras."""
    yield from (("imr", requirement) for requirement in declared)
    for entry in locked:
        for line in distribution(entry.name).requires or ():
            requirement = Requirement(line)
            extras = [{"extra": extra} for extra in ("", *sorted(entry.requirement.extras))]
            marker = requirement.marker
            if marker is None or any(marker.evaluate(extra) for extra in extras):
                yield entry.name, requirement


def test_the_lock_is_complete_and_names_every_extra(declared: list[Requirement], lock: str) -> None:
    """So nothing has to be resolved, and a pip that resolves all the same meets the pin itself."""
    locked = {entry.name: entry for entry in entries(lock) if entry.wanted}
    found = list(required(declared, list(locked.values())))
    assert len(found) > 200
    missing = [
        f"{who} requires {requirement}"
        for who, requirement in found
        if (entry := locked.get(canonicalize_name(requirement.name))) is None
        or not requirement.extras <= entry.requirement.extras
        or not requirement.specifier.contains(entry.version)
    ]
    assert missing == []


# --- installed by old and new pips -------------------------------------------------------------


def install_options(text: str) -> list[str]:
    """The options of the one command in a text that installs the lock."""
    [line] = re.findall(r"-m pip install (.*-r requirements\.lock)", text)
    return sorted(set(str(line).split()) - {"--quiet", "--disable-pip-version-check"})


def test_the_readme_installs_as_make_does(project: Path) -> None:
    readme, makefile = ((project / name).read_text() for name in ("README.md", "Makefile"))
    expected = ["--no-deps", "--require-hashes", "-r", "requirements.lock"]
    assert install_options(readme) == install_options(makefile) == expected
    for text in (readme, makefile):
        assert "-m pip check" in text
        assert "--no-compile" not in text


def wheel(folder: Path, installed: Distribution, version: str) -> str:
    """Write a wheel that requires what the installed package does; the hash of the file."""
    name = installed.metadata["Name"]
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    kept = [("Metadata-Version", "2.1"), ("Name", name), ("Version", version)]
    kept += [
        (field, value)
        for field in ("Provides-Extra", "Requires-Dist")
        for value in installed.metadata.get_all(field, [])
    ]
    files = {
        f"{stem.split('-')[0].lower()}_stand_in.py": "",
        f"{stem}.dist-info/METADATA": "".join(f"{field}: {value}\n" for field, value in kept),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{stem}.dist-info/RECORD"])
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{stem}.dist-info/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(file), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def newer(version: str) -> str:
    return f"{int(version.split('.')[0]) + 1}.0"


@dataclass(frozen=True)
class Index:
    """Wheels of the lock's releases and of newer ones, and the lock with these wheels' hashes."""

    folder: Path
    lock: Path
    entries: list[Entry]


@pytest.fixture(scope="module")
def index(lock: str, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("index")
    wheels = folder / "wheels"
    wheels.mkdir()
    wanted = [entry for entry in entries(lock) if entry.wanted]
    lines = []
    for entry in wanted:
        installed = distribution(entry.name)
        wheel(wheels, installed, newer(entry.version))
        digest = wheel(wheels, installed, entry.version)
        lines.append(f"{entry.line} --hash=sha256:{digest}\n")
    (folder / "requirements.lock").write_text("".join(lines))
    return Index(wheels, folder / "requirements.lock", wanted)


def run(*command: str | Path, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment that says nothing about pip."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean | changes, capture_output=True,
        text=True, check=False, timeout=600,
    )  # fmt: skip


def with_pip(folder: Path, version: str) -> Path:
    """The Python of a new environment that has this release of pip; skips where none is to be had.

    It is fetched with the settings of the machine, by the pip of the environment under test.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    fetched = subprocess.run(
        [*pip, "install", "--quiet", f"pip{version}"],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if fetched.returncode:
        last = (fetched.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"pip{version} cannot be had from a package index here: {last[:120]}")
    return python


def install(python: Path, index: Index, *options: str) -> subprocess.CompletedProcess[str]:
    """Install the lock from the index made here, with nothing compiled by Python itself."""
    return run(
        python, "-m", "pip", "--isolated", "install", "--no-index", "--find-links", index.folder,
        *options, cwd=index.lock.parent, PIP_CONFIG_FILE=os.devnull, PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip


def pips() -> list[str]:
    first = FIRST_PIP.get(sys.version_info[:2])
    return [*([f"=={first}"] if first else []), ""]


@pytest.mark.slow
@pytest.mark.parametrize("version", pips(), ids=lambda version: version or "newest")
def test_the_lock_is_installed_by_every_pip(
    version: str, index: Index, project: Path, tmp_path: Path
) -> None:
    python = with_pip(tmp_path / "env", version)
    options = install_options((project / "Makefile").read_text())
    done = install(python, index, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    checked = run(python, "-m", "pip", "check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout[-2000:]
    listed = run(python, "-m", "pip", "list", "--format=freeze", cwd=tmp_path).stdout.split()
    found = dict(line.split("==") for line in listed)
    found.pop("pip")
    assert {canonicalize_name(name): version for name, version in found.items()} == {
        entry.name: entry.version for entry in index.entries
    }
    modules = {path.stem for path in tmp_path.glob("env/lib/*/site-packages/*_stand_in.py")}
    compiled = tmp_path.glob("env/lib/*/site-packages/__pycache__/*_stand_in.*.pyc")
    assert {path.name.split(".")[0] for path in compiled} == modules
    assert len(modules) == len(index.entries)


@pytest.mark.slow
@pytest.mark.parametrize("version", pips(), ids=lambda version: version or "newest")
def test_the_lock_resolves_to_itself(version: str, index: Index, tmp_path: Path) -> None:
    """Also without ``--no-deps`` the pinned releases are taken, for the lock names the extras."""
    python = with_pip(tmp_path / "env", version)
    done = install(python, index, "--dry-run", "--require-hashes", "-r", "requirements.lock")
    assert done.returncode == 0, done.stderr[-2000:]
    [listed] = re.findall(r"Would install (.*)", done.stdout)
    assert len(listed.split()) == len(index.entries)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="no pip before 23.3 runs on this Python")
def test_the_index_is_a_trap(index: Index, tmp_path: Path) -> None:
    """The tests above can fail: pips before 23.3 need one of the two, the extras or --no-deps."""
    python = with_pip(tmp_path / "env", "==22.3" if sys.version_info < (3, 12) else "==23.2.1")
    stripped = re.sub(r"\[[a-z,]+\]==", "==", index.lock.read_text())
    assert stripped != index.lock.read_text()
    (index.lock.parent / "stripped.lock").write_text(stripped)
    done = install(python, index, "--dry-run", "--require-hashes", "-r", "stripped.lock")
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
