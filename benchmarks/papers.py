"""What README and docs say in figures and tables: measured and made, not typed.

    python -m benchmarks.papers                      fills the marked blocks and docs/columns.md
                                                     (make docs)
    python -m benchmarks.papers --measure LETTERS    evaluates first: docs/measured.json and
                                                     MODEL_CARD.md; --quick makes one repeat,
                                                     --full adds the studies that fit anew

LETTERS is the folder of the real decided letters.  A block stands between ``<!-- NAME -->`` and
``<!-- end -->``; a test holds every one against the code and ``docs/measured.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from imr.features.signal import Column
    from imr.models.predictor import Predictor
    from imr.training.metrics import Estimate
    from imr.training.train import Evaluation

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "docs" / "measured.json"
CARD = ROOT / "MODEL_CARD.md"
CATALOGUE = ROOT / "docs" / "columns.md"
PAPERS = ("README.md", "docs/evaluation.md", "docs/glossary.md")
SAMPLE = "data/samples/CM16-9000002.pdf"
COLUMNS_HEAD = """# Columns of `imr features`

Made by `make docs`; do not edit. *Known* is the share of shipped
decided items ({items} items of {letters} letters) whose value is not null, *true* the share of true
values among all items. A truth value without an entry under *null* is False where nothing is
documented.

"""
COLUMNS_TABLE = ("column", "type", "unit", "definition", "null", "known", "true", "source")
BLOCK = re.compile(r"<!-- ([a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)

Figure = list[float | None]
Measured = dict[str, Any]


# --- measuring ------------------------------------------------------------------------------------


def measure(letters: str, quick: bool = False, full: bool = False) -> Measured:
    """Evaluate on the letters, by group and by time, and hold signals and verdicts against their
    annotations; writes the model card.
    """
    from imr.training.config import TrainConfig
    from imr.training.report.tables import model_card
    from imr.training.train import evaluate, fit, read

    config = TrainConfig(letters=(letters,), full=full, repeats=1 if quick else 3)
    corpus = read(config)
    by_group = evaluate(config, corpus)
    CARD.write_text(model_card(by_group), encoding="utf-8")
    by_time = evaluate(replace(config, by="time", full=False), corpus)
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "of": digests(),
        "group": evaluated(by_group),
        "time": evaluated(by_time),
        "explain": excerpt(explained(fit(by_group))),
        "signals": agreement(Path(letters)),
        "verdicts": {half: verdicts(letters, half) for half in ("tuned", "held")},
    }


def digests() -> dict[str, str]:
    """What the figures depend on that is built by a command: file -> beginning of its SHA-256."""
    files = ("data/decisions.csv", "models/outcome/judgement.txt")
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:16] for name in files}


def evaluated(evaluation: Evaluation) -> Measured:
    """An evaluation's figures as JSON: contenders, differences, thresholds, remarks, studies."""
    from imr.training.report.tables import GUIDELINE_COLUMNS, OUTCOME_COLUMNS, headline, remarks

    studies = evaluation.studies
    contenders = [
        {
            "subject": subject,
            "name": name,
            "kind": kind,
            "figures": {metric: figure(evaluation.figure(subject, metric, name))
                        for metric in columns},
        }
        for subject, columns in (("outcome", OUTCOME_COLUMNS), ("guideline", GUIDELINE_COLUMNS))
        for (of, name), kind in evaluation.kinds.items()
        if of == subject and name not in evaluation.predictions.left_out
    ]  # fmt: skip
    chosen = studies.default_threshold
    return {
        "headline": headline(evaluation),
        "contenders": contenders,
        "threshold": {
            "from_p": chosen.threshold,
            **{name: figure(getattr(chosen, name)) for name in ("flagged", "precision", "recall")},
        },
        "remarks": remarks(evaluation),
        "guideline_rests_on": {
            loss.family: figure(loss.worse["section_top1"])
            for loss in studies.guideline_permutation
        },
        "sensitivity": [asdict(row) for row in studies.sensitivity],
    }


def figure(e: Estimate) -> Figure:
    """Value, lower and upper end; None where there is nothing to say."""
    return [None if x != x else round(x, 6) for x in (e.value, e.low, e.high)]


def explained(predictor: Predictor) -> str:
    """What ``imr explain`` prints of the sample in a pipe, without its model's address."""
    import imr
    from imr.serve.explain import make_console, show

    [letter] = imr.read_letters(ROOT / SAMPLE)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        show(imr.explain(letter, predictor), make_console())
    return out.getvalue()


EXCERPT = (
    ("Item 0", "Item 0", 1),
    ("Item 0", "  p(overturned)", 1),
    ("Item 0", "  predicted", 1),
    ("  What would change it", "    > ", 2),
    ("  Speaks for", "    + ", 3),
    ("  Documentation checklist", "    ✓ ", 2),
    ("  Documentation checklist", "    ○ ", 3),
    ("  Guideline", "     ", 1),
)
"""Of an explanation: under which heading, the first entry of which beginning (of reasons the first
with a quote), at most how many of its lines."""


