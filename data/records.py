"""Case records: letters as JSON or rows of a table instead of documents.

A record is what is known before a decision; :func:`record_schema` says what stands in one.  A
Parquet file holds one record a row (with an ``items`` list) or, like CSV, one *item* a row, the
rows of a letter standing together (:mod:`imr.data.tables`).  The objects that ``imr parse`` prints
are records too; a decision that stands in one is carried along, never looked at.

``raw_records`` reads and groups, ``letter_from_record`` checks and builds: the first is cheap and
streams, the second can run in another process.  Every error names row, column, what was received
and what is allowed, and never holds the text of a record.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import PurePath
from typing import IO, Any, get_args

from imr.data.citations import parse_citation
from imr.data.letter import (
    MAX_GUIDELINE_CHARS,
    MAX_HEADING_CHARS,
    MAX_ITEMS,
    MAX_SUMMARY_CHARS,
    Case,
    CaseHeader,
    Citation,
    Decision,
    Determination,
    Item,
    Letter,
    LetterError,
    Outcome,
    UrAction,
)
from imr.data.parse import known_summary
from imr.data.read import visible
from imr.data.sources import KINDS, MAX_RECORD_BYTES
from imr.data.tables import (
    NEAR,
    Known,
    Numbered,
    Reading,
    csv_rows,
    excel_rows,
    parquet_rows,
    shown,
)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as read, not yet checked.  ``source`` names file and row (``cases.csv row 3``)."""

    source: str
    values: Mapping[str, Any]
    flat: bool = False


# --- reading -----------------------------------------------------------------------------------


def raw_records(
    name: str,
    content: IO[bytes],
    renames: Mapping[str, str] | None = None,
    notice: Callable[[str], None] = lambda _: None,
) -> Iterator[RawRecord | LetterError]:
    """The records of a file, one by one, not yet checked; a bad row does not end the file.

    The ending of ``name`` decides the format.  ``renames``: how the user calls a column -> the
    column; ``notice`` is told in one line which columns were read under another name.
    """
    ending = PurePath(name).suffix.lower()
    flat = Reading(name, FLAT, renames or {}, notice)
    if ending == ".jsonl":
        yield from _json_records(content, flat)
    elif ending == ".json":
        yield from _json_file(content, flat)
    elif ending in (".csv", ".tsv"):
        yield from _grouped(name, csv_rows(content, flat))
    elif ending == ".xlsx":
        yield from _grouped(name, excel_rows(content, flat))
    elif ending == ".parquet":
        yield from _parquet_records(content, flat)
    else:
        endings = ", ".join(ending for ending, kind in KINDS.items() if kind == "records")
        raise ValueError(f"{name}: the ending of a record file is {endings}")


def _parquet_records(content: IO[bytes], flat: Reading) -> Iterator[RawRecord | LetterError]:
    rows = parquet_rows(content, flat, replace(flat, known=NESTED))
    for row in rows:
        if isinstance(row, LetterError):
            yield row
        elif row[0]:
            yield RawRecord(f"{flat.file} row {row[1]}", row[2])
        else:  # and so are all others: an item each
            others = (one if isinstance(one, LetterError) else one[1:] for one in rows)
            yield from _grouped(flat.file, itertools.chain([row[1:]], others))


def _json_records(content: IO[bytes], how: Reading) -> Iterator[RawRecord | LetterError]:
    remedy, told = "write one object a line", set[str]()
    for number, line in enumerate(_lines(content), start=1):
        source = f"{how.file} line {number}"
        if len(line) > MAX_RECORD_BYTES:
            problem = f"longer than {MAX_RECORD_BYTES // 2**20} MiB, the most of one record"
            yield LetterError(source, "too_large", problem, remedy)
        elif line.strip():
            try:
                values = json.loads(line.decode("utf-8-sig"), strict=False)
            except UnicodeDecodeError:
                problem = "the line is not UTF-8 text"
                yield LetterError(source, "not_utf8", problem, "save it as UTF-8")
            except (ValueError, RecursionError) as error:
                problem = f"not JSON: {_fault(error)}"
                yield LetterError(source, "not_json", problem, remedy)
            else:
                yield _json_record(source, values, how, told)


