"""Case -> one row of signals an item, with the words behind each; the column catalogue; and what a
reader of an estimate must know first.

That is warnings for the letter, one line each, without words of the letter: dates that cannot be,
too little text, an unknown treatment, an edition that is not in the table of criteria.  And what a
physician must see today, whatever is forecast: ``urgent.csv`` names the statements (subject and
concept), and the words that must (``with``) and must not (``unless``) stand in the clause.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from imr.data.letter import Case, Evidence, Item
from imr.features import criteria
from imr.features.condition import Row
from imr.features.context import Mention, Summary, read_summary
from imr.features.criteria import edition_notes
from imr.features.families import (
    diagnosis,
    examination,
    facts,
    letter,
    medication,
    pain,
    request,
    studies,
    told,
    treatment,
    worker,
)
from imr.features.families.letter import is_associated, is_primary_surgery
from imr.features.signal import Column, Family, Findings, Value, listed, table_rows
from imr.features.statements import Statement, statements

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray

# Later families see what earlier ones found.
FAMILIES: tuple[Family, ...] = (
    Family("person", build=worker.build_person),
    Family("chronicity", build=worker.build_injury),
    Family("work_status", build=worker.build_work_status),
    Family("complaints", build=pain.build_complaints),
    Family("imaging", build=studies.build_imaging, build_item=studies.build_imaging_item),
    Family("electrodiagnostics", build=studies.build_electrodiagnostics),
    Family("relief", build=pain.build_relief),
    Family("request", build_item=request.build_item),
    Family("review", build=letter.build_review, build_item=letter.build_review_item),
    Family("letter_mix", build=letter.build_mix, build_item=letter.build_mix_item),
    Family("treatment", build=treatment.build, build_item=treatment.build_item),
    Family("examination", build=examination.build),
    Family("medication", build=medication.build, build_item=medication.build_item),
    Family("comorbidity", build=diagnosis.build_comorbidity),
    Family("diagnosis", build=diagnosis.build, build_item=diagnosis.build_item),
    Family("requested_part", build_item=diagnosis.build_requested_part),
    Family("authorization", letter.build_authorization, letter.build_operation_item),
    Family("facts", build_item=facts.build_item),
    Family("told", build_item=told.build_item),
    Family("region_findings", build_item=diagnosis.build_findings),
    Family("indication", build_item=diagnosis.build_indication),
    Family("criteria", build_item=criteria.build_item),
)


@cache
def all_columns() -> tuple[Column, ...]:
    """All signals, in the order of a row."""
    return (*listed()["key"], *(column for family in FAMILIES for column in family.columns))


@dataclass(slots=True)
class CaseSignals:
    """The rows of a case, in the order of ``all_columns()``, its warnings and what is urgent."""

    letter_id: str
    rows: list[dict[str, Value]]
    found: list[tuple[int | None, Item | None, Findings]] = field(default_factory=list, repr=False)
    warnings: tuple[str, ...] = ()
    urgent: tuple[Urgent, ...] = ()

    @property
    def evidence(self) -> list[Evidence]:
        """The words each signal rests on, made from the mentions when asked for."""
        made: list[Evidence] = []
        for index, item, findings in self.found:
            made.extend(_evidence(s, m, index, item) for s, m in findings.support)
            made.extend(findings.quoted)
            if findings.more_quoted is not None:
                made.extend(findings.more_quoted())
        return list(dict.fromkeys(made))


def signals(case: Case) -> CaseSignals:
    """All signals of a case; total (any text gives a row an item) and deterministic."""
    summary = read_summary(case.case_summary)
    rows, found = _derived(summary, case, case.items)
    told, today = caveats(summary, case, rows), urgent(summary)
    summary.forget()
    return CaseSignals(case.letter_id, rows, found, told, today)


def item_rows(case: Case, places: Collection[int]) -> dict[int, dict[str, Value]]:
    """The rows of :func:`signals` of some items only, by their places among the items."""
    summary = read_summary(case.case_summary)
    # An item takes something from the operation of the letter.
    first = next((n for n, item in enumerate(case.items) if is_primary_surgery(item)), None)
    needed = sorted({*places, *([] if first is None else [first])})
    rows, _ = _derived(summary, case, [case.items[place] for place in needed])
    summary.forget()
    return {place: row for place, row in zip(needed, rows, strict=True) if place in places}


def _derived(
    summary: Summary, case: Case, items: Sequence[Item]
) -> tuple[list[dict[str, Value]], list[tuple[int | None, Item | None, Findings]]]:
    """The rows of items of a case, and what was found."""
    shared = dict(_undocumented())
    found: list[tuple[int | None, Item | None, Findings]] = []
    for family in FAMILIES:
        if family.build is not None:
            _add(shared, found, family.build(summary, case), None)
    return _item_rows(summary, case, items, shared, found), found


def _item_rows(
    summary: Summary,
    case: Case,
    items: Sequence[Item],
    shared: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
) -> list[dict[str, Value]]:
    """A row an item; the first operation is read before the services that go with it."""
    made: dict[int, dict[str, Value]] = {}
    place = next((n for n, item in enumerate(items) if is_primary_surgery(item)), None)
    if place is not None:
        made[place] = _row(summary, case, items[place], shared, found)
    for n, item in enumerate(items):
        if n not in made:
            known = shared
            if place is not None and is_associated(item):
                known = shared | letter.of_operation(made[place])
            made[n] = _row(summary, case, item, known, found)
    return [made[n] for n in range(len(items))]


def _row(
    summary: Summary,
    case: Case,
    item: Item,
    shared: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
) -> dict[str, Value]:
    row = dict(shared)
    row["letter_id"], row["item_index"] = case.letter_id, item.index
    for family in FAMILIES:
        if family.build_item is not None:
            _add(row, found, family.build_item(summary, case, item, row), item)
    return row


def _add(
    values: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
    findings: Findings,
    item: Item | None,
) -> None:
    values.update(findings.values)
    if findings.support or findings.quoted or findings.more_quoted:
        found.append((None if item is None else item.index, item, findings))


@cache
def _undocumented() -> dict[str, Value]:
    """A row that documents nothing: its keys keep every row in the order of the columns."""
    return {column.name: column.undocumented for column in all_columns()}


def _evidence(signal: str, mention: Mention, index: int | None, item: Item | None) -> Evidence:
    in_request = item is not None and mention.summary.text == item.requested
    words = signal, mention.start, mention.end, mention.text, mention.rule_id, mention.qualifier
    return Evidence(*words, "request" if in_request else "case_summary", index)


def frame(rows: Iterable[Mapping[str, Value]]) -> pd.DataFrame:
    """Rows as a data frame with the catalogue's columns and nullable types (dates as text)."""
    import pandas as pd

    return pd.DataFrame(arrays(rows), copy=False)


