"""Tables and figures of README and docs are those of the code and of the last measurement."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import imr
from benchmarks import diff, papers
from imr.features.table import all_columns
from imr.serve.letter_json import (
    letter_detail,
    letter_object,
    quote_object,
    run_detail,
)
from imr.training.decisions import load_decisions
from tests.data.synthetic.samples import TRUTH

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", papers.PAPERS)
def test_every_block_is_made_by_the_code(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert papers.filled(text, papers.measured()) == text, "run make docs"


def test_every_block_stands_in_one_place() -> None:
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in papers.PAPERS)
    assert sorted(re.findall(r"^<!-- ([a-z-]+) -->$", text, re.MULTILINE)) == sorted(
        [*papers.BLOCKS, *["end"] * len(papers.BLOCKS)]
    )


def test_a_block_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="invented"):
        papers.filled("<!-- invented -->\n<!-- end -->\n", papers.measured())


def test_figures_are_those_of_the_shipped_decisions_and_judgement() -> None:
    remedy = "measure anew: python -m benchmarks.papers --measure LETTERS"
    assert papers.measured()["of"] == papers.digests(), remedy


def test_the_results_name_the_best_alternative() -> None:
    figures = {"auc": [0.6, 0.5, 0.7]}
    one = {"subject": "outcome", "figures": figures}
    found = {
        "group": {
            "contenders": [
                {**one, "kind": "model", "name": "imr", "figures": {"auc": [0.7, 0.6, 0.8]}},
                {**one, "kind": "alternative", "name": "worse"},
                {
                    **one,
                    "kind": "alternative",
                    "name": "best",
                    "figures": {"auc": [0.65, 0.6, 0.7]},
                },
                {**one, "kind": "alternative", "name": "unknown", "figures": {"auc": [None] * 3}},
                {**one, "kind": "probe", "name": "leak", "figures": {"auc": [0.9, 0.8, 1.0]}},
            ]
        }
    }
    rows = [("AUC", "group", "outcome", "auc")]
    text = papers.results_block(found, rows)
    assert "| AUC | **0.70 (0.60–0.80)** | 0.65 (0.60–0.70) best |" in text


def test_the_excerpt_quotes_the_sample() -> None:
    [letter] = imr.read_letters(ROOT / papers.SAMPLE)
    shown = " ".join(line.strip() for line in papers.measured()["explain"])
    quotes = re.findall(r"“…?([^“”]*?)…?”", shown)
    assert quotes
    assert all(quote in letter.case.case_summary for quote in quotes)
    assert len(papers.measured()["explain"]) <= 18


@pytest.mark.slow
def test_the_excerpt_is_what_the_shipped_model_says() -> None:
    from threadpoolctl import threadpool_limits

    from imr.models.predictor import Predictor
    from imr.training.decisions import load_decisions, ordered, sample

    data = sample(ordered(load_decisions()))
    with threadpool_limits(1):
        model = Predictor.fit(data.frame, data.overturned, data.guideline.tolist())
    assert papers.excerpt(papers.explained(model)) == papers.measured()["explain"]


def keys(value: Any, path: str = "") -> set[str]:
    """The leaves of an object as the glossary writes them: ``items[].title``."""
    if isinstance(value, dict) and value:
        inside = ((f"{path}.{key}" if path else key, part) for key, part in value.items())
        return set().union(*(keys(part, name) for name, part in inside))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(keys(part, f"{path}[]") for part in value))
    return {path}


def table_keys(heading: str) -> set[str]:
    section = GLOSSARY.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def test_the_object_of_parse_is_the_documented_one(samples: Path) -> None:
    expected = json.loads((TRUTH / "expected" / "CM16-9000001.json").read_text())
    [letter] = imr.read_letters(samples / "CM16-9000001.pdf")
    assert keys(letter_object(letter)) == keys(expected)
    guidelines = ("items[].claims_administrator_guideline", "items[].decision.guideline")
    found = set()
    for key in keys(expected):
        cut = [g for g in guidelines if key.startswith(g + ".")]
        found.add(cut[0] if cut else key)
    assert found == table_keys("`imr parse`: the object")


def test_the_object_of_explain_is_the_documented_one(samples: Path) -> None:
    from imr.data.letter import Evidence
    from imr.features.checklist import checklist
    from imr.features.table import Urgent, signals
    from tests.serve.fake import FakePredictor

    [letter] = imr.read_letters(samples / "CM16-9000001.pdf")
    case, found = letter.case, signals(letter.case)
    predictions = FakePredictor().predict_rows([case], None, [found.evidence])
    lists = [
        checklist(case, item, row, found.evidence)
        for item, row in zip(case.items, found.rows, strict=True)
    ]
    changes = FakePredictor().what_if([case], [found], predictions)
    quote = Evidence("urgent", 0, 4, case.case_summary[:4], "fever")
    detail = letter_detail(letter, predictions, lists, changes, [Urgent("Fever", quote)])
    detail = run_detail(detail, "model")
    section = "`imr explain --json` and `imr score --details`: the object"
    [item, *_] = detail["items"]
    assert set(item) == table_keys(section)
    text = GLOSSARY.split(f"## {section}\n")[1].split("\n## ")[0]
    [quote, *_] = found.evidence
    change = item["what_if"][0]
    parts = (detail, item["checklist"][0], quote_object(quote), change, change["steps"][0])
    for part in (*parts, detail["urgent"][0]):
        assert all(f"`{key}`" in text or f"`{key}[]`" in text for key in part)


def test_changes_name_rows_and_values() -> None:
    before = {"a item 0": {"age": 40, "sex": None}, "b item 0": {"age": 1}}
    after = {
        "a item 0": {"age": 41, "sex": None, "new_empty": False, "new_found": True},
        "c item 0": {"age": 1},
    }
    assert diff.changes(before, after) == {
        "age": {"a item 0": "40 -> 41"},
        "new_found": {"a item 0": "(absent) -> true"},
        "rows": {"b item 0": "gone", "c item 0": "new"},
    }


def test_rows_hold_fields_signals_and_criteria(samples: Path) -> None:
    rows = dict(diff.read_rows([str(samples / "CM16-9000001.pdf")]))
    first = rows["CM16-9000001 item 0"]
    assert first["age"] == 47
    assert first["criterion esi_examination"] == "met"
    assert first["parse requested"].startswith("Transforaminal")


@pytest.mark.slow
def test_the_code_of_a_tree_reads_the_rows(samples: Path, tmp_path: Path) -> None:
    letters = [str(samples / "CM16-9000001.pdf")]
    apart = diff.printed_rows(diff.started(ROOT, letters, tmp_path / "links"))
    assert apart == json.loads(json.dumps(dict(diff.read_rows(letters))))


def test_docs_hold_the_catalogue_of_columns() -> None:
    assert papers.CATALOGUE.read_text(encoding="utf-8") == papers.catalogue(load_decisions().table)


def test_every_column_is_defined_and_has_a_unit_or_a_kind() -> None:
    text = papers.catalogue(load_decisions().table)
    for column in all_columns():
        assert f"| `{column.name}` |" in text
        assert column.definition, column.name
        assert column.unit or column.dtype != "float" or "share" in column.name, column.name
