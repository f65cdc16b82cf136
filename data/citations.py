"""Guideline paragraphs of a letter -> :class:`Citation`, and their labels.

The formats are those of the determination letters of 2013-2017:

* with an edition: ``Decision based on MTUS Knee Complaints 2004, Section(s): Special Studies,
  and Chronic Pain Medical Treatment 2016, Section(s): Topical analgesics.``
* without one: ``Decision based on MTUS Chronic Pain Treatment Guidelines Opioids Page(s): 78.``
* outside the schedule: ``Decision based on Non-MTUS Citation ...``
* nothing: ``The Claims Administrator did not cite any medical evidence for its decision.``

Chapters and sections are kept as printed; labels have the short names of ``data/reference/``.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator

from imr.data import table_rows
from imr.data.letter import Citation, MtusCitation

NONE_CITED = "None cited"
NON_MTUS = "Non-MTUS"

_NOTHING_CITED = re.compile(
    r"\bdid not cite any (?:medical )?(?:evidence|guideline)", re.IGNORECASE
)
# "Decision based on Non-MTUS Citation X", also without the word Citation; an MTUS part ends there.
_NON_MTUS = re.compile(
    r"(?:\.?\s*(?:The )?Decision (?:was |is )?based (?:up)?on\s+)?\bNon[-\s]?MTUS\b"
    r"(?:\s+Citations?(?:\s*\(s\))?\b)?\s*:?\s*",
    re.IGNORECASE,
)
_MTUS = re.compile(
    r"\bDecision (?:was |is )?based (?:up)?on\s+(?:the\s+)?(?:CA\s+)?MTUS\b\s*:?", re.IGNORECASE
)
# Two sources joined by "and": the second one opens with the name of a publisher or an address.
_NEXT_SOURCE = re.compile(
    r",?;?\s+and\s+(?=(?:the\s+)?(?:ODG\b|Official Disability|Other Medical|ACOEM\b|American |"
    r"National |https?:|www\.|Work Loss|AMA\b|FDA\b|AANEM\b|UpToDate|Cochrane|MD ?Guidelines))",
)
_EDITION = re.compile(r"^(?P<chapter>.*?)[,]?\s+(?P<edition>(?:19|20)\d\d)(?:\s+Guidelines?)?\b")
_SECTIONS = re.compile(r"[,;]?\s*\bSections?(?:\s*\(s\))?\s*:\s*", re.IGNORECASE)
_PAGES = re.compile(
    r"[,;(]?\s*\b(?:Pages?(?:\s*\(s\))?|pp?g?s?\.)\s*:?\s*"
    r"(?P<pages>\d[\d\s,&\-\u2013]*(?:\bof\s+\d+|\band\s+\d[\d\-\u2013]*|[\d\-\u2013,&])*)",
    re.IGNORECASE,
)
_CHAPTER_GOES_ON = re.compile(
    r"\s*(?:,?\s*(?:19|20)\d\d\b|,?\s*(?:Section|Page)|,?\s+and\s)", re.IGNORECASE
)
_NUMBERED_SECTION = re.compile(r",\s+(?=\d+(?:\.\d+)*\.?\s+[A-Z])")


def _fold(text: str) -> str:
    """Letters and digits only, lower case: the key on which printed names are compared."""
    return re.sub(r"[^a-z0-9]+", "", text.lower().replace("&", "and"))


@functools.cache
def _chapters() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Rows of ``mtus_chapters.csv``: how a chapter is printed, and its short name."""
    rows = table_rows("reference/mtus_chapters")
    return tuple((re.compile(row["printed"], re.IGNORECASE), row["chapter"]) for row in rows)


@functools.cache
def _printed() -> list[tuple[str, str, str]]:
    """Each way in which a section is printed: short chapter, printed name, section."""
    return [
        (row["chapter"], printed, row["section"])
        for row in table_rows("reference/mtus_sections")
        for printed in (row["section"], *filter(None, row["also_printed"].split("|")))
    ]


@functools.cache
def _sections() -> dict[str, dict[str, str]]:
    """Short chapter -> folded section name (and number, where it has one) -> section name."""
    found: dict[str, dict[str, str]] = {}
    for chapter, printed, section in _printed():
        names = found.setdefault(chapter, {})
        names[_fold(printed)] = section
        if number := _section_number(section):
            names[number] = section
    return found