def _json_file(content: IO[bytes], how: Reading) -> Iterator[RawRecord | LetterError]:
    """The one record of a file, or those of the list in it, which is read as a whole."""
    remedy = "write one object or a list of objects, or .jsonl with one object a line"
    text = content.read(MAX_RECORD_BYTES + 1)
    if len(text) > MAX_RECORD_BYTES:
        problem = f"larger than {MAX_RECORD_BYTES // 2**20} MiB, the most that is read at once"
        yield LetterError(how.file, "too_large", problem, remedy)
        return
    try:
        values = json.loads(text.decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        problem = f"not JSON{place}: {_fault(error, 'no UTF-8 text, ')}"
        yield LetterError(how.file, "not_json", problem, remedy)
        return
    told = set[str]()
    if not isinstance(values, list):
        yield _json_record(how.file, values, how, told)
        return
    for number, one in enumerate(values, start=1):
        yield _json_record(f"{how.file} record {number}", one, how, told)


# Beside a mark of JSON, where a straight quote is due; a comma where a value or a key is due.
_CURLY_QUOTE = re.compile(r"[{\[,:]\s*[“”„‟]|[“”„‟]\s*[}\],:]")
_COMMA_TOO_MANY = re.compile(r"[,\[{]\s*,|,\s*[}\]]")


def _fault(error: Exception, or_else: str = "") -> str:
    """What is wrong with a JSON text, and what of typing or pasting likely made it so."""
    if not isinstance(error, json.JSONDecodeError):
        return f"{or_else}nested too deeply or a number too long"
    text, at = error.doc, error.pos
    start = max(len(text[:at].rstrip()) - 1, 0)
    if _COMMA_TOO_MANY.match(text, start) or _COMMA_TOO_MANY.match(text, at):
        return f"{error.msg}, likely a comma too many"
    # A text that a curly quote should have ended runs on to the next straight one.
    end = None if error.msg.startswith("Unterminated") else at + 2
    around = text[text.rfind("\n", 0, at) + 1 : end]
    if text[at : at + 1] in tuple("“”„‟") or _CURLY_QUOTE.search(around):
        return f'{error.msg}, likely curly quotes where straight ones (") belong'
    return error.msg


def _lines(content: IO[bytes]) -> Iterator[bytes]:
    """The lines; of one that is too long only so much that it is seen to be."""
    while line := content.readline(MAX_RECORD_BYTES + 1):
        end = line
        while len(end) > MAX_RECORD_BYTES and not end.endswith(b"\n"):
            end = content.readline(MAX_RECORD_BYTES + 1)
        yield line


def _json_record(source: str, values: Any, how: Reading, told: set[str]) -> RawRecord | LetterError:
    """The record of an object; ``told`` are keys of the file of which the user knows."""

    def named(values: Mapping[str, Any], known: Known) -> dict[str, Any]:
        """The keys by the names that records have; one that is there already stays as it is."""
        meant = zip(values, replace(how, known=known).names(values), strict=True)
        names = {key: key if name in values else name for key, name in meant}
        known_to_user = told | how.renames.keys()
        renamed.update({k: n for k, n in names.items() if n != k and k not in known_to_user})
        return {names[key]: value for key, value in values.items()}

    if not isinstance(values, dict):
        allowed = "an object with letter_id, case_summary, items"
        problem = f"received {_described(values)}, allowed is {allowed}"
        return LetterError(source, "not_a_record", problem, "write one object a line")
    renamed: dict[str, str] = {}
    flat = "items" not in values
    values = named(values, FLAT if flat else NESTED)
    if not flat and isinstance(values["items"], list):
        values["items"] = [
            named(item, ITEM) if isinstance(item, dict) else item for item in values["items"]
        ]
    how.tell(renamed)
    told.update(renamed)
    if flat and "title" in values:
        return RawRecord(source, {**values, "items": [values]}, flat)
    return RawRecord(source, values)


def _grouped(
    name: str, rows: Iterable[Numbered | LetterError]
) -> Iterator[RawRecord | LetterError]:
    """Flat rows as records: neighbours with one ``letter_id`` are the items of one letter."""
    group: list[dict[str, Any]] = []
    first, seen, texts = 0, set[Any](), dict[str, str]()
    for row in rows:
        if isinstance(row, LetterError):
            yield row
            continue
        number, values = row
        if group and values.get("letter_id") != group[0].get("letter_id"):
            yield _from_group(name, first, group, seen)
            group = []
        if not group:
            first = number
            texts.clear()
        if len(group) <= MAX_ITEMS:  # one more shows that there are too many
            # Of equal texts in the rows of a letter, only one is kept.
            group.append({k: texts.setdefault(v, v) if isinstance(v, str) else v
                          for k, v in values.items()})  # fmt: skip
    if group:
        yield _from_group(name, first, group, seen)


def _from_group(
    name: str, first: int, group: list[dict[str, Any]], seen: set[Any]
) -> RawRecord | LetterError:
    source, letter_id = f"{name} row {first}", group[0].get("letter_id")
    if letter_id is not None and letter_id in seen:
        problem = "column 'letter_id': rows of this letter stand apart"
        return LetterError(source, "rows_apart", problem, "sort the table by letter_id")
    seen.add(letter_id)
    return RawRecord(source, {**group[0], "items": group}, flat=True)


# --- columns -----------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError
    return str(value)


# California writes month, day, year; spreadsheets add a time.  A year of two digits could be two.
_US_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?: \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?)?", re.IGNORECASE
)


