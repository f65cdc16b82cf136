"""p(overturned) of an item, with an interval and what it rests on."""

from imr.models.outcome.model import OutcomeConfig, OutcomeModel

__all__ = ["OutcomeConfig", "OutcomeModel"]
