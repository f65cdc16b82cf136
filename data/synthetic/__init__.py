"""Letters that we wrote by program, with known truth, for load, round-trip and simulation tests.

A letter depends on the seed and its own number only, so neither the count nor the number of
processes changes it.  No sentence is taken from a letter; the figures are not estimates of
anything.

**Grammar** (``data/grammar/``).  A sentence names the facts it states (``sets``; the truth of a
signal is what was stated) and the body regions it fits (``regions``, empty for any, ``joint`` for
every region but the two of the spine); words in braces are slots.  Of a request, ``body_part`` is
``(region)`` for the region's own, and ``quantity`` is ``n`` (the slot), ``fw`` (times a week x
weeks), a number, or nothing.

**Outcome.** ``P(overturned) = 1 / (1 + exp(-x))`` with ``x`` the sum of the effects whose term
holds (``effects.csv``: ``column``, ``column=value`` or ``column>=number``).  With ``effects=None``
nothing is planted: every item is overturned with the probability ``BASE_RATE``.  House style,
layout and wording never enter.

**Reviewer's guideline.** With the probability ``COPY_SHARE`` the reviewer cites the chapters that
the administrator cited, if any; else one of the chapters listed for the kind of request
(``citations.csv``, by weight), with ``CHAIN_SHARE`` followed by the chapter of the body region.
With ``OUTSIDE_SHARE`` only a source outside the schedule is cited.
"""

from __future__ import annotations

import functools
import gzip
import json
import math
import re
from calendar import month_name
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, Literal

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
)
from imr.data.quantity import NUMBER_WORDS
from imr.data.sources import TRUTH_NAME
from imr.data.synthetic.page import LAYOUTS, Printing, SyntheticLetter, printed_chapter, record

Format = Literal["pdf", "txt", "jsonl"]

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
_WORK = {"ws_full": "full_duty", "ws_mod": "modified", "ws_off": "off_work",
         "ws_ret": "retired_or_other"}  # fmt: skip
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


@functools.cache
def _rows(table: str, region: str | None = None, **cells: str) -> tuple[Entry, ...]:
    """The rows with these cells that fit the region, each as often as its weight says."""
    rows = [row for row in table_rows(f"grammar/{table}") if cells.items() <= row.items()]
    if region is not None:
        fitting = {"", region} if region in _SPINE else {"", region, "joint"}
        rows = [row for row in rows if fitting.intersection(row["regions"].split(";"))]
    return tuple(row for row in rows for _ in range(int(row.get("weight", 1))))


@functools.cache
def _openings() -> tuple[tuple[str, list[Entry]], ...]:
    """The house styles with their opening sentences."""
    styles: dict[str, list[Entry]] = {}
    for row in _rows("sentences", group="opening"):
        styles.setdefault(row["style"], []).append(row)
    return tuple(styles.items())


@functools.cache
def _chapters(guideline: str, last_edition: int) -> tuple[Entry, ...]:
    """Chapters cited for a kind of request up to an edition.

    Before the edition of 2016, its chronic pain sections are those of 2009.
    """
    found = []
    for row in _rows("citations", guideline=guideline):
        new = int(row["edition"]) > last_edition
        if not (new and row["chapter"] == "Opioid Treatment"):
            found.append(row | {"edition": "2009"} if new else row)
    return tuple(found)


@functools.cache
def _words(kind: str) -> tuple[str, ...]:
    """The words of a kind (``who``, ``job``, ``drug``, ``state`` ...)."""
    return tuple(row["text"] for row in _rows("words", kind=kind))


