"""The one exception that ends a command: what is wrong, and what to do next.

Letters that cannot be read do not raise it (they are listed, the others are done); a run that
cannot start or cannot be written does.
"""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - a refusal is no fault
    """A command that cannot go on: ``problem`` and ``remedy``, both one line, exit status 2."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem, self.remedy = " ".join(problem.split()), " ".join(remedy.split())
        super().__init__(self.problem + (f" ({self.remedy})" if self.remedy else ""))

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        """Keep both parts when the refusal comes from another process."""
        return Refused, (self.problem, self.remedy)