def arrays(rows: Iterable[Mapping[str, Value]]) -> dict[str, ExtensionArray]:
    """The catalogue's columns with nullable types, before they make a frame (maybe with others)."""
    names = [column.name for column in all_columns()]
    # All rows turned into columns at once: asking each row for each column took longest.
    cells = list(zip(*(map(row.get, names) for row in rows), strict=True)) or [()] * len(names)
    make = _makers()
    return {c.name: make[c.dtype](own) for c, own in zip(all_columns(), cells, strict=True)}


@cache
def _makers() -> dict[str, Callable[[Sequence[Any]], ExtensionArray]]:
    """What makes a column of a type; much faster than a frame of objects with its types changed."""
    import numpy as np
    import pandas as pd

    def masked(kind: Callable[..., ExtensionArray], dtype: type, absent: Value) -> Any:
        def make(cells: Sequence[Value]) -> ExtensionArray:
            n = len(cells)
            if None not in cells:  # as in most columns, for what is not documented is False
                return kind(np.fromiter(cells, dtype, n), np.zeros(n, dtype=bool))
            mask = np.array([cell is None for cell in cells], dtype=bool)
            known = [absent if cell is None else cell for cell in cells]
            return kind(np.array(known, dtype=dtype), mask)

        return make

    string: Any = pd.StringDtype()
    text: Any = partial(pd.array, dtype=string)
    return {
        "bool": masked(pd.arrays.BooleanArray, np.bool_, False),
        "int": masked(pd.arrays.IntegerArray, np.int64, 0),
        "float": masked(pd.arrays.FloatingArray, np.float64, 0.0),
        "str": text,
        "date": text,
    }


# --- what to know first ---------------------------------------------------------------------------

FEWEST_WORDS = 25
"""Of a case summary that can be judged; real ones have a hundred and more."""
FEWEST_STATEMENTS = 2
_UNKNOWN = ("Other", "Other")
NEWS_DAYS = 30
"""What is longer ago than this is known to somebody."""


@dataclass(frozen=True, slots=True)
class Urgent:
    """What a physician must see today, and the words that say it."""

    text: str
    quote: Evidence


