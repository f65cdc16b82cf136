"""Where results go: a file on this machine or an object on a store, written whole or not at all.

A file is filled beside its target and renamed over the target when everything is on the disk:
until then an earlier file stands untouched, and a failed run leaves nothing behind.  The new file
gets the permissions that the umask allows.  On an object store the same is done with an object of
another name, which is moved when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imr.data.paths import FilePath, LocalPath, UnsupportedPathError, file_path
from imr.serve.messages import Refused


@contextmanager
def open_atomic(path: FilePath, folder: FilePath | None = None) -> Iterator[IO[bytes]]:
    """A binary file that replaces ``path`` when the block ends well, and is removed otherwise.

    It is filled in ``folder`` (on the same disk or store), by default beside ``path``.
    """
    part = (folder or path.parent) / f".{path.name}.{os.getpid()}.part"
    with explained(path):
        file = part.create()
        try:
            yield file
            if not part.on_store:
                file.flush()
                os.fsync(file.fileno())
            file.close()
            part.move(path)
        except BaseException:
            # The disk or store that failed may fail again: the first fault is the one to tell.
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                part.remove()
            raise


def output_path(text: str) -> FilePath:
    """Where a user wants a result."""
    path = file_path(text)
    return type(path)(path.address.rstrip("/")) if path.on_store else LocalPath(str(Path(path)))


@contextmanager
def known_store() -> Iterator[None]:
    """Refuse a protocol that cannot be used, with what to install."""
    try:
        yield
    except UnsupportedPathError as error:
        raise Refused(error.problem, error.remedy) from None


@contextmanager
def explained(path: FilePath | Path) -> Iterator[None]:
    """Turn an error of the file system on ``path`` into a refusal that says what to do."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: FilePath | Path, error: OSError) -> Refused:
    """The refusal for an error of the file system while writing ``path``."""
    remedy = _REMEDIES.get(error.errno or 0, "write to a folder where you may create files")
    reason = error.strerror or type(error).__name__
    return Refused(f"{path}: cannot write: {reason[:1].lower()}{reason[1:]}", remedy)


_FREE_SPACE = "free some space or write elsewhere; an earlier file of this name is unchanged"
_REMEDIES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: "the limit for file sizes is reached; an earlier file of this name is unchanged",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "a part of the path is a file; write to a folder",
    errno.EISDIR: "this is a folder; name a file, or end it with / for scores in parts",
    errno.EROFS: "write to a folder or an object store",
    errno.EIO: "check the store and your rights; an earlier file of this name is unchanged",
}


def check_writable(path: FilePath) -> None:
    """Refuse now what could not be written at the end of a long run."""
    with known_store(), explained(path):
        if path.is_folder():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        check_folder_of(path)


def check_folder_of(path: FilePath) -> None:
    """Make and remove a file beside ``path``.

    Raises:
        OSError: where that cannot be done.
    """
    probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
    probe.write_bytes(b"probe")
    probe.remove()
