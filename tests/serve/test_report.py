"""The page as a file: self-contained, escaped, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from imr.data.paths import file_path
from imr.serve import report
from imr.serve.report import NAMED, Tally, open_report, script_json

RUN = {"model_uri": "models:/imr/7#sha256=01", "scored_at": "2026-01-02T03:04:05+00:00"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}{% raw %}<!--"


def quote(start: int, end: int, text: str) -> dict[str, Any]:
    return {"field": "case_summary", "start": start, "end": end, "quote": text[start:end],
            "qualifier": "affirmed"}  # fmt: skip


def letter(n: int = 0, items: int = 1, **changes: Any) -> dict[str, Any]:
    summary = "The worker hurt the low back. An MRI showed a disc bulge. Therapy helped little."
    item = {
        "title": "Support", "requested": f"Support {n}", "ur_action": "denied",
        "original_request": None, "authorized": None, "category": "DMEPOS",
        "subcategory": "Supplies", "claims_administrator_guideline": "Decision based on nothing.",
        "p_overturned": 0.123456, "p_overturned_low": 0.05, "p_overturned_high": 0.3,
        "predicted_outcome": "Upheld", "meaning": "About the average of 12%",
        "what_if": [
            {"p_overturned": 0.31, "p_overturned_low": 0.12, "p_overturned_high": 0.58,
             "gain": 0.19, "steps": [{"criterion": "c1", "status": "not documented",
             "kind": "document", "action": "document what was tried", "sentence": "It failed."}]},
            {"p_overturned": None, "p_overturned_low": None, "p_overturned_high": None,
             "gain": None, "steps": [{"criterion": "c2", "status": "not met", "kind": "advise",
             "action": "ask for less", "sentence": ""}]},
        ],
        "guidelines": [{"guideline": "Low Back", "p": 0.5}],
        "reasons": [{"signal": "imaging_mri", "value": "yes", "contribution": 0.4,
                     "direction": "for", "statement": "MRI documented",
                     "quotes": [quote(33, 36, summary)]}],
        "checklist": [{"id": "c1", "guideline": "Low Back", "source": "ACOEM 2004",
                       "text": "Tried before", "status": "not documented",
                       "quotes": [quote(58, 65, summary)]}],
        "similar": {"of": "DMEPOS", "items": 20, "letters": 15, "overturned": 2,
                    "first_year": 2014, "last_year": 2017},
        "decision": None, "decision_guideline": None,
    }  # fmt: skip
    made = {
        "letter_id": f"L{n}", "source": f"L{n}.pdf", "case_summary": summary, "warnings": [],
        "urgent": [],
        "header": {"case_number": None, "date_of_injury": "2015-01-02", "ur_denial_date": None,
                   "application_received": None, "priority": None},
        "items": [{**item, "item_index": i} for i in range(items)],
    }  # fmt: skip
    return {**made, **changes}


def written(path: Path, letters: list[dict[str, Any]]) -> str:
    tally = Tally()
    with open_report(file_path(path), tally, RUN) as page:
        for one in letters:
            page.add(one)
            tally.letters += 1
            for item in one["items"]:
                tally.add({**item, **dict.fromkeys(("guideline_1", "guideline_2", "guideline_3"))})
    return path.read_text()


def test_a_report_of_one_letter_opens_on_it(tmp_path: Path) -> None:
    opens = '<body data-alone="true">'
    assert opens in written(tmp_path / "one.html", [letter(1)])
    assert opens not in written(tmp_path / "two.html", [letter(1), letter(2)])
    tally = Tally(failures=1)
    with open_report(file_path(tmp_path / "failed.html"), tally, RUN) as page:
        page.add(letter(1))
        tally.letters += 1
    assert opens not in (tmp_path / "failed.html").read_text()


def test_what_was_not_read_is_named_with_its_remedy(tmp_path: Path) -> None:
    tally = Tally()
    error = {"reason": "x", "message": "<b>no</b> letter", "remedy": "give one"}
    for n in range(NAMED + 1):
        tally.add_failure({"source": f"in/{n}.pdf", **error})
    with open_report(file_path(tmp_path / "r.html"), tally, RUN):
        pass
    shown = (tmp_path / "r.html").read_text()
    assert "<b>in/0.pdf</b>: &lt;b&gt;no&lt;/b&gt; letter" in shown
    assert "(give one)" in shown
    assert "The first 50 of 51 that were not scored" in shown
    assert "in/50.pdf" not in shown
    assert "Not read</h2>" not in written(tmp_path / "all.html", [letter(1)])


def test_one_group_of_decisions_is_no_calibration(tmp_path: Path) -> None:
    one = letter(1)
    one["items"][0]["decision"] = "Upheld"
    assert "Calibration" not in written(tmp_path / "r.html", [one])


class Page(HTMLParser):
    """The page's elements, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] += data


def test_the_page_holds_the_letters_as_data(tmp_path: Path) -> None:
    page = Page(written(tmp_path / "r.html", [letter(0), letter(1, items=3)]))
    shown = json.loads(page.scripts[0])
    assert [one["letter_id"] for one in shown] == ["L0", "L1"]
    assert [len(one["items"]) for one in shown] == [1, 3]
    item = shown[0]["items"][0]
    assert (item["p"], item["reasons"][0]["quotes"]) == (0.1235, [[33, 36]])
    assert item["checklist"] == [["c1", "not documented", [[58, 65]]]]
    assert item["what_if"] == [
        {
            "do": "Document what was tried",
            "added": ["It failed."],
            "gives": "12% → 31% (up to 58%)",
        },
        {"do": "Ask for less", "added": [], "gives": "not estimated"},
    ]  # fmt: skip
    assert item["similar"] == (
        "Similar decided items (DMEPOS): 2 of 20 overturned (10%, 2014 to 2017)."
    )
    assert json.loads(page.scripts[1]) == {
        "c1": {"guideline": "Low Back", "source": "ACOEM 2004", "text": "Tried before"}
    }