def caveats(
    summary: Summary, case: Case, rows: Sequence[Row], today: date | None = None
) -> tuple[str, ...]:
    """The warnings of a case; ``rows`` are its signals; ``today`` bounds its dates."""
    found = [
        *_dates(summary, case, rows, today or datetime.now(UTC).date()),
        *_thin(summary),
        *_unknown(case),
        *(note for row in rows for note in edition_notes(case, row)),
    ]
    return tuple(dict.fromkeys(found))


def _dates(summary: Summary, case: Case, rows: Sequence[Row], today: date) -> Iterator[str]:
    header = case.header
    denial, injury = header.ur_denial_date, header.date_of_injury
    told = rows[0].get("injury_date") if rows else None
    if injury is None and isinstance(told, str):
        injury = date.fromisoformat(told)
    if injury is not None and denial is not None and denial < injury:
        yield f"implausible dates: the denial ({denial}) is before the injury ({injury})"
    visit = worker.last_visit(summary)
    if injury is not None and visit is not None and visit.day < injury:
        yield f"implausible dates: the latest visit ({visit.day}) is before the injury ({injury})"
    named = {
        "injury": injury,
        "denial": denial,
        "application": header.application_received,
        "assignment": header.date_assigned,
    }
    for name, day in named.items():
        if day is not None and day > today:
            yield f"implausible date: the {name} ({day}) is in the future"


def _thin(summary: Summary) -> Iterator[str]:
    words = len(summary.text.split(maxsplit=FEWEST_WORDS))
    if not words:
        return  # the reader of letters has said so
    if words < FEWEST_WORDS:
        yield f"the case summary has {words} words: too little to judge the request by"
        return
    told = [s for s in statements(summary) if s.source == "record" and s.polarity != "planned"]
    if len(told) < FEWEST_STATEMENTS:
        yield (
            "the case summary tells of no finding, treatment or complaint that was understood: "
            "too little to judge the request by"
        )


def _unknown(case: Case) -> Iterator[str]:
    for item in case.items:
        if (item.category, item.subcategory) == _UNKNOWN:
            yield (
                f"item {item.index}: the treatment is not one that the tables know; it has no "
                "class and no criteria"
            )


@dataclass(frozen=True, slots=True)
class _UrgentRule:
    with_: re.Pattern[str]
    unless: re.Pattern[str]
    text: str


@cache
def _urgent_rules() -> dict[tuple[str, str], list[_UrgentRule]]:
    found: dict[tuple[str, str], list[_UrgentRule]] = {}
    for row in table_rows("urgent"):
        rule = _UrgentRule(re.compile(row["with"]), re.compile(row["unless"]), row["text"])
        found.setdefault((row["subject"], row["concept"]), []).append(rule)
    return found


def urgent(summary: Summary) -> tuple[Urgent, ...]:
    """What the record says of the patient that is a matter for a physician today, and nothing
    further on denies or tells to be gone.
    """
    found: dict[str, Urgent] = {}
    over: set[_UrgentRule] = set()
    for said in sorted(statements(summary), key=lambda said: said.start, reverse=True):
        for rule in _urgent_rules().get((said.subject, said.concept), ()):
            if not rule.with_.search(said.clause):
                continue
            if said.polarity == "denied" or _is_over(summary, said):
                over.add(rule)
            elif rule not in over and _is_news(said) and not rule.unless.search(said.clause):
                start, words = said.quote
                quote = Evidence("urgent", start, start + len(words), words, said.mention.rule_id)
                found.pop(rule.text, None)  # what is told first is quoted, and stands first
                found[rule.text] = Urgent(rule.text, quote)
    return tuple(reversed(found.values()))


def _is_news(said: Statement) -> bool:
    recent = said.ago is None or said.ago <= NEWS_DAYS
    return said.polarity == "affirmed" and said.source == "record" and not said.past and recent


# "The abscess was drained", or in the next sentence "this was drained".
_NO_MORE = re.compile(
    r"\b(?:drained|evacuated|resolved|healed|cleared|cured|subsided|excluded|ruled out)\b"
)
_POINTS_BACK = re.compile(r"(?:this|that|it|which|these|they)\b")


def _is_over(summary: Summary, said: Statement) -> bool:
    if _NO_MORE.search(said.clause):
        return True
    if said.mention.sentence + 1 >= len(summary.bounds):
        return False
    behind = summary.sentence_lower(said.mention.sentence + 1)
    return _POINTS_BACK.match(behind) is not None and _NO_MORE.search(behind) is not None
