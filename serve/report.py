"""The report: one HTML page that needs no network, with every scored letter in it.

Letters are appended to a file as they come; when the last is in, the page is written around
them.  Text of letters reaches the page in two ways only: through Jinja with escaping on, and as
JSON in a script element that the page's own script turns into text nodes.  The page's content
security policy allows its own style and script by their digests and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from itertools import count
from tempfile import TemporaryFile
from typing import IO, Any

from imr.data.paths import FilePath
from imr.serve.letter_json import NOTICES, change_action, change_sentence, similar_sentence
from imr.serve.outputs import open_atomic
from imr.serve.summary import Tally

DETAIL_ITEMS = 5_000
"""Items shown one by one: about 10 MB of page; the counts cover all items."""

BINS = 10
_MARKER = "@@letters@@"


class Report:
    """Takes the letters one by one, in the order in which they are shown."""

    def __init__(self, letters: IO[bytes]) -> None:
        self._letters, self._first = letters, True
        self.items = self.all_items = 0
        self.criteria: dict[str, dict[str, Any]] = {}
        self.bins: Counter[int] = Counter()
        self.categories: dict[str, list[float]] = {}

    def add(self, detail: Mapping[str, Any]) -> None:
        """Append a letter (the object of :func:`imr.serve.letter_json.letter_detail`)."""
        self.all_items += len(detail["items"])
        for item in detail["items"]:
            self._count(item)
        if self.all_items > DETAIL_ITEMS:
            return
        self.items = self.all_items
        letter = {
            **detail,
            "urgent": [[fact["text"], _spans(fact["quotes"])] for fact in detail["urgent"]],
            "items": [self._compact(item) for item in detail["items"]],
        }
        self._letters.write(b"" if self._first else b",\n")
        self._letters.write(script_json(letter).encode("utf-8", "replace"))
        self._first = False

    def _count(self, item: Mapping[str, Any]) -> None:
        p = item["p_overturned"]
        self.bins[min(BINS - 1, int(p * BINS))] += 1
        sums = self.categories.setdefault(item["category"] or "not classified", [0, 0.0, 0, 0])
        known = item["decision"] is not None
        for place, value in enumerate((1, p, known, item["decision"] == "Overturned")):
            sums[place] += value

    def _compact(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The item with each criterion's text kept once for the page, and quotes as spans."""
        kept = {k: v for k, v in item.items() if not k.startswith("p_overturned")}
        return {
            **kept,
            "p": round(item["p_overturned"], 4),
            "p_low": round(item["p_overturned_low"], 4),
            "p_high": round(item["p_overturned_high"], 4),
            "what_if": [
                {
                    "do": change_action(change),
                    "added": [s["sentence"] for s in change["steps"] if s["sentence"]],
                    "gives": change_sentence(change, item["p_overturned"]),
                }
                for change in item["what_if"]
            ],
            "similar": similar_sentence(item["similar"]),
            "guidelines": [[g["guideline"], round(g["p"], 3)] for g in item["guidelines"]],
            "reasons": [
                {
                    "direction": r["direction"],
                    "text": r["statement"],
                    "quotes": _spans(r["quotes"]),
                }
                for r in item["reasons"]
            ],
            "checklist": [
                [self._criterion(c), c["status"], _spans(c["quotes"])] for c in item["checklist"]
            ],
        }

    def _criterion(self, criterion: Mapping[str, Any]) -> str:
        """The key of a criterion's text on the page: its id, numbered where region or edition
        give the same one another source.
        """
        shown = {k: criterion[k] for k in ("guideline", "source", "text")}
        name = str(criterion["id"])
        keys = (name + (f"#{number}" if number > 1 else "") for number in count(1))
        return next(key for key in keys if self.criteria.setdefault(key, shown) == shown)


def _spans(quotes: list[dict[str, Any]]) -> list[Any]:
    """``[start, end]`` for quotes of the case summary, the text for those of the request,
    ``{"computed": text}`` for computations.
    """
    return [_span(quote) for quote in quotes]


def _span(quote: dict[str, Any]) -> Any:
    if quote["field"] == "case_summary":
        return [quote["start"], quote["end"]]
    return {"computed": quote["quote"]} if quote["field"] == "computation" else quote["quote"]