class _Writer:
    """Writes one letter; its state is the random stream, the words of the case and the facts."""

    def __init__(self, index: int, seed: int, effects: Mapping[str, float] | None) -> None:
        self.index, self.effects = index, effects
        self.random = Random((seed & (2**64 - 1)) << 64 | index).random
        self.header = self.chance(HEADER_SHARE)
        self.region: Entry = self.pick(_rows("regions"))
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
        who, side = self.pick(_words("who")), self.pick(("left", "right"))
        self.sex, self.age = self.pick(("female", "male")), self.number(19, 68)
        part = self.region["part"]
        place = f"{side} {part}" if self.region["sided"] == "yes" else part
        # The slots that keep one value through the letter.
        self.words = {
            "who": who, "Who": who.capitalize(), "side": side, "sex": self.sex,
            "man": "man" if self.sex == "male" else "woman", "age": str(self.age),
            "region": self.region["phrase"], "part": place, "place": place,
            "PLACE": place.upper(), "Part": part.split()[0].capitalize(),
        }  # fmt: skip

    def chance(self, share: float) -> bool:
        """True with the probability ``share``."""
        return self.random() < share

    def pick(self, options: Any) -> Any:
        """One of the options, each equally likely."""
        return options[int(self.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.random() * (high - low + 1))

    # sentences

    def of_region(self, column: str) -> list[str]:
        """The words of the region in a column that lists some."""
        return self.region[column].split("|")

    def fill(self, template: str, more: Mapping[str, str] | None = None) -> str:
        """The template with its slots filled, from ``more`` words too."""
        words = {**self.words, **(more or {})}
        return SLOT.sub(
            lambda slot: words[slot[1]] if slot[1] in words else str(_SLOTS[slot[1]](self)),
            template,
        )

    def write(self, group: str, about: str = "") -> str:
        """A sentence of the group that states the fact ``about`` ("" for none)."""
        rows = _rows("sentences", self.region["region"], group=group)
        return self.state(self.pick([r for r in rows if r["sets"].partition(";")[0] == about]))

    def state(self, sentence: Entry) -> str:
        """The sentence as this letter prints it; the facts that it states become true."""
        facts = sentence["sets"].split(";")
        self.stated.update(facts)  # "" too, which is no fact
        if facts[0] == "pain":
            self.pain = self.number(3, 10)
        elif facts[0] == "relief":
            self.relief = 5 * self.number(2, 20)
        self.work = _WORK.get(facts[0], self.work)
        return self.fill(sentence["text"])

    def day(self, ordinal: int) -> str:
        """A date as this letter prints it; the latest one printed is remembered."""
        self.latest = max(self.latest, ordinal)
        return str(self.show(date.fromordinal(ordinal)))

    def summary(self, asks: str) -> tuple[str, str]:
        """The case summary and the house style of its opening."""
        self.words["asks"] = asks
        style, openings = self.pick(_openings())
        sentences = [self.state(self.pick(openings))]
        sentences += [self.write("mechanism"), self.write("diagnosis")]
        true = {fact for fact, share in SHARES.items() if self.chance(share)}
        if self.region["region"] not in _SPINE:
            true.discard("radic")
        relief = []
        if "relief" in true:  # before the treatments, because it may name one
            relief.append(self.write("relief", "relief"))
            true |= self.stated & set(_TREATMENTS)
        sentences += self._treatment(true)
        sentences += [self.write(study, study) for study in (*_STUDIES, "emg") if study in true]
        sentences += [*self._visit(true), *relief, *self._denials(true)]
        aside = ("noise", "noise", "filler", "filler")
        sentences += [self.write(group) for group in aside if self.chance(0.4)]
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
        fitting = _rows("items", self.region["region"])
        requests = [self.pick(fitting) for _ in range(self.pick(_ITEM_COUNTS))]
        items = tuple(self._item(i, request) for i, request in enumerate(requests))
        kinds = list(dict.fromkeys(request["kind"] for request in requests))
        summary, style = self.summary(_enumerated(kinds[:4]))
        case = self._case(summary, items)
        rows = tuple(self._row(case, item) for item in items)
        chances = tuple(map(self._chance, rows))
        decisions = tuple(map(self._decision, requests, items, chances))
        day = date.fromordinal(self.decided) if self.header else None
        who = self._several("state"), self._several("specialty")
        determination = Determination(day, *who, decisions)
        if not decided:
            determination = Determination(decisions=(None,) * len(items))
        letter = printed = Letter(case, determination)
        if self.chance(LEAK_SHARE):
            leaking = f"{summary} {self.write('leak')}"
            printed = replace(letter, case=replace(case, case_summary=leaking))
        layout = self.pick(LAYOUTS)
        printing = Printing(self.pick(_BETWEEN_STATES), self.pick(_BEFORE_OUTCOME))
        return SyntheticLetter(letter, printed, rows, chances, style, layout, self.header, printing)

    def _chance(self, row: Row) -> float:
        """The probability that an item is overturned."""
        if self.effects is None:
            return BASE_RATE
        others = dict(self.effects)
        intercept = others.pop("(intercept)", 0)
        odds = intercept + sum(w for term, w in sorted(others.items()) if _holds(term, row))
        return 1 / (1 + math.exp(-odds))

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

    def _several(self, kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.pick(_words(kind)) for _ in range(self.number(1, 3))))

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
        n = self.pick(_PILLS if request["category"] == "Pharmaceuticals" else _SESSIONS)
        part = request["body_part"].replace("(region)", self.region["body_part"])
        title, quantity = self._title(request, n)
        original = authorized = None
        requested = title
        can_be_modified = request["modified"] == "yes" and request["quantity"] == "n"
        if can_be_modified and self.chance(MODIFIED_SHARE):
            original = title
            title, requested, authorized, quantity = self._modified(request, title, n)
        return Item(
            index=index,
            title=title,
            requested=requested,
            ur_action="modified" if original else "denied",
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
            "n": str(n), "N": _SPELLED.get(n, str(n)).capitalize(),
            "f": str(times), "F": _SPELLED[times], "w": str(weeks), "W": _SPELLED[weeks],
        }  # fmt: skip
        title = self.fill(request["title"], numbers)
        told = request["quantity"]
        made = {"n": n, "fw": times * weeks, "": None}
        return title, made[told] if told in made else int(told)

    def _modified(self, request: Entry, original: str, n: int) -> tuple[str, str, str, int | None]:
        """Heading, what is under review, what was authorized, and the quantity under review."""
        allowed = n // 2
        authorized, _ = self._title(request, allowed)
        first = f"{original} was the original request."
        if self.chance(0.3):
            heading = (
                f"{first} The Claims Administrator authorized {authorized}, leaving the original "
                f"request IMR eligible. The original request, {original} is"
            )
            return heading, original, authorized, n
        requested, quantity = self._title(request, n - allowed)
        heading = (
            f"{first} {authorized} was authorized by the Claims Administrator. The remaining IMR "
            f"eligible portion of the original request, {requested}"
        )
        return heading + (" is" if self.chance(0.85) else ""), requested, authorized, quantity

    # guidelines

    def _administrator(self, request: Entry) -> Citation:
        if self.chance(0.25):
            raw = "The Claims Administrator did not cite any medical evidence for its decision."
            return Citation(raw, none_cited=True)
        return self._own(request, "Claims Administrator", 0.3, 0.3)

    def _reviewer(self, request: Entry, item: Item) -> Citation:
        administrator, side = item.claims_administrator_guideline, "Expert Reviewer"
        if administrator and administrator.mtus and self.chance(COPY_SHARE):
            return self._cited(side, administrator.mtus, ())
        return self._own(request, side, OUTSIDE_SHARE, 0.25)

    def _own(self, request: Entry, side: str, outside_only: float, outside_too: float) -> Citation:
        """A citation of the side's own: of the schedule, of sources outside of it, or of both, as
        often as the shares say.
        """
        if self.chance(outside_only):
            return self._cited(side, (), self._sources(request))
        outside = self._sources(request) if self.chance(outside_too) else ()
        return self._cited(side, self._cited_chapters(request), outside)

    def _cited_chapters(self, request: Entry) -> tuple[MtusCitation, ...]:
        row = self.pick(_chapters(request["guideline"], 2016 if self.header else 2009))
        sections = tuple(filter(None, row["sections"].split("|")))
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
            cited = ", and ".join(printed_chapter(chapter, guidelines) for chapter in mtus)
            raw = f"Decision based on MTUS {cited}."
        elif self.header:
            outside_of = "recommendation(s) outside of the MTUS Guidelines"
            raw = f"The {side} based their decision on {outside_of}."
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
_SLOTS: dict[str, Callable[[_Writer], object]] = {
    "doi": lambda w: w.day(w.injury),
    "ur": lambda w: w.day(w.ur),
    "date": lambda w: w.day(w.number(w.injury + 8, w.ur - 3)),
    "n": lambda w: w.number(2, 24),
    "pct": lambda w: 5 * w.number(2, 19),
    "relief": lambda w: w.relief,
    "score": lambda w: w.pain,
    "low": lambda w: w.number(1, (w.pain or 3) - 1),
    "level": lambda w: w.pick(w.of_region("levels")),
    "dx": lambda w: w.of_region("diagnoses")[0],
    "dx2": lambda w: w.pick(w.of_region("diagnoses")[1:]),
    "finding": lambda w: w.pick(w.of_region("findings")),
    "xfinding": lambda w: w.pick(w.of_region("xray_findings")),
    "drug": lambda w: w.pick(_words("drug")[:4]),
    "drug2": lambda w: w.pick(_words("drug")[4:]),
    "job": lambda w: w.pick(_words("job")),
    "mechanism": lambda w: w.pick(_words("mechanism")),
}


