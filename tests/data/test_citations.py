"""Guideline paragraphs in every printed form."""

from __future__ import annotations

import csv
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data.citations import (
    catalogue_chapter,
    catalogue_section,
    labels,
    parse_citation,
    primary_label,
    unknown_chapters,
)
from imr.data.letter import MtusCitation


def mtus(text: str) -> list[tuple[str, str | None, tuple[str, ...], str | None]]:
    found = parse_citation(f"Decision based on MTUS {text}").mtus
    return [(m.chapter, m.edition, m.sections, m.pages) for m in found]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Knee Complaints 2004.", [("Knee Complaints", "2004", (), None)]),
        (
            "Forearm, Wrist, and Hand Complaints 2004, Section(s): Special Studies, Summary.",
            [
                (
                    "Forearm, Wrist, and Hand Complaints",
                    "2004",
                    ("Special Studies", "Summary"),
                    None,
                )
            ],
        ),
        (
            (
                "Neck and Upper Back Complaints 2004, Section(s): Initial Care, and "
                "Forearm, Wrist, and Hand Complaints 2004, and Shoulder Complaints 2004, "
                "Section(s): Summary."
            ),
            [
                ("Neck and Upper Back Complaints", "2004", ("Initial Care",), None),
                ("Forearm, Wrist, and Hand Complaints", "2004", (), None),
                ("Shoulder Complaints", "2004", ("Summary",), None),
            ],
        ),
        (
            "Postsurgical Treatment 2009, Section(s): Knee, Forearm, Wrist, & Hand.",
            [("Postsurgical Treatment", "2009", ("Knee", "Forearm, Wrist, & Hand"), None)],
        ),
        (
            (
                "Chronic Pain Medical Treatment 2016 Guidelines, Section(s): NSAIDs, GI symptoms & "
                "cardiovascular risk, Celebrex (celecoxib)."
            ),
            [
                (
                    "Chronic Pain Medical Treatment",
                    "2016",
                    ("NSAIDs, GI symptoms & cardiovascular risk", "Celebrex (celecoxib)"),
                    None,
                )
            ],
        ),
        (
            "Opioid Treatment 2016, Section(s): 3.2 Part Two: Other Ways, and Means, 4.1 Tapering.",
            [
                (
                    "Opioid Treatment",
                    "2016",
                    ("3.2 Part Two: Other Ways, and Means", "4.1 Tapering"),
                    None,
                )
            ],
        ),
        (
            "Chronic Pain Treatment Guidelines Opioids, criteria for use Page(s): 76-80.",
            [("Chronic Pain Treatment Guidelines", None, ("Opioids, criteria for use",), "76-80")],
        ),
        (
            "Chronic Pain Treatment Guidelines Page(s): 46 of 127.",
            [("Chronic Pain Treatment Guidelines", None, (), "46 of 127")],
        ),
        (
            (
                "Low Back Complaints Page(s): 303-305, and Chronic Pain Treatment Guidelines Yoga "
                "Page(s): 126."
            ),
            [
                ("Low Back Complaints", None, (), "303-305"),
                ("Chronic Pain Treatment Guidelines", None, ("Yoga",), "126"),
            ],
        ),
        ("Elbow Complaints 2007, Section(s): 326.", [("Elbow Complaints", "2007", ("326",), None)]),
        ("Toe Complaints 2011.", [("Toe Complaints", "2011", (), None)]),
    ],
)
def test_mtus_citations(
    printed: str, expected: list[tuple[str, str | None, tuple[str, ...], str | None]]
) -> None:
    assert mtus(printed) == expected


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Decision based on Non-MTUS Citation ODG Hip, X-ray.", ("ODG Hip, X-ray",)),
        ("Decision based on Non-MTUS Official Disability Guidelines.",
         ("Official Disability Guidelines",)),
        ("Decision based on Non-MTUS Citation ODG Knee and Leg and ODG Hip.",
         ("ODG Knee and Leg", "ODG Hip")),
        ("Decision based on Non-MTUS Citation ODG Hand and Other Medical Treatment Guidelines Z.",
         ("ODG Hand", "Other Medical Treatment Guidelines Z")),
        ("Decision based on Non-MTUS Citation ODG Head (stress and so on).",
         ("ODG Head (stress and so on)",)),
    ],
)  # fmt: skip
def test_sources_outside_the_schedule(printed: str, expected: tuple[str, ...]) -> None:
    found = parse_citation(printed)
    assert found.non_mtus == expected
    assert found.mtus == ()
    assert primary_label(found) == "Non-MTUS"


