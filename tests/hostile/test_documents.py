"""No input stops the others: each ends in a result or a named error, within time and memory."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data.letter import Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.read import decoded, load, paragraphs, read
from imr.data.sources import Source
from imr.data.synthetic.page import render_pdf, render_text
from tests.hostile.files import MISLEADING, PDFS, TEXTS, ZIPS, letter_text
from tests.serve.programs import REAL, command, environment
from tests.timing import MANY_LOOKS, looks

SECONDS = 60
"""For any one file on a slow machine; about 1 on a free one."""

KILOBYTES = 3 * 2**20
"""Resident memory of the largest process: what a worker may take (serve/pool.py)."""

ENDS_ITS_PROCESS = "form-calls-itself"
"""It takes all the memory there is: only the limit of a worker ends it."""


def outcome(source: Source) -> str:
    """``a letter``, ``text`` where it is no letter, or the reason of the refusal."""
    try:
        text = load(source)
    except LetterError as error:
        assert "\n" not in str(error)
        return error.reason
    try:
        parse(text)
    except LetterError as error:
        assert "\n" not in str(error)
        return error.reason
    return "a letter"


EXPECTED_OF_TEXTS = {
    "50-mb-on-one-line": "too_large",
    "4-mb-on-one-line": "unknown_format",
    "4-mb-of-digits": "unknown_format",
    "4-mb-of-line-ends": "unknown_format",
    "4-mb-of-headings": "truncated",
    "4-mb-of-labels": "doubled",
    "4-mb-of-dates": "too_large",
    "10000-items": "too_many_items",
    "summary-of-1-mb": "too_large",
    "heading-of-100-kb": "too_large",
    "guideline-of-1-mb": "too_large",
    "nul-bytes": "not_text",
    "utf-16-without-mark": "not_text",
    "utf-7": "unknown_format",
    "random-bytes": "not_text",
    "letter-cut-in-a-word": "truncated",
    "one-line-of-two-items": "no_line_breaks",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_ends_in_a_named_error(name: str) -> None:
    source, found = Source("-", "text", content=TEXTS[name]()), []
    assert looks(lambda: found.append(outcome(source))) < MANY_LOOKS
    assert found == [EXPECTED_OF_TEXTS[name]]


@pytest.mark.parametrize("name", MISLEADING)
def test_a_letter_that_looks_the_same_is_read_the_same(name: str) -> None:
    text = paragraphs(decoded(MISLEADING[name](letter_text(3)), name))
    letter, plain = parse(Text("x", "x", text)), parse(Text("x", "x", letter_text(3)))
    assert letter.determination.decisions == plain.determination.decisions
    assert letter.case == plain.case


# --- many files at once, as a user has them ------------------------------------------------------


def files(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    made = {f"{name}.pdf": make for name, make in PDFS.items()}
    made |= {f"{name}.zip": make for name, make in ZIPS.items()}
    made |= {f"{name}.txt": make for name, make in TEXTS.items()}
    for name, make in made.items():
        (folder / name).write_bytes(make())
    return {name: folder / name for name in made}


@pytest.mark.slow
def test_hostile_files_do_not_stop_a_letter(made_letters: list[Letter], tmp_path: Path) -> None:
    """All of them between two letters: both are read, each of the others is named once."""
    hostile = files(tmp_path / "in")
    for name, letter in (("0-first", made_letters[0]), ("zz-last", made_letters[1])):
        (tmp_path / "in" / f"{name}.pdf").write_bytes(render_pdf(letter))
    done = subprocess.run(
        command(REAL, "parse", "in", "-o", "out.jsonl", "--jobs", 2), cwd=tmp_path,
        env=environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    read_ids = [
        json.loads(line)["letter_id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()
    ]
    assert read_ids == ["0-first", "zz-last"]
    named = [line.removeprefix("imr: in/").split(": ")[0] for line in done.stderr.splitlines()]
    of_archives = [name for name in named if "!" in name]
    alone = [name for name in named if "!" not in name]
    assert len(alone) == len(set(alone))
    archives = {name.split("!")[0] for name in of_archives}
    assert set(alone) | archives == set(hostile)
    assert "Traceback" not in done.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < KILOBYTES


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PDFS if n != ENDS_ITS_PROCESS])
def test_a_pdf_ends_in_text_or_a_named_error(name: str) -> None:
    """Here, without a process of its own: PDFium survives all but one of them."""
    source, found = Source("-", "pdf", content=PDFS[name]()), []
    assert looks(lambda: found.append(outcome(source))) < MANY_LOOKS
    assert found[0] in {
        "empty", "not_pdf", "corrupt", "encrypted", "image_only", "too_many_pages", "too_large",
        "unknown_format",
    }  # fmt: skip


# --- damage at random ----------------------------------------------------------------------------


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_pdf_is_text_or_a_named_error(
    made_letters: list[Letter], data: st.DataObject
) -> None:
    content = bytearray(render_pdf(made_letters[2]))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    assert outcome(Source("-", "pdf", content=bytes(content[:cut] or b" ")))


@settings(max_examples=60)
@given(data=st.data())
def test_a_letter_cut_anywhere_is_whole_or_refused(
    made_letters: list[Letter], data: st.DataObject
) -> None:
    """What is cut off is never guessed: the items that remain are those of the letter."""
    letter = data.draw(st.sampled_from(made_letters))
    text = render_text(letter)
    cut = data.draw(st.integers(0, len(text)))
    try:
        found = parse(Text("cut", "cut", text[:cut]))
    except LetterError as error:
        assert error.reason in {
            *("unknown_format", "truncated", "no_items", "no_line_breaks"),
            *("unread_item", "out_of_order"),  # cut inside an item, or inside a lead sentence
        }
        return
    whole = parse(Text("cut", "cut", text))
    for mine, its in zip(found.case.items[:-1], whole.case.items, strict=False):
        assert mine == its
    assert found.case.case_summary == whole.case.case_summary
    for mine, its in zip(
        found.determination.decisions, whole.determination.decisions, strict=False
    ):
        assert mine is None or its is None or mine.outcome == its.outcome


LETTER = letter_text(3)
ODD = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp", "Mn"]), max_size=60),
    st.sampled_from(
        ["Decision rationale:", "MAXIMUS guideline:", "Claims Administrator guideline:",
         "CLINICAL CASE SUMMARY", "IMR ISSUES, DECISIONS AND RATIONALES", "Upheld", "Overturned",
         "The remaining IMR eligible portion of the original request, ", "\n\n", "\n", ": ", ". "],
    ),
)  # fmt: skip


@settings(max_examples=150)
@given(pieces=st.lists(st.tuples(st.integers(0, len(LETTER)), ODD), max_size=8))
def test_a_disturbed_letter_is_a_letter_with_signals_or_a_named_error(
    pieces: list[tuple[int, str]],
) -> None:
    from imr.features.table import all_columns, signals

    text = LETTER
    for at, piece in pieces:
        text = text[:at] + piece + text[at:]
    try:
        letter = parse(Text("odd", "odd", paragraphs(text)))
    except LetterError as error:
        assert error.reason
        return
    rows = signals(letter.case).rows
    assert len(rows) == len(letter.case.items) == len(letter.determination.decisions)
    names = [column.name for column in all_columns()]
    # What only criteria read stands after the columns.
    assert all(list(row)[: len(names)] == names for row in rows)


def test_the_same_file_twice_and_the_same_name_in_two_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "letter.txt").write_text(letter_text(1))
    paths = [str(tmp_path / p) for p in ("a", "a/letter.txt", "b", "./a/../a")]
    found = list(read(paths))
    texts = [one for one in found if isinstance(one, Text)]
    named = [(one.letter_id, Path(one.source).parent.name) for one in texts]
    assert named == [("letter", "a"), ("letter", "b")]
