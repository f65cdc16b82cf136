"""The lexicon tables hold together, and requests get the class a careful reader gives them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data import table_rows
from imr.data.quantity import _patterns, find_quantity, spell_out
from imr.data.request import SERVICE_TABLES, ItemClass, body_parts, classify, request_lexicon
from tests.timing import looks

HERE = Path(__file__).resolve().parent
TAXONOMY = {(row["category"], row["subcategory"]) for row in table_rows("reference/taxonomy")}
REQUIRED_ACCURACY = 0.98


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


CASES = _rows(HERE / "taxonomy_cases.csv")


def _flat(found: ItemClass) -> dict[str, str]:
    return {
        "category": found.category,
        "subcategory": found.subcategory,
        "body_parts": ";".join(found.body_parts),
        "quantity": "" if found.quantity is None else str(found.quantity),
        "quantity_unit": found.quantity_unit or "",
    }


def test_enough_cases() -> None:
    assert len(CASES) >= 330
    assert len({row["requested"] for row in CASES}) == len(CASES)


def test_every_class_has_a_case() -> None:
    assert {(row["category"], row["subcategory"]) for row in CASES} == TAXONOMY


@pytest.mark.parametrize("case", CASES, ids=[row["requested"] for row in CASES])
def test_case(case: dict[str, str]) -> None:
    expected = {field: case[field] for field in case if field != "requested"}
    assert _flat(classify(case["requested"])) == expected


@pytest.mark.parametrize("case", CASES[::7], ids=[row["requested"] for row in CASES[::7]])
def test_case_of_letters_does_not_matter(case: dict[str, str]) -> None:
    assert _flat(classify(case["requested"].upper())) == _flat(classify(case["requested"]))


@pytest.mark.parametrize("table", SERVICE_TABLES)
def test_table_rows_name_a_class_and_a_source(table: str) -> None:
    rows = table_rows(f"reference/{table}")
    assert rows
    for row in rows:
        assert (row["category"], row["subcategory"]) in TAXONOMY
        assert row["source"]
        assert row["terms"]
        assert int(row["rank"]) > 0


def test_combinations_use_known_tags() -> None:
    services = [row for table in SERVICE_TABLES for row in table_rows(f"reference/{table}")]
    named = {tag for row in services for tag in _tags(row["tags"])}
    named |= {tag for row in table_rows("reference/contexts") for tag in _tags(row["tag"])}
    named |= {"body_part", "spine_part", "sessions", "counted", "percent"}
    for row in table_rows("reference/combinations"):
        used = _tags(row["head"]) | _tags(row["with"]) | _tags(row["without"])
        assert used <= named, used - named
        assert (row["category"], row["subcategory"]) in TAXONOMY


def _tags(cell: str) -> set[str]:
    return set(filter(None, cell.split(";")))


def test_every_single_drug_name_finds_its_own_row() -> None:
    """Each name alone gives a class of the pharmaceuticals, and the row it stands in."""
    seen: dict[str, str] = {}
    for row in table_rows("reference/drugs"):
        for name in _tags(row["terms"]):
            first = seen.setdefault(name, row["name"])
            assert first == row["name"], f"{name} stands in {first} and {row['name']}"
            found = request_lexicon().find(name)
            assert row["name"] in {named.service.name for named in found.services}, name


@pytest.mark.parametrize(
    ("requested", "value"),
    [
        ("MRI of the knee, 1.5 Tesla", None),
        ("12 panel urine drug screen", None),
        ("Three phase bone scan", None),
        ("3-view x-ray of the ankle", None),
        ("Hydrocodone 10/325 mg every 4-6 hours", None),
        ("Oral suspension 420 ml", None),
        ("Injection of 5cc lidocaine into the knee", None),
        ("3 in 1 commode", None),
        ("Scan with service date 11/18/2016", None),
        ("Physical therapy, 2 times a week", None),
        ("TENS rental, 14-day", 14),
        ("Norco #60, two refills", 60),
        ("Therapy 12-18 sessions", 18),
    ],
)
def test_what_is_no_quantity(requested: str, value: int | None) -> None:
    assert classify(requested).quantity == value


def test_title_helps_only_where_the_request_names_nothing() -> None:
    assert classify("the remaining portion", "Acupuncture, neck").subcategory == "Acupuncture"
    assert classify("MRI", "Acupuncture").subcategory == "CT/MRI/PET Scans"
    assert classify("the remaining portion") == ItemClass("Other", "Other")


@given(st.text(max_size=120))
def test_any_text_gets_a_class_of_the_taxonomy(text: str) -> None:
    found = classify(text)
    assert (found.category, found.subcategory) in TAXONOMY
    assert list(found.body_parts) == sorted(set(found.body_parts))
    assert (found.quantity is None) == (found.quantity_unit is None)


@given(st.integers(1, 5), st.integers(1, 26))
def test_frequency_times_duration(times: int, weeks: int) -> None:
    for wording in (
        f"Physical therapy {times} times a week for {weeks} weeks",
        f"Physical therapy {times}x/week x {weeks} wks",
        f"PT {times}x{weeks}",
        f"Physical therapy for {weeks} weeks, {times} times per week",
    ):
        found = classify(wording)
        assert (found.quantity, found.quantity_unit) == (times * weeks, "sessions"), wording


@given(st.integers(1, 999), st.sampled_from(["Norco 10mg", "Senna", "Unknownol 5 mg"]))
def test_dispensed_number(count: int, drug: str) -> None:
    found = classify(f"{drug} #{count} with 3 refills")
    assert (found.quantity, found.quantity_unit) == (count, "units")


def test_number_words() -> None:
    found = find_quantity(spell_out("Twenty-four (24) visits"), "Rehabilitation")
    assert found is not None
    assert (found.value, found.kind) == (24, "sessions")


def test_classifying_is_fast() -> None:
    """One request takes about as long as ten looks at a page; the bound leaves room."""
    titles = [row["requested"] for row in CASES]

    def all_titles() -> None:
        for title in titles:
            classify(title)

    all_titles()
    assert min(looks(all_titles) for _ in range(5)) < 60 * len(titles)


def test_real_items(real_letters: Path) -> None:
    """Every field agrees with the labels that were made by hand before the tables were run."""
    from imr.data.parse import parse
    from imr.data.read import read

    labels = _rows(HERE.parents[1] / "annotations" / "items.csv")
    expected = {(row["letter_id"], int(row["item_index"])): row for row in labels}
    agreed: dict[str, int] = {}
    seen = 0
    for text in read([str(real_letters / "pdf")]):
        assert not isinstance(text, Exception), text
        for item in parse(text).case.items:
            label = expected.get((text.letter_id, item.index))
            if label is None:
                continue
            seen += 1
            for field, value in _flat(classify(item.requested, item.title)).items():
                agreed[field] = agreed.get(field, 0) + (value == label[field])
    assert seen == len(expected) == 286
    assert {field: n for field, n in agreed.items() if n / seen < REQUIRED_ACCURACY} == {}


def test_published_rates_are_clean() -> None:
    rows = table_rows("reference/overturn_rates")
    assert len(rows) == 33
    for row in rows:
        assert 2013 <= int(row["year_from"]) <= int(row["year_to"]) <= 2025
        assert 0 < float(row["overturn_rate_low"]) <= float(row["overturn_rate_high"]) < 1
        assert row["publisher"] in {"DWC", "CWCI"}
        assert row["source"]
        assert row["source_url"]
        assert row["counted"] in {"decision", "service", "letter", "treatment request"}


def test_guideline_catalogue_is_clean() -> None:
    rows = table_rows("reference/guideline_catalogue")
    assert len(rows) == 133
    short = {row["chapter_short"] for row in rows} - {""}
    assert short == {
        "Chronic Pain",
        "Opioids",
        "Low Back",
        "Neck and Upper Back",
        "Shoulder",
        "Elbow",
        "Forearm Wrist and Hand",
        "Knee",
        "Ankle and Foot",
        "Stress Related Conditions",
        "Eye",
        "General Approaches",
        "Acupuncture",
        "Postsurgical",
    }
    for row in rows:
        assert row["source"]
        assert row["chapter"]
        assert 2004 <= int(row["edition_year"]) <= 2021
        assert (row["whole_chapter"] == "true") == (row["topic"] == "")
        assert int(row["page_start"] or 1) <= int(row["page_end"] or 999)


def test_body_parts_cover_body_parts() -> None:
    parts = body_parts()
    assert len(parts) > 30
    regions = {part.region for part in parts.values()}
    assert regions == {"spine", "upper_limb", "lower_limb", "head", "trunk", None}
    covering = {name: part.covers for name, part in parts.items() if part.covers}
    assert len(covering) == 13
    assert all(covers <= parts.keys() - {name} for name, covers in covering.items())


def test_every_pattern_of_a_quantity_finds_its_example() -> None:
    rows = [row for row in table_rows("reference/quantities") if row["counts"] != "part"]
    patterns = [pattern for found in _patterns().values() for pattern, _ in found]
    assert len(patterns) == len(rows) > 10
    missed = [
        row["example"]
        for row, pattern in zip(rows, patterns, strict=True)
        if not pattern.search(spell_out(row["example"]))
    ]
    assert missed == []
    assert all(row["source"] for row in rows)
