"""One letter on the terminal and as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.serve.explain import in_context
from imr.serve.letter_json import NOTICE, distinct
from tests.serve.programs import FAKE, command, environment, record, run, write_records


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return write_records(tmp_path / "case.jsonl", ["A"])


def explained(tmp_path: Path, *arguments: object) -> str:
    done = run(FAKE, "explain", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_terminal_says_why_and_what_is_missing(letter: Path, tmp_path: Path) -> None:
    text = explained(tmp_path, letter)
    for words in (
        "Letter A", "Item 0: Epidural injection 0 of the low back",
        "Item 1: Epidural injection 1 of the low back",
        "p(overturned)", "predicted Overturned", "Speaks for an overturn", "Speaks against",
        "+ MRI findings are documented", "+ The worker is 50 years old",
        "About the average of 12%.", "What would change it",
        "> Both: take films first; document care",
        "> No gain to be seen: Document care (the record says the contrary now)",
        "> Amend the request to one ingredient: not estimated",
        "What an interval means:", "Documentation checklist",
        "Similar decided items (Injection): 5 of 40 overturned (12%, 2013 to 2017).",
        "50.0% Chronic Pain > Epidural steroid injections",
        "no medical and no legal verdict", "model models:/imr/7#sha256=0123456789abcdef",
    ):  # fmt: skip
        assert words in " ".join(text.split())
    assert "\x1b" not in text
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())


def test_what_is_urgent_stands_on_top(tmp_path: Path) -> None:
    made = record("A", case_summary="He hurt his back. Bladder incontinence began two days ago.")
    (tmp_path / "case.jsonl").write_text(json.dumps(made))
    text = " ".join(explained(tmp_path, "case.jsonl").split())
    urgent, item = text.index("! Signs of cauda equina"), text.index("Item 0")
    assert text.index("a matter for a physician today") < item
    assert urgent < item
    found = json.loads(explained(tmp_path, "case.jsonl", "--json"))
    assert [quote["quote"] for fact in found["urgent"] for quote in fact["quotes"]] == [
        "Bladder incontinence began two days ago"
    ]


def test_what_was_never_denied_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "case.jsonl"
    draft = record("A", count=1)
    title = draft["items"][0]
    told = {
        "asked for": [draft],
        "denied by UR": [
            {**draft, "ur_denial_date": "2016-03-01"},
            {**draft, "items": [{**title, "ur_action": "denied"}]},
            {**draft, "case_summary": f"{draft['case_summary']} The request was denied in March."},
        ],
        "modified by UR (authorized: one injection)": [
            {**draft, "items": [{**title, "authorized": "one injection"}]}
        ],
    }
    for action, cases in told.items():
        for case in cases:
            path.write_text(json.dumps(case))
            assert f"· {action}" in explained(tmp_path, path)
    path.write_text(
        json.dumps({**draft, "case_summary": "A baker with back pain denied numbness."})
    )
    assert json.loads(explained(tmp_path, path, "--json"))["items"][0]["ur_action"] is None


def test_a_quote_that_is_part_of_another_is_shown_once() -> None:
    def span(start: int, end: int, field: str = "case_summary") -> dict[str, Any]:
        text = "An MRI of the knee showed a tear."[start:end]
        return {"field": field, "start": start, "end": end, "quote": text}

    whole, part, other = span(3, 18), span(3, 6), span(19, 25)
    assert distinct([part, whole, other, whole]) == [whole, other]
    assert distinct([whole, part]) == [whole]
    assert distinct([part, span(3, 18, "request"), other]) == [part, span(3, 18, "request"), other]
    assert distinct([span(0, 6), whole]) == [span(0, 6), whole]  # neither holds the other


def test_statements_say_what_was_understood_of_each_sentence(tmp_path: Path) -> None:
    case = {
        "letter_id": "S",
        "case_summary": "MRI of the left knee showed a tear. The weather was fine. She had 6 "
        "physical therapy visits.",
        "items": [{"title": "Left knee arthroscopy"}],
    }
    path = tmp_path / "case.jsonl"
    path.write_text(json.dumps(case) + "\n")
    text = explained(tmp_path, path, "--statements")
    assert "1. MRI of the left knee showed a tear." in text
    assert "   - study: mri · abnormal · knee, left · said by the record · “MRI”" in text
    assert "2. The weather was fine.\n   - nothing understood" in text
    assert "treatment: physical_therapy · affirmed" in text
    said = json.loads(explained(tmp_path, path, "--statements", "--json"))
    assert [len(sentence["statements"]) > 0 for sentence in said["sentences"]] == [
        True, False, True,
    ]  # fmt: skip
    for sentence in said["sentences"]:
        for statement in sentence["statements"]:
            quote = case["case_summary"][statement["start"] : statement["end"]]
            assert statement["quote"] == quote.strip()


def test_one_item(letter: Path, tmp_path: Path) -> None:
    text = explained(tmp_path, letter, "--item", 1)
    assert "Item 1:" in text
    assert "Item 0:" not in text
    done = run(FAKE, "explain", letter, "--item", 2, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2, "imr: no item 2: the letter has items 0 to 1 (items are counted from 0)\n",
    )  # fmt: skip


def test_the_only_item_is_named_as_such(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"], items=[{"title": "Knee brace"}])
    done = run(FAKE, "explain", cases, "--item", 1, cwd=tmp_path)
    said = "no item 1: the letter has one item, which is item 0 (items are counted from 0)"
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_json_for_machines(letter: Path, tmp_path: Path) -> None:
    found = json.loads(explained(tmp_path, letter, "--json"))
    assert (found["letter_id"], found["notice"]) == ("A", NOTICE)
    item = found["items"][1]
    assert item["p_overturned_low"] <= item["p_overturned"] <= item["p_overturned_high"]
    summary = found["case_summary"]
    quotes = [quote for reason in item["reasons"] for quote in reason["quotes"]]
    assert quotes
    assert all(summary[q["start"] : q["end"]] == q["quote"] for q in quotes)
    assert {c["status"] for c in item["checklist"]} <= {"met", "not met", "not documented"}


def test_one_letter_of_several_is_picked_by_its_id(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A", "B"])
    assert "Letter B" in explained(tmp_path, cases, "--letter-id", "B")
    assert "Letter B" in explained(tmp_path, cases, "--letter", "B")  # as imr score calls it
    done = run(FAKE, "explain", cases, "--letter-id", "C", cwd=tmp_path)
    assert (done.returncode, "no letter of that id" in done.stderr) == (2, True)


def test_columns_read_as_others_are_told_once(tmp_path: Path) -> None:
    rows = "Claim Number,Case Summary,title\nA,Knee pain.,Knee brace\nB,Knee pain.,Knee brace\n"
    (tmp_path / "november.csv").write_text(rows)
    done = run(FAKE, "explain", "november.csv", "--letter-id", "B", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("is read as 'letter_id'")) == (0, 1), done.stderr


def test_markup_in_a_letter_is_text(tmp_path: Path) -> None:
    made = record("A", case_summary="[bold]No[/bold] :smile: {x} \x1b[31m red", items=[
        {"title": "[red]Brace[/red] [link=file:///x]"}
    ])  # fmt: skip
    (tmp_path / "case.jsonl").write_text(json.dumps(made))
    text = explained(tmp_path, "case.jsonl")
    assert "Item 0: [red]Brace[/red] [link=file:///x]" in text
    assert "\x1b" not in text


@given(st.text(min_size=1), st.data())
def test_a_quote_stands_in_its_context(summary: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(summary) - 1))
    end = data.draw(st.integers(start + 1, len(summary)))
    quote: dict[str, Any] = {
        "field": "case_summary", "start": start, "end": end, "quote": summary[start:end],
    }  # fmt: skip
    text = in_context(summary, quote)
    [span] = [s for s in text.spans if "reverse" in str(s.style)]
    assert text.plain[span.start : span.end] == text.plain[span.start :][: span.end - span.start]
    shown = text.plain[1:-1].removeprefix("…").removesuffix("…")
    assert shown in summary or not summary.isprintable()


def on_terminal(tmp_path: Path, *arguments: object, **changes: str) -> str:
    """What a program of this project shows on a terminal of its own."""
    screen, keyboard = pty.openpty()
    with subprocess.Popen(
        command(FAKE, *arguments), cwd=tmp_path, env=environment(TERM="xterm", **changes),
        stdin=subprocess.DEVNULL, stdout=keyboard, stderr=keyboard,
    ) as program:  # fmt: skip
        os.close(keyboard)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(screen, 65536):
                shown += part
        os.close(screen)
    assert program.returncode == 0, shown
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode("utf-8"))


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_terminal_without_such_characters_gets_plain_ones(
    locale: str, letter: Path, tmp_path: Path
) -> None:
    shown = on_terminal(tmp_path, "explain", letter, LC_ALL=locale)
    assert shown.isascii()
    assert "??" not in shown
    assert "----" in shown  # the interval on its scale
    assert "●" in on_terminal(tmp_path, "explain", letter, LC_ALL="C.UTF-8")


def test_a_pipe_stays_as_it_is(letter: Path, tmp_path: Path) -> None:
    done = run(FAKE, "explain", letter, cwd=tmp_path, LC_ALL="C")
    assert "●" in done.stdout


def test_any_text_is_shown_where_characters_are_few(tmp_path: Path) -> None:
    made = record("A", items=[{"title": "Brace “lumbar” – 3 × 4 … Ж"}])
    (tmp_path / "case.jsonl").write_text(json.dumps(made))
    done = run(FAKE, "explain", "case.jsonl", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert 'Item 0: Brace "lumbar" - 3 x 4 ... ?' in done.stdout
