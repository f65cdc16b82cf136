"""One synthetic letter: case and summary, truth of the signals, outcomes, the reviewer's words.

The grammar stands in
``data/grammar/`` as CSV.  A sentence names the facts that it states (``sets``; the truth of a
signal is what was stated) and the body regions it fits (``regions``, empty for any, ``joint`` for
every region but the two of the spine); words in braces are slots.  Of a request, ``body_part`` is
``(region)`` for the region's own, and ``quantity`` is ``n`` (the slot), ``fw`` (times a week x
weeks), a number, or nothing.
"""

from __future__ import annotations

import functools
import math
import re
from calendar import month_name
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from random import Random
from typing import Any

from imr.data import table_rows
from imr.data.letter import (
    Case,
    CaseHeader,
    Citation,
    Decision,
    Determination,
    Item,
    Letter,
    MtusCitation,
    Outcome,
    UrAction,
)
from imr.data.quantity import NUMBER_WORDS
from imr.data.synthetic.page import LAYOUTS, Layout, Printing, render_pdf, render_text

Row = dict[str, Any]
"""The truth of one item, keyed by the columns of ``imr features`` that are always there."""

BASE_RATE = 0.11
"""Share of overturned items where nothing is planted (the published rate of 2016-2024)."""
COPY_SHARE, CHAIN_SHARE, OUTSIDE_SHARE = 0.3, 0.15, 0.2
HEADER_SHARE = 0.7
"""Share of letters with the header block of 2016-17; the others are of 2013-15, without one."""
LEAK_SHARE = 0.01
"""Share of letters whose printed summary ends in a determination of the reviewer."""
MODIFIED_SHARE = 0.25
SHARES = {
    "mri": 0.35, "ct": 0.07, "xray": 0.3, "other": 0.04, "emg": 0.15, "pt": 0.5, "chiro": 0.25,
    "acu": 0.15, "inj": 0.2, "surg": 0.18, "radic": 0.35, "relief": 0.2, "pain": 0.7,
}  # fmt: skip
"""How often each fact is documented, before the relief sentence adds the treatment it names."""
_SPINE = ("lumbar", "cervical")
_TREATMENTS = ("pt", "chiro", "acu", "inj", "surg")
_STUDIES = ("mri", "ct", "xray", "other")
_WORK = {
    "ws_full": "full_duty",
    "ws_mod": "modified",
    "ws_off": "off_work",
    "ws_ret": "retired_or_other",
}
_ITEM_COUNTS = (1,) * 44 + (2,) * 25 + (3,) * 13 + (4,) * 8 + (5,) * 5 + (6, 7, 8, 12, 20)
_SESSIONS, _PILLS = (4, 6, 8, 10, 12, 18, 24), (30, 60, 90, 120)
_BETWEEN_STATES, _BEFORE_OUTCOME = (", ", ", ", ","), (" ",) * 8 + ("  ", "\n")
_SPELLED = {value: word for word, value in NUMBER_WORDS.items() if value <= 24}
_HEADER_DAYS = (date(2016, 8, 15).toordinal(), date(2017, 4, 15).toordinal())
_OLDER_DAYS = (date(2013, 3, 1).toordinal(), date(2015, 9, 1).toordinal())

# --- the grammar -------------------------------------------------------------------------------

SLOT = re.compile(r"\{(\w+)\}")
Entry = dict[str, str]
"""A row of one of its tables."""


def _fits(entry: Entry, region: str) -> bool:
    names = entry["regions"].split(";")
    return names == [""] or region in names or ("joint" in names and region not in _SPINE)


