"""Where files lie: a path on this machine, or a URL of an object store or a web server.

:data:`FilePath` is the one type for both, with the same methods on either side; :func:`file_path`
makes it from what a user typed.  Stores (``s3://``, ``gs://``, ``abfs://``, ``https://`` …) are
reached through fsspec, which loads the package of a protocol when it is first used.

Every failure is an :class:`OSError` as a disk would raise it, or :class:`UnsupportedPathError`; no
message and no ``str()`` holds a URL's credentials.  fsspec's chained URLs (``zip://…::s3://…``) are
not followed.
"""

from __future__ import annotations

import errno
import glob
import io
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Literal, Self, cast
from urllib.parse import unquote

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_LOCAL = frozenset({"file", "local"})
_WEB = frozenset({"http", "https"})
_CONTAINER_AT_ACCOUNT = frozenset({"abfs", "abfss", "az", "adl", "wasb", "wasbs"})
"""Azure writes ``abfs://container@account…``: what stands before the ``@`` is no secret."""

_NO_STORES = frozenset({"zip", "tar", "libarchive", "data", "dir", "reference", "generic", "root",
                        "cached", "blockcache", "filecache", "simplecache"})  # fmt: skip
"""What fsspec offers as a protocol although it wraps another place."""

_PACKAGES = {"http": "aiohttp", "https": "aiohttp", "sftp": "paramiko", "ssh": "paramiko",
             "hdfs": "pyarrow", "smb": "smbprotocol"}  # fmt: skip
"""What fsspec's own protocols need; for the others it names the package itself."""

_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "version_id", "LastModified", "Last-Modified",
           "last_modified", "updated", "mtime", "modified", "created")  # fmt: skip
"""How stores call the value that changes with an object."""

_ANEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

_REMEDY = "name a path, or a URL such as s3://, gs://, abfs:// or https://"

MAX_SPOOLED_BYTES = 2**30
"""What is copied to a nameless temporary file where a server gives files only as a whole."""

READ_BYTES = 2**20


class StoreError(OSError):
    """A store that does not do what it is asked; ``strerror`` names the kind of its fault."""


class UnsupportedPathError(Exception):
    """A protocol or a kind of file that cannot be used here: ``problem`` and ``remedy``."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem} ({remedy})")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder.  ``size`` in bytes and ``state``, which changes with an object, stand
    only where a store tells them; of a file on a disk they are asked for when needed.
    """

    path: FilePath
    folder: bool
    size: int | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    """The names of a path or URL.  ``address`` is as it was given, credentials and all."""

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> Self:
        """What is called ``name`` in this folder."""
        slash = "" if self.address.endswith("/") else "/"
        return type(self)(f"{self.address}{slash}{name}")

    @property
    def name(self) -> str:
        """The last part: what the file would be called."""
        return posixpath.basename(str(self).rstrip("/"))

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return posixpath.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return posixpath.splitext(self.name)[1]


# --- this machine ----------------------------------------------------------------------------


