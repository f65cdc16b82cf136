"""Letters that we wrote by program, with known truth: for load, round-trip and simulation tests."""

from imr.data.synthetic.letters import Format, planted_effects, synthesize, write
from imr.data.synthetic.writer import BASE_RATE, SyntheticLetter

__all__ = ["BASE_RATE", "Format", "SyntheticLetter", "planted_effects", "synthesize", "write"]