def _weighted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries, each as often as its weight says."""
    return tuple(entry for entry in entries for _ in range(int(entry["weight"])))


@functools.cache
def _regions() -> tuple[Entry, ...]:
    return _weighted(table_rows("grammar/regions"))


@functools.cache
def _requests(region: str) -> tuple[Entry, ...]:
    return _weighted(row for row in table_rows("grammar/items") if _fits(row, region))


@functools.cache
def _sentences(group: str, about: str, region: str) -> tuple[Entry, ...]:
    """Sentences of a group that state the fact ``about`` ("" for none) and fit the region."""
    return tuple(
        row
        for row in table_rows("grammar/sentences")
        if row["group"] == group and row["sets"].partition(";")[0] == about and _fits(row, region)
    )


@functools.cache
def _openings() -> tuple[tuple[str, list[Entry]], ...]:
    """The house styles with their opening sentences."""
    styles: dict[str, list[Entry]] = {}
    for row in table_rows("grammar/sentences"):
        if row["group"] == "opening":
            styles.setdefault(row["style"], []).append(row)
    return tuple(styles.items())


@functools.cache
def _chapters(guideline: str, last_edition: int) -> tuple[Entry, ...]:
    """Chapters cited for a kind of request up to an edition.

    Before the edition of 2016, its chronic pain sections are those of 2009.
    """
    found = []
    for row in table_rows("grammar/citations"):
        new = int(row["edition"]) > last_edition
        if row["guideline"] == guideline and not (new and row["chapter"] == "Opioid Treatment"):
            found.append(row | {"edition": "2009"} if new else row)
    return _weighted(found)


@functools.cache
def _words(kind: str) -> tuple[str, ...]:
    """The words of a kind (``who``, ``job``, ``drug``, ``state`` ...)."""
    return tuple(row["text"] for row in table_rows("grammar/words") if row["kind"] == kind)


@dataclass(frozen=True, slots=True)
class SyntheticLetter:
    """A letter and all that is true of it.

    ``letter`` is what parsing must give back; ``printed`` is what stands on the page, which
    differs where the reviewer's determination slipped into the summary.  ``signals`` holds one
    row an item, keyed by the contract's columns; ``p_overturned`` the probability its outcome
    was drawn with.
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
        return render_text(self.printed, layout or self.layout, **self._look)

    def pdf(self) -> bytes:
        """The printed letter as a PDF."""
        return render_pdf(self.printed, **self._look)

    @property
    def _look(self) -> dict[str, Any]:
        return {"header": self.header, "printing": self.printing}

    def truth(self) -> dict[str, Any]:
        """Letter, signals and probabilities as plain dictionaries."""
        return {
            "letter": asdict(self.letter),
            "signals": self.signals,
            "p_overturned": self.p_overturned,
        }