@functools.cache
def _names_with_comma() -> frozenset[str]:
    """Folded section names that hold a comma, so that a list of sections is cut around them."""
    return frozenset(_fold(printed) for _, printed, _ in _printed() if "," in printed)


def _chapter_at(text: str) -> tuple[int, str] | None:
    """Where the longest printed chapter name that ``text`` starts with ends; its short name."""
    return max(
        ((m.end(), short) for pattern, short in _chapters() if (m := pattern.match(text))),
        default=None,
    )


@functools.lru_cache(maxsize=4096)
def catalogue_chapter(printed: str) -> str | None:
    """The short chapter name (``"Low Back"``) of a printed one; None where it is not known."""
    chapter = _chapter_at(printed.strip())
    return chapter[1] if chapter else None


def _section_number(section: str) -> str:
    match = re.match(r"(\d+(?:\.\d+)*)\.?\s+\D", section)
    return match[1] if match else ""


@functools.lru_cache(maxsize=4096)
def catalogue_section(chapter: str, printed: str) -> str | None:
    """The catalogue's name of a printed section, misspellings forgiven; None where unknown.

    Sections of the opioid guideline are known by number: letters print them with the part's title
    in front ("3.3 Opioids for Chronic Pain ...: Initiating").
    """
    names, key = _sections().get(chapter, {}), _fold(printed)
    exact = [name for name in (_section_number(printed), key) if name in names]
    close = exact or difflib.get_close_matches(key, names, n=1, cutoff=0.88)
    return names[close[0]] if close else None


def _split_chapters(text: str) -> Iterator[str]:
    """Cut a chain of chapters ("A 2004, Section(s): x, and B 2016") into its chapters."""
    start = 0
    for sep in re.finditer(r"\s*(?:[,;.]\s+and|[,;.]|\s+and)\s+", text):
        rest, before = text[sep.end() :], text[start : sep.start()]
        if sep.start() > start and _opens_chapter(rest, before, sep.group()):
            yield before
            start = sep.end()
    yield text[start:]


def _opens_chapter(rest: str, before: str, separator: str) -> bool:
    """True where a known chapter name follows the separator and none spans it, so that "Forearm,
    Wrist, and Hand Complaints" stays whole; an unknown chapter is proved by year and section label.
    """
    words = before.rsplit(",", 2)
    for tail in (before, words[-1], ",".join(words[-2:])):
        upto = tail.strip() + separator
        if (chapter := _chapter_at(upto + rest)) and chapter[0] > len(upto):
            return False  # "Neck" | "Upper Back Complaints"
    if chapter := _chapter_at(rest):
        name, tail = rest[: chapter[0]], rest[chapter[0] :]
        # A body part can be a section name ("Knee", "Shoulder" of the Postsurgical chapter) and
        # a chapter's title a section of another; only a chapter is followed by an edition,
        # a page, a section label, another chapter or the end.
        return bool(_CHAPTER_GOES_ON.match(tail)) or "Guidelines" in name or "Complaints" in name
    return bool(
        "and" in separator and re.match(r"[A-Z][^:,]{3,80}? (?:19|20)\d\d,? (?:Section|Page)", rest)
    )


def _split_sections(text: str) -> tuple[str, ...]:
    """A printed list of sections -> its sections; names may hold commas and colons."""
    text = text.strip(" ,;.")
    if not text:
        return ()
    if _NUMBERED_SECTION.search("x, " + text):
        return tuple(s.strip() for s in _NUMBERED_SECTION.split(text))
    pieces, depth, start = [], 0, 0  # between commas that stand outside parentheses
    for i, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth <= 0 and text.startswith(", ", i):
            pieces.append(text[start:i])
            start = i + 2
    return tuple(_join_known([*pieces, text[start:]]))


def _join_known(pieces: list[str]) -> Iterator[str]:
    """Join pieces that together are one known name, or whose second half is a continuation."""
    known = _names_with_comma()
    i = 0
    while i < len(pieces):
        longer = range(min(len(pieces), i + 4), i + 1, -1)
        j = next((j for j in longer if _fold(", ".join(pieces[i:j])) in known), i + 1)
        # A section name opens with a capital; "criteria for use" continues "Opioids".
        while j < len(pieces) and re.match(r"[a-z&]", pieces[j]):
            j += 1
        yield ", ".join(pieces[i:j]).strip()
        i = j


