"""p(overturned) of an item, with an interval and what it rests on."""

from imr.models.config import OutcomeConfig
from imr.models.outcome.model import OutcomeModel

__all__ = ["OutcomeConfig", "OutcomeModel"]
