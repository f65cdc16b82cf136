"""Number words and their values, from ``data/reference/number_words.csv``."""

from __future__ import annotations

from functools import lru_cache

from imr.data.terms import reference_rows


@lru_cache
def number_words(most: int) -> dict[str, int]:
    """The numerals of one word from one to ``most`` with their values, in ascending order."""
    values = {
        row["word"]: int(row["value"])
        for row in reference_rows("number_words")
        if row["word"].isalpha() and row["value"].isdecimal() and 1 <= int(row["value"]) <= most
    }
    return dict(sorted(values.items(), key=lambda entry: entry[1]))
