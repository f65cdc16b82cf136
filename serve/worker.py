"""What a worker does with a chunk: read the letters, and derive or predict what was asked for.

Nothing of a letter's decision reaches the predictor: it gets ``letter.case`` alone.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from imr.data.letter import Case, Evidence, Letter, LetterError
from imr.data.paths import file_path
from imr.data.read import load
from imr.data.records import RawRecord, letter_from_record
from imr.data.sources import Source, content
from imr.serve.letter_json import Checklist, Explained, letter_detail, score_rows
from imr.serve.letters import Chunk, Failure, Task, task_name
from imr.serve.model import load_predictor
from imr.serve.workers import Answer, Work, failure_answer

if TYPE_CHECKING:
    import pandas as pd

    from imr.features.table import CaseSignals
    from imr.models.prediction import Prediction
    from imr.models.predictor import Predictor
    from imr.models.whatif import Change


CRITERION_QUOTES = 3


class Predicts(Protocol):
    """What scoring needs of a predictor."""

    def predict_rows(
        self,
        cases: Sequence[Case],
        table: pd.DataFrame,
        evidence: Sequence[Iterable[Evidence]] | None = None,
    ) -> list[Prediction]:
        """One prediction an item, in the order of cases and items."""

    def what_if(
        self,
        cases: Sequence[Case],
        derived: Sequence[CaseSignals],
        predictions: Sequence[Prediction],
    ) -> Sequence[Sequence[Change]]:
        """For every item what would change its estimate."""


Given = ParamSpec("Given")
Made = TypeVar("Made")


def collected_once(work: Callable[Given, Made]) -> Callable[Given, Made]:
    """The work with one look for garbage at its end instead of hundreds on the way.

    Nearly all that a chunk makes is alive to its end, so that looking earlier finds nothing; it
    took a fifth of the time.
    """

    @wraps(work)
    def unhindered(*given: Given.args, **named: Given.kwargs) -> Made:
        if not gc.isenabled():
            return work(*given, **named)
        gc.disable()
        try:
            return work(*given, **named)
        finally:
            gc.enable()
            gc.collect(0)

    return unhindered


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
    try:
        return replace(task, content=content(task))
    except LetterError as error:
        return Failure.of(error)
    except MemoryError:
        return Failure(task.name, "too_large", "needs too much memory", "check the file")


def read_letter(task: Task) -> Letter:
    """The letter of a task.

    Raises:
        LetterError: where it cannot be read, with the reason.
    """
    if isinstance(task, Failure):
        raise LetterError(task.source, task.reason, task.message, task.remedy)
    if isinstance(task, RawRecord):
        return letter_from_record(task)
    from imr.data.parse import parse

    return parse(load(task))


def read_safely(task: Task) -> Letter | Failure:
    """The letter, or why there is none: whatever one letter does, the others go on."""
    try:
        return read_letter(task)
    except LetterError as error:
        return Failure.of(error)
    except MemoryError:
        return Failure(task_name(task), "too_large", "needs too much memory", "check the file")
    except Exception as error:  # noqa: BLE001 - whatever one letter does, the others go on
        return unexpected(task_name(task), "reading", error)


def unexpected(source: str, stage: str, error: Exception) -> Failure:
    """A fault of ours: its kind and place only, for its message can hold letter text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    message = f"{stage} failed ({type(error).__name__} in {place})"
    return Failure(source, "internal", message, "please report it with the letter's source")


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
    load: Callable[[str], Predicts] = load_in_worker

    def __call__(self) -> Work:
        """Load the model once and score chunks with it."""
        predictor = self.load(self.model)
        # Lexicons and model stay to the end: looking through them again and again is wasted.
        gc.collect()
        gc.freeze()
        return lambda chunk: self._score(predictor, chunk)

    @collected_once
    def _score(self, predictor: Predicts, chunk: Chunk) -> Answer:
        read = [read_safely(task) for task in fetched(chunk.tasks)]
        letters = [letter for letter in read if isinstance(letter, Letter)]
        scored = iter(self._scored(predictor, letters))
        return [failure_answer(r) if isinstance(r, Failure) else next(scored) for r in read]

    def _scored(self, predictor: Predicts, letters: list[Letter]) -> Answer:
        try:
            return self._predicted(predictor, letters) if letters else []
        except Exception as error:  # noqa: BLE001 - whatever one letter does, the others go on
            if len(letters) > 1:  # find the one that does it
                return [answer for one in letters for answer in self._scored(predictor, [one])]
            return [failure_answer(unexpected(letters[0].case.source, "scoring", error))]

    def _predicted(self, predictor: Predicts, letters: list[Letter]) -> Answer:
        from imr.features.table import signals
        from imr.models.frame import signals_frame

        cases = [letter.case for letter in letters]
        derived = [signals(case) for case in cases]
        evidence = [one.evidence for one in derived] if self.reasons else None
        table = signals_frame(cases, derived)
        predicted = predictor.predict_rows(cases, table, evidence)
        changes = iter(predictor.what_if(cases, derived, predicted) if self.detail else ())
        predictions = iter(predicted)
        answers = []
        for letter, found in zip(letters, derived, strict=True):
            items = len(found.rows)
            own = list(islice(predictions, items))
            answers.append(self._answer(letter, own, found, list(islice(changes, items))))
        # Counts over all letters of the batch travel with its first.
        answers[0]["counts"] = _counts(predictor, table, [p.p_overturned for p in predicted])
        return answers

    def _answer(
        self,
        letter: Letter,
        predictions: list[Prediction],
        found: CaseSignals,
        changes: list[Sequence[Change]],
    ) -> dict[str, Any]:
        letter = _with_caveats(letter, found)
        explained = Explained.nothing(len(predictions))
        if self.detail:
            explained = Explained(_checklists(letter.case, found), changes, found.urgent)
        detail = letter_detail(letter, predictions, explained)
        answer = {
            "letter_id": letter.case.letter_id,
            "source": letter.case.source,
            "rows": score_rows(detail),
        }
        return {**answer, "detail": detail} if self.detail else answer


def explained_letter(letter: Letter, predictor: Predicts) -> dict[str, Any]:
    """What :func:`imr.serve.letter_json.letter_detail` says of one letter, in this process."""
    from imr.features.table import signals
    from imr.models.frame import signals_frame

    case, found = letter.case, signals(letter.case)
    table = signals_frame([case], [found])
    predictions = predictor.predict_rows([case], table, [found.evidence])
    changes = predictor.what_if([case], [found], predictions)
    explained = Explained(_checklists(case, found), changes, found.urgent)
    return letter_detail(_with_caveats(letter, found), predictions, explained)


def _with_caveats(letter: Letter, found: CaseSignals) -> Letter:
    """The letter with what its case gives cause to warn of."""
    return replace(letter, warnings=(*letter.warnings, *found.warnings))


def _counts(predictor: Predicts, table: pd.DataFrame, p: list[float]) -> dict[str, list[int]]:
    """The batch in the bins of the training data, where the model knows them."""
    from imr.models.drift import count

    profile = getattr(predictor, "about", {}).get("profile")
    return count(profile, table, p) if profile else {}


def _checklists(case: Case, found: CaseSignals) -> list[Checklist]:
    from imr.features.checklist import checklist

    evidence = found.evidence
    pairs = zip(case.items, found.rows, strict=True)
    return [
        [
            (criterion, criterion.quotes[:CRITERION_QUOTES])
            for criterion in checklist(case, item, row, evidence)
        ]
        for item, row in pairs
    ]
