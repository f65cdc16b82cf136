"""The command `imr`.

Nothing but Typer is imported before a command runs, so that ``imr --help`` answers at once.
Exit status: 0 all letters done; 1 some letters could not be read; 2 wrong usage or nothing to do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from typer import Argument, Exit, Option, Typer

from imr import CHAMPION
from imr.serve.messages import Refused, ended_well, say, show_any_text

if TYPE_CHECKING:
    from imr.data.letter import LetterError
    from imr.data.synthetic import Format
    from imr.serve.letters import ReadAs
    from imr.training.config import TrainConfig
    from imr.training.train import TrainResult

app = Typer(
    name="imr",
    epilog=(
        "Estimates come from decided cases. They are no medical and no legal verdict. "
        "Exit status: 0 all letters done, 1 some could not be read, 2 wrong usage or nothing to do."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Letters = Annotated[
    list[str],
    Argument(
        help="Files, folders, globs, .zip, or - for standard input: .pdf, .docx, .txt, and case "
        "records as .json, .jsonl, .csv, .tsv, .xlsx or .parquet (see imr schema). Also URLs: "
        "s3://, gs://, abfs://, https://.",
        metavar="LETTERS",
        show_default=False,
    ),
]
Maps = Annotated[
    list[str] | None,
    Option("--map", metavar="NAME=COLUMN", help="What your table calls a column; may be repeated."),
]
Form = Annotated[
    str | None, Option("--format", metavar="csv|...", help="What stands on standard input.")
]
Jobs = Annotated[int, Option("--jobs", "-j", min=0, help="Processes; 0 takes all cores.")]
Model = Annotated[
    str, Option("--model", metavar="URI", help="MLflow registry address, run, or a folder.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("imr"))
        raise Exit


@app.callback()
def options(
    version: Annotated[  # noqa: ARG001 - the callback has answered
        bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, Option("--verbose", "-v", help="Show the steps and what they took.")
    ] = False,
    log: Annotated[
        str | None,
        Option(metavar="FILE", help="Add steps and messages to a file, no text of letters."),
    ] = None,
) -> None:
    """Predict decisions of California Independent Medical Review from the letters."""
    if verbose or log:
        from imr.serve.messages import keep_log

        keep_log(verbose, log)


@contextmanager
def _failures_named() -> Iterator[Callable[[LetterError], None]]:
    """What names a letter that could not be read; the command ends with status 1 where one was."""
    count = 0

    def named(failure: LetterError) -> None:
        nonlocal count
        count += 1
        say(str(failure))

    yield named
    if count:
        raise Exit(1)


def _read_as(maps: list[str] | None, form: str | None) -> ReadAs:
    from imr.serve.letters import ReadAs

    return ReadAs.told(maps, form)


@app.command()
def parse(
    letters: Letters,
    output: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE.jsonl", help="Instead of standard output."),
    ] = None,
    jobs: Jobs = 0,
    maps: Maps = None,
    form: Form = None,
) -> None:
    """Read letters into one JSON object each."""
    from imr.serve.derive import parse_letters

    with _failures_named() as named:
        parse_letters(tuple(letters), output, jobs, named, _read_as(maps, form))


@app.command()
def features(
    letters: Letters,
    output: Annotated[
        str, Option("--output", "-o", metavar="FILE", help=".parquet, .csv, .xlsx or .jsonl.")
    ],
    evidence: Annotated[
        str | None, Option(metavar="FILE.jsonl", help="The quoted words behind each signal.")
    ] = None,
    jobs: Jobs = 0,
    maps: Maps = None,
    form: Form = None,
) -> None:
    """Derive the signals: one row an item."""
    from imr.serve.derive import write_features

    with _failures_named() as named:
        write_features(tuple(letters), output, evidence, jobs, named, _read_as(maps, form))


Decided = Annotated[
    list[str] | None,
    Option("--letters", metavar="PATH...", help="Decided letters instead of the shipped."),
]
Config = Annotated[Path | None, Option("--config", metavar="FILE.toml", help="Further settings.")]
Decisions = Annotated[
    Path | None, Option(metavar="FILE", help="Decided items as signals and labels.")
]
Full = Annotated[
    bool, Option("--full", help="Also learning curve, ablation and importance (slower).")
]
Assignments = Annotated[
    list[str] | None,
    Option("--set", metavar="KEY=VALUE", help="One setting, as in outcome.missed_cost=2."),
]
Budget = Annotated[
    float | None,
    Option(metavar="MINUTES", min=0.1, help="Leave out repeats that would take longer."),
]


@app.command()
def train(
    letters: Decided = None,
    decisions: Decisions = None,
    config: Config = None,
    assignments: Assignments = None,
    full: Full = False,
    budget: Budget = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Evaluate, but log and register nothing.")
    ] = False,
    promote: Annotated[
        bool, Option("--promote", help="Make the new model champion whatever the figures.")
    ] = False,
) -> None:
    """Train, evaluate, log to MLflow and register both models.

    Without a source: on the decisions that the project ships.
    """
    from imr.serve.model import remember_champion
    from imr.training.train import train as evaluate_and_register

    def trained(settings: TrainConfig) -> TrainResult:
        result = evaluate_and_register(settings)
        remember_champion()
        return result

    options = {"full": full, "budget_minutes": budget, "dry_run": dry_run, "promote": promote}
    _show_figures(trained, config, assignments, letters, decisions, options)


@app.command()
def evaluate(
    letters: Decided = None,
    decisions: Decisions = None,
    by: Annotated[
        str, Option(metavar="group|time", help="Folds by letter, or train earlier, test later.")
    ] = "group",
    config: Config = None,
    assignments: Assignments = None,
    full: Full = False,
    budget: Budget = None,
) -> None:
    """Evaluate as imr train does, without registering."""
    if by not in ("group", "time"):
        raise Refused(f"--by {by}: not known", "give group or time")
    from imr.training.train import evaluate_and_log

    options = {"by": by, "full": full, "budget_minutes": budget}
    _show_figures(evaluate_and_log, config, assignments, letters, decisions, options)


def _show_figures(
    work: Callable[[TrainConfig], TrainResult],
    config: Path | None,
    assignments: list[str] | None,
    letters: list[str] | None,
    decisions: Path | None,
    options: dict[str, Any],
) -> None:
    """Evaluate with the settings of a file and those of the command line over them, print the
    table and where the run lies, and end with the run's exit status.
    """
    from imr.data.letter import LetterError
    from imr.training.config import ConfigError, TrainConfig
    from imr.training.decisions import NoDecisionsError
    from imr.training.folds import SplitError
    from imr.training.report.tables import print_table
    from imr.training.workers import WorkerDiedError

    if letters and decisions:
        raise Refused("give --letters or --decisions, not both")
    given = {name: value for name, value in options.items() if value is not False}
    named = tuple(letters) if letters else None
    again = "starts anew" if options.get("dry_run") else "continues it"
    try:
        with ended_well("the run is not logged", f"the same command {again}"):
            settings = TrainConfig.read(
                config, assignments or (), letters=named, decisions=decisions, **given
            )
            result = work(settings)
    except (ConfigError, NoDecisionsError, SplitError, LetterError, WorkerDiedError) as error:
        raise Refused(str(error)) from None
    print_table(result.table())
    print(result.message())
    if result.exit_code:
        raise Exit(result.exit_code)


Scores = Annotated[
    str,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help=".parquet, .csv, .xlsx or .jsonl, or DIR/ for a folder of Parquet parts; also a URL.",
    ),
]
Report = Annotated[str | None, Option(metavar="FILE.html", help="Also write a page to read.")]
Details = Annotated[
    str | None,
    Option(metavar="FILE.jsonl", help="Also what imr explain --json says, a letter a line."),
]
Partitions = Annotated[
    int | None, Option(metavar="N", min=1, help="Write a folder of N Parquet parts.")
]
Engine = Annotated[str, Option(metavar="local|dask", help="Processes here, or a Dask cluster.")]
Scheduler = Annotated[str | None, Option(metavar="ADDRESS", help="Of the Dask scheduler.")]
Resume = Annotated[bool, Option("--resume", help="Continue an interrupted run.")]
Reasons = Annotated[
    bool, Option("--reasons/--no-reasons", help="Leave reasons out to score faster.")
]

Only = Annotated[
    str | None, Option("--letter", metavar="ID", help="This letter alone; its report opens on it.")
]
DryRun = Annotated[bool, Option("--dry-run", help="Read and count, but score and write nothing.")]


@app.command()
def validate(letters: Letters, jobs: Jobs = 0, maps: Maps = None, form: Form = None) -> None:
    """Read letters and score nothing: what would be read, what not and why."""
    _validate(tuple(letters), jobs, _read_as(maps, form), each_file=True)


def _validate(letters: tuple[str, ...], jobs: int, how: ReadAs, each_file: bool) -> None:
    from imr.serve.derive import validate as checked

    with _failures_named() as named:
        with ended_well():
            found = checked(letters, jobs, named, how)
        print(*found.lines(each_file), sep="\n")


@app.command()
def info(model: Model = CHAMPION) -> None:
    """Show version, model and stores that commands here use."""
    from imr.serve.model import info as found

    for name, value in found(model):
        print(f"{name + ':':15} {value}")


@app.command()
def score(
    letters: Letters,
    output: Scores,
    report: Report = None,
    details: Details = None,
    partitions: Partitions = None,
    model: Model = CHAMPION,
    jobs: Jobs = 0,
    engine: Engine = "local",
    scheduler: Scheduler = None,
    resume: Resume = False,
    reasons: Reasons = True,
    maps: Maps = None,
    form: Form = None,
    only: Only = None,
    dry_run: DryRun = False,
) -> None:
    """Score letters: one row an item, and FILE.errors.jsonl for letters not read."""
    from imr.serve import score as scoring
    from imr.serve.outputs import output_path

    run = scoring.ScoreRun(
        letters=tuple(letters),
        output=output_path(output),
        report=output_path(report) if report else None,
        details=output_path(details) if details else None,
        partitions=partitions or (0 if output.endswith("/") else None),
        model=model,
        jobs=jobs,
        engine=engine,
        scheduler=scheduler,
        resume=resume,
        reasons=reasons,
        how=replace(_read_as(maps, form), only=only),
    )
    if dry_run:
        scoring.check(run)
        _validate(run.letters, jobs, run.how, each_file=False)
        return
    with _failures_named() as named:
        with ended_well(f"{run.output} not written", "the same command with --resume continues"):
            tally = scoring.score(run, named)
        print(*tally.lines(), f"written: {scoring.written(run, tally)}", sep="\n")


@app.command()
def explain(
    letter: Annotated[str, Argument(help="One letter or case record.", metavar="LETTER")],
    as_json: Annotated[bool, Option("--json", help="For machines.")] = False,
    item: Annotated[int | None, Option(metavar="N", min=0, help="Only this item, from 0.")] = None,
    letter_id: Annotated[
        str | None, Option("--letter-id", "--letter", metavar="ID", help="Which letter of several.")
    ] = None,
    statements: Annotated[
        bool, Option("--statements", help="Show what was understood of each sentence.")
    ] = False,
    model: Model = CHAMPION,
    maps: Maps = None,
    form: Form = None,
) -> None:
    """Explain one letter: predictions, reasons with quotes, what is not documented."""
    from imr.serve import explain as one

    how = _read_as(maps, form)
    with ended_well():
        if statements:
            found = shown = one.understood(letter, letter_id, how)
        else:
            found = one.explain(letter, model, letter_id, how=how)
            shown = {**found, "items": one.chosen_items(found, item)}
    if as_json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    elif statements:
        print("\n".join(one.statement_lines(shown)))
    else:
        one.show(shown, one.make_console())
        if Path(letter).is_file() and one.is_draft(letter, letter_id, how):
            for line in one.moved(letter, found):
                print(line)


@app.command()
def new(
    item: Annotated[
        list[str], Option("--item", metavar="TITLE", help="What is asked for; repeatable.")
    ],
    output: Annotated[
        str, Option("--output", "-o", metavar="FILE", help=".json, or .csv for spreadsheets.")
    ],
    letter_id: Annotated[str, Option(metavar="ID", help="Your name of the case.")] = "case-1",
) -> None:
    """Write a case record to fill in, with what the guideline asks for."""
    from imr.serve.derive import new_record, write_new

    write_new(new_record(item, letter_id), output)
    print(f"written: {output}; fill in case_summary and ur_denial_date, then: imr explain {output}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of case records."""
    from imr.data.records import record_schema

    print(json.dumps(record_schema(), indent=2))