def test_a_criterion_of_two_regions_keeps_both_sources_and_sums_are_no_spans(
    tmp_path: Path,
) -> None:
    one, other = letter(0), letter(1)
    criterion = other["items"][0]["checklist"][0]
    visits = {"field": "computation", "start": 0, "end": 0, "quote": "6 + 8 = 14 visits, limit 10"}
    request = {"field": "request", "start": 0, "end": 7, "quote": "Support"}
    shown = {**criterion, "guideline": "Shoulder 2004", "status": "not met"}
    other["items"][0]["checklist"] = [{**shown, "quotes": [visits, request]}]
    text = written(tmp_path / "r.html", [one, other])
    letters, criteria = (json.loads(script) for script in Page(text).scripts[:2])
    assert {key: known["guideline"] for key, known in criteria.items()} == {
        "c1": "Low Back", "c1#2": "Shoulder 2004",
    }  # fmt: skip
    assert letters[1]["items"][0]["checklist"] == [
        ["c1#2", "not met", [{"computed": "6 + 8 = 14 visits, limit 10"}, "Support"]]
    ]


def test_nothing_of_a_letter_is_markup(tmp_path: Path) -> None:
    plain = Page(written(tmp_path / "a.html", [letter()]))
    hostile = letter(letter_id=HOSTILE, source=HOSTILE, case_summary=HOSTILE, warnings=[HOSTILE])
    for name in ("requested", "category", "subcategory", "claims_administrator_guideline"):
        hostile["items"][0][name] = HOSTILE
    text = written(tmp_path / "b.html", [hostile])
    page = Page(text)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert json.loads(page.scripts[0])[0]["items"][0]["requested"] == HOSTILE
    assert "<img" not in text
    assert "&lt;/script&gt;" in text  # the category in the overview


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028\u2029", "&amp;", "a\ud800"])
def test_script_json_is_json_without_markup(text: str) -> None:
    made = script_json({"x": text})
    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(made) == {"x": text}


def test_the_page_needs_no_network_and_its_policy_allows_none(tmp_path: Path) -> None:
    text = written(tmp_path / "r.html", [letter()])
    page = Page(text)
    linked = [v for _, attrs in page.tags for k, v in attrs.items() if k in ("src", "href")]
    assert all(link is not None and link.startswith("#") for link in linked)
    assert not re.search(r"url\(|@import|https?://", text)
    [policy] = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    assert "unsafe" not in policy
    assert not [a for _, a in page.tags if "style" in a or any(k.startswith("on") for k in a)]


def test_the_page_says_what_it_is_and_is_not(tmp_path: Path) -> None:
    text = written(tmp_path / "r.html", [letter()])
    assert "It is no medical and no legal verdict." in text
    assert "models:/imr/7#sha256=01" in text
    assert '<html lang="en">' in text


def test_a_quote_that_is_part_of_another_stands_once(tmp_path: Path) -> None:
    one = letter(1)
    summary = one["case_summary"]
    one["items"][0]["reasons"][0]["quotes"] = [quote(33, 36, summary), quote(30, 40, summary)]
    page = Page(written(tmp_path / "r.html", [one]))
    [item] = json.loads(page.scripts[0])[0]["items"]
    assert item["reasons"][0]["quotes"] == [[30, 40]]


def test_an_empty_page_is_a_page(tmp_path: Path) -> None:
    page = Page(written(tmp_path / "r.html", []))
    assert json.loads(page.scripts[0]) == []


def test_many_items_are_cut_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DETAIL_ITEMS", 10)
    text = written(tmp_path / "r.html", [letter(n, items=4) for n in range(5)])
    page = Page(text)
    assert [one["letter_id"] for one in json.loads(page.scripts[0])] == ["L0", "L1"]
    assert "The counts cover all 20 items; the first 8 are shown" in text


def test_known_decisions_are_compared(tmp_path: Path) -> None:
    decided: Callable[[int], dict[str, Any]] = lambda n: letter(n, items=2)  # noqa: E731
    letters = [decided(n) for n in range(30)]
    for n, one in enumerate(letters):
        for item in one["items"]:
            item["decision"] = "Overturned" if n % 3 == 0 else "Upheld"
            item["p_overturned"] = 0.1 + n / 60
    text = written(tmp_path / "r.html", letters)
    assert "Of 60 decided items 20 were overturned; the estimates add up to 20.5." in text
    assert "With so few decisions of one kind these figures are uncertain." in text
    assert text.count("<circle") == 5


def test_a_page_of_5000_items_is_below_15_mb(tmp_path: Path) -> None:
    rich = letter(0, items=2, case_summary="The worker hurt the low back again. " * 75)
    for item in rich["items"]:
        item["reasons"] = item["reasons"] * 8
        item["checklist"] = [{**item["checklist"][0], "id": f"c{k}"} for k in range(6)]
    written(tmp_path / "r.html", [rich] * 2500)
    assert (tmp_path / "r.html").stat().st_size < 15_000_000
