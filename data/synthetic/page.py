"""A letter's truth -> the page: text in every layout met, and PDF.

The inverse of reading and parsing, for letters that we wrote ourselves.  The order of sections, the
fixed headings, the split label "Application ... Received:", the bold headings and titles and the
13.8 pt line pitch are those of the determination letters of 2013-2017; the sentences between them
are our own.
"""

from __future__ import annotations

import functools
import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any, Literal, get_args

from imr.data.letter import Decision, Item, Letter, MtusCitation
from imr.data.parse import ISSUES_LEADS, SUMMARY_LEADS

Layout = Literal["printed", "formfeed", "crlf", "doubled", "tight"]
"""How a text letter is laid out.

``printed``: a blank line between paragraphs; ``formfeed``: the same with a form feed at each new
page, as ``pdftotext -layout`` prints it; ``crlf``: ``printed`` with CRLF line ends; ``doubled``:
every line followed by a blank one, as the older text letters stand; ``tight``: no blank lines.
"""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)

LINE_WIDTH = 94  # characters in a line of a text letter
PAGE_LINES = 45  # lines on a page, blank ones included

_INTRODUCTION = (
    "The whole case file went from MAXIMUS Federal Services to one expert reviewer, who is tied "
    "neither to the employer nor to the employee, the treating offices or the administrator of "
    "the claim. The reviewer sees patients every week, has done so for many years, and was "
    "picked because training and daily work match the condition and the services in dispute. "
    "The reviewer knows the rules of independent review and how they rank medical evidence."
)


@dataclass(frozen=True, slots=True)
class Printing:
    """Small ways in which letters differ; ``before_outcome`` is one space, two, or a line feed."""

    between_states: str = ", "
    before_outcome: str = " "


