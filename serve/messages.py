"""What a command tells its user on standard error: notices, progress, and why it cannot go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Refused(Exception):  # noqa: N818 - a refusal is no fault
    """A command that cannot go on: ``problem`` and ``remedy``, both one line, exit status 2."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem, self.remedy = " ".join(problem.split()), " ".join(remedy.split())
        super().__init__(self.problem + (f" ({self.remedy})" if self.remedy else ""))

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        """Keep both parts when the refusal comes from another process."""
        return Refused, (self.problem, self.remedy)


def say(line: str) -> None:
    """Tell the user something that is no failure."""
    print(f"imr: {line}", file=sys.stderr)


Advance = Callable[[int], None]


@contextmanager
def progress(title: str, count: Callable[[], int | None]) -> Iterator[Advance]:
    """A function to call with the number of letters just done.

    ``count`` gives the number of letters there are (None: unknown); it is asked only where
    standard error is a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} letters/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=count())
        yield lambda letters: bar.advance(task, letters)
