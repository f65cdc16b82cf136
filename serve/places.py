"""Where results go: a path on this machine, or a URL on an object store."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imr.data import remote
from imr.serve.refusal import Refused


@dataclass(frozen=True, slots=True)
class StorePath:
    """An object or folder of a store, with what results need of :class:`pathlib.Path`."""

    url: str

    def __str__(self) -> str:
        """The URL without its credentials."""
        return remote.shown(self.url)

    def __truediv__(self, name: str) -> StorePath:
        return StorePath(remote.joined(self.url, name))

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return posixpath.basename(self.url)

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return posixpath.splitext(self.name)[1]

    @property
    def parent(self) -> StorePath:
        """The folder around it."""
        above = self.url[: len(self.url) - len(self.name)]
        return StorePath(above if above.endswith("://") else above.rstrip("/"))

    @property
    def is_bucket(self) -> bool:
        """True where no key stands behind the bucket."""
        return self.parent.url.endswith("://")

    def with_name(self, name: str) -> StorePath:
        """What is called ``name`` in the same folder."""
        return self.parent / name


Place = Path | StorePath


def place(text: str) -> Place:
    """The place that a user named; a ``file://`` URL is a path."""
    text = remote.local_path(text)
    if remote.protocol(text) is None:
        return Path(text)
    return StorePath(text.rstrip("/"))


def is_folder(path: Place) -> bool:
    """True where a folder lies there."""
    if isinstance(path, Path):
        return path.is_dir()
    try:
        return remote.entry(path.url).folder
    except FileNotFoundError:
        return False


def names_in(folder: Place) -> list[str]:
    """The names in a folder, sorted; none where there is no such folder."""
    if isinstance(folder, Path):
        return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    try:
        found = remote.entries(remote.Entry(folder.url, folder=True))
    except FileNotFoundError:
        return []
    return [posixpath.basename(one.url.rstrip("/")) for one in found]


def remove(path: Place) -> None:
    """Remove a file, or a folder with all that is in it; nothing there is no fault."""
    if isinstance(path, StorePath):
        remote.remove(path.url)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def same(one: Place, other: Place) -> bool:
    """True where both name one file."""
    if isinstance(one, Path) and isinstance(other, Path):
        return one.resolve() == other.resolve()
    return one == other


@contextlib.contextmanager
def known_store() -> Iterator[None]:
    """Refuse a protocol that cannot be used, with what to install."""
    try:
        yield
    except remote.UnknownStoreError as error:
        raise Refused(error.problem, error.remedy) from None
