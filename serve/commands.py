"""What the commands of `imr` do, between the command line and the modules that do the work."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from imr.data.letter import Letter, LetterError
from imr.serve.letters import Failure, chunked, count_letters, something_to_do
from imr.serve.messages import Refused, progress
from imr.serve.model import remember_champion
from imr.serve.outputs import check_writable, explained, open_atomic, output_path
from imr.serve.tables import TableColumn, json_line, open_table, table_format
from imr.serve.workers import Pool, default_jobs, in_order

if TYPE_CHECKING:
    from imr.training.config import TrainConfig

ReportFailure = Callable[[Failure], None]

CHUNK_LETTERS = 16
"""Letters that a worker reads at a time, or derives signals of."""


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ended_well(unfinished: str = "", remedy: str = "") -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end a command in one line, with nothing left running.

    Raises:
        Refused: when one of them comes, unless it was ignored before (as by ``nohup``).
    """
    before = {one: signal.getsignal(one) for one in ENDINGS}
    heeded = [one for one, handler in before.items() if handler is not signal.SIG_IGN]
    for one in heeded:
        signal.signal(one, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Refused("interrupted" + (unfinished and f": {unfinished}"), remedy) from None
    finally:
        for one in heeded:
            signal.signal(one, before[one])


def each_letter(
    letters: tuple[str, ...],
    make: Callable[[Letter], dict[str, Any]],
    jobs: int,
    report: ReportFailure,
) -> Iterator[dict[str, Any]]:
    """What ``make`` made of each letter, in order; a letter not read is passed on instead."""
    from imr.serve.worker import EachLetter

    chunks = chunked(something_to_do(letters, report), CHUNK_LETTERS)
    with progress("reading", lambda: count_letters(letters)) as advance:
        for chunk, answer in in_order(Pool(jobs or default_jobs()).run(EachLetter(make), chunks)):
            advance(len(chunk.tasks))
            for one in answer:
                if "error" in one:
                    report(Failure(**one["error"]))
                else:
                    yield one


def parse_letters(
    letters: tuple[str, ...], output: str | None, jobs: int, report: ReportFailure
) -> None:
    """`imr parse`: one JSON object a line, in the order of the input."""
    from imr.serve.worker import parsed

    found = each_letter(letters, parsed, jobs, report)
    lines = (json_line(answer["letter"]) for answer in found)
    if output is None:
        with ended_well():
            _write_lines(sys.stdout.buffer, lines)
        return
    target = output_path(output)
    check_writable(target)
    with ended_well(f"{target} not written"), open_atomic(target) as file:
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
    from imr.serve.worker import signal_rows, signal_rows_with_evidence

    target = output_path(output)
    words = output_path(evidence) if evidence else None
    table_format(target)
    check_writable(target)
    if words:
        check_writable(words)
    columns = [TableColumn(column.name, column.dtype) for column in COLUMNS]
    make = signal_rows_with_evidence if evidence else signal_rows
    with ended_well(f"{target} not written"), contextlib.ExitStack() as files:
        table = files.enter_context(open_table(target, columns))
        quotes = files.enter_context(open_atomic(words)) if words else None
        for answer in each_letter(letters, make, jobs, report):
            table.write(answer["rows"])
            if quotes:
                _write_lines(quotes, map(json_line, answer["evidence"]))


def score_letters(
    report_failure: ReportFailure,
    *,
    output: str,
    report: str | None,
    details: str | None,
    partitions: int | None,
    **options: Any,
) -> None:
    """`imr score`: see :class:`imr.serve.score.ScoreRun` for the options."""
    from imr.serve.score import ScoreRun, score

    run = ScoreRun(
        output=output_path(output),
        report=output_path(report) if report else None,
        details=output_path(details) if details else None,
        partitions=partitions or (0 if output.endswith("/") else None),
        **options,
    )
    with ended_well(f"{run.output} not written", "the same command with --resume continues"):
        result = score(run, report_failure)
    for line in result.tally.lines():
        print(line)
    folder = "/" if run.partitions is not None else ""
    beside = "".join(f" and {path}" for path in (run.report, run.details) if path)
    print(f"written: {run.output}{folder}{beside}")


def explain_letter(
    letter: str, model: str, as_json: bool, item: int | None, letter_id: str | None
) -> None:
    """`imr explain`: for a person, or as JSON."""
    from imr.serve.explain import chosen_items, explain, make_console, show

    with ended_well():
        detail = explain(letter, model, letter_id)
    detail = {**detail, "items": chosen_items(detail, item)}
    if as_json:
        print(json.dumps(detail, indent=2, ensure_ascii=False))
    else:
        show(detail, make_console())


def explain_statements(letter: str, as_json: bool, letter_id: str | None) -> None:
    """`imr explain --statements`: what was understood of each sentence; it needs no model."""
    from imr.serve.explain import one_letter
    from imr.serve.understood import lines, understood

    with ended_well():
        said = understood(one_letter(letter, letter_id))
    if as_json:
        print(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines(said)))


def train_models(**options: Any) -> int:
    """`imr train`: prints the table and where everything lies; gives the exit status."""
    from imr.training.report.tables import print_table
    from imr.training.train import train

    with _refusing():
        result = train(_config(**options))
        remember_champion()
    print_table(result.table())
    print(result.message())
    return result.exit_code


def evaluate_models(**options: Any) -> int:
    """`imr evaluate`: prints the table and where the run lies; gives the exit status."""
    from imr.training.report.tables import print_table
    from imr.training.train import evaluate_and_log

    with _refusing():
        result = evaluate_and_log(_config(**options))
    print_table(result.table())
    print(result.message())
    return result.exit_code


def _config(config: Path | None, assignments: tuple[str, ...], **options: Any) -> TrainConfig:
    from imr.training.config import TrainConfig

    given = {name: value for name, value in options.items() if value not in ((), False)}
    return TrainConfig.read(config, assignments, **given)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """What a user can mend about decisions and settings is refused in one line."""
    from imr.training.config import ConfigError
    from imr.training.decisions import NoDecisionsError
    from imr.training.split import SplitError
    from imr.training.workers import WorkerDiedError

    try:
        yield
    except (ConfigError, NoDecisionsError, SplitError, LetterError, WorkerDiedError) as error:
        raise Refused(str(error)) from None


def synthesize_letters(n: int, output: Path, seed: int, form: str) -> None:
    """`imr synthesize`: letters by our own grammar, and their truth beside them."""
    from imr.data.synthetic import Format, write

    with explained(output):
        letters, truth = write(n, output, seed, cast("Format", form), default_jobs())
    print(f"written: {letters} and {truth}")
