"""What a run did: its counts, the lines that tell them, and one HTML page with every letter.

The page needs no network.  Letters are appended to a file as they come; when the last is in, the
page is written around them.  Text of letters reaches the page in two ways only: through Jinja with
escaping on, and as JSON in a script element that the page's own script turns into text nodes.  The
page's content security policy allows its own style and script by their digests and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import shutil
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from tempfile import TemporaryFile
from typing import IO, Any

from imr.data.paths import FilePath
from imr.serve import letter_json
from imr.serve.messages import many
from imr.serve.outputs import open_atomic

FEW_OF_A_KIND = 30
"""With fewer decisions of either kind the backtest's figures are shown with a caution."""

SHOWN = 6
"""Columns that a warning names."""

NAMED = 50
"""Letters not read that the page names; the errors file has them all."""

BINS = 10
"""Of the estimates from 0 to 1, for the histogram of the page."""


@dataclass(slots=True)
class Tally:
    """Counts over the rows of a run; memory does not grow but for the decided items' pairs.

    ``bins``: items by estimate; ``categories``: items, sum of estimates, decided, overturned;
    ``agreed``: decided items whose ``outcome`` was foreseen, and of those with a guideline
    (``label``) the ones that were the ``first`` candidate or among the ``top3``.
    """

    letters: int = 0
    items: int = 0
    failures: int = 0
    not_read: list[Mapping[str, Any]] = field(default_factory=list)
    doubled: int = 0
    predicted: Counter[str] = field(default_factory=Counter)
    bins: Counter[int] = field(default_factory=Counter)
    categories: dict[str, list[float]] = field(default_factory=dict)
    expected: float = 0.0
    p_decided: array[float] = field(default_factory=lambda: array("d"))
    overturned: array[int] = field(default_factory=lambda: array("b"))
    agreed: Counter[str] = field(default_factory=Counter)
    profile: Mapping[str, Any] | None = None
    counts: dict[str, list[int]] = field(default_factory=dict)

    def add_letter(
        self, rows: Sequence[Mapping[str, Any]], counts: Mapping[str, list[int]]
    ) -> None:
        """Count a letter with its rows; ``counts`` are its batch's items by bin of the profile."""
        from imr.models.drift import add

        self.letters += 1
        add(self.counts, counts)
        for row in rows:
            self.add(row)

    def add_failure(self, error: Mapping[str, Any]) -> None:
        """Count a letter that was not read; the page names the first of them."""
        self.failures += 1
        if len(self.not_read) < NAMED:
            self.not_read.append(error)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of the score table."""
        p, decision, label = row["p_overturned"], row["decision"], row["decision_guideline"]
        self.items += 1
        self.predicted[row["predicted_outcome"]] += 1
        self.expected += p
        self.bins[min(BINS - 1, int(p * BINS))] += 1
        sums = self.categories.setdefault(row["category"] or "not classified", [0, 0.0, 0, 0])
        for place, value in enumerate((1, p, decision is not None, decision == "Overturned")):
            sums[place] += value
        if decision is None:
            return
        self.p_decided.append(p)
        self.overturned.append(decision == "Overturned")
        self.agreed["outcome"] += decision == row["predicted_outcome"]
        if label is not None:
            candidates = [row[f"guideline_{rank}"] for rank in (1, 2, 3)]
            self.agreed["label"] += 1
            self.agreed["first"] += label == candidates[0]
            self.agreed["top3"] += label in candidates

    def backtest(self) -> dict[str, Any] | None:
        """Figures over the decided items, or None without any; ``auc`` None with one kind only."""
        decided, overturned = len(self.p_decided), sum(self.overturned)
        if not decided:
            return None
        pairs = zip(self.p_decided, self.overturned, strict=True)
        labelled = self.agreed["label"]
        return {
            "items": decided,
            "overturned": overturned,
            "expected": sum(self.p_decided),
            "brier": sum((p - y) ** 2 for p, y in pairs) / decided,
            "share_agreed": self.agreed["outcome"] / decided,
            "auc": self._auc() if 0 < overturned < decided else None,
            "few": min(overturned, decided - overturned) < FEW_OF_A_KIND,
            "guideline_first": self.agreed["first"] / labelled if labelled else None,
            "guideline_top3": self.agreed["top3"] / labelled if labelled else None,
        }

    def _auc(self) -> float:
        """The share of pairs in their order, ties half.

        scikit-learn says the same, and to import it takes as long as to score a letter.
        """
        pairs = sorted(zip(self.p_decided, self.overturned, strict=True))
        upheld, overturned = ([p for p, y in pairs if y == kind] for kind in (0, 1))
        places = sum(bisect_left(upheld, p) + bisect_right(upheld, p) for p in overturned)
        return places / len(overturned) / 2 / len(upheld)

    def calibration(self) -> list[dict[str, float]]:
        """Decided items in five groups of equal size by p: mean p, share overturned, n."""
        pairs = sorted(zip(self.p_decided, self.overturned, strict=True))
        groups = min(5, len(pairs) // 10)
        found = []
        for k in range(groups):
            first, end = (len(pairs) * n // groups for n in (k, k + 1))
            p, y = zip(*pairs[first:end], strict=True)
            found.append({"p": sum(p) / len(p), "share": sum(y) / len(y), "n": len(p)})
        return found

    def drift_lines(self) -> Iterator[str]:
        """A warning where signals or scores differ from those of the training data."""
        from imr.models.drift import SHIFTED, shifts

        found = shifts(self.profile, self.counts) if self.profile else {}
        if found:
            named = ", ".join(f"{name} {index:.2f}" for name, index in list(found.items())[:SHOWN])
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield (
                f"warning: these letters differ from those the model was trained on "
                f"(population stability index above {SHIFTED}): {named}{more}"
            )

    def lines(self) -> Iterator[str]:
        """The summary of the run for a person."""
        yield (
            f"{many(self.letters, 'letter')}, {many(self.items, 'item')} scored; "
            f"{many(self.failures, 'letter')} not read"
        )
        if self.items:
            called = ", ".join(f"{n} {name}" for name, n in sorted(self.predicted.items()))
            share = self.expected / self.items
            yield f"predicted: {called}; expected share overturned {share:.1%}"
        if self.doubled:
            stand = f"{many(self.doubled, 'letter_id')} stand" + "s" * (self.doubled == 1)
            yield f"{stand} for more than one letter: see the column warnings"
        if result := self.backtest():
            yield from _backtest_lines(result)
        yield from self.drift_lines()


def _backtest_lines(result: dict[str, Any]) -> Iterator[str]:
    one_kind = "not defined (one kind of decision only)"
    auc = one_kind if result["auc"] is None else f"{result['auc']:.3f}"
    yield (
        f"backtest on {many(result['items'], 'decided item')} ({result['overturned']} overturned, "
        f"{result['expected']:.1f} expected): AUC {auc}, Brier {result['brier']:.3f}, "
        f"same outcome {result['share_agreed']:.1%}"
    )
    if result["guideline_first"] is not None:
        yield (
            f"reviewer's guideline: first candidate {result['guideline_first']:.1%}, "
            f"among three {result['guideline_top3']:.1%}"
        )
    few = f"fewer than {FEW_OF_A_KIND} decisions of one kind, these figures are uncertain; "
    of, flattered = (few, "it") if result["few"] else ("", "these figures")
    yield f"caution: {of}letters that the model was trained on flatter {flattered}"


# --- the page ------------------------------------------------------------------------------------

DETAIL_ITEMS = 5_000
"""Items shown one by one: about 10 MB of page; the counts cover all items."""

_MARKER = "@@letters@@"


class Report:
    """Takes the letters one by one, in the order in which they are shown."""

    def __init__(self, letters: IO[bytes]) -> None:
        self._letters = letters
        self.items = self.all_items = 0
        self.criteria: dict[str, dict[str, Any]] = {}

    def add(self, detail: Mapping[str, Any]) -> None:
        """Append a letter (the object of :func:`imr.serve.letter_json.letter_detail`)."""
        self.all_items += len(detail["items"])
        if self.all_items > DETAIL_ITEMS:
            return
        letter = {
            **detail,
            "urgent": [[fact["text"], _spans(fact["quotes"])] for fact in detail["urgent"]],
            "items": [self._compact(item) for item in detail["items"]],
        }
        self._letters.write(b",\n" if self.items else b"")
        self._letters.write(script_json(letter).encode("utf-8", "replace"))
        self.items = self.all_items

    def _compact(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The item with each criterion's text kept once for the page, and quotes as spans."""
        ends = {"p": "", "p_low": "_low", "p_high": "_high"}
        kept = {k: v for k, v in item.items() if not k.startswith("p_overturned")}
        changes = [
            {
                "do": letter_json.change_action(change),
                "added": [s["sentence"] for s in change["steps"] if s["sentence"]],
                "gives": letter_json.change_sentence(change, item["p_overturned"]),
            }
            for change in letter_json.changes_told(item)
        ]
        return {
            **kept,
            **{name: round(item[f"p_overturned{end}"], 4) for name, end in ends.items()},
            "what_if": changes,
            "similar": letter_json.similar_sentence(item["similar"]),
            "guidelines": [[g["guideline"], round(g["p"], 3)] for g in item["guidelines"]],
            "reasons": [
                {"direction": r["direction"], "text": r["statement"], "quotes": _spans(r["quotes"])}
                for r in item["reasons"]
            ],
            "checklist": [
                [self._criterion(c), c["status"], _spans(c["quotes"])] for c in item["checklist"]
            ],
        }

    def _criterion(self, criterion: Mapping[str, Any]) -> str:
        """The key of its text: its id, numbered where region or edition give another source."""
        shown = {k: criterion[k] for k in ("guideline", "source", "text")}
        name = str(criterion["id"])
        keys = (name + (f"#{n}" if n > 1 else "") for n in itertools.count(1))
        return next(key for key in keys if self.criteria.setdefault(key, shown) == shown)


