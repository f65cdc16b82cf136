"""The layouts of text letters: every one gives the same paragraphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data.read import paragraphs, visible

PARAGRAPHS = [
    ["HOW IT WAS DECIDED"],
    [
        "An expert looked at the whole file of the case and wrote down, in the order that the",
        "rules ask for, what the worker was found to need and what was asked for on the",
        "worker's behalf, with the papers at hand.",
    ],
    ["Knee brace, quantity: 1:  Upheld"],
    [
        "Decision rationale: The brace was asked for after a fall, and the knee was stable on",
        "every examination since; no paper says why it would help.",
    ],
]
SHOWN = "\n\n".join("\n".join(lines) for lines in PARAGRAPHS)


def doubled(filler: str, between: str) -> str:
    """Every line followed by a blank one; paragraphs by one more."""
    return between.join("".join(f"{line} \n{filler}" for line in lines) for lines in PARAGRAPHS)


LAYOUTS = {
    "plain": SHOWN,
    "windows": SHOWN.replace("\n", "\r\n"),
    "old mac": SHOWN.replace("\n", "\r"),
    "indented": "\n".join("      " + line if line else "" for line in SHOWN.split("\n")),
    "blank lines of spaces": SHOWN.replace("\n\n", "\n   \n"),
    "many blank lines": SHOWN.replace("\n\n", "\n\n\n\n"),
    "doubled, then a space": doubled("\n", " \n\n"),
    "doubled, a space alone": doubled("\n", " \n"),
    "doubled, stripped": doubled("\n", "\n\n"),
    "doubled by spaces": doubled(" \n", " \n"),
    "tripled": doubled("\n\n", " \n"),
    "doubled for windows": doubled("\n", " \n\n").replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + SHOWN,
    "page break in a sentence": SHOWN.replace("that the\nrules", "that the\n\n\n\f\n   rules"),
    "page break between paragraphs": SHOWN.replace("hand.\n\n", "hand.\n\f"),
    "no-width characters": SHOWN.replace("expert", "ex\u200bpe\u00adrt"),
    "hard spaces": SHOWN.replace("expert looked", "expert\u00a0looked"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_of_a_text_reads_the_same(name: str) -> None:
    assert paragraphs(LAYOUTS[name]) == SHOWN


def test_a_text_without_blank_lines_stays_as_it_is() -> None:
    dense = SHOWN.replace("\n\n", "\n")
    assert paragraphs(dense) == dense


def test_paragraphs_of_one_line_each_stay_apart() -> None:
    text = "\n\n".join(" ".join(lines) for lines in PARAGRAPHS)
    assert paragraphs(text) == text


words = st.text(alphabet="abcdefghij", min_size=2, max_size=9)
wrapped_lines = st.lists(words, min_size=8, max_size=11).map(" ".join)
bodies = st.lists(st.lists(wrapped_lines, min_size=3, max_size=6), min_size=2, max_size=6)


@given(bodies, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "    "]))
def test_layout_variants_hold_the_same_paragraphs(
    body: list[list[str]], end: str, indent: str
) -> None:
    sentences = [[f"Start {lines[0]}", *lines[1:-1], lines[-1] + "."] for lines in body]
    expected = "\n\n".join("\n".join(lines) for lines in sentences)
    single = (end + end).join(end.join(indent + line for line in lines) for lines in sentences)
    double = (" " + end + end).join(
        "".join(f"{indent}{line} {end}{end}" for line in lines) for lines in sentences
    )
    assert paragraphs(single) == expected
    assert paragraphs(double) == expected


@given(st.text())
def test_no_word_is_lost_and_reading_twice_changes_nothing(text: str) -> None:
    shown = paragraphs(text)
    assert "\n\n\n" not in shown
    assert shown == shown.strip()
    kept = visible(text.replace("\u2029", "\n")).split()
    assert shown.split() == kept
    assert paragraphs(shown).split() == shown.split()