def _mtus_citation(text: str) -> MtusCitation | None:
    """One chapter with its edition, sections and pages."""
    text = text.strip(" ,;.")
    if not text:
        return None
    pages = None
    if match := _PAGES.search(text):
        pages = " ".join(match["pages"].split()).strip(" ,&-")
        text = (text[: match.start()] + text[match.end() :]).strip(" ,;.")
    sections: tuple[str, ...] = ()
    if label := _SECTIONS.search(text):
        sections = _split_sections(text[label.end() :])
        text = text[: label.start()].strip(" ,;.")
    if match := _EDITION.match(text):
        name, edition, end = match["chapter"], match["edition"], match.end()
    elif chapter := _chapter_at(text):
        name, edition, end = text[: chapter[0]], None, chapter[0]
    else:
        return MtusCitation(text, None, sections, pages)
    rest = text[end:].strip(" ,;.:")
    return MtusCitation(name.strip(" ,"), edition, sections or _split_sections(rest), pages)


@functools.lru_cache(maxsize=8192)  # letters cite the same few paragraphs over and over
def parse_citation(raw: str) -> Citation:
    """Parse one guideline paragraph, without its label.

    Never fails: what is not understood stays in ``raw`` with empty lists.
    """
    raw = " ".join(raw.split())
    if _NOTHING_CITED.search(raw) and not _NON_MTUS.search(raw):
        return Citation(raw, none_cited=True)
    non_mtus_at = _NON_MTUS.search(raw)
    mtus_part = raw[: non_mtus_at.start()] if non_mtus_at else raw
    outside = _NON_MTUS.split(raw[non_mtus_at.start() :]) if non_mtus_at else []
    sources = (source.strip(" ,;") for part in outside for source in _NEXT_SOURCE.split(part))
    named = (s[:-1].rstrip() if s.endswith(".") else s for s in sources)
    mtus: list[MtusCitation] = []
    if label := _MTUS.search(mtus_part):
        body = mtus_part[label.end() :].strip()
        mtus = [c for part in _split_chapters(body) if (c := _mtus_citation(part))]
    return Citation(raw, mtus=tuple(mtus), non_mtus=tuple(filter(None, named)))


def unknown_chapters(citation: Citation | None) -> tuple[str, ...]:
    """Printed chapters that the catalogue does not hold; each is worth a warning."""
    cited = citation.mtus if citation else ()
    return tuple(m.chapter for m in cited if catalogue_chapter(m.chapter) is None)


def labels(citation: Citation | None) -> tuple[str, ...]:
    """Every cited guideline as ``Chapter > Section`` or ``Chapter``, in printed order, ``Non-MTUS``
    after them; ``None cited`` where there is none.
    """
    if citation is None or citation.none_cited:
        return (NONE_CITED,)
    cited: dict[str, None] = {}  # in printed order
    for mtus in citation.mtus:
        chapter = catalogue_chapter(mtus.chapter) or mtus.chapter
        if not mtus.sections:
            cited.setdefault(_section_by_page(chapter, mtus) or chapter)
        for section in mtus.sections:
            cited.setdefault(f"{chapter} > {catalogue_section(chapter, section) or section}")
    if citation.non_mtus:
        cited.setdefault(NON_MTUS)
    return tuple(cited) or (NONE_CITED,)


@functools.cache
def _pages() -> dict[tuple[str, str], str]:
    rows = table_rows("reference/mtus_sections")
    return {(r["chapter"], r["page"]): r["section"] for r in rows if r["page"]}


def _section_by_page(chapter: str, citation: MtusCitation) -> str | None:
    """``Chapter > Section`` of a bare page of the 2009 chronic pain guideline, where known."""
    first = re.match(r"\d+", citation.pages or "")
    if first is None or citation.edition not in (None, "2009"):
        return None
    section = _pages().get((chapter, first[0]))
    return f"{chapter} > {section}" if section else None


def primary_label(citation: Citation | None) -> str:
    """The first of the :func:`labels`, which the guideline model learns."""
    return labels(citation)[0]
