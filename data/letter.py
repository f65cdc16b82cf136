"""The types a letter is read into, and the wall between case and determination.

Everything known *before* the decision stands in :class:`Case`, everything the reviewer wrote in
:class:`Determination`.  Signals and models take a ``Case``, which has no way to the other.  Only
``training/decisions.py`` (labels) and ``serve/`` (carrying a decision along for a backtest) open
a :class:`Letter`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Outcome = Literal["Upheld", "Overturned"]
UrAction = Literal["denied", "modified"]

# How much one letter may hold.  Real letters stay ten times below these limits (case summary 3,920
# characters, heading 433, guideline paragraph 774, 15 items).  What exceeds them is no letter, and
# it would hold up the others: time grows with the length of a summary times the number of items.
MAX_HEAD_CHARS = 100_000
MAX_SUMMARY_CHARS = 40_000
MAX_HEADING_CHARS = 10_000
MAX_GUIDELINE_CHARS = 20_000
MAX_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class MtusCitation:
    """One chapter of the Medical Treatment Utilization Schedule, as printed in a letter.

    ``chapter`` without its edition, ``edition`` the printed year (``"2016"``) or None,
    ``sections`` the printed section names, ``pages`` as printed (``"46 of 127"``, ``"46-47"``).
    """

    chapter: str
    edition: str | None = None
    sections: tuple[str, ...] = ()
    pages: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A guideline paragraph: what one side says its decision was based on.

    ``raw`` is the paragraph with white space collapsed; ``none_cited`` is true where the
    paragraph says that no medical evidence was cited; ``non_mtus`` has one entry a source.
    """

    raw: str
    none_cited: bool = False
    mtus: tuple[MtusCitation, ...] = ()
    non_mtus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseHeader:
    """Header facts known before the decision (the decision date is not among them)."""

    case_number: str | None = None
    date_assigned: date | None = None
    date_of_injury: date | None = None
    ur_denial_date: date | None = None
    application_received: date | None = None
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One disputed item or service, as known before the decision.

    ``requested`` is what is under review: the title, or the remaining portion of a modified
    request.  ``category`` and ``subcategory`` are treatment request categories of the
    California Division of Workers' Compensation (``data/reference/taxonomy.csv``).
    ``terms`` are the lexicon names found in the request (``"cyclobenzaprine"``, ``"mri"``).
    ``quantity`` counts ``quantity_unit``: "2 times a week for 6 weeks" is 12 sessions.
    """

    index: int
    title: str
    requested: str
    ur_action: UrAction = "denied"
    original_request: str | None = None
    authorized: str | None = None
    category: str | None = None
    subcategory: str | None = None
    body_parts: tuple[str, ...] = ()
    quantity: int | float | None = None
    quantity_unit: str | None = None
    terms: tuple[str, ...] = ()
    claims_administrator_guideline: Citation | None = None
    ur_action_told: bool = field(default=False, compare=False)
    """Whether ``ur_action`` stands in the record, and is not assumed."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known before the decision: the only input of features and models."""

    letter_id: str
    source: str
    header: CaseHeader
    case_summary: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the reviewer decided on one item.  Never an input to a feature."""

    outcome: Outcome
    guideline: Citation | None
    rationale: str


@dataclass(frozen=True, slots=True)
class Determination:
    """What the reviewer wrote, and who the reviewer is.  Never an input to a feature.

    ``decisions`` runs parallel to ``Case.items``; None where an item is undecided.
    """

    decision_date: date | None = None
    states: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    decisions: tuple[Decision | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A parsed letter: the case on one side of the wall, the determination on the other."""

    case: Case
    determination: Determination
    warnings: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """True where every item carries a decision."""
        decisions = self.determination.decisions
        return bool(decisions) and all(d is not None for d in decisions)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The words a signal rests on.

    ``start`` and ``end`` are character offsets into ``Case.case_summary`` (or into the item's
    ``requested`` where ``field`` is ``"request"``); ``quote`` is that slice; ``rule`` names the
    lexicon row; ``qualifier`` says what the context made of it (``"affirmed"``, ``"negated"``,
    ``"requested"`` …).  ``item_index`` is None for signals of the whole case.
    """

    signal: str
    start: int
    end: int
    quote: str
    rule: str
    qualifier: str = "affirmed"
    field: str = "case_summary"
    item_index: int | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A letter's text, its paragraphs separated by blank lines; ``letter_id`` is the file name
    without its ending, ``source`` the path (``zip!member`` for an archive member).
    """

    letter_id: str
    source: str
    text: str
    warnings: tuple[str, ...] = ()

    def error(
        self, reason: str, message: str, remedy: str = "get the letter as published"
    ) -> LetterError:
        """The error that says why this text is not read as a letter."""
        return LetterError(self.source, reason, message, remedy)

    def refuse_longer(self, what: str, part: str, most: int) -> None:
        """Raise ``too_large`` for a part (``what`` names it) of more than ``most`` characters."""
        if len(part) > most:
            problem = f"{what} has {len(part)} characters, at most {most} are read"
            raise self.error("too_large", problem, "check that it is one letter")


class LetterError(Exception):
    """A letter that cannot be used: ``source``, a ``reason`` code, what was found, the remedy.

    The message is one line and never holds letter text; it is a line of ``FILE.errors.jsonl``.
    """

    def __init__(self, source: str, reason: str, message: str, remedy: str = "") -> None:
        super().__init__(source, reason, message, remedy)
        self.source, self.reason, self.message, self.remedy = source, reason, message, remedy

    def __str__(self) -> str:
        return f"{self.source}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")
