"""How models are trained, and how we know what they can."""

MOST_CHARACTERS = 400
CUT = " …"


def one_line(error: BaseException) -> str:
    """An error as a line of a log."""
    return shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", MOST_CHARACTERS)


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters, cut after a paragraph where there are several, else before a
    word: a number that is cut is another number.
    """
    if len(text) <= most:
        return text
    kept = text[: most - len(CUT)]
    paragraphs = kept.rpartition("\n\n")[0]
    return paragraphs + CUT if paragraphs else kept.rpartition(" ")[0] + CUT
