"""What a worker does with a chunk: read the letters, and derive or predict what was asked for.

Nothing of a letter's decision reaches the predictor: it gets ``letter.case`` alone.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from imr.data.letter import Letter, LetterError
from imr.data.paths import file_path
from imr.data.read import load
from imr.data.records import RawRecord, letter_from_record
from imr.data.sources import Source, content
from imr.serve.letter_json import letter_detail, score_rows
from imr.serve.letters import Chunk, Task, task_name
from imr.serve.model import load_predictor
from imr.serve.workers import Answer, Work, failure_answer

if TYPE_CHECKING:
    from imr.models.predictor import Predictor


Made = TypeVar("Made")


@contextlib.contextmanager
def collected_once() -> Iterator[None]:
    """One look for garbage at the end of the work instead of hundreds on the way.

    Nearly all that a chunk makes is alive to its end, so that looking earlier finds nothing; it
    took a fifth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
            gc.collect(0)


# --- reading --------------------------------------------------------------------------------------

FETCHED_AHEAD = 8
"""Objects asked for at the same time: a store takes 20 to 100 ms to answer, a letter 5 to parse."""


def fetched(given: Sequence[Task]) -> Iterator[Task]:
    """The tasks in their order, those on a store with their bytes, some fetched ahead."""
    if not any(map(_to_fetch, given)):
        yield from given
        return
    with ThreadPoolExecutor(FETCHED_AHEAD) as threads:
        waiting: deque[Future[Task]] = deque()
        for task in given:
            waiting.append(threads.submit(_fetch, task))
            if len(waiting) >= FETCHED_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _to_fetch(task: Task) -> bool:
    """True for a letter that is an object of its own; members of an archive share one place."""
    return (
        isinstance(task, Source)
        and task.member is None
        and task.content is None
        and file_path(task.path).on_store
    )


def _fetch(task: Task) -> Task:
    if not isinstance(task, Source) or not _to_fetch(task):
        return task
    return safely(task.name, "reading", lambda: replace(task, content=content(task)))


def read_letter(task: Task) -> Letter:
    """The letter of a task.

    Raises:
        LetterError: where it cannot be read, with the reason.
    """
    if isinstance(task, LetterError):
        raise task
    if isinstance(task, RawRecord):
        return letter_from_record(task)
    from imr.data.parse import parse

    return parse(load(task))


def read_safely(task: Task) -> Letter | LetterError:
    """The letter, or why there is none."""
    return safely(task_name(task), "reading", lambda: read_letter(task))


def safely(source: str, stage: str, make: Callable[[], Made]) -> Made | LetterError:
    """What is made of a letter, or why nothing: whatever one letter does, the others go on.

    Of a fault of ours only kind and place are told, for its message can hold letter text.
    """
    try:
        return make()
    except LetterError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - whatever one letter does, the others go on
        if isinstance(error, MemoryError) and stage == "reading":
            return LetterError(source, "too_large", "needs too much memory", "check the file")
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        message = f"{stage} failed ({type(error).__name__} in {place})"
        return LetterError(source, "internal", message, "please report it with the letter's source")


# --- scoring --------------------------------------------------------------------------------------


def import_models() -> None:
    """Import what predicting needs, in a process that does nothing else.

    LightGBM imports scikit-learn for estimators that nothing here uses, which takes half of a
    worker's start; it does without where scikit-learn is not installed, as it seems to be then.
    """
    if not {"lightgbm", "sklearn"} & sys.modules.keys():
        sys.modules["sklearn"] = None  # type: ignore[assignment]
        try:
            import lightgbm  # noqa: F401
        finally:
            del sys.modules["sklearn"]
    import imr.data.parse
    import imr.features.criteria
    import imr.features.table
    import imr.models.predictor  # noqa: F401


def load_in_worker(folder: str) -> Predictor:
    """The predictor in a model folder, in a process that does nothing else."""
    import_models()
    return load_predictor(folder)


@dataclass(frozen=True, slots=True)
class ScoreSetup:
    """How a worker gets ready to score; ``load`` turns the model's address into a predictor."""

    model: str
    reasons: bool = True
    detail: bool = False
    load: Callable[[str], Predictor] = load_in_worker

    def __call__(self) -> Work:
        """Load the model once and score chunks with it."""
        predictor = self.load(self.model)
        # Lexicons and model stay to the end: looking through them again and again is wasted.
        gc.collect()
        gc.freeze()
        return lambda chunk: self._score(predictor, chunk)

    @collected_once()
    def _score(self, predictor: Predictor, chunk: Chunk) -> Answer:
        read = [read_safely(task) for task in fetched(chunk.tasks)]
        letters = [letter for letter in read if isinstance(letter, Letter)]
        scored = iter(self._scored(predictor, letters))
        return [failure_answer(r) if isinstance(r, LetterError) else next(scored) for r in read]

    def _scored(self, predictor: Predictor, letters: list[Letter]) -> Answer:
        if not letters:
            return []
        found = safely(
            letters[0].case.source,
            "scoring",
            lambda: scored(predictor, letters, self.reasons, self.detail),
        )
        if not isinstance(found, LetterError):
            return found
        if len(letters) > 1:  # find the one that does it
            return [answer for one in letters for answer in self._scored(predictor, [one])]
        return [failure_answer(found)]


def scored(
    predictor: Predictor, letters: Sequence[Letter], reasons: bool = True, detail: bool = False
) -> Answer:
    """For each letter its ``rows`` of the score table and, where asked for, all there is to show
    of it as ``detail`` (:func:`imr.serve.letter_json.letter_detail`).

    The first also has the ``counts`` of all of them in the bins of the model's training data.
    """
    from imr.features.checklist import checklist
    from imr.features.table import signals
    from imr.models.drift import count
    from imr.models.frame import signals_frame

    cases = [letter.case for letter in letters]
    derived = [signals(case) for case in cases]
    table = signals_frame(cases, derived)
    predicted = predictor.predict_rows(
        cases, table, [found.evidence for found in derived] if reasons else None
    )
    changed = predictor.what_if(cases, derived, predicted) if detail else [()] * len(predicted)
    each, changes = iter(predicted), iter(changed)
    answers: Answer = []
    for letter, found in zip(letters, derived, strict=True):
        case, items = letter.case, len(found.rows)
        shown = letter_detail(
            replace(letter, warnings=(*letter.warnings, *found.warnings)),
            list(islice(each, items)),
            [
                checklist(case, item, row, found.evidence) if detail else ()
                for item, row in zip(case.items, found.rows, strict=True)
            ],
            list(islice(changes, items)),
            found.urgent,
        )
        answer = {"letter_id": case.letter_id, "source": case.source, "rows": score_rows(shown)}
        answers.append({**answer, "detail": shown} if detail else answer)
    profile = getattr(predictor, "about", {}).get("profile")
    answers[0]["counts"] = (
        count(profile, table, [p.p_overturned for p in predicted]) if profile else {}
    )
    return answers
