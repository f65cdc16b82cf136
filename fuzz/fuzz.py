"""Coverage-guided fuzzing of everything that reads what strangers wrote.

    python -m pip install ".[fuzz]"          # Atheris; not in requirements.lock
    python fuzz/fuzz.py parser -max_total_time=600

The first word names the target, all else goes to libFuzzer.  New inputs are kept in a temporary
folder; ``fuzz/corpus/TARGET`` is the small corpus to start from and is not written to.  A finding
is any exception but LetterError, and anything that takes more than a few seconds; each becomes a
test in ``tests/hostile/test_findings.py``.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CORPUS = PROJECT / "fuzz" / "corpus"
sys.path.insert(0, str(PROJECT))


def reader(data: bytes) -> None:
    """Bytes of any kind, by way of what ``imr`` reads from standard input."""
    from imr.data.letter import LetterError
    from imr.data.read import load
    from imr.data.sources import sources

    for source in sources(["-"], io.BytesIO(data)):
        try:
            if not isinstance(source, LetterError) and source.kind != "records":
                load(source)
        except LetterError:
            pass


def pdf(data: bytes) -> None:
    """A PDF: the bytes after the mark are free."""
    from imr.data.letter import LetterError
    from imr.data.read import pdf_text

    with contextlib.suppress(LetterError):
        pdf_text(data if data.startswith(b"%PDF-") else b"%PDF-1.4\n" + data, "fuzz")


def parser(data: bytes) -> None:
    """Text in any layout -> letter -> its signals."""
    from imr.data.letter import LetterError, Text
    from imr.data.parse import parse
    from imr.data.read import paragraphs

    text = paragraphs(data.decode("utf-8", "replace"))
    try:
        letter = parse(Text("fuzz", "fuzz", text))
    except LetterError:
        return
    assert letter.case.items
    assert len(letter.determination.decisions) == len(letter.case.items)


def citations(data: bytes) -> None:
    """A guideline paragraph."""
    from imr.data.citations import labels, parse_citation, unknown_chapters

    citation = parse_citation(data.decode("utf-8", "replace")[:20_000])
    assert labels(citation)
    unknown_chapters(citation)


def records(data: bytes) -> None:
    """Case records as JSON Lines, CSV or Parquet."""
    from imr.data.letter import LetterError
    from imr.data.records import letter_from_record, raw_records

    ending = ".parquet" if data.startswith(b"PAR1") else ".jsonl" if data[:1] == b"{" else ".csv"
    for record in raw_records(f"fuzz{ending}", io.BytesIO(data)):
        try:
            if not isinstance(record, LetterError):
                letter_from_record(record)
        except LetterError:
            pass


def signals(data: bytes) -> None:
    """A case summary and, after the first line, a request."""
    from imr.data.letter import Case, CaseHeader, Item
    from imr.data.request import classify
    from imr.features.table import signals as derived

    title, _, summary = " ".join(data.decode("utf-8", "replace").split(" ")).partition("\n")
    title = " ".join(title.split())[:10_000]
    found = classify(title, title)
    item = Item(
        0, title, title, category=found.category, subcategory=found.subcategory,
        body_parts=found.body_parts, quantity=found.quantity,
        quantity_unit=found.quantity_unit, terms=found.terms,
    )  # fmt: skip
    case = Case("fuzz", "fuzz", CaseHeader(), " ".join(summary.split())[:40_000], (item,))
    assert len(derived(case).rows) == 1
    assert derived(case).evidence is not None


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (reader, pdf, parser, citations, records, signals)
}


def main() -> None:
    """Fuzz one target until libFuzzer's own options end it."""
    import atheris

    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: fuzz.py {'|'.join(TARGETS)} [libFuzzer options]")
    target = TARGETS[sys.argv[1]]
    with atheris.instrument_imports(include=["imr.data", "imr.features"]):
        import imr.data.citations
        import imr.data.parse
        import imr.data.read
        import imr.features.table  # noqa: F401
    # The first call reads the tables; it must not count as slow.
    target(b"")
    kept = tempfile.mkdtemp(prefix="imr-fuzz-")
    options = [f"-artifact_prefix={kept}{os.sep}", "-timeout=10", "-rss_limit_mb=3000"]
    folders = [kept, str(CORPUS / sys.argv[1])]
    print(f"new inputs and findings: {kept}", file=sys.stderr)
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], *folders], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