class LocalPath(_Named):
    """A file or folder on this machine."""

    __slots__ = ()

    on_store: Literal[False] = False

    def __fspath__(self) -> str:
        return self.address

    @property
    def parent(self) -> LocalPath:
        """The folder around it."""
        return LocalPath(os.path.dirname(self.address.rstrip("/")) or ".")

    def with_name(self, name: str) -> LocalPath:
        """What is called ``name`` in the same folder, named as this path is."""
        return LocalPath(os.path.join(os.path.dirname(self.address), name))

    def is_same(self, other: FilePath) -> bool:
        """True where both name one file, links followed."""
        return isinstance(other, LocalPath) and os.path.realpath(self) == os.path.realpath(other)

    def look(self) -> Entry:
        """What lies there."""
        try:
            return Entry(self, stat.S_ISDIR(os.stat(self.address).st_mode))
        except ValueError:  # a name that no disk can hold, such as one with NUL
            raise OSError(errno.EINVAL, "it cannot be opened") from None

    def state(self) -> str:
        """What changes with the file: its size in bytes and its time."""
        status = os.stat(self.address)
        return f"{status.st_size} {status.st_mtime_ns}"

    def entries(self) -> list[Entry]:
        """What lies directly in this folder, sorted by name; links to folders are left out."""
        with os.scandir(self.address or ".") as listed:
            return [
                Entry(self / one.name, one.is_dir(follow_symlinks=False))
                for one in sorted(listed, key=lambda one: one.name)
                if not (one.is_symlink() and os.path.isdir(one))
            ]

    def is_folder(self) -> bool:
        """True where a folder lies there."""
        return os.path.isdir(self.address)

    def names(self) -> list[str]:
        """Every name in this folder, sorted; none where there is no such folder."""
        return sorted(os.listdir(self.address)) if self.is_folder() else []

    def matches(self) -> list[LocalPath]:
        """What this path names as a pattern, sorted."""
        found = glob.glob(self.address, recursive=True) if glob.has_magic(self.address) else ()
        return [LocalPath(one) for one in sorted(found)]

    def open(self) -> BinaryIO:
        """The file; what is no regular file is refused."""
        file = open(self.address, "rb", opener=_without_waiting)  # noqa: SIM115 - given away
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise UnsupportedPathError("not a regular file", "copy it")
        return file

    def read_bytes(self, limit: int | None = None, size: int | None = None) -> bytes:  # noqa: ARG002
        """The bytes, at most ``limit`` + 1 of them."""
        with self.open() as file:
            return file.read(-1 if limit is None else limit + 1)

    def create(self) -> BinaryIO:
        """A new file; one that has the name already is not touched."""
        return Path(self).open("xb")

    def make_folder(self) -> None:
        """Make this folder, which is not there yet."""
        Path(self).mkdir()

    def write_bytes(self, data: bytes) -> None:
        """Write a small file whole; a new one is for its owner only."""
        with os.fdopen(os.open(self.address, _ANEW, 0o600), "wb") as file:
            file.write(data)

    def move(self, target: FilePath) -> None:
        """Give it another name on the same disk."""
        os.replace(self.address, target.address)

    def remove(self) -> None:
        """Remove it; nothing there is no fault."""
        if os.path.isdir(self.address) and not os.path.islink(self.address):
            shutil.rmtree(self.address)
        elif os.path.lexists(self.address):
            os.unlink(self.address)


