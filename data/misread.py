"""Signs that a text was recognised badly: fixed wording of the form that is nearly there.

Labels and lead sentences are the same in every letter.  One that is *nearly* the same was
misread, and then what it opens is not where it seems to be: a rationale would be read as a
guideline, or an item as part of the rationale before it.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

ADMINISTRATOR_LABEL = "claims administrator guideline"
REVIEWER_LABEL = "maximus guideline"
RATIONALE_LABEL = "decision rationale"

NEAR = 0.8
"""Likeness from which on words are the label, misread.

A label with one character in eight replaced has 0.88.  What stands before a colon in 135 real and
600 made letters reaches 0.57 for the administrator's label, 0.67 for that of the rationale, and
0.76 for the reviewer's ("MTUS guidelines:"), which is looked for only where it is missing.
"""

MOST_MISREAD = 2
"""Misread places in the two lead sentences (230 characters) of a letter that is still read.

Three are seen in one letter in nine where 0.5% of the characters are misread, in 40% at 1% and in
84% at 2% (Poisson).  At 1%, one signal in nine is not what the letter says.
"""

_PIECES = re.compile(
    r"clai|ms.a|dmin|istr|ator|.gui|deli|ne$|maxi|mus.|guid|elin|deci|sion|rati|onal",
    re.DOTALL,
)
"""Of a label with few misread letters some piece is whole: most other words are done with here."""
_IN_FULL = re.compile(r"(?:claims administrator(?:'s)?|maximus) guidelines?$|decision rationale$")
_SPARE = 6
"""Characters that a label may have gained: blanks, a plural, "rn" for "m"."""


def misread_label(text: str, labels: tuple[str, ...]) -> bool:
    """Whether the words before a colon or semicolon of ``text`` are nearly one of the labels."""
    longest = max(map(len, labels)) + _SPARE
    for mark in ":;":
        at = text.find(mark)
        while at >= 0:
            before = text[max(0, at - longest) : at].lower()
            if _PIECES.search(before):
                before = " ".join(before.split())
                if any(_nearly(before, label) for label in labels):
                    return True
            at = text.find(mark, at + 1)
    return False


def _nearly(before: str, label: str) -> bool:
    if _IN_FULL.search(before):
        return False
    alike = SequenceMatcher(None, before[-len(label) :], label, autojunk=False)
    return alike.real_quick_ratio() >= NEAR <= alike.quick_ratio() and alike.ratio() >= NEAR


def without_misread_lead(section: str, leads: tuple[str, ...]) -> tuple[str, int]:
    """A section without its misread lead sentence, and in how many places that was misread.

    The section as it is, and 0, where it opens with nothing like one of ``leads``.
    """
    words = list(re.finditer(r"\S+", section[: 2 * max(map(len, leads))]))
    opening = " ".join(word.group() for word in words)
    found = max((_aligned(opening[: len(lead) + 8], lead) for lead in leads), default=None)
    if found is None or found[0] < NEAR:
        return section, 0
    _, end, places = found
    read = 0
    for word in words:
        read += len(word.group()) + 1
        if read >= end:
            return section[word.end() :], places
    return section, 0


def _aligned(opening: str, lead: str) -> tuple[float, int, int]:
    """How alike the opening is to a lead, where the lead ends in it, and the places that differ."""
    blocks = SequenceMatcher(None, opening, lead, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return 0.0, 0, 0
    end = blocks[-1].a - blocks[-1].b + len(lead)
    alike = SequenceMatcher(None, opening[:end], lead, autojunk=False)
    return alike.ratio(), end, sum(op != "equal" for op, *_ in alike.get_opcodes())