def excerpt(said: str) -> list[str]:
    """The lines of an explanation that the README shows, at most 18."""
    lines, taken = said.splitlines(), list[str]()
    for heading, mark, most in EXCERPT:
        top = next((at for at, line in enumerate(lines) if line.startswith(heading)), len(lines))
        found = [n for n in range(top, len(lines)) if lines[n].startswith(mark)]
        if not found:  # nor is there a heading where nothing would change it
            continue
        quoted = (n for n in found if mark == "    + " and "“" in lines[n + 1])
        first = next(quoted, found[0])
        if heading != "Item 0" and lines[top] not in taken:
            taken.append(lines[top])
        indent = len(mark) - len(mark.lstrip()) if mark.strip() else len(mark)
        entry = [lines[first]]
        for line in lines[first + 1 : first + most]:
            if not line.startswith(" " * indent) or line.lstrip()[0] in ">+−✓✗○":
                break
            entry.append(line)
        if "“" in "".join(entry) and not entry[-1].endswith(("”", ")")):
            entry[-1] = entry[-1].rsplit(" ", 1)[0] + "…”"
        taken += entry
    return taken


def agreement(letters: Path) -> dict[str, float]:
    """Share of annotated letters on which each signal agrees."""
    from benchmarks.agreement import tallies

    found = tallies(letters, [ROOT / "tests" / "annotations" / "letters"])
    return {name: round(tally.agreeing / tally.total, 4) for name, tally in found.items()}


def verdicts(letters: str, half: str) -> dict[str, list[int]]:
    """Of each share of :data:`benchmarks.verdicts.SHARES`: how many, of how many."""
    from benchmarks.verdicts import SHARES, counted

    counts: Counter[str] = counted([letters], half)
    return {share: [counts[share], counts[of]] for share, of in SHARES.items()}


# --- blocks ---------------------------------------------------------------------------------------


def shown(given: Figure) -> str:
    """``0.73 (0.61–0.85)``; a dash where there is nothing to say."""
    if given[0] is None:
        return "–"
    return "{:.2f} ({:.2f}–{:.2f})".format(*given).replace("-", "−")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def contenders_block(found: Measured, subject: str) -> str:
    """All contenders of a subject, the model in bold, probes marked."""
    from imr.training.report.tables import GUIDELINE_COLUMNS, OUTCOME_COLUMNS

    columns = OUTCOME_COLUMNS if subject == "outcome" else GUIDELINE_COLUMNS
    rows = []
    for one in found["contenders"]:
        if one["subject"] == subject:
            name = f"**{one['name']}**" if one["kind"] == "model" else one["name"]
            name += " (warning)" if one["kind"] == "probe" else ""
            rows.append([name, *(shown(one["figures"][metric]) for metric in columns)])
    return table(["", *columns.values()], rows)


RESULTS = (
    ("ranks overturned above upheld (AUC)", "group", "outcome", "auc"),
    ("the same, trained on earlier and tested on later letters", "time", "outcome", "auc"),
    ("average precision for *overturned*", "group", "outcome", "average_precision"),
    ("chapter of the guideline cited, first guess", "group", "guideline", "chapter_top1"),
    ("section of the guideline cited, first guess", "group", "guideline", "section_top1"),
    ("section, among three guesses", "group", "guideline", "section_top3"),
)
"""The six rows of the README: what is measured, by which folds, and the figure."""


def results_block(found: Measured, results: Sequence[tuple[str, str, str, str]] = RESULTS) -> str:
    """The model beside the best of what a user would pick instead, row by row."""
    rows = []
    for said, by, subject, metric in results:
        of_metric = [
            (one["kind"], one["name"], one["figures"][metric])
            for one in found[by]["contenders"]
            if one["subject"] == subject
        ]
        [model] = [value for kind, _, value in of_metric if kind == "model"]
        others = [(v[0], name, v) for kind, name, v in of_metric
                  if kind == "alternative" and v[0] is not None]  # fmt: skip
        _, name, best = max(others)
        rows.append([said, f"**{shown(model)}**", f"{shown(best)} {name}"])
    return table(["on letters that the model has not seen", "imr", "best plain alternative"], rows)


def threshold_block(found: Measured) -> str:
    """What the model's own threshold finds, in a sentence."""
    at = found["group"]["threshold"]
    return (
        f"*Overturned* is predicted from p = {at['from_p']:.2f} on: {at['flagged'][0]:.0%} of the "
        f"items. Of the overturned ones it finds {shown(at['recall'])}, and of those it names "
        f"{shown(at['precision'])} were overturned.\n"
    )


def remarks_block(found: Measured) -> str:
    """The lines under the tables of ``imr train``, as a list."""
    return "".join(f"* {line}\n" for line in found["remarks"])


def rests_on_block(found: Measured) -> str:
    """What the guideline's first section loses when an input is shuffled among unseen items."""
    lost = found["group"]["guideline_rests_on"].items()
    rows = ([name, shown(value)] for name, value in lost)
    return table(["shuffled among unseen items", "loss of section top-1"], rows)