def _without_waiting(path: str, flags: int) -> int:
    """Open at once: a named pipe would hold the run until somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


# --- stores ----------------------------------------------------------------------------------


class StorePath(_Named):
    """An object or a folder of an object store or a web server."""

    __slots__ = ()

    on_store: Literal[True] = True

    def __str__(self) -> str:
        """The URL without user, password and signature."""
        rest = self.address[len(self.protocol) + 3 :]
        if self.on_web or "=" in rest.partition("?")[2]:
            rest = rest.partition("?")[0]
        host, slash, key = rest.partition("/")
        user, at, server = host.rpartition("@")
        if at and (":" in user or self.protocol not in _CONTAINER_AT_ACCOUNT):
            host = server
        return f"{self.protocol}://{host}{slash}{key}"

    @property
    def protocol(self) -> str:
        """``s3`` of ``s3://bucket/key``, in lower case."""
        return self.address.partition("://")[0].lower()

    @property
    def on_web(self) -> bool:
        """True where a web server is asked, which gives files and takes none."""
        return self.protocol in _WEB

    @property
    def name(self) -> str:
        """The last part, readable; on the web without its percent signs."""
        last = posixpath.basename(str(self).rstrip("/"))
        return unquote(last) if self.on_web else last

    @property
    def parent(self) -> StorePath:
        """The folder around it; of a bucket, the protocol with its slashes."""
        above = self.address.rstrip("/").rpartition("/")[0]
        return StorePath(f"{above}/" if above.endswith(":/") else above)

    def with_name(self, name: str) -> StorePath:
        """What is called ``name`` in the same folder."""
        return self.parent / name

    def is_same(self, other: FilePath) -> bool:
        """True where both name one object."""
        return self == other

    def look(self) -> Entry:
        """What lies there; on the web, a name without a dot is a folder."""
        if self.on_web and (self.address.endswith("/") or "." not in self.name):
            self._store()  # refuses a protocol that cannot be used
            return Entry(self, folder=True)
        return _entry(self, self._ask("info"))

    def state(self) -> str:
        """What changes with the object, asked for anew; empty where the store tells nothing."""
        return self.look().state

    def entries(self) -> list[Entry]:
        """What lies directly in this folder, sorted by name; nothing that lies outside of it."""
        store, key = self._store()
        with _as_disk_errors():
            store.invalidate_cache()
            listed = {str(one["name"]): one for one in store.ls(key, detail=True)}
            store.invalidate_cache()
        above = key.rstrip("/") + "/"
        return [
            _entry(self / inside, one)
            for name, one in sorted(listed.items())
            if name.startswith(above)
            and (inside := name.removeprefix(above).strip("/")) not in ("", ".", "..")
            and "/" not in inside
        ]

    def is_folder(self) -> bool:
        """True where a folder lies there."""
        try:
            return self.look().folder
        except FileNotFoundError:
            return False

    def names(self) -> list[str]:
        """Every name in this folder, sorted; none where there is no such folder."""
        try:
            return [one.path.name for one in self.entries()]
        except FileNotFoundError:
            return []

    def matches(self) -> list[StorePath]:
        """What this URL names as a pattern; nothing on web servers, which cannot be searched."""
        if self.on_web or not glob.has_magic(self.address):
            return []
        base = StorePath(re.split(r"[*?\[]", self.address, maxsplit=1)[0].rpartition("/")[0])
        if not _URL.match(f"{base.address}/") or base.address.endswith("/"):
            raise StoreError(errno.EINVAL, "a pattern in the place of a bucket")
        above = base._store()[1].rstrip("/") + "/"
        found = sorted(one.removeprefix(above) for one in self._ask("glob"))
        return [base / one for one in found]

    def open(self) -> BinaryIO:
        """The object; what a server gives only as a whole is copied to a temporary file first, an
        :class:`OSError` where that would be larger than ``MAX_SPOOLED_BYTES``.
        """
        file = self._ask("open", "rb")
        if not self.on_web or _gives_parts(file):
            return cast("BinaryIO", io.BufferedReader(_StoreFile(file), READ_BYTES))
        file.close()
        with _StoreFile(self._ask("open", "rb", block_size=0)) as whole:
            return _spooled(whole)

    def read_bytes(self, limit: int | None = None, size: int | None = None) -> bytes:
        """The bytes, at most ``limit`` + 1 of them; nothing is asked for where ``size`` is 0."""
        if size == 0:
            return b""  # many stores refuse a range of nothing
        if limit is None:
            return bytes(self._ask("cat_file"))
        if not self.on_web:
            return bytes(self._ask("cat_file", start=0, end=limit + 1))
        # A server may ignore the range and send everything.
        with io.BufferedReader(_StoreFile(self._ask("open", "rb", block_size=0))) as file:
            return file.read(limit + 1)

    def create(self) -> BinaryIO:
        """A new object; it appears when the file is closed."""
        return cast("BinaryIO", _StoreFile(self._writable()._ask("open", "wb")))

    def make_folder(self) -> None:
        """Nothing: on a store, a folder is there when something is in it."""

    def write_bytes(self, data: bytes) -> None:
        """Write a small object whole."""
        self._writable()._ask("pipe_file", data)

    def move(self, target: FilePath) -> None:
        """Give an object another name in the same store."""
        assert isinstance(target, StorePath)
        self._ask("mv", target._store()[1])

    def remove(self) -> None:
        """Remove an object or a folder; nothing there is no fault."""
        store, key = self._store()
        with _as_disk_errors():
            store.invalidate_cache()
            if store.exists(key):
                store.rm(key, recursive=True)

    def _writable(self) -> Self:
        if self.on_web:
            raise OSError(errno.EROFS, "a web server takes no results")
        if self.parent.address.endswith("://"):
            raise OSError(errno.EISDIR, "it is a bucket")
        return self

    def _ask(self, what: str, *args: Any, **options: Any) -> Any:
        """The answer of a method of the store about this key."""
        store, key = self._store()
        with _as_disk_errors():
            return getattr(store, what)(key, *args, **options)

    def _store(self) -> tuple[Any, str]:
        """The file system of the URL and the object's key in it."""
        from fsspec.registry import get_filesystem_class, known_implementations

        name = self.protocol
        url = name + self.address[len(name) :]
        if name in _NO_STORES:
            raise UnsupportedPathError(f"protocol {name} is no store", _REMEDY)
        try:
            kind = get_filesystem_class(name)
            options = dict(kind._get_kwargs_from_urls(url))
            if name in _WEB:  # what is packed on the way could grow without bound
                options["headers"] = {"Accept-Encoding": "identity"}
            return kind(**options), str(kind._strip_protocol(url))
        except ImportError:
            module = str(known_implementations[name]["class"]).partition(".")[0]
            package = _PACKAGES.get(name, module)
            problem, remedy = f"protocol {name} needs {package}", f"pip install {package}"
            raise UnsupportedPathError(problem, remedy) from None
        except (ValueError, TypeError) as error:
            message = f"protocol {name} cannot be used here ({type(error).__name__})"
            raise UnsupportedPathError(message, _REMEDY) from None
        except Exception as error:  # noqa: BLE001 - each store has faults of its own
            raise _as_disk_error(error) from None


