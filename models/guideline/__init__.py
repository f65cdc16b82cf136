"""The guideline that a reviewer will cite for an item."""

from imr.models.guideline.model import GuidelineConfig, GuidelineModel

__all__ = ["GuidelineConfig", "GuidelineModel"]