def _date(value: Any) -> date:
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    if american := _US_DATE.fullmatch(value):
        month, day, year = map(int, american.groups())
        return date(year, month, day)
    return datetime.fromisoformat(value).date()


def _one_of(allowed: tuple[str, ...], value: Any) -> Any:
    if value not in allowed:
        raise ValueError
    return value


def _guideline(value: Any) -> Citation:
    raw = value["raw"] if isinstance(value, Mapping) else value
    text = " ".join(visible(_text(raw)).split())
    if len(text) > MAX_GUIDELINE_CHARS:
        raise ValueError
    return parse_citation(text)


def _known_decision(value: Any) -> Decision:
    parts = value if isinstance(value, Mapping) else {"outcome": value}
    outcome = _one_of(get_args(Outcome), parts["outcome"])
    cited = parts.get("guideline")
    rationale = _text(parts.get("rationale") or "")
    return Decision(outcome, None if cited is None else _guideline(cited), rationale)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column may hold: its check, which gives the value as letters have it or raises
    ValueError, TypeError or KeyError; the words for it in a message; its JSON Schema.
    """

    check: Callable[[Any], Any]
    allowed: str
    schema: Mapping[str, Any]


TEXT = Kind(_text, "text", {"type": ["string", "integer", "null"]})
DATE = Kind(
    _date,
    "a date such as 2016-10-13 or 10/13/2016, its year in four digits",
    {"type": ["string", "null"], "format": "date", "examples": ["2016-10-13"]},
)
UR_ACTION = Kind(
    partial(_one_of, get_args(UrAction)),
    "'denied' or 'modified'",
    {"enum": [*get_args(UrAction), None]},
)
GUIDELINE = Kind(_guideline, "text or an object with raw", {"type": ["string", "object", "null"]})
DECISION = Kind(
    _known_decision,
    "'Upheld', 'Overturned' or an object with outcome",
    {"type": ["string", "object", "null"], "examples": list(get_args(Outcome))},
)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a record: what it may hold, what it is, and its longest text in characters."""

    name: str
    kind: Kind
    definition: str
    required: bool = False
    most: int = MAX_HEADING_CHARS

    def value(self, values: Mapping[str, Any], where: str = "") -> Any:
        """The checked value of this column; None where there is none."""
        value = values.get(self.name)
        column = f"{where}column {self.name!r}"
        if isinstance(value, str):
            value = " ".join(visible(value).split())
            if len(value) > self.most:
                raise _NotAllowedError(
                    f"{column}: received {_described(value)}, allowed are {self.most}"
                )
        if value is None or value == "" or (isinstance(value, float) and value != value):
            if self.required:
                raise _not_allowed(column, None, "text")
            return None
        try:
            return self.kind.check(value)
        except (ValueError, TypeError, KeyError):
            raise _not_allowed(column, value, self.kind.allowed) from None


