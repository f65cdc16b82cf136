"""The guideline ranking: candidates, probabilities, and what must not sway them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data import table_rows
from imr.features.condition import holds
from imr.models.frame import DecisionColumnError, MissingColumnsError, TrainingDataError
from imr.models.guideline import GuidelineConfig, GuidelineModel
from imr.models.guideline import candidates as cand
from imr.models.guideline.model import INPUTS
from tests.models.conftest import inputs, made_table

QUICK = GuidelineConfig(members=1, rounds=5, inner_folds=3)


@pytest.fixture(scope="module")
def model(table):
    return GuidelineModel(QUICK).fit(inputs(table), table["label_guideline"].tolist())


def test_the_section_of_the_kind_of_request_comes_first(model):
    fresh = made_table(60, seed=3)
    found = model.predict(inputs(fresh))
    assert (found["guideline_1"] == fresh["label_guideline"]).mean() > 0.75
    places = found[["guideline_1", "guideline_2", "guideline_3"]].eq(
        fresh["label_guideline"], axis=0
    )
    assert places.any(axis=1).mean() > 0.9


def test_probabilities(model, unseen):
    names, p = model.ranked(unseen)
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert (np.diff(p, axis=1) <= 0).all()
    assert all(len(set(row)) == len(row) for row in names)


def test_chapters_sum_their_sections(model, unseen):
    names, p = model.ranked(unseen)
    for row, found in enumerate(model.chapters(unseen, top=2)):
        sums = pd.Series(p[row]).groupby([cand.chapter_of(n) for n in names[row]]).sum()
        assert sums[found].tolist() == pytest.approx(sums.nlargest(2).tolist())


@given(order=st.permutations(range(30)))
@settings(max_examples=10, deadline=None)
def test_order_of_rows_does_not_matter(model, unseen, order):
    rows = unseen.head(30)
    moved = model.predict(rows.iloc[list(order)]).sort_index()
    pd.testing.assert_frame_equal(moved, model.predict(rows))


def test_an_item_alone_is_ranked_as_among_others(model, unseen):
    together = model.predict(unseen)
    for row in range(0, len(unseen), 9):
        alone = model.predict(unseen.iloc[[row]])
        pd.testing.assert_frame_equal(alone, together.iloc[[row]])


def test_an_unknown_section_that_the_administrator_cites_is_a_candidate(model, unseen):
    odd = unseen.head(2).copy()
    odd["administrator_labels"] = ["Hip and Groin > Never Printed Before", "Knee"]
    names, _ = model.ranked(odd)
    assert "Hip and Groin > Never Printed Before" in names[0]
    assert "Hip and Groin > Never Printed Before" not in names[1]


def test_other_columns_are_ignored(model, unseen):
    assert model.predict(unseen.assign(anything=1)).equals(model.predict(unseen))


def test_what_was_decided_is_refused(model, unseen):
    with pytest.raises(DecisionColumnError, match="label_chapter"):
        model.predict(unseen.assign(label_chapter="Knee"))


def test_missing_columns_are_named(model, unseen):
    with pytest.raises(MissingColumnsError, match="administrator_labels, request_terms"):
        model.predict(unseen.drop(columns=["request_terms", "administrator_labels"]))


def test_all_null_rows(model, unseen):
    null = unseen.head(3).copy()
    for column in set(model.columns) - {"letter_id", "item_index"}:
        null[column] = pd.Series(pd.NA, index=null.index, dtype=null[column].dtype)
    names, p = model.ranked(null)
    assert np.isfinite(p).all()
    assert cand.NON_MTUS in names[0]


def test_no_rows(model, unseen):
    assert model.predict(unseen.head(0)).empty


def test_one_label_only_is_refused(table):
    with pytest.raises(TrainingDataError, match="two labels"):
        GuidelineModel(QUICK).fit(inputs(table), ["Knee"] * len(table))


def test_chapters_not_in_force_cannot_be_cited_unless_the_administrator_does(model, unseen):
    early = unseen[unseen["subcategory"] == "Opioids"].head(1).assign(ur_denial_date="2015-03-01")
    names, _ = model.ranked(early.assign(administrator_labels="None cited"))
    assert not any(cand.chapter_of(name) == "Opioids" for name in names[0])
    names, _ = model.ranked(early.assign(administrator_labels="Opioids"))
    assert "Opioids" in names[0]


@pytest.mark.parametrize(
    ("day", "retired"),
    [
        (date(2015, 3, 1), {"Opioids"}),
        (date(2016, 12, 1), set()),
        (date(2018, 5, 1), {"Acupuncture", "Postsurgical", "Stress Related Conditions"}),
        (None, set()),
    ],
)
def test_editions_in_force(day, retired):
    assert set(cand.out_of_force(day)) == retired


def test_relative_labels_turn_back():
    for label in cand.catalogue_labels():
        for body in (*sorted(set(cand.body_chapters().values())), None):
            assert cand.absolute(cand.relative(label, body), body) == label


def test_every_link_names_a_label_of_the_catalogue():
    """A link to a section that cannot be cited would never do anything."""
    chapters = set(cand.body_chapters().values())
    for link in cand.guideline_links():
        reached = {cand.absolute(link.label, chapter) for chapter in chapters}
        assert reached & set(cand.catalogue_labels()), link
        assert link.source


def test_requests_are_linked_to_the_sections_that_the_conditions_name(model, unseen):
    requests = cand.describe(unseen)
    names, pairs = cand.make_pairs(requests, model.labels, model.shares, len(model.labels))
    linked = pairs[:, :, cand.PAIR_FEATURES.index("link")]
    assert linked.sum() > 50
    for request, own, found in zip(requests.to_dict("records"), names, linked, strict=True):
        meant = {
            cand.absolute(link.label, request["body_chapter"])
            for link in cand.guideline_links()
            if holds(link.when, request)
        }
        assert set(own[found == 1]) == meant & set(own)


def test_every_chapter_of_a_body_part_is_in_the_catalogue():
    assert set(cand.body_chapters().values()) <= set(cand.catalogue_labels())


def test_what_is_expected_before_any_letter_is_of_inputs_of_the_choice():
    rows = cand.rows_of("expected")
    assert len(rows) == len({row["input"] for row in rows} & set(INPUTS)) > 5
    assert all(row["source"] for row in rows)


def test_readers_share_out_each_kind_over_labels_of_the_catalogue():
    labels = set(cand.catalogue_labels())
    rows = pd.DataFrame(table_rows("readers", Path(cand.__file__).parent))
    names = ["category", "subcategory", "request_term", "body_chapter"]
    kinds = rows.astype({"percent": float}).groupby(names, sort=False)
    assert kinds.ngroups > 300
    assert kinds["percent"].sum().between(99, 101).all()
    for kind, shares in kinds["label"]:
        assert {cand.absolute(label, kind[-1] or None) for label in shares} <= labels, kind


def test_a_kind_that_readers_were_not_asked_about_takes_what_is_said_of_its_class():
    asked = cand.cited_by_readers("Diagnostic Testing", "CT/MRI/PET Scans", "mri", "Knee")
    assert max(asked, key=asked.get) == "* > Special Studies"
    unasked = cand.cited_by_readers("Diagnostic Testing", "CT/MRI/PET Scans", "unheard-of", "Eye")
    assert sum(unasked.values()) == pytest.approx(1, abs=0.01)
    assert cand.cited_by_readers("no such category", "", "", "") == {}