def script_json(value: Any) -> str:
    """JSON that can stand in a script element: no character ends or opens markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


@contextmanager
def open_report(
    path: FilePath, tally: Tally, run: Mapping[str, str], alone: bool = False
) -> Iterator[Report]:
    """A report at ``path``, written when the block ends well.

    ``tally`` is read at the end; ``run`` holds ``model_uri`` and ``scored_at``; ``alone`` opens the
    one letter there is.
    """
    # Without a name anywhere: it is gone when this process is.
    beside = None if path.on_store else path.parent
    with open_atomic(path) as page, TemporaryFile(dir=beside) as letters:
        report = Report(letters)
        yield report
        before, after = _page(report, tally, run, alone).split(_MARKER)
        page.write(before.encode() + b"[")
        letters.seek(0)
        shutil.copyfileobj(letters, page)
        page.write(b"]" + after.encode())


def _page(report: Report, tally: Tally, run: Mapping[str, str], alone: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    style, script = _asset("report.css"), _asset("report.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset("report.html.j2")).render(
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
        ),
        style=style,
        script=script,
        marker=_MARKER,
        alone=alone,
        criteria=script_json(report.criteria),
        **NOTICES,
        **_overview(report, tally, run),
    )


def _asset(name: str) -> str:
    return (resources.files("imr.serve") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- the overview ------------------------------------------------------------------------------


def _overview(report: Report, tally: Tally, run: Mapping[str, str]) -> dict[str, Any]:
    backtest = tally.backtest()
    scored = datetime.fromisoformat(run["scored_at"])
    return {
        **run,
        "scored_on": run["scored_at"][:10],
        "scored_at": f"{scored.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "lead": (
            "For each disputed treatment: how likely the denial is overturned, which guideline "
            "the reviewer may cite, and what the case summary documents."
        ),
        "figures": _figures(tally, backtest),
        "cut": _cut(report),
        "drift": list(tally.drift_lines()),
        "histogram": _histogram(report.bins),
        "histogram_label": _histogram_label(report.bins),
        "backtest": backtest and _backtest(backtest),
        "calibration": tally.calibration(),
        "categories": _categories(report),
    }


def _figures(tally: Tally, backtest: dict[str, Any] | None) -> list[dict[str, str]]:
    share = tally.expected / tally.items if tally.items else 0.0
    figures = [
        _figure("Letters", f"{tally.letters:,}"),
        _figure("Items", f"{tally.items:,}"),
        _figure("Expected overturned", f"{tally.expected:,.1f}", f"{share:.1%} of the items"),
        _figure(
            "Called overturned",
            f"{tally.predicted['Overturned']:,}",
            "estimate above the model's threshold",
        ),
        _figure("Not read", f"{tally.failures:,}", "listed in the errors file"),
    ]
    if backtest:
        figures.append(_figure("Known decisions", f"{backtest['items']:,}"))
    return figures


def _figure(name: str, value: str, note: str = "") -> dict[str, str]:
    return {"name": name, "value": value, "note": note}


def _cut(report: Report) -> str:
    if report.items == report.all_items:
        return ""
    return (
        f"The counts cover all {report.all_items:,} items; the first {report.items:,} are shown "
        "one by one. The score file has them all."
    )


def _histogram(bins: Mapping[int, int]) -> list[dict[str, Any]]:
    most = max([*bins.values(), 1])
    heights = [round(125 * bins.get(b, 0) / most, 1) for b in range(BINS)]
    return [
        {"x": 12 + 40 * b, "y": 150 - h, "height": h, "n": bins.get(b, 0)}
        for b, h in enumerate(heights)
    ]


def _histogram_label(bins: Mapping[int, int]) -> str:
    parts = [f"{10 * b} to {10 * b + 10}%: {bins[b]}" for b in range(BINS) if bins.get(b)]
    return "Items by estimate: " + (", ".join(parts) or "none")


def _backtest(result: dict[str, Any]) -> dict[str, Any]:
    figures = [
        ("Area under the ROC curve", _or_dash(result["auc"], "{:.3f}")),
        ("Brier score (0 is best)", f"{result['brier']:.3f}"),
        ("Same outcome called", f"{result['share_agreed']:.1%}"),
        ("Reviewer's guideline first", _or_dash(result["guideline_first"], "{:.1%}")),
        ("Reviewer's guideline among three", _or_dash(result["guideline_top3"], "{:.1%}")),
    ]
    sentence = (
        f"Of {result['items']:,} decided items {result['overturned']:,} were overturned; "
        f"the estimates add up to {result['expected']:.1f}."
    )
    caution = "Letters that the model was trained on flatter these figures."
    if result["few"]:
        caution = "With so few decisions of one kind these figures are uncertain. " + caution
    return {"sentence": sentence, "figures": figures, "caution": caution}


def _or_dash(value: float | None, form: str) -> str:
    return "not defined" if value is None else form.format(value)


def _categories(report: Report) -> list[dict[str, Any]]:
    ranked = sorted(report.categories.items(), key=lambda pair: (-pair[1][0], pair[0]))
    return [
        {
            "name": name,
            "n": f"{int(n):,}",
            "width": round(100 * total / n, 1),
            "mean": f"{total / n:.0%}",
            "overturned": f"{int(overturned)} of {int(known)}" if known else "–",
        }
        for name, (n, total, known, overturned) in ranked
    ]