LETTER_FIELDS = (
    Field("letter_id", TEXT, "Your identifier of the letter.", required=True),
    Field("case_summary", TEXT, "What the records document, as prose.", True, MAX_SUMMARY_CHARS),
)
HEADER_FIELDS = (
    Field("case_number", TEXT, "Case number of the review, for example CM16-0000000."),
    Field("date_assigned", DATE, "Day the case was assigned."),
    Field("date_of_injury", DATE, "Day of the injury."),
    Field("ur_denial_date", DATE, "Day of the utilization review denial."),
    Field("application_received", DATE, "Day the application was received."),
    Field("priority", TEXT, "Standard or Expedited."),
)
ITEM_FIELDS = (
    Field("title", TEXT, "The disputed item or service as printed.", required=True),
    Field(
        "claims_administrator_guideline",
        GUIDELINE,
        "The guideline the claims administrator cited, as printed (or as imr parse prints it).",
        most=MAX_GUIDELINE_CHARS,
    ),
    Field("requested", TEXT, "What is under review, where it is not the title."),
    Field("ur_action", UR_ACTION, "What utilization review did."),
    Field("original_request", TEXT, "The original request, where it was modified."),
    Field("authorized", TEXT, "The part that was authorized, where it was modified."),
    Field("decision", DECISION, "A known decision: carried along, never an input."),
    Field(
        "decision_guideline",
        TEXT,
        "The reviewer's guideline as printed, where decided.",
        most=MAX_GUIDELINE_CHARS,
    ),
)
_DECISION_DATE = Field("decision_date", DATE, "Day of the decision, where decided.")
QUESTIONS = "questions"
"""What a record to fill in asks (`imr new`): for its writer, not read."""


_HEADER_NAMES = frozenset({"decision_date"}.union(field.name for field in HEADER_FIELDS))
_ON_LETTERS = _HEADER_NAMES | {"letter_id", "case_summary", "source", QUESTIONS}
_ON_ITEMS = frozenset({QUESTIONS, "index", "item_index", "category", "subcategory", "body_parts",
                       "quantity", "quantity_unit"}.union(f.name for f in ITEM_FIELDS))  # fmt: skip
_IN_FULL = _ON_LETTERS | {"items", "header", "reviewer", "warnings"}
FLAT = Known(_ON_LETTERS | _ON_ITEMS, ("letter_id", "case_summary", "title"))
NESTED = Known(_IN_FULL, ("letter_id", "case_summary", "items"))
ITEM = Known(_ON_ITEMS, ("title",))
"""The columns of a flat table, of a letter with its items, and of one of these."""


# --- checking ----------------------------------------------------------------------------------


class _NotAllowedError(Exception):
    """A value that is not allowed; the message names the column.  It never leaves the module."""


def _not_allowed(where: str, value: Any, allowed: str) -> _NotAllowedError:
    return _NotAllowedError(f"{where}: received {_described(value)}, allowed is {allowed}")


def letter_from_record(record: RawRecord) -> Letter:
    """The letter of a record; a :class:`LetterError` that names what is not allowed in it."""
    try:
        return _letter(record)
    except _NotAllowedError as problem:
        raise LetterError(record.source, "record", str(problem), "see imr schema") from None