def test_mtus_and_other_source_together() -> None:
    found = parse_citation(
        "Decision based on MTUS Knee Complaints 2004. Decision based on Non-MTUS Citation ODG."
    )
    assert found.mtus == (MtusCitation("Knee Complaints", "2004"),)
    assert found.non_mtus == ("ODG",)
    assert labels(found) == ("Knee", "Non-MTUS")


@pytest.mark.parametrize(
    "printed",
    [
        "The Claims Administrator did not cite any medical evidence for its decision.",
        "The Expert Reviewer did not cite any medical evidence for its decision.",
    ],
)
def test_nothing_cited(printed: str) -> None:
    found = parse_citation(printed)
    assert (found.none_cited, found.mtus, found.non_mtus) == (True, (), ())
    assert primary_label(found) == "None cited"


def test_labels_forgive_misspelled_and_numbered_sections() -> None:
    assert catalogue_section("Low Back", "Diagnositc Criteria") == "Diagnostic Criteria"
    assert catalogue_section("Chronic Pain", "Electro-diagnostic testing (EMG/NCS)") == (
        "Electrodiagnostic testing (EMG/NCS)"
    )
    assert catalogue_section("Opioids", "3.3.6 Some Part: Use of Urine Drug Testing (UDT)") == (
        "3.3.6 Use of Urine Drug Testing (UDT)"
    )
    assert catalogue_section("Low Back", "Astrology") is None


def test_page_46_of_the_chronic_pain_guideline_is_the_epidural_section() -> None:
    found = parse_citation("Decision based on MTUS Chronic Pain Treatment Guidelines Page(s): 46.")
    assert primary_label(found) == "Chronic Pain > Epidural steroid injections (ESIs)"


def test_unknown_chapter_is_named() -> None:
    found = parse_citation("Decision based on MTUS Toe Complaints 2004.")
    assert unknown_chapters(found) == ("Toe Complaints",)
    assert primary_label(found) == "Toe Complaints"


def _rows(name: str) -> list[dict[str, str]]:
    path = resources.files("imr.data") / "reference" / name
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_row_of_the_tables_has_a_source_and_is_found() -> None:
    chapters, sections = _rows("mtus_chapters.csv"), _rows("mtus_sections.csv")
    assert len(chapters) > 15
    assert len(sections) > 200
    for row in chapters:
        assert row["source"]
        assert re.compile(row["printed"])
    names = {row["chapter"] for row in chapters}
    for row in sections:
        assert row["source"]
        assert row["chapter"] in names
        assert catalogue_section(row["chapter"], row["section"]) == row["section"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Knee Complaints 2004", "Neck and Upper Back Complaints 2004",
                 "Forearm, Wrist, and Hand Complaints 2004", "Acupuncture Treatment 2007",
                 "Chronic Pain Medical Treatment 2016"]
            ),
            st.lists(st.sampled_from(["Special Studies", "Summary", "Initial Care"]), max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_a_chain_comes_apart_as_it_was_put_together(chain: list[tuple[str, list[str]]]) -> None:
    printed = ", and ".join(
        name + (f", Section(s): {', '.join(sections)}" if sections else "")
        for name, sections in chain
    )
    found = mtus(printed + ".")
    assert [(f"{chapter} {edition}", list(names)) for chapter, edition, names, _ in found] == chain


@given(st.text(max_size=200))
def test_any_paragraph_gives_a_citation_that_keeps_its_words(text: str) -> None:
    assert parse_citation(text).raw == " ".join(text.split())
    assert catalogue_chapter(text) is None or text.strip()
