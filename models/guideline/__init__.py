"""The guideline that a reviewer will cite for an item."""

from imr.models.config import GuidelineConfig
from imr.models.guideline.model import GuidelineModel

__all__ = ["GuidelineConfig", "GuidelineModel"]