def sensitivity_block(found: Measured) -> str:
    """How far a change of one fact moves the estimate, where the full protocol was run."""
    rows = [
        [row["fact"].replace("_", " "), str(row["pairs"])]
        + [f"{row[name]:.2f}" for name in ("rated_change", "slope", "r", "scatter")]
        for row in found["group"].get("sensitivity", ())
    ]
    if not rows:
        return "Measured with `--full` only, which the last measurement was not.\n"
    return table(["changed fact", "pairs", "rated change", "slope", "r", "scatter"], rows)


def signals_block(found: Measured) -> str:
    """Agreement of each signal with the annotated letters."""
    return table(["signal", "agreement"], ([n, f"{v:.3f}"] for n, v in found["signals"].items()))


def verdicts_block(found: Measured) -> str:
    """Verdicts of the checklist against two readers, by half of the letters."""
    halves = found["verdicts"]
    rows = (
        [share, *(_share(*halves[half][share]) for half in ("tuned", "held"))]
        for share in halves["held"]
    )
    return table(["", "letters that rules were tuned on", "letters kept aside"], rows)


def _share(hits: int, of: int) -> str:
    return f"{hits} of {of} ({hits / of:.3f})" if of else "–"


def explain_block(found: Measured) -> str:
    """The excerpt of ``imr explain``."""
    return "\n".join(["```", f"$ imr explain {SAMPLE}", *found["explain"], "```"]) + "\n"


def score_columns_block(_: Measured) -> str:
    """Every column of ``imr score``."""
    from imr.models.prediction import SCORE_COLUMNS

    types = {"reasons": "list", "texts": "list of texts", "str": "text"}
    rows = ([f"`{c.name}`", types.get(c.kind, c.kind), c.definition] for c in SCORE_COLUMNS)
    return table(["column", "type", "what it says"], rows)


def criteria_block(_: Measured) -> str:
    """Every criterion once: id, the kinds of requests it is asked of, what it says."""
    from imr.features.signal import table_rows

    kinds: dict[str, dict[str, None]] = {}
    texts: dict[str, str] = {}
    for row in table_rows("criteria"):
        kinds.setdefault(row["id"], {})[row["applies"]] = None
        texts.setdefault(row["id"], row["text"])
    rows = ([f"`{name}`", ", ".join(kinds[name]), text] for name, text in texts.items())
    return table(["id", "class of request", "what it says"], rows)


BLOCKS: dict[str, Callable[[Measured], str]] = {
    "results": results_block,
    "lead": lambda found: f"{found['group']['remarks'][0]}.\n",
    "threshold": threshold_block,
    "explain": explain_block,
    "headline": lambda found: f"{found['group']['headline']}; measured {found['measured_on']}.\n",
    "outcome": lambda found: contenders_block(found["group"], "outcome"),
    "guideline": lambda found: contenders_block(found["group"], "guideline"),
    "outcome-by-time": lambda found: contenders_block(found["time"], "outcome"),
    "guideline-by-time": lambda found: contenders_block(found["time"], "guideline"),
    "remarks": lambda found: remarks_block(found["group"]),
    "rests-on": rests_on_block,
    "sensitivity": sensitivity_block,
    "signals": signals_block,
    "verdicts": verdicts_block,
    "score-columns": score_columns_block,
    "criteria": criteria_block,
}
"""What stands in each block, from ``docs/measured.json`` and the code."""


def catalogue(decisions: pd.DataFrame) -> str:
    """The column catalogue: every signal with its rates on the shipped decisions."""
    from imr.features.table import all_columns

    parts = [COLUMNS_HEAD.format(items=len(decisions), letters=decisions["letter_id"].nunique())]
    for family, columns in groupby(all_columns(), key=lambda column: column.family):
        rows = [_column_row(column, decisions[column.name]) for column in columns]
        parts.append(f"\n## {family.replace('_', ' ')}\n\n{table(COLUMNS_TABLE, rows)}")
    return "".join(parts)


def _column_row(column: Column, values: pd.Series[Any]) -> list[str]:
    cells = [
        f"`{column.name}`",
        column.dtype,
        column.unit,
        column.definition,
        column.null,
        f"{values.notna().mean():.0%}",
        f"{values.fillna(False).mean():.0%}" if column.dtype == "bool" else "",
        column.source,
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def filled(text: str, found: Measured) -> str:
    """The text with every block made anew.  Raises KeyError for a block that nothing makes."""
    return BLOCK.sub(lambda m: f"<!-- {m[1]} -->\n{BLOCKS[m[1]](found)}<!-- end -->", text)


def measured() -> Measured:
    """What was measured last."""
    found: Measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Measure where asked to, then fill the blocks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", metavar="LETTERS")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    if asked.measure:
        found = measure(asked.measure, asked.quick, asked.full)
        MEASURED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for name in PAPERS:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8"), measured()), encoding="utf-8")
    from imr.training.decisions import load_decisions

    CATALOGUE.write_text(catalogue(load_decisions().table), encoding="utf-8")


if __name__ == "__main__":
    main()
