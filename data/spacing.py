"""White space of printed letters: lines, paragraphs, words broken over a line or a page."""

from __future__ import annotations

import re

# A hyphen at the end of a line belongs to the word or date it breaks ("x-/ray", "10-30-/2016");
# a dash with a space before it does not.
# It begins with the hyphen, so that the search skips from hyphen to hyphen.
_BROKEN_WORD = re.compile(r"-(?<=\w-)[ \t]*\n\s*(?=\w)")


def collapse(text: str) -> str:
    """White space collapsed to single blanks, words broken at a line end joined again."""
    if "-" in text:
        text = _BROKEN_WORD.sub("-", text)
    return " ".join(text.split())