USUAL = Printing()


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the page; ``bold`` opens a paragraph, ``text`` goes on in regular weight."""

    kind: Literal["header", "heading", "paragraph"]
    bold: str = ""
    text: str = ""
    gap: str = " "

    @property
    def words(self) -> str:
        """The paragraph without its weights."""
        return f"{self.bold}{self.gap}{self.text}".strip() if self.bold else self.text


def blocks(letter: Letter, header: bool, printing: Printing) -> list[Block]:
    """The letter from top to bottom; letters before 2016 have no ``header``, the table of dates."""
    reviewer = letter.determination
    credentials = (
        "The Expert Reviewer has the following credentials:\n"
        f"State(s) of Licensure: {printing.between_states.join(reviewer.states)}\n"
        f"Certification(s)/Specialty: {', '.join(reviewer.specialties)}"
    )
    named = reviewer.states or reviewer.specialties
    page = [
        *([Block("header")] if header else []),
        Block("heading", "HOW THE IMR FINAL DETERMINATION WAS MADE"),
        Block("paragraph", text=_INTRODUCTION),
        *([Block("paragraph", text=credentials)] if named else []),
        Block("heading", "CLINICAL CASE SUMMARY"),
        Block("paragraph", text=SUMMARY_LEADS[0]),
        Block("paragraph", text=letter.case.case_summary),
        Block("heading", "IMR ISSUES, DECISIONS AND RATIONALES"),
        Block("paragraph", text=ISSUES_LEADS[0]),
    ]
    decisions = reviewer.decisions or (None,) * len(letter.case.items)
    for item, decision in zip(letter.case.items, decisions, strict=True):
        page.extend(_item_blocks(item, decision, printing))
    return page


def _item_blocks(item: Item, decision: Decision | None, printing: Printing) -> Iterator[Block]:
    outcome = decision.outcome if decision else ""
    yield Block("paragraph", f"{item.title}:", outcome, printing.before_outcome)
    if cited := item.claims_administrator_guideline:
        yield Block("paragraph", "Claims Administrator guideline:", cited.raw)
    if decision and decision.guideline:
        yield Block("paragraph", "MAXIMUS guideline:", decision.guideline.raw)
    if decision:
        yield Block("paragraph", "Decision rationale:", decision.rationale)


def printed_chapter(citation: MtusCitation, guidelines: str = "") -> str:
    """A chapter as letters print it: with edition and section label, or with sections and pages."""
    sections = ", ".join(citation.sections)
    if citation.edition:
        label = f"{citation.chapter} {citation.edition}{guidelines}"
        return f"{label}, Section(s): {sections}" if sections else label
    pages = f"Page(s): {citation.pages}" if citation.pages else ""
    return " ".join(filter(None, (citation.chapter, sections, pages)))


def _header_cells(letter: Letter) -> list[tuple[str, str, str, str]]:
    """Rows of the header table: label, value, label, value."""
    header, decided = letter.case.header, letter.determination.decision_date
    days = (header.date_assigned, header.date_of_injury, header.ur_denial_date,
            header.application_received, decided)  # fmt: skip
    assigned, injury, denial, received, decision = (
        f"{day.month:02d}/{day.day:02d}/{day.year}" if day else "" for day in days
    )
    return [
        ("Case Number:", header.case_number or "", "", ""),
        ("Date Assigned:", assigned, "Date of Injury:", injury),
        ("Decision Date:" if decided else "", decision, "UR Denial Date:", denial),
        ("Priority:", header.priority or "", "Application", received),
        ("", "", "Received:", ""),
    ]


# --- text -----------------------------------------------------------------------------------


def render_text(
    letter: Letter,
    layout: Layout = "printed",
    *,
    header: bool = True,
    printing: Printing = USUAL,
) -> str:
    """The letter as text in one of :data:`LAYOUTS`, lines of at most ``LINE_WIDTH`` characters.

    Lines break at spaces and after hyphens, so dates and words are broken at line and page ends.
    """
    paragraphs = [
        _header_lines(letter, layout)
        if block.kind == "header"
        else [line for part in block.words.split("\n") for line in _WRAPPER.wrap(part) or [""]]
        for block in blocks(letter, header, printing)
    ]
    return _laid_out(paragraphs, layout)


def _header_lines(letter: Letter, layout: Layout) -> list[str]:
    rows = _header_cells(letter)
    if layout == "tight":  # cell after cell, the second half of the split label on its own line
        lines = [" ".join(filter(None, row)) for row in rows[:3]]
        return [*lines, f"Priority: {rows[3][1]} Application", "Received:", rows[3][3]]
    return [f"{a:<20}{b:<22}{c:<20}{d}".rstrip() for a, b, c, d in rows]


_BREAK = re.compile(r"( |(?<=[^ ]-)(?=[^\W_]))")


class _Wrapper(textwrap.TextWrapper):
    """Breaks lines at spaces and after inner hyphens."""

    wordsep_re = _BREAK


_WRAPPER = _Wrapper(LINE_WIDTH, expand_tabs=False, replace_whitespace=False)


def _laid_out(paragraphs: Sequence[list[str]], layout: Layout) -> str:
    if layout == "doubled":
        printed = itertools.count(1)
        blank = {True: "\n\n\n", False: "\n"}  # more of them where a page ends
        doubled = (
            [f"{line} \n{blank[next(printed) % (PAGE_LINES // 2) == 0]}" for line in lines]
            for lines in paragraphs
        )
        return "".join("".join(lines) + " \n" for lines in doubled)
    if layout == "tight":
        return "\n".join(map("\n".join, paragraphs)) + "\n"
    text = "\n\n".join(map("\n".join, paragraphs)) + "\n"
    if layout == "formfeed":
        lines = text.split("\n")
        pages = [lines[i : i + PAGE_LINES] for i in range(0, len(lines), PAGE_LINES)]
        return "\n\f".join(map("\n".join, pages))
    return text.replace("\n", "\r\n") if layout == "crlf" else text


# --- PDF ------------------------------------------------------------------------------------

_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 542.0, 688.4, 90.0
_PITCH, _BLANK, _AFTER_HEADING, _BEFORE_HEADING = 13.8, 27.6, 20.4, 32.0
_REGULAR, _BOLD, _SIZE = "Times-Roman", "Times-Bold", 12
_TABLE_X, _TABLE_SIZE = (72.6, 179.8, 329.7, 428.0, 546.0), 10.8
_TABLE_Y, _BELOW_TABLE = (688.5, 675.3, 662.2, 649.0, 636.5), 608.6
# A word, or the part of a word up to an inner hyphen; the group says whether a space follows.
_PIECE = re.compile(r"((?:[^\s-]|-(?!\w)|(?<!\S)-)*[^\s-]-(?=\w)|\S+)(\s*)")


def render_pdf(letter: Letter, *, header: bool = True, printing: Printing = USUAL) -> bytes:
    """The letter as a PDF, byte for byte the same for the same letter."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=(612.0, 792.0), pageCompression=1, invariant=1)
    canvas.setTitle(letter.case.letter_id)
    y, before = _TOP, 0.0

    def down(distance: float) -> float:
        """The next baseline; under the bottom, the first one of a new page."""
        if y - distance >= _BOTTOM:
            return y - distance
        canvas.showPage()
        return _TOP

    for block in blocks(letter, header, printing):
        if block.kind == "header":
            _draw_header(canvas, letter)
            y, before = _BELOW_TABLE, 0.0
        elif block.kind == "heading":
            y, before = down(_BEFORE_HEADING if before else 0.0), _AFTER_HEADING
            canvas.setFont(_BOLD, _SIZE)
            canvas.drawCentredString((_LEFT + _RIGHT) / 2, y, block.bold)
        else:
            for part in block.text.split("\n"):
                for line in _pdf_lines(block.bold, part, block.gap):
                    y, before = down(before), _PITCH
                    _draw_line(canvas, y, line)
            before = _BLANK
    canvas.save()
    return buffer.getvalue()


