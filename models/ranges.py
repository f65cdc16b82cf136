"""What a numeric setting may be: a range that stands with the field of a settings class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_KEY = "range"
# LightGBM reads whole numbers into 32 bits and grows no larger trees.
MOST_WHOLE = 2**31 - 1
MOST_LEAVES = 131_072


@dataclass(frozen=True, slots=True)
class Range:
    """From ``least`` to ``most``; ``open_`` means that neither end belongs to it."""

    least: float
    most: float
    open_: bool

    def holds(self, value: float) -> bool:
        """False for what is not a number or infinite, too."""
        if isinstance(value, int) and abs(value) > MOST_WHOLE:
            return False
        if not math.isfinite(value):
            return False
        if self.open_:
            return self.least < value < self.most
        return self.least <= value <= self.most

    def __str__(self) -> str:
        if math.isinf(self.most):
            return f"{'above' if self.open_ else 'at least'} {self.least:g}"
        if self.open_:
            return f"between {self.least:g} and {self.most:g}"
        return f"from {self.least:g} to {self.most:.10g}"


def setting(default: Any, least: float = 0, most: float = math.inf, *, open_: bool = False) -> Any:
    """A field of that default and range, both ends of which belong to it unless ``open_``."""
    return field(default=default, metadata={_KEY: Range(least, most, open_)})


def ranges(settings: Any) -> dict[str, Range]:
    """The ranges of a settings class or object by field."""
    return {f.name: f.metadata[_KEY] for f in fields(settings) if _KEY in f.metadata}


def out_of_range(settings: Any, values: Mapping[str, Any], of: str = "") -> str | None:
    """What to say of the first value outside the range of its field, named with ``of`` before it;
    None where there is none.  A value of None was not given.
    """
    for name, allowed in ranges(settings).items():
        value = values.get(name)
        if value is not None and not allowed.holds(value):
            return f"{of}{name}: {value} is out of range (allowed is {allowed})"
    return None
