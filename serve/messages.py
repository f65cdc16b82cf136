"""How a command speaks to its user: notices, progress, why it cannot go on or was ended."""

from __future__ import annotations

import codecs
import io
import logging
import os
import signal
import sys
import time
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


PLAIN = {
    "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-", "—": "-", "−": "-", "·": ".",
    "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "●": "O", "✓": "+", "✗": "x", "○": "o",
    "→": "->", "×": "x", "≤": "<=", "≥": ">=", "±": "+-", "╸": "-", "╺": "-",
}  # fmt: skip
"""For terminals that have no such characters; of the corners of boxes any becomes ``+``."""

_BOX_DRAWING = range(0x2500, 0x2580)


def show_any_text() -> None:
    """Let both streams print any text: what they have no character for becomes a plain one."""
    codecs.register_error("imr.plain", _plain)
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python writes UTF-8 there to a terminal that may not know it.
            ascii_only = stream.isatty() and locale in ("C", "POSIX")
            encoding = "ascii" if ascii_only else stream.encoding
            stream.reconfigure(encoding=encoding, errors="imr.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (PLAIN.get(one) or ("+" if ord(one) in _BOX_DRAWING else "?") for one in text)
    return "".join(plain), error.end


STEPS = logging.getLogger("imr.steps")
"""What a command does and how long it took, for ``-v`` and ``--log``: no word of a letter."""

_SAID = logging.getLogger("imr.said")


def say(line: str) -> None:
    """Tell the user something that is no failure."""
    print(f"imr: {line}", file=sys.stderr)
    _SAID.info("%s", line)


def many(n: int, name: str) -> str:
    """``1 letter``, ``1,000 letters``."""
    return f"{n:,} {name}" if n == 1 else f"{n:,} {name}s"


def keep_log(verbose: bool, path: str | None) -> None:
    """Show the steps on standard error (``verbose``), write them and messages to ``path``.

    Raises:
        Refused: where the file cannot be written.
    """
    both = logging.getLogger("imr")
    form = logging.Formatter("%(asctime)s %(message)s")
    if verbose:
        shown = logging.StreamHandler()
        shown.addFilter(lambda record: record.name == STEPS.name)  # the others are printed anyway
        both.addHandler(shown)
    if path:
        try:
            both.addHandler(logging.FileHandler(path, encoding="utf-8", errors="replace"))
        except OSError as error:
            fault = (error.strerror or type(error).__name__).lower()
            raise Refused(f"{path}: cannot write: {fault}", "name another file") from None
    for handler in both.handlers:
        handler.setFormatter(form)
    both.setLevel(logging.INFO)
    both.propagate = False


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
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


Advance = Callable[[int], None]


@contextmanager
def progress(title: str, count: Callable[[], int | None]) -> Iterator[Advance]:
    """A function to call with the number of letters just done.

    ``count``, how many there are (None: unknown), is asked only where standard error is a terminal.
    """
    done, begun = 0, time.monotonic()
    with _bar(title, count) as advance:

        def advanced(letters: int) -> None:
            nonlocal done
            done += letters
            advance(letters)

        yield advanced
    STEPS.info("%s: %d letters in %.1f s", title, done, time.monotonic() - begun)


@contextmanager
def _bar(title: str, count: Callable[[], int | None]) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress as shown
    from rich.console import Console
    from rich.text import Text

    class Rate(shown.ProgressColumn):
        def render(self, task: shown.Task) -> Text:
            return Text(f"{task.speed:,.0f} letters/s" if task.speed else "")

    columns = (
        shown.TextColumn("{task.description}"),
        shown.BarColumn(),
        shown.MofNCompleteColumn(),
        Rate(),
        shown.TimeRemainingColumn(),
    )
    with shown.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=count())
        yield lambda letters: bar.advance(task, letters)
