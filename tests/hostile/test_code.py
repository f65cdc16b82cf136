"""Nothing that is read can run code, and nothing that is written can run in what opens it."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data.letter import LetterError, Text
from imr.data.read import read
from imr.data.sources import sources

PACKAGES = ("data", "features", "models", "training", "serve")

FORBIDDEN_MODULES = {
    "pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "yaml", "xml",
    "imp", "code", "codeop", "runpy", "telnetlib", "pty",
}  # fmt: skip
"""Loaders that can run what they load, and interpreters."""

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_ATTRIBUTES = {
    ("pd", "read_pickle"), ("pandas", "read_pickle"), ("np", "load"), ("numpy", "load"),
    ("os", "system"), ("os", "popen"), ("torch", "load"), ("tempfile", "mktemp"),
    ("zipfile", "extractall"), ("shutil", "unpack_archive"), ("pd", "eval"),
}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "extract", "read_pickle", "to_pickle", "unpack_archive"}

ALLOWED_OF_JOBLIB = {"Parallel", "delayed", "parallel_config"}
"""Processes, not files: what ``joblib.load`` loads can run."""


def modules(project: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((project / package).rglob("*.py")):
            yield path.relative_to(project).as_posix(), ast.parse(path.read_text())


def dangers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything in a module that could run what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in FORBIDDEN_MODULES | {"joblib"}:
                    yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module:
            module, names = node.module.split(".")[0], {alias.name for alias in node.names}
            if module in FORBIDDEN_MODULES or (module == "joblib" and names - ALLOWED_OF_JOBLIB):
                yield node.lineno, module
        elif isinstance(node, ast.Call):
            yield from dangerous_call(node)


def dangerous_call(node: ast.Call) -> Iterator[tuple[int, str]]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
        yield node.lineno, function.id
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        if (owner, function.attr) in FORBIDDEN_ATTRIBUTES or function.attr in FORBIDDEN_METHODS:
            yield node.lineno, f"{owner}.{function.attr}"
    for keyword in node.keywords:
        if (keyword.arg, getattr(keyword.value, "value", None)) == ("shell", True):
            yield node.lineno, "shell=True"
        if (keyword.arg, getattr(keyword.value, "value", None)) == ("allow_pickle", True):
            yield node.lineno, "allow_pickle=True"


def test_no_module_can_run_what_it_reads(project: Path) -> None:
    trees = dict(modules(project))
    assert len(trees) > 60
    assert [(name, *what) for name, tree in trees.items() for what in dangers(tree)] == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import pickle", "pickle"), ("from joblib import load", "joblib"),
        ("import yaml", "yaml"), ("eval(x)", "eval"), ("os.system(x)", "os.system"),
        ("archive.extractall(x)", "archive.extractall"), ("pd.read_pickle(x)", "pd.read_pickle"),
        ("subprocess.run(x, shell=True)", "shell=True"),
        ("np.load(x, allow_pickle=True)", "allow_pickle=True"),
    ],
)  # fmt: skip
def test_what_could_run_code_is_found(code: str, what: str) -> None:
    assert what in {found for _, found in dangers(ast.parse(code))}


# --- models ------------------------------------------------------------------------------------


def test_a_model_folder_holds_text_only(model: Path) -> None:
    files = sorted(model.iterdir())
    assert {file.suffix for file in files} <= {".json", ".txt"}
    for file in files:
        file.read_bytes().decode("ascii" if file.suffix == ".txt" else "utf-8")


@given(data=st.data())
def test_a_model_with_any_byte_changed_or_cut_off_is_refused(
    model: Path, data: st.DataObject
) -> None:
    from imr.models import bundle

    file = data.draw(st.sampled_from(sorted(model.iterdir())))
    content = file.read_bytes()
    # The line end behind the manifest, which has no digest but its own, says nothing.
    at = data.draw(st.integers(0, len(content.rstrip()) - 1))
    cut = data.draw(st.booleans())
    try:
        changed = (
            content[:at] if cut else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        )
        file.write_bytes(changed)
        with pytest.raises(bundle.BundleError) as caught:
            bundle.load(model)
        assert caught.value.reason in ("tampered", "truncated", "foreign")
    finally:
        file.write_bytes(content)
    assert bundle.load(model).digest


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname", "sub/inside.json", ".."])
def test_a_manifest_cannot_point_out_of_its_folder(name: str, model: Path, tmp_path: Path) -> None:
    """Even with a digest that fits, for whoever can write a model can compute one."""
    import hashlib
    import shutil

    from imr.models import bundle

    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    (tmp_path / "outside.json").write_text("{}")
    (copy / "sub").mkdir()
    (copy / "sub" / "inside.json").write_text("{}")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(b"{}").hexdigest()
    manifest["digest"] = bundle.digest_of(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(bundle.BundleError):
        bundle.load(copy)


# --- archives ----------------------------------------------------------------------------------

LETTER = b"No letter, but text that can be read."


def archive(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name in names:
            zipped.writestr(zipfile.ZipInfo(name), LETTER)
    return path


OUTSIDE = ["../up.txt", "../../../../../../tmp/far.txt", "/absolute.txt", "a/../../b.txt",
           "..\\windows.txt", "C:\\drive.txt", "a\x00b.txt", "..", "a\nb.txt"]  # fmt: skip


def test_members_are_read_in_memory_wherever_their_names_point(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    path = archive(inside / "letters.zip", OUTSIDE)
    found = list(read([str(path)]))
    assert set(tmp_path.rglob("*")) == {inside, path}
    assert all(isinstance(one, (Text, LetterError)) for one in found)
    for one in found:
        assert "\n" not in one.source
        if isinstance(one, Text):
            assert one.text == LETTER.decode()
            assert "/" not in one.letter_id


def test_a_link_in_an_archive_is_its_own_text(tmp_path: Path) -> None:
    """A link's content is the path it names: it is read as text, never followed."""
    secret = tmp_path / "secret.txt"
    secret.write_text("what the link points to")
    path = tmp_path / "letters.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        entry = zipfile.ZipInfo("link.txt")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(entry, str(secret))
    [one] = read([str(path)])
    assert not (isinstance(one, Text) and "what the link points to" in one.text)


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "a.txt").write_bytes(LETTER)
    assert len(list(sources([str(tmp_path / "in")]))) == 1


