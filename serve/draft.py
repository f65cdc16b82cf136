"""`imr new`: a case record to fill in, with what the guideline asks for; and what an edit moved.

The last result of a record that asks its questions is kept beside it (``.case.json.last``): the
estimates and the verdicts by criterion, no word of the record.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imr.data.items import item_of_heading
from imr.data.letter import MAX_ITEMS, Case, CaseHeader, Item
from imr.data.records import HEADER_FIELDS, QUESTIONS
from imr.serve.messages import Refused, say
from imr.serve.outputs import formula_safe, open_atomic, output_path

SUMMARY_ASKS = (
    "Write into case_summary, in sentences, what the records document: age and work, the injury, "
    "complaints, findings of examination and studies, treatment so far and what came of it. "
    "ur_denial_date (2016-11-21; of a draft, its day) decides which edition of a guideline stands. "
    "The questions of each item say what its guideline asks for; they are not read."
)
NO_CRITERIA = (
    "no criteria are known for this kind of request: say what it is for and what was tried"
)


def new_record(titles: Sequence[str], letter_id: str) -> dict[str, Any]:
    """A record with nothing but its items, and the questions of each item's class of request.

    Raises:
        Refused: without a title, or with too many.
    """
    titles = [" ".join(title.split()) for title in titles]
    if not all(titles) or not 0 < len(titles) <= MAX_ITEMS:
        raise Refused(
            f"--item: 1 to {MAX_ITEMS} titles that are not empty", "name what is asked for"
        )
    items = tuple(item_of_heading(n, title, None) for n, title in enumerate(titles))
    return {
        "letter_id": letter_id,
        **{field.name: None for field in HEADER_FIELDS},
        "case_summary": "",
        QUESTIONS: [SUMMARY_ASKS],
        "items": [
            {"title": item.title, "claims_administrator_guideline": None, QUESTIONS: asked}
            for item, asked in zip(items, _questions(items), strict=True)
        ],
    }


def _questions(items: tuple[Item, ...]) -> Iterator[list[str]]:
    """A line a criterion: what is asked for, and what can be done to show it."""
    from imr.features.checklist import checklist
    from imr.features.table import signals
    from imr.models.whatif import DOCUMENT, remedy_of

    case = Case("", "", CaseHeader(), "", items)
    for item, row in zip(items, signals(case).rows, strict=True):
        asked = []
        for criterion in checklist(case, item, row):
            remedy = remedy_of(criterion.id, item)
            done = f": {remedy.action}" if remedy and remedy.kind == DOCUMENT else ""
            asked.append(f"{criterion.text}{done} [{criterion.guideline}]")
        yield asked or [NO_CRITERIA]


def write_new(record: dict[str, Any], path: str) -> None:
    """Write the record as ``.json``, or ``.csv`` with one row an item; no file is replaced.

    Raises:
        Refused: for another ending, or where the file is there or cannot be written.
    """
    target = output_path(path)
    ending = target.suffix.lower()
    if ending not in (".json", ".csv"):
        raise Refused(
            f"{path}: {ending or 'no ending'} is no record to fill in", "name it .json or .csv"
        )
    if not target.on_store and Path(path).exists():
        raise Refused(f"{path}: is there already", "name a new file")
    shown = json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"
    with open_atomic(target) as file:
        file.write(shown if ending == ".json" else _csv(record))


def _csv(record: dict[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    shared = {name: record[name] for name in record if name not in ("items", QUESTIONS)}
    rows = [{**shared, **item, QUESTIONS: " | ".join(item[QUESTIONS])} for item in record["items"]]
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow("" if v is None else formula_safe(v) for v in row.values())
    return text.getvalue().encode("utf-8-sig")  # with its mark Excel reads it as UTF-8


# --- what moved ----------------------------------------------------------------------------------


def moved(path: str, detail: dict[str, Any]) -> list[str]:
    """What moved since the record at ``path`` was last explained; the result is kept for next
    time.
    """
    kept = Path(path).with_name(f".{Path(path).name}.last")
    now = _result(detail)
    before = _earlier(kept)
    try:
        with open_atomic(output_path(str(kept))) as file:
            file.write(json.dumps(now).encode())
    except Refused as error:
        say(f"{error.problem}: the next explanation will not say what moved")
    return [] if before is None else list(_differences(before, now, detail))


def _result(detail: dict[str, Any]) -> dict[str, Any]:
    """The result without words of the record: an item goes by the digest of its request."""
    return {
        "letter_id": _digest(detail["letter_id"]),
        "model_uri": detail["model_uri"],
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "items": {
            _digest(item["requested"]): {
                "p": item["p_overturned"],
                "criteria": {c["id"]: c["status"] for c in item["checklist"]},
            }
            for item in detail["items"]
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _earlier(kept: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(kept.read_bytes())
        return found if found["items"].keys() and found["letter_id"] else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        say(f"{kept.name}: the last result cannot be read and is replaced")
        return None


def _differences(
    before: dict[str, Any], now: dict[str, Any], detail: dict[str, Any]
) -> Iterator[str]:
    if before["letter_id"] != now["letter_id"]:
        return
    yield f"Since {before['at'].replace('T', ' ').replace('+00:00', ' UTC')}:"
    if before["model_uri"] != now["model_uri"]:
        yield "  another model was used then: not all that moved comes from the record"
    for item in detail["items"]:
        key = _digest(item["requested"])
        then, found = before["items"].get(key), now["items"][key]
        if then is None:
            yield f"  Item {item['item_index']}: new, {found['p']:.1%}"
            continue
        change = f"{then['p']:.1%} → {found['p']:.1%}"
        same = abs(then["p"] - found["p"]) < 0.0005
        yield f"  Item {item['item_index']}: " + (f"still {found['p']:.1%}" if same else change)
        for criterion in item["checklist"]:
            was = then["criteria"].get(criterion["id"])
            if was != criterion["status"]:
                yield f"    {was or 'not asked'} → {criterion['status']}: {criterion['text']}"
    gone = len(before["items"].keys() - now["items"].keys())
    if gone:
        yield f"  {gone} item{'s are' if gone > 1 else ' is'} no longer asked for"
