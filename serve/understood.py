"""What was understood of each sentence of a case summary: `imr explain --statements`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imr.data.letter import Letter
    from imr.features.statements import Statement

MEASURES = ("degree", "comparator", "percent", "weeks", "count", "days", "ago")
"""How much of it, in the order shown; those that are not stated are left out."""
_UNSTATED = (None, "", "=")


def understood(letter: Letter) -> dict[str, Any]:
    """The sentences of the summary in order, each with its statements.

    ``start`` and ``end`` are characters of ``case_summary``: of a sentence its own, of a statement
    those of the clause that makes it.
    """
    from imr.features.context import read_summary
    from imr.features.statements import statements

    summary = read_summary(letter.case.case_summary)
    sentences: list[dict[str, Any]] = []
    for number in range(len(summary.bounds)):
        start, end = summary.sentence_span(number)
        text = summary.text[start:end].strip()
        if text:
            said = [s for s in statements(summary) if s.mention.sentence == number]
            shown = [_object(summary.text, statement) for statement in said]
            sentences.append({"start": start, "end": end, "text": text, "statements": shown})
    return {
        "letter_id": letter.case.letter_id,
        "source": letter.case.source,
        "sentences": sentences,
        "warnings": list(letter.warnings),
    }


def _object(text: str, statement: Statement) -> dict[str, Any]:
    measures = {name: getattr(statement, name, None) for name in MEASURES}
    return {
        "subject": statement.subject,
        "concept": statement.concept,
        "polarity": statement.polarity,
        "regions": list(statement.regions),
        "side": statement.side,
        "source": statement.source,
        "past": statement.past,
        "measures": {k: v for k, v in measures.items() if v not in _UNSTATED},
        "words": statement.mention.text,
        "start": statement.start,
        "end": statement.end,
        "quote": text[statement.start : statement.end].strip(),
    }


def lines(said: dict[str, Any]) -> Iterator[str]:
    """The same for a person: a sentence, and below it a line a statement."""
    yield f"Letter {said['letter_id']}"
    for warning in said["warnings"]:
        yield f"note: {warning}"
    for number, sentence in enumerate(said["sentences"], 1):
        yield ""
        yield f"{number}. {sentence['text']}"
        for statement in sentence["statements"]:
            yield f"   - {_line(statement)}"
        if not sentence["statements"]:
            yield "   - nothing understood"


def _line(statement: dict[str, Any]) -> str:
    place = [*statement["regions"], *filter(None, [statement["side"]])]
    parts = [
        f"{statement['subject']}: {statement['concept']}",
        statement["polarity"],
        ", ".join(place) or "no region",
        *(f"{name} {value}" for name, value in statement["measures"].items()),
        *(["in the past"] if statement["past"] else []),
        f"said by the {statement['source']}",
        f"“{statement['words']}”",
    ]
    return " · ".join(parts)
