"""Text of a determination letter -> :class:`Letter`.

A letter has four parts, each with its own module or section here: the header block
(``data/header.py``; missing in older letters), the reviewer's credentials, the CLINICAL CASE
SUMMARY, and the IMR ISSUES, DECISIONS AND RATIONALES (``data/items.py``).  A text without the
last two headings is not a letter of a known format and is refused: a record is parsed whole
or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imr.data.citations import unknown_chapters
from imr.data.header import parse_header, parse_reviewer
from imr.data.items import ParsedItem, parse_items
from imr.data.letter import Case, Determination, Letter, LetterError, Text
from imr.data.limits import MAX_HEAD_CHARS, MAX_SUMMARY_CHARS, refuse_longer
from imr.data.misread import (
    ADMINISTRATOR_LABEL,
    MOST_MISREAD,
    RATIONALE_LABEL,
    misread_label,
    without_misread_lead,
)
from imr.data.summary import known_summary
from imr.data.taxonomy import classify

_SUMMARY_HEADING = re.compile(
    r"^[ \t]*CLINICAL\s+CASE\s+SUMMARY[ \t]*+:?[ \t]*+$", re.MULTILINE | re.IGNORECASE
)
_ISSUES_HEADING = re.compile(
    r"^[ \t]*IMR\s+ISSUES\s*,\s*DECISIONS?,?\s+AND\s+RATIONALES?[ \t]*+:?[ \t]*+$",
    re.MULTILINE | re.IGNORECASE,
)
# The same headings where a text came without line breaks.
_SUMMARY_INLINE = re.compile(r"\bCLINICAL\s+CASE\s+SUMMARY\b")
_ISSUES_INLINE = re.compile(r"\bIMR\s+ISSUES,\s*DECISIONS\s+AND\s+RATIONALES\b")
_SUMMARY_LEAD = re.compile(
    r"^\s*The\s+(?:expert|physician)\s+reviewer\s+developed\s+the\s+following\s+clinical\s+case\s+"
    r"summary\s+based\s+on\s+a\s+review\s+of\s+the\s+case\s+file,?\s+including\s+all\s+medical\s+"
    r"records\s*:?",
    re.IGNORECASE,
)
_HEAD_HEADING = re.compile(r"HOW\s+THE\s+IMR\s+FINAL\s+DETERMINATION\b")
_ISSUES_LEAD = re.compile(
    r"^\s*The\s+Final\s+Determination\s+was\s+based\s+on\s+decisions?\s+for\s+the\s+disputed\s+"
    r"items?\s*/\s*services?\s+set\s+forth\s+below\s*:?",
    re.IGNORECASE,
)
# Words of the leads; where they stand after both were taken out, something is out of order.
_LEAD_WORDS = (
    re.compile(r"developed\s+the\s+following\s+clinical\s+case"),
    re.compile(r"based\s+on\s+decisions?\s+for\s+the\s+disputed"),
)
_SUMMARY_LEADS = tuple(
    f"The {who} reviewer developed the following clinical case summary based on a review of the "
    "case file, including all medical records:"
    for who in ("expert", "physician")
)
_ISSUES_LEADS = tuple(
    f"The Final Determination was based on {what} set forth below:"
    for what in (
        "decisions for the disputed items/services",
        "decision for the disputed item/service",
    )
)
_SENTENCE_ENDS = re.compile(r"[.!?][\"')\u201d\u2019\]]*$")


def parse(text: Text) -> Letter:
    """Parse one letter, decided or not.

    Raises :class:`LetterError` with reason ``unknown_format`` where the headings of a
    determination letter are missing, ``truncated`` where an item or section breaks off,
    ``no_items`` where the letter disputes nothing, ``doubled`` where a heading or label stands
    twice, ``out_of_order`` where parts of it were shuffled, ``misread`` and ``unread_item`` where
    fixed wording shows bad text recognition (``data/misread.py``), and ``too_large`` or
    ``too_many_items`` where it holds more than a letter can (``data/limits.py``).
    """
    head, summary, issues, misread = _sections(text)
    refuse_longer(text.source, "what stands before the case summary", head, MAX_HEAD_CHARS)
    header, decision_date = parse_header(head)
    states, specialties = parse_reviewer(head)
    case_summary, warnings = known_summary(summary)
    refuse_longer(text.source, "the case summary", case_summary, MAX_SUMMARY_CHARS)
    items = parse_items(issues, text)
    decisions = tuple(item.decision for item in items)
    case = Case(
        letter_id=text.letter_id,
        source=text.source,
        header=header,
        case_summary=case_summary,
        items=tuple(item.as_item(i, classify) for i, item in enumerate(items)),
    )
    determination = Determination(decision_date, states, specialties, decisions)
    warnings = [*text.warnings, *misread, *warnings, *_warnings(items)]
    return Letter(case, determination, tuple(warnings))


def _sections(text: Text) -> tuple[str, str, str, list[str]]:
    """Split at the two headings, and warnings; the head may be empty, the other two may not."""
    summary_at, issues_at = _headings(text)
    head = text.text[: summary_at.start()]
    summary, one = _after_lead(
        text.text[summary_at.end() : issues_at.start()], _SUMMARY_LEAD, _SUMMARY_LEADS
    )
    issues, other = _after_lead(text.text[issues_at.end() :], _ISSUES_LEAD, _ISSUES_LEADS)
    if _HEAD_HEADING.search(text.text, summary_at.end()) or any(
        words.search(part) for words in _LEAD_WORDS for part in (head, summary, issues)
    ):
        raise _refused(
            text, "out_of_order", "parts stand in another's place, or a lead sentence is damaged"
        )
    if misread_label(summary, (ADMINISTRATOR_LABEL, RATIONALE_LABEL)):
        raise _refused(text, "misread", "a misread label of an item is in the case summary")
    if (places := one + other) > MOST_MISREAD:
        raise _refused(
            text, "misread", f"recognised badly: its lead sentences are misread in {places} places"
        )
    return head, summary, issues, _misread_warning(places)


def _headings(text: Text) -> tuple[re.Match[str], re.Match[str]]:
    """The headings of the case summary and of the issues, each of which stands once."""
    # Each heading looked for once, wherever it stands: the search takes as long as reading on.
    summaries, issues = (
        list(heading.finditer(text.text)) for heading in (_SUMMARY_HEADING, _ISSUES_HEADING)
    )
    summary_at = summaries[0] if summaries else _SUMMARY_INLINE.search(text.text)
    if summary_at is None:
        raise LetterError(
            text.source,
            "unknown_format",
            "not an IMR determination letter: the heading CLINICAL CASE SUMMARY is missing",
            "give the letter as published, or an undecided case as a .jsonl, .csv or .parquet "
            "record (imr schema)",
        )
    after = summary_at.end()
    issues_at = next((m for m in issues if m.start() >= after), None)
    issues_at = issues_at or _ISSUES_INLINE.search(text.text, after)
    if issues_at is None:
        raise LetterError(
            text.source,
            "truncated",
            "the letter breaks off: the heading IMR ISSUES, DECISIONS AND RATIONALES is missing",
            "get the whole letter",
        )
    if max(len(summaries), len(issues)) > 1:
        raise LetterError(
            text.source,
            "doubled",
            "a section heading stands twice, as where two letters are in one file",
            "give each letter a file of its own",
        )
    return summary_at, issues_at


def _after_lead(section: str, lead: re.Pattern[str], leads: tuple[str, ...]) -> tuple[str, int]:
    """The section without its lead sentence, and in how many places that was misread."""
    rest, found = lead.subn("", section, count=1)
    return (rest, 0) if found else without_misread_lead(section, leads)


def _refused(text: Text, reason: str, what: str) -> LetterError:
    return LetterError(text.source, reason, what, "get the letter as published")


def _misread_warning(places: int) -> list[str]:
    if not places:
        return []
    return [f"fixed wording is misread in {places} places: the text was recognised badly"]


def _warnings(items: list[ParsedItem]) -> Iterator[str]:
    last = items[-1].decision
    if last is not None and not _SENTENCE_ENDS.search(last.rationale):
        yield "the last rationale ends in mid-sentence: the letter may be cut off"
    for i, item in enumerate(items):
        reviewer = item.decision.guideline if item.decision else None
        for side, citation in (("administrator", item.guideline), ("reviewer", reviewer)):
            for chapter in unknown_chapters(citation):
                yield f"item {i}: unknown MTUS chapter cited by the {side}: {chapter[:80]}"