CHUNK = 500
"""Letters that one process writes at a time."""


def planted_effects() -> dict[str, float]:
    """The effects of ``data/grammar/effects.csv``: term -> log-odds."""
    return {row["term"]: float(row["log_odds"]) for row in table_rows("grammar/effects")}


def synthesize(
    n: int,
    seed: int = 0,
    *,
    effects: Mapping[str, float] | Literal["planted"] | None = "planted",
    decided: bool = True,
    start: int = 0,
) -> Iterator[SyntheticLetter]:
    """The letters ``start`` to ``n - 1`` of a seed, one after the other.

    ``effects`` replaces the planted effects; None plants nothing.  Undecided letters are the
    same letters without reviewer, decision date and decisions.
    """
    terms = planted_effects() if effects == "planted" else effects
    for index in range(start, n):
        yield _Writer(index, seed, terms).letter(decided)


def _holds(term: str, row: Row) -> bool:
    """Whether ``column``, ``column=value`` or ``column>=number`` is true of an item."""
    column, at_least, least = term.partition(">=")
    if at_least:
        return row[column] is not None and row[column] >= float(least)
    column, equals, value = term.partition("=")
    return bool(row[column] == value if equals else row[column])


def write(n: int, out: str | Path, seed: int = 0, fmt: Format = "txt", jobs: int = 1) -> list[Path]:
    """Write ``n`` letters into the folder ``out`` and their truth beside them.

    ``txt`` and ``pdf`` write one decided letter a file, ``jsonl`` one file ``letters.jsonl`` of
    undecided case records.  ``truth.jsonl.gz`` has a line a letter (see
    :meth:`SyntheticLetter.truth`); its name keeps it apart from the letters when the folder is
    read.  The bytes depend on ``n``, ``seed`` and ``fmt`` only.  Returns the two paths: the
    folder (or the records' file) and the truth.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    truth, records = folder / TRUTH_NAME, folder / "letters.jsonl"
    starts = range(0, n, CHUNK)
    work = functools.partial(_write_chunk, n=n, folder=folder, seed=seed, fmt=fmt)
    with ExitStack() as opened:
        truths = opened.enter_context(truth.open("wb"))
        letters = opened.enter_context(records.open("wb")) if fmt == "jsonl" else None
        chunks: Iterable[tuple[bytes, bytes]] = map(work, starts)
        if jobs != 1 and len(starts) != 1:
            from concurrent.futures import ProcessPoolExecutor

            pool = opened.enter_context(ProcessPoolExecutor(min(jobs, len(starts))))
            chunks = pool.map(work, starts)
        for written, known in chunks:
            truths.write(known)
            if letters:
                letters.write(written)
    return [records if fmt == "jsonl" else folder, truth]


def _write_chunk(
    start: int, *, n: int, folder: Path, seed: int, fmt: Format
) -> tuple[bytes, bytes]:
    """Write the letters of one chunk; returns the records (``jsonl``) and the truth, compressed."""
    records, truths = [], []
    for synthetic in synthesize(min(n, start + CHUNK), seed, start=start, decided=fmt != "jsonl"):
        name = synthetic.letter.case.letter_id
        if fmt == "pdf":
            (folder / f"{name}.pdf").write_bytes(synthetic.pdf())
        elif fmt == "txt":
            (folder / f"{name}.txt").write_bytes(synthetic.text().encode())
        else:
            records.append(json.dumps(record(synthetic.letter)) + "\n")
        truths.append(json.dumps(synthetic.truth(), default=date.isoformat) + "\n")
    packed = gzip.compress("".join(truths).encode(), compresslevel=1, mtime=0)
    return "".join(records).encode(), packed
