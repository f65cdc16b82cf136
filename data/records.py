"""Case records: letters as JSON Lines, CSV or Parquet rows instead of documents.

A record is what is known before a decision: an id, the case summary and the disputed items, each
with its title and, where known, the guideline that the claims administrator cited.  JSON Lines
hold one record a line; a Parquet file holds one record a row (with an ``items`` list) or, like
CSV, one *item* a row, the rows of a letter standing together.  The objects that ``imr parse``
prints are records too; a decision that stands in one is carried along, never looked at.

``raw_records`` reads and groups, ``letter_from_record`` checks and builds: the first is cheap and
streams, the second can run in another process.  Every error names row, column, what was received
and what is allowed, and never holds the text of a record.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Literal, get_args

from imr.data.citations import parse_citation
from imr.data.items import item_of_heading, split_outcome
from imr.data.layout import visible
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

RECORD_ENDINGS = (".jsonl", ".csv", ".parquet")
MAX_RECORD_BYTES = 16 * 2**20
"""A letter's text has 4 to 20 KB; a line or cell of 16 MiB is not one letter."""

MAX_RATIO = 100
"""A table of letters shrinks to a third; one that grows a hundredfold is a bomb."""

BATCH_ROWS = 64
BATCH_BYTES = 64 * 2**20
"""Of a Parquet table, decoded at a time: a value of its dictionary costs a few bits a row there
and its full length here, so that large columns are taken in fewer rows."""

LONGEST_NAME = 40
"""Characters of a column name that a message may show."""

_MOST = {
    "case_summary": MAX_SUMMARY_CHARS,
    "claims_administrator_guideline": MAX_GUIDELINE_CHARS,
    "decision_guideline": MAX_GUIDELINE_CHARS,
}

Kind = Literal["text", "date", "ur_action", "guideline", "decision", "any"]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a record: what it may hold and what it is."""

    name: str
    kind: Kind
    definition: str
    required: bool = False


LETTER_FIELDS = (
    Field("letter_id", "text", "Your identifier of the letter.", required=True),
    Field("case_summary", "text", "What the records document, as prose.", required=True),
)
HEADER_FIELDS = (
    Field("case_number", "text", "Case number of the review, for example CM16-0000000."),
    Field("date_assigned", "date", "Day the case was assigned."),
    Field("date_of_injury", "date", "Day of the injury."),
    Field("ur_denial_date", "date", "Day of the utilization review denial."),
    Field("application_received", "date", "Day the application was received."),
    Field("priority", "text", "Standard or Expedited."),
)
ITEM_FIELDS = (
    Field("title", "text", "The disputed item or service as printed.", required=True),
    Field(
        "claims_administrator_guideline",
        "guideline",
        "The guideline the claims administrator cited, as printed (or as imr parse prints it).",
    ),
    Field("requested", "text", "What is under review, where it is not the title."),
    Field("ur_action", "ur_action", "What utilization review did."),
    Field("original_request", "text", "The original request, where it was modified."),
    Field("authorized", "text", "The part that was authorized, where it was modified."),
    Field("decision", "decision", "A known decision: carried along, never an input."),
    Field("decision_guideline", "text", "The reviewer's guideline as printed, where decided."),
)
_IGNORED_LETTER = ("source", "header", "reviewer", "warnings", "items", "decision_date")
_IGNORED_ITEM = (
    "index",
    "item_index",
    "category",
    "subcategory",
    "body_parts",
    "quantity",
    "quantity_unit",
)
_LETTER_NAMES = frozenset(
    [f.name for f in LETTER_FIELDS + HEADER_FIELDS] + list(_IGNORED_LETTER),
)
_ITEM_NAMES = frozenset([f.name for f in ITEM_FIELDS] + list(_IGNORED_ITEM))
_FLAT_NAMES = _LETTER_NAMES - {"items", "header", "reviewer", "warnings"} | _ITEM_NAMES


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as read, not yet checked.  ``source`` names file and row (``cases.csv row 3``)."""

    source: str
    values: Mapping[str, Any]
    flat: bool = False


# --- reading -----------------------------------------------------------------------------------


def is_record_file(path: str) -> bool:
    """True where the ending says that the file holds case records."""
    return path.lower().endswith(RECORD_ENDINGS)