def _draw_header(canvas: Any, letter: Letter) -> None:
    left, value, label, date_of, right = (x - 3.6 for x in _TABLE_X)
    canvas.setFillGray(0.88)
    top, bottom = _TABLE_Y[0] + 10.5, _TABLE_Y[4] - 3.5
    for x, width in ((left, value - left), (label, date_of - label)):
        canvas.rect(x, bottom, width, top - bottom, stroke=0, fill=1)
    canvas.setFillGray(0)
    canvas.rect(left, bottom, right - left, top - bottom, stroke=1, fill=0)
    for row, y in zip(_header_cells(letter), _TABLE_Y, strict=True):
        for i, cell in enumerate(row):
            if cell:
                font = "Helvetica" if i % 2 else "Helvetica-Bold"
                canvas.setFont(font, _TABLE_SIZE)
                canvas.drawString(_TABLE_X[i], y, cell)


@functools.lru_cache(maxsize=50_000)
def _width(word: str, font: str) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(word, font, _SIZE))


def _pdf_lines(bold: str, text: str, gap: str = " ") -> Iterator[tuple[str, str]]:
    """Lines of a paragraph as (bold part, regular part)."""
    if bold and text and "\n" in gap:
        yield from (*_pdf_lines(bold, ""), *_pdf_lines("", text))
        return
    room, used = _RIGHT - _LEFT, 0.0
    line = ["", ""]
    for weight, run in enumerate((f"{bold}{gap}" if bold and text else bold, text)):
        font = _REGULAR if weight else _BOLD
        for piece in _PIECE.finditer(run):
            width = _width(piece[1], font)
            if used and used + width > room:
                yield line[0], line[1].rstrip()
                line, used = ["", ""], 0.0
            line[weight] += piece[1] + piece[2]
            used += width + 3.0 * len(piece[2])
    if line[0] or line[1]:
        yield line[0], line[1].rstrip()


def _draw_line(canvas: Any, y: float, line: tuple[str, str]) -> None:
    text = canvas.beginText(_LEFT, y)
    for font, words in ((_BOLD, line[0]), (_REGULAR, line[1])):
        if words:
            text.setFont(font, _SIZE)
            text.textOut(words)
    canvas.drawText(text)


# --- a letter with its truth -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SyntheticLetter:
    """A letter and all that is true of it.

    ``letter`` is what parsing must give back; ``printed`` is what stands on the page, which
    differs where the reviewer's determination slipped into the summary.  ``signals`` holds one
    row an item; ``p_overturned`` the probability its outcome was drawn with.
    """

    letter: Letter
    printed: Letter
    signals: tuple[dict[str, Any], ...]
    p_overturned: tuple[float, ...]
    style: str
    layout: Layout
    header: bool
    printing: Printing

    def text(self, layout: Layout | None = None) -> str:
        """The printed letter in its own layout, or in the one given."""
        layout = layout or self.layout
        return render_text(self.printed, layout, header=self.header, printing=self.printing)

    def pdf(self) -> bytes:
        """The printed letter as a PDF."""
        return render_pdf(self.printed, header=self.header, printing=self.printing)

    def truth(self) -> dict[str, Any]:
        """Letter, signals and probabilities as plain dictionaries."""
        letter = asdict(self.letter)
        return {"letter": letter, "signals": self.signals, "p_overturned": self.p_overturned}


def record(letter: Letter) -> dict[str, Any]:
    """The undecided case record of a letter: what a user types before there is a decision."""
    case = letter.case
    days = {
        name: day.isoformat()
        for name in ("date_of_injury", "ur_denial_date", "application_received", "date_assigned")
        if (day := getattr(case.header, name))
    }
    items = [
        {"title": item.title, "claims_administrator_guideline": cited and cited.raw}
        for item in case.items
        for cited in [item.claims_administrator_guideline]
    ]
    known = {"letter_id": case.letter_id, "case_summary": case.case_summary, "items": items}
    return {**known, **days}
