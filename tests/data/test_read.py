"""Letters in: what comes out as text, and a name for every failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data import read
from imr.data.letter import LetterError, Text
from imr.data.read import load
from imr.data.sources import Kind, Source
from tests.data.documents import (
    failure,
    plain_pdf,
    text_of,
)

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    words = "The patient’s knee – résumé."
    assert text_of(words.encode(encoding), tmp_path, "letter.txt").text == words


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\f ", "empty"),
        ("\u200b\ufeff".encode(), "empty"),
        (b"abc\0def", "not_text"),
        (b"\x89PNG\r\n\x1a\n\x01\x02\x03", "not_text"),
        (b"\xff\xfea", "not_text"),
        (plain_pdf(), "not_text"),
    ],
)
def test_what_is_no_text(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_bytes(content)
    assert failure([str(file)]).reason == reason


# --- any bytes -------------------------------------------------------------------------------


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda tail: b"%PDF-1.4\n" + tail)
    | st.tuples(st.integers(0, 1200), st.integers(0, 40), st.binary(max_size=40)).map(
        lambda cut: plain_pdf()[: cut[0]] + cut[2] + plain_pdf()[cut[0] + cut[1] :]
    ),
    st.sampled_from(["pdf", "text"]),
)
def test_any_bytes_end_in_text_or_a_named_error(content: bytes, kind: Kind) -> None:
    try:
        text = load(Source("-", kind, content=content))
    except LetterError as error:
        assert error.reason in {"empty", "corrupt", "encrypted", "image_only", "not_pdf",
                                "not_text", "too_many_pages", "too_large"}  # fmt: skip
        assert "\n" not in str(error)
    else:
        assert text.text.strip()
        text.text.encode()


# --- real letters ----------------------------------------------------------------------------


def test_real_letters_are_all_read(real_letters: Path) -> None:
    texts = list(read.read([str(real_letters / "pdf"), str(real_letters / "text")]))
    assert [error for error in texts if isinstance(error, LetterError)] == []
    assert len(texts) == 135
    for text in texts:
        assert isinstance(text, Text)
        assert "\n\n" in text.text
        assert text.warnings == ()
        assert "\nIMR ISSUES, DECISIONS AND RATIONALES\n" in text.text
        assert all(line == line.strip() for line in text.text.split("\n"))
