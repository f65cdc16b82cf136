"""How much one letter may hold.

Real letters stay ten times below these limits (case summary 3,920 characters, heading 433,
guideline paragraph 774, 15 items).  What exceeds them is no letter, and it would hold up the
others: time grows with the length of a summary times the number of items.
"""

from __future__ import annotations

from imr.data.letter import LetterError

MAX_HEAD_CHARS = 100_000
MAX_SUMMARY_CHARS = 40_000
MAX_HEADING_CHARS = 10_000
MAX_GUIDELINE_CHARS = 20_000
MAX_ITEMS = 1_000


def refuse_longer(source: str, what: str, text: str, most: int) -> None:
    """Raise LetterError ``too_large`` where ``text`` has more than ``most`` characters.

    ``what`` names the part in the message ("the case summary").
    """
    if len(text) > most:
        raise LetterError(
            source,
            "too_large",
            f"{what} has {len(text)} characters, at most {most} are read",
            "check that it is one letter",
        )