class Writer:
    """Writes one letter; its state is the random stream, the words of the case and the facts."""

    def __init__(self, index: int, seed: int, odds: Callable[[Row], float] | None) -> None:
        self.index, self.odds = index, odds
        self.rng = Random((seed & (2**64 - 1)) << 64 | index)
        self.random = self.rng.random
        self.header = self.chance(HEADER_SHARE)
        self.region: Entry = self.pick(_regions())
        # What the sentences written so far have stated, and the latest day in them, an ordinal.
        self.stated: set[str] = set()
        self.relief: int | None = None
        self.pain: int | None = None
        self.work: str | None = None
        self.latest = 0
        # Injury, denial and decision as ordinals; the older letters are of 2013 to 2015.
        self.ur = self.number(*(_HEADER_DAYS if self.header else _OLDER_DAYS))
        days = self.number(45, 150) if self.chance(0.4) else self.number(150, 4000)
        self.injury = self.ur - days
        self.decided = self.ur + self.number(25, 60)
        self.show = self.pick(_DATE_FORMATS)
        self._draw_words()

    # chance

    def chance(self, share: float) -> bool:
        """True with the probability ``share``."""
        return self.random() < share

    def pick(self, options: Any) -> Any:
        """One of the options, each equally likely."""
        return options[int(self.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.random() * (high - low + 1))

    def of_region(self, column: str) -> list[str]:
        """The words of the region in a column that lists some."""
        return self.region[column].split("|")

    def _draw_words(self) -> None:
        """The slots that keep one value through the letter."""
        who, side = self.pick(_words("who")), self.pick(("left", "right"))
        self.sex = self.pick(("female", "male"))
        self.age = self.number(19, 68)
        part = self.region["part"]
        place = f"{side} {part}" if self.region["sided"] == "yes" else part
        self.words = {
            "who": who,
            "Who": who.capitalize(),
            "side": side,
            "sex": self.sex,
            "man": "man" if self.sex == "male" else "woman",
            "age": str(self.age),
            "region": self.region["phrase"],
            "part": place,
            "place": place,
            "PLACE": place.upper(),
            "Part": part.split()[0].capitalize(),
        }

    # sentences

    def fill(self, template: str) -> str:
        """The template with its slots filled."""

        def word(slot: re.Match[str]) -> str:
            known = self.words.get(slot[1])
            return _SLOTS[slot[1]](self) if known is None else known

        return SLOT.sub(word, template)

    def write(self, group: str, about: str = "") -> str:
        """A sentence of the group; the facts that it states become true."""
        return self.state(self.pick(_sentences(group, about, self.region["region"])))

    def state(self, sentence: Entry) -> str:
        """The sentence as this letter prints it; the facts that it states become true."""
        if sentence["sets"]:
            facts = sentence["sets"].split(";")
            self.stated.update(facts)
            if facts[0] == "pain":
                self.pain = self.number(3, 10)
            elif facts[0] == "relief":
                self.relief = 5 * self.number(2, 20)
            elif facts[0] in _WORK:
                self.work = _WORK[facts[0]]
        return self.fill(sentence["text"])

    def day(self, ordinal: int) -> str:
        """A date as this letter prints it; the latest one printed is remembered."""
        self.latest = max(self.latest, ordinal)
        return str(self.show(date.fromordinal(ordinal)))

    def summary(self, asks: str) -> tuple[str, str]:
        """The case summary and the house style of its opening."""
        self.words["asks"] = asks
        style, openings = self.pick(_openings())
        sentences = [
            self.state(self.pick(openings)),
            self.write("mechanism"),
            self.write("diagnosis"),
        ]
        true = {fact for fact, share in SHARES.items() if self.chance(share)}
        if self.region["region"] not in _SPINE:
            true.discard("radic")
        relief = []
        if "relief" in true:  # before the treatments, because it may name one
            relief.append(self.write("relief", "relief"))
            true |= self.stated & set(_TREATMENTS)
        sentences += self._treatment(true)
        sentences += [self.write(study, study) for study in (*_STUDIES, "emg") if study in true]
        sentences += self._visit(true)
        sentences += relief
        sentences += self._denials(true)
        sentences += [
            self.write(g) for g in ("noise", "noise", "filler", "filler") if self.chance(0.4)
        ]
        sentences.append(self.write("request"))
        if self.chance(0.5):
            sentences.append(self.write("review"))
        return " ".join(sentences), style

    def _treatment(self, true: set[str]) -> list[str]:
        """Treatments received, some as parts of a list and some in a sentence of their own."""
        received = [t for t in _TREATMENTS if t in true]
        listed = [t for t in received if self.chance(0.5)]
        sentences = [self.write("treatment", t) for t in received if t not in listed]
        if listed or self.chance(0.5):
            parts = [self.write("part", t) for t in listed]
            parts += [self.write("part") for _ in range(self.number(1, 3))]
            self.words["list"] = _enumerated(list(dict.fromkeys(parts)))
            sentences.insert(0, self.write("list"))
        return sentences

    def _visit(self, true: set[str]) -> list[str]:
        sentences = [self.write("visit")]
        if "pain" in true:
            sentences.append(self.write("pain", "pain"))
        sentences += [self.write("exam") for _ in range(self.number(1, 2))]
        if "radic" in true:
            sentences += [self.write("radic", "radic") for _ in range(self.number(1, 2))]
        work = self.pick(("", "", *_WORK, "ws_mod", "ws_off"))
        if work or self.chance(0.4):
            sentences.append(self.write("work", work))
        return sentences

    def _denials(self, true: set[str]) -> list[str]:
        """Mentions of what is not documented: negated, requested, planned."""
        sentences = [
            self.write("no", f"not:{fact}")
            for fact in SHARES
            if fact not in true and fact != "other" and self.chance(0.25)
        ]
        if not true & set(_STUDIES) and self.chance(0.3):
            sentences.append(self.write("no", "not:imaging"))
        return sentences

    # the whole

    def letter(self, decided: bool = True) -> SyntheticLetter:
        """Case first, then signals, outcomes and, where decided, the reviewer's words."""
        fitting = _requests(self.region["region"])
        requests = [self.pick(fitting) for _ in range(self.pick(_ITEM_COUNTS))]
        items = tuple(self._item(i, request) for i, request in enumerate(requests))
        kinds = list(dict.fromkeys(request["kind"] for request in requests))
        summary, style = self.summary(_enumerated(kinds[:4]))
        case = self._case(summary, items)
        rows = tuple(self._row(case, item) for item in items)
        chances = tuple(
            BASE_RATE if self.odds is None else 1 / (1 + math.exp(-self.odds(row))) for row in rows
        )
        decisions = tuple(map(self._decision, requests, items, chances))
        determination = Determination(
            date.fromordinal(self.decided) if self.header else None,
            self._several(_words("state")),
            self._several(_words("specialty")),
            decisions,
        )
        if not decided:
            determination = Determination(decisions=(None,) * len(items))
        letter = printed = Letter(case, determination)
        if self.chance(LEAK_SHARE):
            leaking = f"{summary} {self.write('leak')}"
            printed = replace(letter, case=replace(case, case_summary=leaking))
        layout = self.pick(LAYOUTS)
        printing = Printing(self.pick(_BETWEEN_STATES), self.pick(_BEFORE_OUTCOME))
        return SyntheticLetter(letter, printed, rows, chances, style, layout, self.header, printing)

    def _case(self, summary: str, items: tuple[Item, ...]) -> Case:
        name = f"synthetic_{self.index:07d}"
        if not self.header:
            return Case(name, name, CaseHeader(), summary, items)
        received = self.ur + self.number(5, 15)
        header = CaseHeader(
            case_number=f"CM{date.fromordinal(received):%y}-{9_100_000 + self.index % 900_000}",
            date_assigned=date.fromordinal(received + self.number(2, 9)),
            date_of_injury=date.fromordinal(self.injury),
            ur_denial_date=date.fromordinal(self.ur),
            application_received=date.fromordinal(received),
            priority="Expedited" if self.chance(0.05) else "Standard",
        )
        return Case(name, name, header, summary, items)

    def _several(self, options: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.pick(options) for _ in range(self.number(1, 3))))

    def _row(self, case: Case, item: Item) -> Row:
        """The truth of the contract's columns for one item."""
        stated = self.stated
        injured = self.header or "doi" in stated
        until = self.ur if self.header else self.latest
        return {
            "letter_id": case.letter_id,
            "item_index": item.index,
            "age": self.age if "age" in stated else None,
            "sex": self.sex if "sex" in stated else None,
            "injury_date": date.fromordinal(self.injury) if injured else None,
            "chronicity_days": until - self.injury if injured else None,
            "imaging_present": not stated.isdisjoint(_STUDIES),
            "imaging_mri": "mri" in stated,
            "imaging_ct": "ct" in stated,
            "imaging_xray": "xray" in stated,
            "electrodiagnostic_present": "emg" in stated,
            "relief_percent_max": self.relief,
            "pain_score_max": self.pain,
            "physical_therapy_prior": "pt" in stated,
            "chiropractic_prior": "chiro" in stated,
            "acupuncture_prior": "acu" in stated,
            "injection_prior": "inj" in stated,
            "surgery_prior": "surg" in stated,
            "radicular_findings": "radic" in stated,
            "work_status": self.work,
            "n_items": len(case.items),
            "category": item.category,
            "subcategory": item.subcategory,
            "quantity": item.quantity,
            "ur_action": item.ur_action,
        }

    # requests

    def _item(self, index: int, request: Entry) -> Item:
        counts = _PILLS if request["category"] == "Pharmaceuticals" else _SESSIONS
        n = self.pick(counts)
        part = request["body_part"].replace("(region)", self.region["body_part"])
        title, quantity = self._title(request, n)
        action: UrAction = "denied"
        original = authorized = None
        requested = title
        can_be_modified = request["modified"] == "yes" and request["quantity"] == "n"
        if can_be_modified and self.chance(MODIFIED_SHARE):
            action, original = "modified", title
            title, requested, authorized, quantity = self._modified(request, title, n)
        return Item(
            index=index,
            title=title,
            requested=requested,
            ur_action=action,
            original_request=original,
            authorized=authorized,
            category=request["category"],
            subcategory=request["subcategory"],
            body_parts=(part,) if part else (),
            quantity=quantity,
            quantity_unit=request["unit"] or None,
            claims_administrator_guideline=self._administrator(request),
        )

    def _title(self, request: Entry, n: int) -> tuple[str, int | None]:
        """The title with its numbers, and the quantity that they make."""
        times, weeks = self.number(1, 3), self.pick((2, 3, 4, 6))
        numbers = {
            "n": str(n),
            "N": _SPELLED.get(n, str(n)).capitalize(),
            "f": str(times),
            "F": _SPELLED[times],
            "w": str(weeks),
            "W": _SPELLED[weeks],
        }
        self.words |= numbers
        title = self.fill(request["title"])
        for slot in numbers:
            del self.words[slot]
        quantity = {"n": n, "fw": times * weeks, "": None}.get(request["quantity"], -1)
        return title, int(request["quantity"]) if quantity == -1 else quantity

    def _modified(self, request: Entry, original: str, n: int) -> tuple[str, str, str, int | None]:
        """Heading, what is under review, what was authorized, and the quantity under review."""
        allowed = n // 2
        authorized, _ = self._title(request, allowed)
        if self.chance(0.3):
            heading = (
                f"{original} was the original request. The Claims Administrator authorized "
                f"{authorized}, leaving the original request IMR eligible. "
                f"The original request, {original} is"
            )
            return heading, original, authorized, n
        requested, quantity = self._title(request, n - allowed)
        heading = (
            f"{original} was the original request. {authorized} was authorized by the Claims "
            f"Administrator. The remaining IMR eligible portion of the original request, "
            f"{requested}{' is' if self.chance(0.85) else ''}"
        )
        return heading, requested, authorized, quantity

    # guidelines

    def _administrator(self, request: Entry) -> Citation:
        side = "Claims Administrator"
        if self.chance(0.25):
            raw = f"The {side} did not cite any medical evidence for its decision."
            return Citation(raw, none_cited=True)
        if self.chance(0.3):
            return self._cited(side, (), self._sources(request))
        outside = self._sources(request) if self.chance(0.3) else ()
        return self._cited(side, self._cited_chapters(request), outside)

    def _reviewer(self, request: Entry, item: Item) -> Citation:
        administrator, side = item.claims_administrator_guideline, "Expert Reviewer"
        if administrator is not None and administrator.mtus and self.chance(COPY_SHARE):
            return self._cited(side, administrator.mtus, ())
        if self.chance(OUTSIDE_SHARE):
            return self._cited(side, (), self._sources(request))
        outside = self._sources(request) if self.chance(0.25) else ()
        return self._cited(side, self._cited_chapters(request), outside)

    def _cited_chapters(self, request: Entry) -> tuple[MtusCitation, ...]:
        row = self.pick(_chapters(request["guideline"], 2016 if self.header else 2009))
        sections = tuple(row["sections"].split("|")) if row["sections"] else ()
        cited = self._mtus(row["chapter"], row["edition"], sections, row["pages"] or None)
        own = self._mtus("(region)", "2004")
        if self.header and own.chapter != cited.chapter and self.chance(CHAIN_SHARE):
            return cited, own
        return (cited,)

    def _mtus(
        self, name: str, edition: str, sections: tuple[str, ...] = (), pages: str | None = None
    ) -> MtusCitation:
        if name == "(region)":
            name = self.region["chapter"]
            edition = "2007" if name == "Elbow Complaints" else edition
        if self.header:
            return MtusCitation(name, edition, sections)
        if name == "Chronic Pain Medical Treatment":
            name = "Chronic Pain Treatment Guidelines"
        return MtusCitation(name, None, sections, pages)

    def _sources(self, request: Entry) -> tuple[str, ...]:
        self.words["chapter"] = self.region["chapter"].removesuffix(" Complaints")
        self.words["kind"] = request["kind"]
        source = self.fill(self.pick(_words("source")))
        return (source, _words("second_source")[0]) if self.chance(0.15) else (source,)

    def _cited(
        self, side: str, mtus: tuple[MtusCitation, ...], outside: tuple[str, ...]
    ) -> Citation:
        if mtus:
            guidelines = " Guidelines" if len(mtus) == 1 and self.chance(0.05) else ""
            cited = ", and ".join(_printed(chapter, guidelines) for chapter in mtus)
            raw = f"Decision based on MTUS {cited}."
        elif self.header:
            recommended = "recommendation(s) outside of the MTUS Guidelines"
            raw = f"The {side} based their decision on {recommended}."
        else:
            raw = f"The {side} did not base their decision on the MTUS."
        if outside:
            label = "Non-MTUS Citation" if self.chance(0.9) else "Non-MTUS"
            raw += f" Decision based on {label} {' and '.join(outside)}."
        return Citation(raw, False, mtus, outside)

    def _decision(self, request: Entry, item: Item, chance: float) -> Decision:
        outcome: Outcome = "Overturned" if self.chance(chance) else "Upheld"
        self.words["kind"] = request["kind"]
        about = (("ground", ""), (outcome.lower(), outcome), ("verdict", outcome))
        rationale = " ".join([self.write(*one) for one in about])
        return Decision(outcome, self._reviewer(request, item), rationale)


