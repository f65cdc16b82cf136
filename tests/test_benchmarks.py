"""What two records of the benchmarks are compared by."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.compare import changes

BENCHMARKS = Path(machine.__file__).parent


def results(**cells: float) -> dict[str, object]:
    rows = [[name, value, "as it is"] for name, value in cells.items()]
    table = {"script": "bench_letters", "heads": ["path", "ms a letter", "said"], "rows": rows}
    return {"machine": "one, 2 cores", "versions": "Python 3", "tables": [table]}


def test_only_what_differs_by_more_is_listed():
    old, new = results(bare=3.0, scored=5.0, gone=1.0), results(bare=3.1, scored=6.0, more=2.0)
    found = list(changes(old, new, 0.05))
    assert [line.split(" · ")[1] for line in found] == ["scored", "more", "gone"]
    assert found[0].endswith("5 -> 6 (+20%)")


def test_another_machine_is_told_first():
    found = list(changes(results(bare=3.0), {**results(bare=4.0), "machine": "another"}, 0.05))
    assert found[0] == "machine: one, 2 cores -> another"
    assert list(changes(results(bare=3.0), results(bare=3.0), 0.0)) == []


def test_every_printed_table_is_recorded(tmp_path, monkeypatch, capsys):
    file = tmp_path / "tables.jsonl"
    monkeypatch.setenv(machine.RESULTS, str(file))
    machine.table(["path", "ms"], [["bare", 2.97]])
    machine.table(["path", "ms"], [["scored", 5.03]])
    rows = [json.loads(line)["rows"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert rows == [[["bare", 2.97]], [["scored", 5.03]]]
    assert capsys.readouterr().out.count("| path | ms |") == 2


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_of_the_program_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imr"):
            module = importlib.import_module(str(node.module))
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