def _spans(quotes: Sequence[dict[str, Any]]) -> list[Any]:
    """``[start, end]`` for quotes of the case summary, the text for those of the request,
    ``{"computed": text}`` for computations.
    """
    spans: list[Any] = []
    for quote in letter_json.distinct(quotes):
        start, end, words = quote["start"], quote["end"], quote["quote"]
        shown = {"case_summary": [start, end], "computation": {"computed": words}}
        spans.append(shown.get(quote["field"], words))
    return spans


def script_json(value: Any) -> str:
    """JSON that can stand in a script element: no character ends or opens markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


@contextmanager
def open_report(path: FilePath, tally: Tally, run: Mapping[str, str]) -> Iterator[Report]:
    """A report at ``path``, written when the block ends well; it opens on the only letter of a run.

    ``tally`` is read at the end; ``run`` holds ``model_uri`` and ``scored_at``.
    """
    # Without a name anywhere: it is gone when this process is.
    beside = None if path.on_store else path.parent
    with open_atomic(path) as page, TemporaryFile(dir=beside) as letters:
        report = Report(letters)
        yield report
        before, after = _page(report, tally, run).split(_MARKER)
        page.write(before.encode() + b"[")
        letters.seek(0)
        shutil.copyfileobj(letters, page)
        page.write(b"]" + after.encode())


def _page(report: Report, tally: Tally, run: Mapping[str, str]) -> str:
    from jinja2 import Environment, StrictUndefined

    style, script = _asset("report.css"), _asset("report.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    scored = datetime.fromisoformat(run["scored_at"]).astimezone(UTC)
    return environment.from_string(_asset("report.html.j2")).render(
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
        ),
        style=style,
        script=script,
        marker=_MARKER,
        criteria=script_json(report.criteria),
        **letter_json.NOTICES,
        model_uri=run["model_uri"],
        scored_on=run["scored_at"][:10],
        scored_at=f"{scored:%Y-%m-%d %H:%M} UTC",
        shown=report.items,
        all_items=report.all_items,
        tally=tally,
        histogram=[(100 * b // BINS, tally.bins[b]) for b in range(BINS)],
        backtest=tally.backtest(),
        calibration=tally.calibration(),
        categories=sorted(tally.categories.items(), key=lambda pair: (-pair[1][0], pair[0])),
    )


def _asset(name: str) -> str:
    return (resources.files("imr.serve") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
