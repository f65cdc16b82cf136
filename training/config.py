"""What a training run may be told: one frozen object; an unknown key fails."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from imr.models.config import out_of_range, setting

By = Literal["group", "time"]


class ConfigError(ValueError):
    """A setting that does not exist or cannot hold; the message names it and what is allowed."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of ``imr train`` and ``imr evaluate``.

    Source: ``letters`` (files, folders, zips), else the table ``decisions``, else the shipped
    table.  Protocol: ``folds`` x ``repeats`` grouped folds (at most: from 1,000 letters on one
    repeat of three folds is made, from 10,000 on of two), or with ``by="time"`` ``time_parts``
    later spans, each ``gap_days`` after its training letters; ``bootstrap`` draws an interval.
    ``full`` adds the learning curve, the ablation by family and permutation importance by signal.
    ``tune`` is how many settings Optuna tries inside the training folds (0: none).
    ``budget_minutes`` leaves out repeats that would take longer.  ``keep`` is the folder that holds
    what a tracking server would not take.  ``outcome`` and ``guideline`` hold settings of the two
    models.  ``promote`` makes the new model champion whatever the figures; ``dry_run`` logs and
    registers nothing.
    """

    letters: tuple[str, ...] = ()
    decisions: str | None = None
    by: By = "group"
    folds: int = setting(5, 2)
    repeats: int = setting(3, 1)
    time_parts: int = setting(3, 1)
    gap_days: int = setting(7, 0)
    bootstrap: int = setting(1000, 50)
    seed: int = setting(20161013)
    full: bool = False
    tune: int = setting(0)
    jobs: int = setting(2, 1)
    budget_minutes: float | None = setting(None)
    experiment: str = "imr"
    registered_model: str = "imr"
    tracking_uri: str | None = None
    tracking_timeout_seconds: int = setting(300, 1)
    keep: str = "runs-kept"
    outcome: Mapping[str, Any] = field(default_factory=dict)
    guideline: Mapping[str, Any] = field(default_factory=dict)
    promote: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise ConfigError(f"by: {self.by!r} is neither group nor time")
        if self.letters and self.decisions:
            raise ConfigError("give letters or a table of decisions, not both")
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        if said := out_of_range(self, given):
            raise ConfigError(said)

    @classmethod
    def read(
        cls, path: str | Path | None = None, assignments: Sequence[str] = (), **options: Any
    ) -> TrainConfig:
        """Settings of a TOML file (``[train]`` table or top level), then assignments (``folds=3``,
        ``outcome.missed_cost=2``), then options; the later ones take precedence.

        Options that are None were not given.  Raises :class:`ConfigError` naming an unknown key, a
        wrong type or a value out of range.
        """
        values = _toml(Path(path)) if path else {}
        for assignment in assignments:
            _assign(values, assignment)
        values |= {name: value for name, value in options.items() if value is not None}
        types = {f.name: type(f.default) for f in fields(cls)} | _TYPES
        values = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        if "letters" in values:
            paths = values["letters"]
            if isinstance(paths, str) or not all(isinstance(path, (str, Path)) for path in paths):
                raise ConfigError("letters: a list of paths is expected")
            values["letters"] = tuple(map(str, paths))
        return cls(**checked(values, types))

    def as_params(self) -> dict[str, str | int | float | bool]:
        """The protocol as parameters of the experiment log: no path, no address."""
        left_out = {"letters", "decisions", "keep", "tracking_uri", "jobs", "budget_minutes"}
        left_out |= {"outcome", "guideline", "promote", "dry_run"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}


# Of settings whose default does not tell it.
_TYPES: dict[str, type] = {
    "budget_minutes": float,
    **dict.fromkeys(("decisions", "tracking_uri"), str),
    **dict.fromkeys(("outcome", "guideline"), dict),
}


def checked(values: Mapping[str, Any], types: Mapping[str, type], of: str = "") -> dict[str, Any]:
    """The settings, if all are known and of their type; whole numbers stand for decimal ones.

    Raises :class:`ConfigError` naming a setting with ``of`` (``outcome.``) before it.
    """
    if unknown := sorted(set(values) - set(types)):
        named = ", ".join(f"{of}{name}" for name in unknown)
        near = get_close_matches(unknown[0], types, n=1)
        meant = f"; did you mean {of}{near[0]}?" if near else ""
        raise ConfigError(f"unknown setting {named}{meant} (known: {', '.join(sorted(types))})")
    for name, value in values.items():
        wanted = types[name]
        if type(value) not in ((int, float) if wanted is float else (wanted,)):
            raise ConfigError(f"{of}{name}: {value!r} is not of type {wanted.__name__}")
    return dict(values)


def _assign(values: dict[str, Any], assignment: str) -> None:
    """Put ``key=value`` or ``model.key=value`` into ``values``; the value is TOML's, or a text."""
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {assignment}: key=value is expected, as in outcome.missed_cost=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *model, key = name.strip().split(".")
    table = values
    for part in model:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {assignment}: {part} is no table of settings")
    table[key] = value


def _toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from error
    table = values.get("train", values)
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [train] is not a table")
    return table