def raw_records(name: str, content: IO[bytes]) -> Iterator[RawRecord | LetterError]:
    """The records of a file, one by one, not yet checked; a bad row does not end the file.

    ``name`` is the file's name (its ending decides the format), ``content`` its bytes.
    """
    ending = Path(name).suffix.lower()
    if ending == ".jsonl":
        yield from _json_records(name, content)
    elif ending == ".csv":
        yield from _grouped(name, _csv_rows(name, content))
    elif ending == ".parquet":
        yield from _parquet_records(name, content)
    else:
        raise ValueError(f"{name}: the ending of a record file is one of {RECORD_ENDINGS}")


def _json_records(name: str, content: IO[bytes]) -> Iterator[RawRecord | LetterError]:
    for number, line in enumerate(_lines(content), start=1):
        if not line.strip():
            continue
        if len(line) > MAX_RECORD_BYTES:
            message = f"longer than {MAX_RECORD_BYTES // 2**20} MiB, the most of one record"
            yield _error(f"{name} line {number}", "too_large", message, "write one object a line")
            continue
        source = f"{name} line {number}"
        try:
            values = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            yield _error(source, "not_utf8", "the line is not UTF-8 text", "save it as UTF-8")
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "nested too deeply or a number too long")
            yield _error(source, "not_json", f"not JSON: {reason}", "write one object a line")
        else:
            yield _object(source, values)


def _lines(content: IO[bytes]) -> Iterator[bytes]:
    """The lines; of one that is too long only so much that it is seen to be."""
    while line := content.readline(MAX_RECORD_BYTES + 1):
        end = line
        while len(end) > MAX_RECORD_BYTES and not end.endswith(b"\n"):
            end = content.readline(MAX_RECORD_BYTES + 1)
        yield line


def _object(source: str, values: Any) -> RawRecord | LetterError:
    if isinstance(values, dict):
        flat = "items" not in values and "title" in values
        return RawRecord(source, {**values, "items": [values]} if flat else values, flat)
    message = f"received {_shown(values)}, allowed is an object with letter_id, case_summary, items"
    return _error(source, "not_a_record", message, "write one object a line")


_Numbered = tuple[int, dict[str, Any]]


def _csv_rows(name: str, content: IO[bytes]) -> Iterator[_Numbered | LetterError]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    text = io.TextIOWrapper(content, "utf-8-sig", newline="")
    reader = csv.reader(text)
    try:
        columns = next(reader, None)
        if columns is None:
            yield _error(name, "empty", "the table is empty", _FLAT_REMEDY)
            return
        doubled = sorted({c for c in columns if columns.count(c) > 1})
        if doubled:
            yield _error(name, "columns", f"{_column(doubled[0])} stands twice", "keep one")
            return
        for number, cells in enumerate(reader, start=2):
            if cells:
                yield _csv_row(name, number, columns, cells)
    except UnicodeDecodeError:
        yield _error(name, "not_utf8", "the table is not UTF-8 text", "save it as CSV UTF-8")
    except csv.Error as error:
        where = f"{name} line {reader.line_num}"
        yield _error(where, "not_csv", f"not CSV: {error}", "quote cells that hold commas")
    finally:
        text.detach()


def _csv_row(
    name: str, number: int, columns: list[str], cells: list[str]
) -> _Numbered | LetterError:
    if len(cells) != len(columns):
        message = f"received {len(cells)} cells, the header names {len(columns)}"
        return _error(f"{name} row {number}", "not_csv", message, "quote cells that hold commas")
    return number, {c: v or None for c, v in zip(columns, cells, strict=True)}


def _parquet_records(name: str, content: IO[bytes]) -> Iterator[RawRecord | LetterError]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(content)
        if _grows_too_much(table, content):
            message = f"the table would grow more than {MAX_RATIO} times when read"
            yield _error(name, "too_large", message, "check where it comes from")
            return
        rows = _parquet_rows(table)
        if "items" not in table.schema_arrow.names:
            yield from _grouped(name, rows)
            return
        for number, values in rows:
            yield RawRecord(f"{name} row {number}", values)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        yield _error(name, "not_parquet", f"cannot read it as Parquet: {reason}", "write it again")
    except Exception as error:  # noqa: BLE001 - a damaged file makes Arrow raise anything
        kind = type(error).__name__
        yield _error(name, "not_parquet", f"cannot read it as Parquet ({kind})", "write it again")


def _grows_too_much(table: Any, content: IO[bytes]) -> bool:
    groups = (table.metadata.row_group(i) for i in range(table.metadata.num_row_groups))
    packed = max(content.seek(0, io.SEEK_END), 2**20)
    unpacked: int = sum(group.total_byte_size for group in groups)
    return unpacked > MAX_RATIO * packed


def _batch_rows(table: Any) -> int:
    """Rows at a time, so that even the longest value there may be, in each row, stays in bounds."""
    metadata = table.metadata
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    longest = max((group.total_byte_size for group in groups), default=0)
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(longest, 1)))


