"""What an error of a tracking store, server or registry means, and what to do about it."""

from __future__ import annotations

import re

from imr.training import one_line

LOGIN = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
_ROOM = "make room there, or name another store: --set tracking_uri=ADDRESS"
DENIED = re.compile(r"error code 403|PERMISSION_DENIED")
REMEDIES = {
    "the proxy of HTTP_PROXY and HTTPS_PROXY does not let it through: mend them, or name the "
    "server in NO_PROXY": re.compile(r"ProxyError|error code 407|Tunnel connection"),
    f"the tracking server asks who you are: {LOGIN}": re.compile(r"error code 401|UNAUTHENTICATED"),
    "the tracking server does not allow it: ask whoever keeps it for the right to write, or log in "
    f"as somebody who has it ({LOGIN})": DENIED,
    f"the disk is full: {_ROOM}": re.compile(
        r"disk is full|No space left|File too large|disk I/O error"
    ),
    "the store may not be written to: name another one, --set tracking_uri=ADDRESS": re.compile(
        r"readonly database|Read-only file system|unable to open database|Permission denied"
    ),
}
"""What is the matter, and the remedy -> what an error of a store or server then says."""


def is_denied(error: BaseException) -> bool:
    """Whether a server says that the user may not do this."""
    return DENIED.search(str(error)) is not None


def was_made_beside(error: BaseException) -> bool:
    """Whether a store refuses an entry because another run has just made it: two runs on the same
    data, at once, find no entry of the data, and both make one.
    """
    return re.search(r"UniqueViolation|UNIQUE constraint|[Dd]uplicate", str(error)) is not None


def told(error: BaseException) -> str:
    """An error of a store or server in one line, with its remedy where that is known."""
    line = one_line(error)
    known = (remedy for remedy, pattern in REMEDIES.items() if pattern.search(str(error)))
    remedy = next(known, "")
    return f"{remedy} ({line})" if remedy else line