@app.command()
def synthesize(
    n: Annotated[int, Option("-n", min=1, help="Letters to write.")],
    output: Annotated[Path, Option("--output", "-o", metavar="DIR", help="Folder.")],
    seed: Annotated[int, Option(help="The same seed writes the same letters.")] = 0,
    form: Annotated[
        str, Option("--format", metavar="pdf|txt|jsonl", help="Of the letters.")
    ] = "txt",
) -> None:
    """Write letters by our own grammar, with known truth, for load tests."""
    if form not in ("pdf", "txt", "jsonl"):
        raise Refused(f"--format {form}: not known", "give pdf, txt or jsonl")
    from imr.data.synthetic import write
    from imr.serve.outputs import explained
    from imr.serve.workers import default_jobs

    with explained(output):
        letters, truth = write(n, output, seed, cast("Format", form), default_jobs())
    print(f"written: {letters} and {truth}")


def spread(arguments: list[str]) -> list[str]:
    """``--letters a b`` as ``--letters a --letters b``, so that a glob can follow the option."""
    result: list[str] = []
    in_letters = False
    for argument in arguments:
        is_option = argument.startswith("-") and argument != "-"
        if not is_option and in_letters and result[-1] != "--letters":
            result.append("--letters")
        in_letters = argument == "--letters" or (in_letters and not is_option)
        result.append(argument)
    return result


def main() -> None:
    """Run the command; every error a user can cause ends in one line and status 2."""
    show_any_text()
    try:
        app(spread(sys.argv[1:]))
    except Refused as error:
        say(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
