"""One letter on the terminal: what is predicted, why, what is not documented, what an edit moved.

Colour and highlights on a terminal, the same words as plain text in a pipe.  Text of a letter is
never read as markup.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr.data.letter import LetterError
from imr.data.records import RawRecord, asks
from imr.serve import letter_json
from imr.serve.letters import (
    AS_FOUND,
    Chunk,
    Notice,
    ReadAs,
    Task,
    read_safely,
    task_letter_id,
    tasks,
)
from imr.serve.messages import Refused, say
from imr.serve.model import ModelAddress, ScoreSetup, import_models, load_in_worker, resolve
from imr.serve.outputs import open_atomic, output_path
from imr.serve.workers import Worker

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from imr.features.statements import Statement
    from imr.models.predictor import Predictor

BAR_CELLS = 40
CONTEXT_CHARS = 70
PLAIN_WIDTH = 100
LEAST_CANDIDATE = 0.05
"""Guidelines less likely than this are shown by ``--json`` only; the first always is."""
SIGNS = {"met": "✓", "not met": "✗", "not documented": "○"}
STYLES = {"met": "green", "not met": "yellow", "not documented": "dim"}
DIRECTIONS = ("for", "Speaks for an overturn", "+"), ("against", "Speaks against", "−")
HEADER = {"case_number": "case", "date_of_injury": "injured", "ur_denial_date": "denied",
          "application_received": "application", "priority": "priority"}  # fmt: skip


def explain(
    path: str,
    model: str,
    letter_id: str | None = None,
    load: Callable[[str], Predictor] = load_in_worker,
    resolve: Callable[[str], ModelAddress] = resolve,
    how: ReadAs = AS_FOUND,
) -> dict[str, Any]:
    """One letter predicted and explained: see :func:`imr.serve.letter_json.run_detail`.

    Raises:
        Refused: where there is not exactly one letter, it cannot be read, or there is no model.
    """
    task = _one_task(path, letter_id, how)
    worker = Worker(prepare=import_models)  # while this process asks for the model
    with contextlib.closing(worker):
        address = resolve(model)
        setup = ScoreSetup(str(address.folder), reasons=True, detail=True, load=load)
        [answer] = worker.answer(setup, Chunk(0, (task,)))
    if "error" in answer:
        raise _refused(LetterError(**answer["error"]))
    return letter_json.run_detail(answer["detail"], address.uri)


def _one_task(path: str, letter_id: str | None, how: ReadAs, notice: Notice = say) -> Task:
    every = tasks([path], notice, how, apart=True)
    found = [task for task in every if letter_id in (None, task_letter_id(task))]
    if not found:
        raise Refused(f"{path}: no letter of that id", "leave out --letter-id or correct it")
    if len(found) > 1:
        remedy = "name one file, or pick one with --letter-id; imr score takes many"
        raise Refused(f"{path}: {len(found)} letters, explain takes one", remedy)
    if isinstance(found[0], LetterError):
        raise _refused(found[0])
    return found[0]


def _refused(failure: LetterError) -> Refused:
    return Refused(f"{failure.source}: {failure.message}", failure.remedy)


def chosen_items(detail: dict[str, Any], item: int | None) -> list[dict[str, Any]]:
    """All items, or the one with that index (from 0)."""
    items: list[dict[str, Any]] = detail["items"]
    if item is not None and item >= len(items):
        has = f"items 0 to {len(items) - 1}" if len(items) > 1 else "one item, which is item 0"
        raise Refused(f"no item {item}: the letter has {has}", "items are counted from 0")
    return items if item is None else [items[item]]


def make_console() -> Console:
    """Standard output as rich prints to it; a pipe gets plain text of a fixed width."""
    import sys

    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def show(detail: dict[str, Any], console: Console) -> None:
    """Print a letter and its items; in a pipe without the blanks that rich fills lines with."""
    lines = [*_letter(detail)]
    for item in detail["items"]:
        lines += [_line(0, ""), *_item(detail, item)]
    lines += [_line(0, ""), _line(0, detail["interval_meaning"], style="dim")]
    if any(item["what_if"] for item in detail["items"]):
        lines.append(_line(0, f"What would change it: {detail['what_if_meaning']}", style="dim"))
    lines.append(_line(0, detail["notice"], style="italic"))
    lines.append(_line(0, f"model {detail['model_uri']}", style="dim"))
    with contextlib.nullcontext() if console.is_terminal else console.capture() as held:
        console.print(*lines, sep="\n")
    if held:
        print(*map(str.rstrip, held.get().splitlines()), sep="\n")


def _line(indent: int, *parts: str | tuple[str, str] | Text, style: str = "") -> RenderableType:
    from rich.padding import Padding
    from rich.text import Text

    text = Text.assemble(*parts, style=style)
    return Padding(text, (0, 0, 0, indent), expand=False) if indent else text


def _letter(detail: dict[str, Any]) -> Iterator[RenderableType]:
    header = detail["header"]
    facts = [f"{name} {header[key]}" for key, name in HEADER.items() if header[key]]
    yield _line(0, f"Letter {detail['letter_id']}", style="bold")
    yield _line(0, " · ".join([*facts, detail["source"].rpartition("/")[2]]), style="dim")
    for fact in detail["urgent"]:
        yield _line(0, f"! {fact['text']}", style="bold red")
        yield from _quotes(detail, fact["quotes"])
    if detail["urgent"]:
        yield _line(0, detail["urgent_notice"], style="bold red")
    for warning in detail["warnings"]:
        yield _line(0, f"note: {warning}", style="yellow")


def _item(detail: dict[str, Any], item: dict[str, Any]) -> Iterator[RenderableType]:
    yield _line(0, f"Item {item['item_index']}: {item['requested']}", style="bold")
    kind = " · ".join(x for x in dict.fromkeys((item["category"], item["subcategory"])) if x)
    action = f"{item['ur_action']} by UR" if item["ur_action"] else "asked for"
    action += f" (authorized: {item['authorized']})" if item["authorized"] else ""
    yield _line(2, f"{kind or 'not classified'} · {action}", style="dim")
    p, low, high = (item[f"p_overturned{end}"] for end in ("", "_low", "_high"))
    interval = f"  interval {low:.1%} to {high:.1%}"
    yield _line(2, f"p(overturned) {p:6.1%}  ", *_bar(p, low, high), interval, style="bold")
    decided = f", decided {item['decision']}" if item["decision"] else ""
    yield _line(2, f"predicted {item['predicted_outcome']}{decided}", style="bold")
    yield _line(2, f"{item['meaning']}.", style="dim")
    if item["similar"]:
        yield _line(2, letter_json.similar_sentence(item["similar"]), style="dim")
    told = letter_json.changes_told(item)
    idle = [letter_json.change_action(c) for c in item["what_if"] if c not in told]
    if told or idle:
        yield _line(2, "What would change it", style="bold")
    for change in told:
        gives = letter_json.change_sentence(change, item["p_overturned"])
        yield _line(4, f"> {letter_json.change_action(change)}: ", (gives, "bold"))
    if idle:
        yield _line(4, f"> No gain to be seen: {'; '.join(idle)}", style="dim")
    yield from _reasons(detail, item)
    yield from _checklist(detail, item)
    if item["guidelines"]:
        yield _line(2, "Guideline the reviewer may cite", style="bold")
    for candidate in item["guidelines"]:
        if candidate["p"] < LEAST_CANDIDATE and candidate is not item["guidelines"][0]:
            continue
        yield _line(4, f"{candidate['p']:6.1%}  {candidate['guideline']}")
    if item["decision_guideline"]:
        yield _line(4, f"cited by the reviewer: {item['decision_guideline']}")


def _bar(p: float, low: float, high: float) -> Iterator[tuple[str, str]]:
    """A scale from 0 to 100%: ``·`` track, ``─`` interval, ``●`` estimate."""
    at, first, last = (min(BAR_CELLS - 1, int(x * BAR_CELLS)) for x in (p, low, high))
    for cell in range(BAR_CELLS):
        mark = ("─", "cyan") if first <= cell <= last else ("·", "dim")
        yield ("●", "bold cyan") if cell == at else mark


def _reasons(detail: dict[str, Any], item: dict[str, Any]) -> Iterator[RenderableType]:
    for direction, title, sign in DIRECTIONS:
        reasons = [r for r in item["reasons"] if r["direction"] == direction]
        yield _line(2, title if reasons else f"{title}: nothing found", style="bold")
        for reason in reasons:
            yield _line(4, f"{sign} {reason['statement']}")
            yield from _quotes(detail, reason["quotes"])


def _checklist(detail: dict[str, Any], item: dict[str, Any]) -> Iterator[RenderableType]:
    none = "" if item["checklist"] else ": no criteria for this kind of request"
    yield _line(2, f"Documentation checklist{none}", style="bold")
    for criterion in item["checklist"]:
        status, source = criterion["status"], criterion["source"] or criterion["guideline"]
        said = f"{SIGNS[status]} {status}: {criterion['text']}"
        yield _line(4, said, (f"  [{source}]", "dim"), style=STYLES[status])
        yield from _quotes(detail, criterion["quotes"])


def _quotes(detail: dict[str, Any], quotes: Sequence[dict[str, Any]]) -> Iterator[RenderableType]:
    for quote in letter_json.distinct(quotes):
        yield _line(6, in_context(detail["case_summary"], quote))


def in_context(summary: str, quote: dict[str, Any]) -> Text:
    """The quoted words, highlighted, with what stands around them in the case summary."""
    from rich.text import Text

    if quote["field"] == "computation":
        return Text(f"computed: {quote['quote']}", "dim")
    if quote["field"] != "case_summary":
        return Text(f"“{quote['quote']}” (the request)", "dim")
    start, end = quote["start"], quote["end"]
    first, last = _word(summary, start - CONTEXT_CHARS, 1), _word(summary, end + CONTEXT_CHARS, -1)
    before, after = "“" + "…" * (first > 0), "…" * (last < len(summary)) + "”"
    return Text.assemble(
        before + summary[first:start],
        (summary[start:end], "bold reverse"),
        summary[end:last] + after,
        style="dim",
    )


def _word(text: str, at: int, step: int) -> int:
    """The nearest beginning (step 1) or end (step -1) of a word, toward the quote."""
    if not 0 < at < len(text):
        return max(0, min(at, len(text)))
    space = text.find(" ", at) + 1 if step > 0 else text.rfind(" ", 0, at)
    return space if space > 0 else at


# --- what an edit moved --------------------------------------------------------------------------
#
# The last result of a record that asks its questions is kept beside it (``.case.json.last``): the
# estimates and the verdicts by criterion, no word of the record.


def is_draft(path: str, letter_id: str | None, how: ReadAs) -> bool:
    """True for the record that `imr new` made, as long as its questions stand in it."""
    task = _one_task(path, letter_id, how, lambda _: None)  # told when it was explained
    return isinstance(task, RawRecord) and asks(task.values)


def moved(path: str, detail: dict[str, Any]) -> list[str]:
    """What moved since the record at ``path`` was last explained; keeps the result."""
    kept = Path(path).with_name(f".{Path(path).name}.last")
    items = {
        _digest(item["requested"]): {
            "p": item["p_overturned"],
            "criteria": {c["id"]: c["status"] for c in item["checklist"]},
        }
        for item in detail["items"]
    }
    now = {
        "letter_id": _digest(detail["letter_id"]),
        "model_uri": detail["model_uri"],
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "items": items,
    }
    before = _earlier(kept)
    try:
        with open_atomic(output_path(str(kept))) as file:
            file.write(json.dumps(now).encode())
    except Refused as error:
        say(f"{error.problem}: the next explanation will not say what moved")
    return [] if before is None else list(_differences(before, now, detail))


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
        same = abs(then["p"] - found["p"]) < 0.0005
        before_that = "still" if same else f"{then['p']:.1%} →"
        yield f"  Item {item['item_index']}: {before_that} {found['p']:.1%}"
        for criterion in item["checklist"]:
            was = then["criteria"].get(criterion["id"])
            if was != criterion["status"]:
                yield f"    {was or 'not asked'} → {criterion['status']}: {criterion['text']}"
    gone = len(before["items"].keys() - now["items"].keys())
    if gone:
        yield f"  {gone} item{'s are' if gone > 1 else ' is'} no longer asked for"


# --- --statements: what was understood of each sentence ------------------------------------------

MEASURES = ("degree", "comparator", "percent", "weeks", "count", "days", "ago")
"""How much of it, in the order shown; those that are not stated are left out."""
_UNSTATED = (None, "", "=")


def understood(path: str, letter_id: str | None, how: ReadAs) -> dict[str, Any]:
    """The sentences of the one letter's summary in order, each with its statements.

    ``start`` and ``end`` are characters of ``case_summary``: of a sentence its own, of a statement
    those of the clause that makes it.

    Raises:
        Refused: where there is not exactly one letter, or it cannot be read.
    """
    from imr.features.context import read_summary
    from imr.features.statements import statements

    letter = read_safely(_one_task(path, letter_id, how))
    if isinstance(letter, LetterError):
        raise _refused(letter)
    summary = read_summary(letter.case.case_summary)
    sentences: list[dict[str, Any]] = []
    for number in range(len(summary.bounds)):
        start, end = summary.sentence_span(number)
        said = [s for s in statements(summary) if s.mention.sentence == number]
        shown = [_statement(summary.text, statement) for statement in said]
        if text := summary.text[start:end].strip():
            sentences.append({"start": start, "end": end, "text": text, "statements": shown})
    return {
        "letter_id": letter.case.letter_id,
        "source": letter.case.source,
        "sentences": sentences,
        "warnings": list(letter.warnings),
    }


def _statement(text: str, statement: Statement) -> dict[str, Any]:
    measures = {name: getattr(statement, name, None) for name in MEASURES}
    names = ("subject", "concept", "polarity", "regions", "side", "source", "past")
    return {
        **{name: getattr(statement, name) for name in names},
        "measures": {k: v for k, v in measures.items() if v not in _UNSTATED},
        "words": statement.mention.text,
        "start": statement.start,
        "end": statement.end,
        "quote": text[statement.start : statement.end].strip(),
    }


def statement_lines(said: dict[str, Any]) -> Iterator[str]:
    """The same for a person: a sentence, and below it a line a statement."""
    yield f"Letter {said['letter_id']}"
    yield from (f"note: {warning}" for warning in said["warnings"])
    for number, sentence in enumerate(said["sentences"], 1):
        yield f"\n{number}. {sentence['text']}"
        understood = map(_statement_line, sentence["statements"])
        yield from (f"   - {line}" for line in list(understood) or ["nothing understood"])


def _statement_line(statement: dict[str, Any]) -> str:
    place = filter(None, [*statement["regions"], statement["side"]])
    parts = [
        f"{statement['subject']}: {statement['concept']}",
        statement["polarity"],
        ", ".join(place) or "no region",
        *(f"{name} {value}" for name, value in statement["measures"].items()),
        "in the past" * statement["past"],
        f"said by the {statement['source']}",
        f"“{statement['words']}”",
    ]
    return " · ".join(filter(None, parts))