def _printed(citation: MtusCitation, guidelines: str = "") -> str:
    """A chapter as letters print it: with edition and section label, or with sections and pages."""
    sections = ", ".join(citation.sections)
    if citation.edition:
        label = f"{citation.chapter} {citation.edition}{guidelines}"
        return f"{label}, Section(s): {sections}" if sections else label
    pages = f"Page(s): {citation.pages}" if citation.pages else ""
    return " ".join(filter(None, (citation.chapter, sections, pages)))


def _enumerated(parts: list[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else "care"
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


_DATE_FORMATS: tuple[Callable[[date], str], ...] = (
    lambda day: f"{day.month}-{day.day}-{day.year}",
    lambda day: f"{day.month:02d}/{day.day:02d}/{day.year}",
    lambda day: f"{day.month}/{day.day}/{day.year % 100:02d}",
    lambda day: f"{month_name[day.month]} {day.day}, {day.year}",
)
_SLOTS: dict[str, Callable[[Writer], str]] = {
    "doi": lambda w: w.day(w.injury),
    "ur": lambda w: w.day(w.ur),
    "date": lambda w: w.day(w.number(w.injury + 8, w.ur - 3)),
    "n": lambda w: str(w.number(2, 24)),
    "pct": lambda w: str(5 * w.number(2, 19)),
    "relief": lambda w: str(w.relief),
    "score": lambda w: str(w.pain),
    "low": lambda w: str(w.number(1, (w.pain or 3) - 1)),
    "level": lambda w: str(w.pick(w.of_region("levels"))),
    "dx": lambda w: w.of_region("diagnoses")[0],
    "dx2": lambda w: str(w.pick(w.of_region("diagnoses")[1:])),
    "finding": lambda w: str(w.pick(w.of_region("findings"))),
    "xfinding": lambda w: str(w.pick(w.of_region("xray_findings"))),
    "drug": lambda w: str(w.pick(_words("drug")[:4])),
    "drug2": lambda w: str(w.pick(_words("drug")[4:])),
    "job": lambda w: str(w.pick(_words("job"))),
    "mechanism": lambda w: str(w.pick(_words("mechanism"))),
}