def _parquet_rows(table: Any) -> Iterator[_Numbered]:
    number = 0
    for batch in table.iter_batches(batch_size=_batch_rows(table)):
        for values in batch.to_pylist():
            number += 1
            yield number, values


def _grouped(
    name: str, rows: Iterable[_Numbered | LetterError]
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
            group.append({k: _shared(value, texts) for k, value in values.items()})
    if group:
        yield _from_group(name, first, group, seen)


def _shared(value: Any, texts: dict[str, str]) -> Any:
    """The value; of equal texts in the rows of a letter, only one is kept."""
    return texts.setdefault(value, value) if isinstance(value, str) else value


def _from_group(
    name: str, first: int, group: list[dict[str, Any]], seen: set[Any]
) -> RawRecord | LetterError:
    source = f"{name} row {first}"
    letter_id = group[0].get("letter_id")
    if letter_id is not None and letter_id in seen:
        message = "column 'letter_id': rows of this letter stand apart"
        return _error(source, "rows_apart", message, "sort the table by letter_id")
    seen.add(letter_id)
    return RawRecord(source, {**group[0], "items": group}, flat=True)


# --- checking ----------------------------------------------------------------------------------


class _NotAllowed(Exception):  # noqa: N818 - it never leaves the module
    """A value that is not allowed; the message names the column."""


def letter_from_record(record: RawRecord) -> Letter:
    """The letter of a record; :class:`LetterError` names what is not allowed in it."""
    try:
        return _letter(record)
    except _NotAllowed as problem:
        raise _error(record.source, "record", str(problem), "see imr schema") from None


def _letter(record: RawRecord) -> Letter:
    values = record.values
    warnings = _unknown(values, _FLAT_NAMES | {"items"} if record.flat else _LETTER_NAMES, "")
    letter_id, given = (str(_value(f, values)) for f in LETTER_FIELDS)
    summary, cut = known_summary(given)
    warnings += cut
    rows = _items(values.get("items"))
    pairs = [_item(index, row, record.flat, warnings) for index, row in enumerate(rows)]
    case = Case(letter_id, record.source, _header(values), summary, tuple(i for i, _ in pairs))
    decisions = tuple(d for _, d in pairs)
    known = decisions if any(decisions) else (None,) * len(decisions)
    day = _value(Field("decision_date", "date", ""), _nested_header(values))
    return Letter(case, Determination(day, decisions=known), tuple(warnings))


def _items(rows: Any) -> list[Any]:
    if not isinstance(rows, list) or not rows:
        raise _NotAllowed(f"column 'items': received {_shown(rows)}, allowed is a list of items")
    if len(rows) > MAX_ITEMS:
        raise _NotAllowed(f"column 'items': received {len(rows)} items, allowed are {MAX_ITEMS}")
    return rows


def _nested_header(values: Mapping[str, Any]) -> Mapping[str, Any]:
    header = values.get("header") or {}
    if not isinstance(header, Mapping):
        raise _NotAllowed(f"column 'header': received {_shown(header)}, allowed is an object")
    return {**header, **{k: v for k, v in values.items() if v is not None}}


def _header(values: Mapping[str, Any]) -> CaseHeader:
    nested = _nested_header(values)
    return CaseHeader(**{f.name: _value(f, nested) for f in HEADER_FIELDS})


def _item(index: int, row: Any, flat: bool, warnings: list[str]) -> tuple[Item, Decision | None]:
    where = f"row {index + 1} of the letter: " if flat else f"items[{index}]: "
    if not isinstance(row, Mapping):
        raise _NotAllowed(
            f"items[{index}]: received {_shown(row)}, allowed is an object with title"
        )
    if not flat:
        warnings += _unknown(row, _ITEM_NAMES, where)
    value = {f.name: _value(f, row, where) for f in ITEM_FIELDS}
    title, outcome = split_outcome(value["title"])
    if outcome:
        warnings.append(f"{where}the title ends in an outcome: cut off")
    decision, cited = value.pop("decision"), value.pop("decision_guideline")
    if decision and cited and decision.guideline is None:
        decision = replace(decision, guideline=parse_citation(cited))
    guideline = value.pop("claims_administrator_guideline")
    return item_of_heading(index, **{**value, "title": title}, guideline=guideline), decision


def _unknown(values: Mapping[str, Any], known: frozenset[str], where: str) -> list[str]:
    """Warnings for columns that are not read; a name that looks misspelt is a problem."""
    extra = [name for name in values if name not in known]
    for name in extra:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            raise _NotAllowed(f"{where}{_column(name)} is not known, allowed is {near[0]!r}")
    return [f"{where}{_column(name)} is not read" for name in extra]


def _column(name: str) -> str:
    """A column for a message; without a header row its name is the text of a letter."""
    if len(name) <= LONGEST_NAME and " " not in name.strip():
        return f"column {name!r}"
    return f"a column whose name has {len(name)} characters"


def _value(field: Field, values: Mapping[str, Any], where: str = "") -> Any:
    value = values.get(field.name)
    if isinstance(value, str):
        value = " ".join(visible(value).split())
        if len(value) > _MOST.get(field.name, MAX_HEADING_CHARS):
            most = _MOST.get(field.name, MAX_HEADING_CHARS)
            raise _NotAllowed(
                f"{where}column {field.name!r}: received {_shown(value)}, allowed are {most}"
            )
    if value is None or value == "" or (isinstance(value, float) and value != value):
        if field.required:
            raise _NotAllowed(f"{where}column {field.name!r}: received nothing, allowed is text")
        return None
    try:
        return _CHECKS[field.kind](value)
    except (ValueError, TypeError, KeyError):
        allowed = _ALLOWED[field.kind]
        raise _NotAllowed(
            f"{where}column {field.name!r}: received {_shown(value)}, allowed is {allowed}"
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError
    return str(value)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return datetime.fromisoformat(value).date()


def _one_of(allowed: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return check


def _guideline(value: Any) -> Citation:
    raw = value["raw"] if isinstance(value, Mapping) else value
    text = " ".join(visible(_text(raw)).split())
    if len(text) > MAX_GUIDELINE_CHARS:
        raise ValueError
    return parse_citation(text)


def _known_decision(value: Any) -> Decision:
    parts = value if isinstance(value, Mapping) else {"outcome": value}
    outcome: Any = _one_of(get_args(Outcome))(parts["outcome"])
    cited = parts.get("guideline")
    rationale = _text(parts.get("rationale") or "")
    return Decision(outcome, None if cited is None else _guideline(cited), rationale)


_CHECKS: dict[Kind, Callable[[Any], Any]] = {
    "text": _text,
    "date": _date,
    "ur_action": _one_of(get_args(UrAction)),
    "guideline": _guideline,
    "decision": _known_decision,
}
_ALLOWED: dict[Kind, str] = {
    "text": "text",
    "date": "a date such as 2016-10-13",
    "ur_action": "'denied' or 'modified'",
    "guideline": "text or an object with raw",
    "decision": "'Upheld', 'Overturned' or an object with outcome",
}
_FLAT_REMEDY = "the first row names the columns: letter_id, case_summary, title, …"


def _shown(value: Any) -> str:
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


def _error(source: str, reason: str, message: str, remedy: str) -> LetterError:
    return LetterError(source, reason, message, remedy)


# --- the published schema ----------------------------------------------------------------------


def record_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one record, as `imr schema` prints it."""
    item = _object_schema(ITEM_FIELDS)
    schema = _object_schema(LETTER_FIELDS + HEADER_FIELDS)
    items = {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": item}
    properties = {**schema["properties"], "items": items}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Undecided case record",
        "description": (
            "One object a line (.jsonl) or a row (.parquet with an items list). In a flat table "
            "(.csv, .parquet) one item a row: the letter's columns beside the item's, rows of a "
            "letter together. Columns that are not named here are not read; objects that "
            "imr parse prints are records too."
        ),
        **schema,
        "properties": properties,
        "required": [*schema["required"], "items"],
    }


def _object_schema(fields: Iterable[Field]) -> dict[str, Any]:
    fields = tuple(fields)
    return {
        "type": "object",
        "properties": {f.name: _property(f) for f in fields},
        "required": [f.name for f in fields if f.required],
    }


def _property(field: Field) -> dict[str, Any]:
    shape = _SHAPES[field.kind]
    if field.required:
        shape = {**shape, "type": ["string", "integer"], "minLength": 1}
    return {"description": field.definition, **shape}


_NULLABLE = ["string", "null"]
_SHAPES: dict[Kind, dict[str, Any]] = {
    "text": {"type": ["string", "integer", "null"]},
    "date": {"type": _NULLABLE, "format": "date", "examples": ["2016-10-13"]},
    "ur_action": {"enum": [*get_args(UrAction), None]},
    "guideline": {"type": ["string", "object", "null"]},
    "decision": {"type": ["string", "object", "null"], "examples": list(get_args(Outcome))},
}