FilePath = LocalPath | StorePath


def file_path(text: str | os.PathLike[str]) -> FilePath:
    """The path that a user named; a ``file://`` URL is a path on this machine."""
    text = os.fspath(text)
    url = _URL.match(text)
    if url and url[1].lower() not in _LOCAL:
        return StorePath(text)
    return LocalPath(text[url.end() :] if url else text)


def _entry(path: StorePath, info: Mapping[str, Any]) -> Entry:
    size = info.get("size")
    stamps = [str(info[name]) for name in _STAMPS if info.get(name) is not None]
    state = " ".join([str(size), *stamps]) if stamps else ""
    return Entry(path, info.get("type") == "directory", size, state)


def _gives_parts(file: Any) -> bool:
    """True where a web server gives the end of a file without its beginning."""
    try:
        if file.seek(0, io.SEEK_END):
            file.seek(-1, io.SEEK_END)
            file.read(1)
        file.seek(0)
    except Exception:  # noqa: BLE001 - read as a whole, it raises it again
        return False
    return True


def _spooled(whole: _StoreFile) -> BinaryIO:
    copy = TemporaryFile()  # noqa: SIM115 - the caller closes it
    while part := whole.read(READ_BYTES):
        if copy.tell() + len(part) > MAX_SPOOLED_BYTES:
            copy.close()
            message = f"larger than {MAX_SPOOLED_BYTES // 2**20} MiB, and the server gives no parts"
            raise StoreError(errno.EFBIG, message)
        copy.write(part)
    copy.seek(0)
    return cast("BinaryIO", copy)


class _StoreFile(io.RawIOBase):
    """A file of a store whose every fault is an :class:`OSError` without the URL in it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def _do(self, what: str, *args: Any) -> Any:
        with _as_disk_errors():
            return getattr(self._file, what)(*args)

    def readable(self) -> bool:
        return bool(self._file.readable())

    def writable(self) -> bool:
        return bool(self._file.writable())

    seekable = readable  # where it can be read, it can be read here and there

    def readinto(self, buffer: Any) -> int:
        data = self._do("read", len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        self._do("write", bytes(data))
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._do("seek", offset, whence))

    def tell(self) -> int:
        return int(self._do("tell"))

    def close(self) -> None:
        """Of a file that is written, the last part is sent."""
        if not self.closed:
            try:
                self._do("close")
            finally:
                super().close()


@contextmanager
def _as_disk_errors() -> Iterator[None]:
    """Whatever a store raises as an OSError whose text names its kind alone."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - each store has faults of its own
        raise _as_disk_error(error) from None


def _as_disk_error(error: BaseException) -> OSError:
    cause, missing = error.__cause__, isinstance(error, FileNotFoundError)
    if missing and cause and type(cause).__module__.startswith("aiohttp"):
        return _as_disk_error(cause)  # fsspec says "missing" of every server that did not answer
    status = getattr(error, "status", None)
    if missing or status in (404, 410):
        return FileNotFoundError(errno.ENOENT, "no such object")
    if isinstance(error, PermissionError) or status in (401, 403):
        return PermissionError(errno.EACCES, "permission denied")
    number = error.errno if isinstance(error, OSError) else None
    if number and number != errno.EIO:
        return StoreError(number, os.strerror(number))
    return StoreError(errno.EIO, f"the store failed ({type(error).__name__})")
