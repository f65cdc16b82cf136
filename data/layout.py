"""Plain text in the layouts that letters come in -> paragraphs separated by one blank line.

Met in practice: lines as ``pdftotext -layout`` prints them (indented, form feeds between
pages), every line doubled by a blank one (a paragraph ends at a line of one space or at more
blank lines), no blank line at all, and any line end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

BlankRun = tuple[list[str], str]
"""The blank lines above a printed line, and the line."""

_SENTENCE_END = ".:?!"
_LINE_END = re.compile(r"\r\n?|[\x0b\x1c-\x1e\x85\u2028]")
_PARAGRAPH_END = "\u2029"
_INVISIBLE = {
    code: None
    for span in ((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD),
                 (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), (0xD800, 0xDFFF),
                 (0xFEFF, 0xFEFF), (0xFFFE, 0xFFFF))
    for code in range(span[0], span[1] + 1)
}  # fmt: skip
"""Characters without width: they would split a word that a reader sees whole."""
_SPACES = dict.fromkeys(
    (0x09, 0x0B, 0x0C, 0x0D, *range(0x1C, 0x20), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
     0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
    " ",
)  # fmt: skip
_DROPPED = _INVISIBLE | _SPACES

# A hyphen at the end of a line belongs to the word or date it breaks ("x-/ray", "10-30-/2016");
# a dash with a space before it does not.
# It begins with the hyphen, so that the search skips from hyphen to hyphen.
_BROKEN_WORD = re.compile(r"-(?<=\w-)[ \t]*\n\s*(?=\w)")

_FULL_LINE_SHARE = 0.6
"""A line that fills this share of the usual width and ends in mid-sentence goes on below."""

_DOUBLED_MAX_ADJACENT = 0.1
"""Of the lines of a doubled text at most one in ten stands right under another."""
_DOUBLED_MIN_CONTINUED = 0.2
"""Where one line in five goes on in lower case after a blank one, the blank ends no paragraph."""


def visible(text: str) -> str:
    """The text without characters of no width, every kind of space a plain one."""
    return text.translate(_DROPPED)


def collapse(text: str) -> str:
    """White space collapsed to single blanks, words broken at a line end joined again."""
    if "-" in text:
        text = _BROKEN_WORD.sub("-", text)
    return " ".join(text.split())


def paragraphs(text: str) -> tuple[str, bool]:
    """Text with its paragraphs separated by one blank line, and whether it showed any.

    Lines keep their order and their words; white space at their ends is dropped.  Without a
    blank line in the text, the lines stand as they are and the second value is False.
    """
    lines = _lines(text)
    runs = list(_blank_runs(lines))
    filler = _filler(runs)
    full = _FULL_LINE_SHARE * _usual_width(runs)
    printed: list[str] = []
    for blanks, line in runs:
        if printed and _is_break(blanks, filler) and not _goes_on(printed[-1], line, full):
            printed.append("")
        printed.append(line)
    return "\n".join(printed), "" in printed


def _lines(text: str) -> list[str]:
    """Lines with form feeds resolved: a page break is a break only where a sentence ends."""
    unified = _LINE_END.sub("\n", text).replace(_PARAGRAPH_END, "\n\n")
    pages = [_page_lines(page) for page in unified.split("\f")]
    lines: list[str] = []
    for page in pages:
        if lines and page and _ends_paragraph(lines[-1], page[0]):
            lines.append(" ")
        lines.extend(page)
    return lines


def _page_lines(page: str) -> list[str]:
    """The lines of a page, without the blank ones above and below what is printed."""
    lines = visible(page).split("\n")
    first, last = 0, len(lines)
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return lines[first:last]


def _ends_paragraph(last: str, following: str) -> bool:
    return last.rstrip()[-1:] in _SENTENCE_END and not following.lstrip()[:1].islower()


def _is_break(blanks: list[str], filler: tuple[int, bool] | None) -> bool:
    """Whether the blank lines between two lines end a paragraph.

    ``filler`` says what stands between any two lines of a doubled text: how many blank lines,
    and whether they hold a space.
    """
    if filler is None:
        return bool(blanks)
    count, spaced = filler
    return len(blanks) > count or (not spaced and any(blanks))


def _usual_width(runs: list[BlankRun]) -> int:
    """The width in characters that nine lines in ten stay within."""
    widths = sorted(len(line) for _, line in runs)
    return widths[len(widths) * 9 // 10] if widths else 0


def _goes_on(last: str, following: str, full: float) -> bool:
    """Whether blank lines stand inside a sentence, as they do at page ends."""
    return following[0].islower() and last[-1] not in _SENTENCE_END and len(last) >= full


def _filler(runs: list[BlankRun]) -> tuple[int, bool] | None:
    """What is put between any two lines of a doubled text; None where it is not doubled."""
    between = runs[1:]
    adjacent = sum(1 for blanks, _ in between if not blanks)
    continued = [blanks for blanks, following in between if blanks and following[0].islower()]
    if not continued or adjacent > _DOUBLED_MAX_ADJACENT * len(between):
        return None
    if len(continued) < _DOUBLED_MIN_CONTINUED * len(between):
        return None
    usual = Counter((len(blanks), any(blanks)) for blanks in continued)
    return usual.most_common(1)[0][0]


def _blank_runs(lines: list[str]) -> Iterator[BlankRun]:
    """Each printed line, stripped, with the blank lines above it as they stand."""
    blanks: list[str] = []
    for line in lines:
        printed = line.strip()
        if printed:
            yield blanks, printed
            blanks = []
        else:
            blanks.append(line)