def _letter(record: RawRecord) -> Letter:
    values = record.values
    if not str(values.get("case_summary") or "").strip() and asks(values):
        raise LetterError(
            record.source,
            "record",
            "the record is not filled in: its case_summary is empty",
            "write into it what the records document, and into ur_denial_date the day of the "
            "denial or, of a draft, its own",
        )
    warnings = _unknown(values, FLAT.names | {"items"} if record.flat else NESTED.names, "")
    letter_id, text = (field.value(values) for field in LETTER_FIELDS)
    summary, cut = known_summary(text)
    warnings += cut
    rows = values.get("items")
    if not isinstance(rows, list) or not rows:
        raise _not_allowed("column 'items'", rows, "a list of items")
    if len(rows) > MAX_ITEMS:
        problem = f"received {len(rows)} items, allowed are {MAX_ITEMS}"
        raise _NotAllowedError(f"column 'items': {problem}")
    read = [_item(index, row, record.flat, warnings) for index, row in enumerate(rows)]
    items, decisions = zip(*read, strict=True)
    nested = values.get("header") or {}
    if not isinstance(nested, Mapping):
        raise _not_allowed("column 'header'", nested, "an object")
    warnings += _unknown(nested, _HEADER_NAMES, "header: ")
    nested = {**nested, **{k: v for k, v in values.items() if v is not None}}
    header = CaseHeader(**{field.name: field.value(nested) for field in HEADER_FIELDS})
    case = Case(letter_id, record.source, header, summary, items)
    determination = Determination(_DECISION_DATE.value(nested), decisions=decisions)
    return Letter(case, determination, tuple(warnings))


def asks(values: Mapping[str, Any]) -> bool:
    """True for a record that `imr new` made, as long as its questions stand in it."""
    items = values.get("items")
    rows = (values, *items) if isinstance(items, list) else (values,)
    return any(isinstance(row, Mapping) and row.get(QUESTIONS) for row in rows)


def _item(index: int, row: Any, flat: bool, warnings: list[str]) -> tuple[Item, Decision | None]:
    # Who lists records, or says how `imr` is used, needs no patterns of requests.
    from imr.data.request import item_of_heading, split_outcome

    where = f"row {index + 1} of the letter: " if flat else f"items[{index}]: "
    if not isinstance(row, Mapping):
        raise _not_allowed(f"items[{index}]", row, "an object with title")
    if not flat:
        warnings += _unknown(row, ITEM.names, where)
    value = {field.name: field.value(row, where) for field in ITEM_FIELDS}
    value["title"], outcome = split_outcome(value["title"])
    if outcome:
        warnings.append(f"{where}the title ends in an outcome: cut off")
    decision, cited = value.pop("decision"), value.pop("decision_guideline")
    if decision and cited and decision.guideline is None:
        decision = replace(decision, guideline=parse_citation(cited))
    guideline = value.pop("claims_administrator_guideline")
    return item_of_heading(index, guideline=guideline, **value), decision


def _unknown(values: Mapping[str, Any], known: frozenset[str], where: str) -> list[str]:
    """Warnings for columns that are not read; a name that looks misspelt is a problem."""
    extra = [name for name in values if name not in known]
    for name in extra:
        for near in difflib.get_close_matches(name, known, n=1, cutoff=NEAR):
            raise _NotAllowedError(f"{where}{shown(name)} is not known, allowed is {near!r}")
    return [f"{where}{shown(name)} is not read" for name in extra]


def _described(value: Any) -> str:
    """A value for an error message: its kind, and itself only where it is too short for text."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value) if len(value) <= 12 else f"text of {len(value)} characters"
    if isinstance(value, (bool, int, float)):
        return repr(value)[:24]
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, Mapping) else f"a value of type {type(value).__name__}"


# --- the published schema ----------------------------------------------------------------------


def record_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one record, as `imr schema` prints it."""
    letter, item = _object_schema(LETTER_FIELDS + HEADER_FIELDS), _object_schema(ITEM_FIELDS)
    letter["properties"]["items"] = {
        "type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": item
    }  # fmt: skip
    letter["required"].append("items")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Undecided case record",
        "description": (
            "One object (.json), one a line (.jsonl) or a row (.parquet with an items list). In a "
            "flat table (.csv, .tsv, .xlsx, .parquet) one item a row: the letter's columns beside "
            "the item's, rows of a letter together. Columns that are not named here are not read; "
            "objects that imr parse prints are records too."
        ),
        **letter,
    }


def _object_schema(fields: Sequence[Field]) -> dict[str, Any]:
    filled = {"type": ["string", "integer"], "minLength": 1}
    properties = {
        field.name: {
            "description": field.definition,
            **field.kind.schema,
            **(filled if field.required else {}),
        }
        for field in fields
    }
    required = [field.name for field in fields if field.required]
    return {"type": "object", "properties": properties, "required": required}
