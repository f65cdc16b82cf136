"""How models are trained, and how we know what they can."""


def one_line(error: BaseException) -> str:
    """An error as a line of a log."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:240]}"