# --- what is written ---------------------------------------------------------------------------

HOSTILE_TITLES = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "{{ 7 * 7 }}",
    "{% for x in ().__class__.__bases__ %}", "${7*7}", "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>', "=HYPERLINK(\"http://x\")", "+1+cmd|' /C calc'!A0", "@SUM(A1)",
    "-2+3", "javascript:alert(1)", "<!--", "]]>", "\u2028alert(1)", "&lt;b&gt;", "%n%s%x",
    "\x1b[2J\x1b[31mred", "[link](javascript:alert(1))", "[red]markup[/red]", "[/]",
)  # fmt: skip


def hostile_records(path: Path) -> Path:
    made = {
        "letter_id": "<b>id</b>",
        "case_summary": "MRI of the <script>alert(2)</script> knee {{ config }} showed a tear.",
        "items": [{"title": title} for title in HOSTILE_TITLES],
    }
    path.write_text(json.dumps(made) + "\n")
    return path


@pytest.mark.slow
def test_hostile_text_stays_text_in_every_output(model: Path, tmp_path: Path) -> None:
    from html.parser import HTMLParser

    from imr.serve.outputs import FORMULA_STARTS
    from tests.serve.programs import REAL, run

    cases = hostile_records(tmp_path / "cases.jsonl")
    arguments = ("score", cases, "--model", model, "--jobs", 1)
    done = run(REAL, *arguments, "-o", "s.csv", "--report", "r.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + len(HOSTILE_TITLES)
    texts = [cell for row in rows for cell in row if not is_number(cell)]
    assert [cell for cell in texts if cell.startswith(FORMULA_STARTS)] == []

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: list[str] = []
            self.handlers: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.handlers += [name for name, _ in attrs if name.startswith("on")]

    page, plain = (tmp_path / "r.html").read_text(), Tags()
    plain.feed(page)
    assert "alert(1)" in page
    assert plain.handlers == []
    assert "svg" not in plain.tags or "onload" not in page.split("<svg", 1)[1][:200]
    assert "<script>alert" not in page
    assert "onerror=alert" not in "".join(part.split(">", 1)[0] for part in page.split("<")[1:])
    assert ">49<" not in page

    explained = run(REAL, "explain", cases, "--model", model, cwd=tmp_path)
    assert explained.returncode == 0, explained.stderr
    assert "\x1b" not in explained.stdout
    assert "[red]markup" in explained.stdout


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_lexicons_and_tables_hold_no_formula(project: Path) -> None:
    """They are opened in spreadsheets by the people who review them."""
    checked = 0
    for path in [*project.glob("features/**/*.csv"), *project.glob("data/**/*.csv")]:
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            checked += 1
            assert [c for c in row if c.startswith(("=", "@", "+"))] == [], path.name
    assert checked > 1_000


def test_the_shipped_files_are_no_programs(project: Path) -> None:
    found = [
        str(path.relative_to(project))
        for name in PACKAGES
        for path in (project / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        and (os.access(path, os.X_OK) or path.suffix in {".pkl", ".joblib", ".npy", ".so", ".sh"})
    ]  # fmt: skip
    assert found == []


IMPORT_NAMES = {"scikit-learn": "sklearn", "dask": "dask distributed"}


def test_nothing_is_imported_that_is_not_declared(project: Path) -> None:
    import re
    import sys
    import tomllib

    settings = tomllib.loads((project / "pyproject.toml").read_text())
    names = [re.split(r"[\[>=<~ ;]", d)[0] for d in settings["project"]["dependencies"]]
    declared = {name for n in names for name in IMPORT_NAMES.get(n, n).replace("-", "_").split()}
    allowed = declared | {"imr"} | sys.stdlib_module_names
    found = {
        (module, alias.split(".")[0])
        for module, tree in modules(project)
        for node in ast.walk(tree)
        for alias in imported_by(node)
    }
    assert {(module, name) for module, name in found if name not in allowed} == set()


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
