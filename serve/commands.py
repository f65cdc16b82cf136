"""What the commands of `imr` do, between the command line and the modules that do the work."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from imr.data.letter import LetterError
from imr.serve.letters import Failure
from imr.serve.refusal import Refused
from imr.serve.writers import (
    TableColumn,
    check_writable,
    explained,
    json_line,
    open_atomic,
    open_table,
    output_path,
    table_format,
)

if TYPE_CHECKING:
    from imr.training.config import TrainConfig

ReportFailure = Callable[[Failure], None]


def parse_letters(
    letters: tuple[str, ...], output: str | None, jobs: int, report: ReportFailure
) -> None:
    """`imr parse`: one JSON object a line, in the order of the input."""
    from imr.serve.score import default_jobs
    from imr.serve.stream import each_letter, parsed

    found = each_letter(letters, parsed, jobs or default_jobs(), report)
    lines = (json_line(answer["letter"]) for answer in found)
    if output is None:
        _write_lines(sys.stdout.buffer, lines)
        return
    target = output_path(output)
    check_writable(target)
    with open_atomic(target) as file:
        _write_lines(file, lines)


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    for line in lines:
        file.write(line)
    file.flush()


def write_features(
    letters: tuple[str, ...],
    output: str,
    evidence: str | None,
    jobs: int,
    report: ReportFailure,
) -> None:
    """`imr features`: the table of signals and, where asked for, the words behind them."""
    from imr.features.table import COLUMNS
    from imr.serve.score import default_jobs
    from imr.serve.stream import each_letter, signal_rows, signal_rows_with_evidence

    target = output_path(output)
    words = output_path(evidence) if evidence else None
    table_format(target)
    check_writable(target)
    if words:
        check_writable(words)
    columns = [TableColumn(column.name, column.dtype) for column in COLUMNS]
    make = signal_rows_with_evidence if evidence else signal_rows
    with contextlib.ExitStack() as files:
        table = files.enter_context(open_table(target, columns))
        quotes = files.enter_context(open_atomic(words)) if words else None
        for answer in each_letter(letters, make, jobs or default_jobs(), report):
            table.write(answer["rows"])
            if quotes:
                _write_lines(quotes, map(json_line, answer["evidence"]))


def score_letters(
    report_failure: ReportFailure,
    *,
    output: str,
    report: str | None,
    partitions: int | None,
    **options: Any,
) -> None:
    """`imr score`: see :class:`imr.serve.score.ScoreRun` for the options."""
    from imr.serve.score import ScoreRun, score

    run = ScoreRun(
        output=output_path(output),
        report=output_path(report) if report else None,
        partitions=partitions or (0 if output.endswith("/") else None),
        **options,
    )
    try:
        result = score(run, report_failure)
    except KeyboardInterrupt:
        message = f"interrupted: {run.output} not written"
        raise Refused(message, "the same command with --resume continues") from None
    for line in result.tally.lines():
        print(line)
    folder = "/" if run.partitions is not None else ""
    print(f"written: {run.output}{folder}" + (f" and {run.report}" if run.report else ""))


def explain_letter(
    letter: str, model: str, as_json: bool, item: int | None, letter_id: str | None
) -> None:
    """`imr explain`: for a person, or as JSON."""
    from imr.serve.detail import NOTICE
    from imr.serve.explain import chosen_items, explain, make_console, show

    explained = explain(letter, model, letter_id)
    if not as_json:
        show(explained, item, make_console())
        return
    detail = {**explained.detail, "items": chosen_items(explained.detail, item)}
    result = {**detail, "model_uri": explained.model_uri, "notice": NOTICE}
    print(json.dumps(result, indent=2, ensure_ascii=False))


def train_models(**options: Any) -> int:
    """`imr train`: prints the table and where everything lies; gives the exit status."""
    from imr.training.report.tables import print_table
    from imr.training.train import train

    with _refusing():
        result = train(_config(**options))
    print_table(result.table())
    print(result.message())
    return result.exit_code


def evaluate_models(**options: Any) -> int:
    """`imr evaluate`: prints the table; gives the exit status."""
    from imr.training.evaluate import evaluate
    from imr.training.report.tables import print_table

    with _refusing():
        evaluation = evaluate(_config(**options))
    print_table(evaluation.table())
    for error in evaluation.corpus.errors:
        print(f"imr: {error}", file=sys.stderr)
    return int(bool(evaluation.corpus.errors))


def _config(config: Path | None, **options: Any) -> TrainConfig:
    from imr.training.config import TrainConfig

    return TrainConfig.read(config, **{k: v for k, v in options.items() if v not in ((), False)})


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """What a user can mend about decisions and settings is refused in one line."""
    from imr.training.config import ConfigError
    from imr.training.decisions import NoDecisionsError
    from imr.training.split import SplitError

    try:
        yield
    except (ConfigError, NoDecisionsError, SplitError, LetterError) as error:
        raise Refused(str(error)) from None


def synthesize_letters(n: int, output: Path, seed: int, form: str) -> None:
    """`imr synthesize`: letters by our own grammar, and their truth beside them."""
    from imr.data.synthetic import Format, write
    from imr.serve.score import default_jobs

    with explained(output):
        letters, truth = write(n, output, seed, cast("Format", form), default_jobs())
    print(f"written: {letters} and {truth}")
