"""Files on object stores and web servers: ``s3://``, ``gs://``, ``abfs://``, ``https://`` …

Through fsspec, which loads the package of a protocol when it is first used.  Every failure of a
store is an :class:`OSError` as a disk would raise it, and no message holds a URL's credentials.
A protocol is never taken from the name of an object: fsspec's chained URLs (``zip://…::s3://…``)
are not followed.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, cast
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

MAX_SPOOLED_BYTES = 2**30
"""What is copied to a nameless temporary file where a server gives files only as a whole."""

READ_BYTES = 2**20


class StoreError(OSError):
    """A store that does not do what it is asked; ``strerror`` names the kind of its fault."""


class UnknownStoreError(Exception):
    """A protocol that cannot be used here: ``problem`` and ``remedy``."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem} ({remedy})")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object or a folder; ``size`` in bytes where the store tells it.

    ``state`` changes with the object (its size and the store's tag or time); it is empty where
    the list of a folder does not tell it, as on web servers.
    """

    url: str
    folder: bool
    size: int | None = None
    state: str = ""


# --- names -----------------------------------------------------------------------------------


def protocol(path: str) -> str | None:
    """``s3`` of ``s3://bucket/key`` in lower case; None for a path on this machine."""
    found = _URL.match(path)
    name = found[1].lower() if found else None
    return None if name in _LOCAL else name


def on_web(path: str) -> bool:
    """True where a web server is asked, which gives files and takes none."""
    return protocol(path) in _WEB


def local_path(path: str) -> str:
    """The path that a ``file://`` URL names; any other path as it is."""
    found = _URL.match(path)
    return path[found.end() :] if found and found[1].lower() in _LOCAL else path


def shown(path: str) -> str:
    """A URL without user, password and signature; any other path as it is."""
    name = protocol(path)
    if name is None:
        return path
    rest = path[len(name) + 3 :]
    if name in _WEB or "=" in rest.partition("?")[2]:
        rest = rest.partition("?")[0]
    host, slash, key = rest.partition("/")
    user, at, server = host.rpartition("@")
    if at and (":" in user or name not in _CONTAINER_AT_ACCOUNT):
        host = server
    return f"{name}://{host}{slash}{key}"


def joined(url: str, name: str) -> str:
    """The URL of what is called ``name`` in the folder ``url``."""
    return f"{url}{name}" if url.endswith("/") else f"{url}/{name}"


def base_name(url: str) -> str:
    """The last part of a URL's path, readable: what a file would be called."""
    last = posixpath.basename(shown(url))
    return unquote(last) if on_web(url) else last


# --- looking ---------------------------------------------------------------------------------


def entry(url: str) -> Entry:
    """What lies at a URL.

    Raises:
        OSError: where there is nothing, or the store does not answer.
        UnknownStoreError: where the protocol cannot be used.
    """
    store, path = _store(url)
    if on_web(url) and (url.endswith("/") or "." not in base_name(url)):
        return Entry(url, folder=True)
    with _told():
        return _entry(url, store.info(path))


def entries(folder: Entry) -> list[Entry]:
    """What lies directly in a folder, sorted by name; nothing that lies outside of it.

    Raises:
        OSError: where the store does not answer.
    """
    store, path = _store(folder.url)
    with _told():
        store.invalidate_cache()
        listed = store.ls(path, detail=True)
        store.invalidate_cache()
    above = path.rstrip("/") + "/"
    names = {str(one["name"]): one for one in listed}
    found = []
    for name, one in sorted(names.items()):
        inside = name.removeprefix(above).strip("/")
        if name.startswith(above) and inside not in ("", ".", "..") and "/" not in inside:
            found.append(_entry(joined(folder.url, inside), one))
    return found


def globbed(url: str) -> list[str]:
    """The URLs that a pattern names, sorted; none on web servers, which cannot be searched."""
    if on_web(url):
        return []
    store, path = _store(url)
    base_url = re.split(r"[*?\[]", url, maxsplit=1)[0].rpartition("/")[0]
    if protocol(f"{base_url}/") is None or base_url.endswith("/"):
        raise StoreError(errno.EINVAL, "a pattern in the place of a bucket")
    with _told():
        names = store.glob(path)
    base = str(_store(base_url)[1]).rstrip("/") + "/"
    return sorted(f"{base_url}/{name.removeprefix(base)}" for name in names)


def _entry(url: str, told: Mapping[str, Any]) -> Entry:
    size = told.get("size")
    stamps = [str(told[name]) for name in _STAMPS if told.get(name) is not None]
    state = " ".join([str(size), *stamps]) if stamps else ""
    return Entry(url, told.get("type") == "directory", size, state)


# --- reading ---------------------------------------------------------------------------------


def read_bytes(url: str, limit: int, size: int | None) -> bytes:
    """The first ``limit`` + 1 bytes of an object, which may have ``size``.

    Raises:
        OSError: where there is nothing, or the store does not answer.
    """
    if size == 0:
        return b""  # many stores refuse a range of nothing
    store, path = _store(url)
    with _told():
        if on_web(url):  # a server may ignore the range and send everything
            with store.open(path, "rb", block_size=0) as file:
                return _at_most(file, limit + 1)
        return bytes(store.cat_file(path, start=0, end=limit + 1))


def _at_most(file: Any, most: int) -> bytes:
    parts, left = [], most
    while left and (part := file.read(min(left, READ_BYTES))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def open_seekable(url: str) -> BinaryIO:
    """An object to read here and there; what a server gives only as a whole is copied first.

    Raises:
        OSError: where there is nothing, the store does not answer, or the copy would be larger
            than ``MAX_SPOOLED_BYTES``.
    """
    store, path = _store(url)
    with _told():
        file = store.open(path, "rb")
    if not on_web(url) or _gives_parts(file):
        return cast("BinaryIO", io.BufferedReader(StoreFile(file), READ_BYTES))
    file.close()
    with _told():
        raw = StoreFile(store.open(path, "rb", block_size=0))
    with raw:
        return _spooled(raw)


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


def _spooled(raw: StoreFile) -> BinaryIO:
    copy = TemporaryFile()  # noqa: SIM115 - the caller closes it
    left = MAX_SPOOLED_BYTES
    while part := raw.read(READ_BYTES):
        left -= len(part)
        if left < 0:
            copy.close()
            message = f"larger than {MAX_SPOOLED_BYTES // 2**20} MiB, and the server gives no parts"
            raise StoreError(errno.EFBIG, message)
        copy.write(part)
    copy.seek(0)
    return cast("BinaryIO", copy)


class StoreFile(io.RawIOBase):
    """A file of a store whose every fault is an :class:`OSError` without the URL in it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        """As the file was opened."""
        return bool(self._file.readable())

    def writable(self) -> bool:
        """As the file was opened."""
        return bool(self._file.writable())

    def seekable(self) -> bool:
        """Where it can be read, it can be read here and there."""
        return self.readable()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; the number of bytes, 0 at the end."""
        with _told():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        """Write all of it."""
        with _told():
            self._file.write(bytes(data))
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file."""
        with _told():
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """The place in the file."""
        with _told():
            return int(self._file.tell())

    def close(self) -> None:
        """Close it; of a file that is written, the last part is sent."""
        if not self.closed:
            try:
                with _told():
                    self._file.close()
            finally:
                super().close()


# --- writing ---------------------------------------------------------------------------------


def write_bytes(url: str, data: bytes) -> None:
    """Write a small object whole."""
    store, path = _store(url)
    with _told():
        store.pipe_file(path, data)


def open_writing(url: str) -> IO[bytes]:
    """A new object to write to; it appears when the file is closed."""
    store, path = _store(url)
    with _told():
        return cast("IO[bytes]", StoreFile(store.open(path, "wb")))


def read_whole(url: str) -> bytes:
    """A small object that this program wrote."""
    store, path = _store(url)
    with _told():
        return bytes(store.cat_file(path))


def exists(url: str) -> bool:
    """True where an object or a folder lies at a URL."""
    store, path = _store(url)
    with _told():
        store.invalidate_cache()
        return bool(store.exists(path))


def move(url: str, target: str) -> None:
    """Give an object another name in the same store, in place of what has that name."""
    store, path = _store(url)
    with _told():
        store.mv(path, _store(target)[1])


def remove(url: str) -> None:
    """Remove an object or a folder with everything in it; nothing there is no fault."""
    store, path = _store(url)
    with _told():
        store.invalidate_cache()
        if store.exists(path):
            store.rm(path, recursive=True)


def make_folder(url: str) -> None:
    """Make the folders above an object, where the store has folders at all."""
    store, path = _store(url)
    with _told():
        store.makedirs(path, exist_ok=True)


# --- the store -------------------------------------------------------------------------------


def _store(url: str) -> tuple[Any, str]:
    """The file system of a URL and the object's path in it."""
    from fsspec.registry import get_filesystem_class

    name = protocol(url)
    assert name is not None, "a path on this machine"
    url = name + url[len(name) :]
    if name in _NO_STORES:
        raise UnknownStoreError(f"protocol {name} is no store", _REMEDY)
    try:
        kind = get_filesystem_class(name)
        options = dict(kind._get_kwargs_from_urls(url))
        if name in _WEB:  # what is packed on the way could grow without bound
            options["headers"] = {"Accept-Encoding": "identity"}
        return kind(**options), str(kind._strip_protocol(url))
    except ImportError:
        package = _package(name)
        message = f"protocol {name} needs {package}"
        raise UnknownStoreError(message, f"pip install {package}") from None
    except (ValueError, TypeError) as error:
        message = f"protocol {name} cannot be used here ({type(error).__name__})"
        raise UnknownStoreError(message, _REMEDY) from None
    except Exception as error:  # noqa: BLE001 - each store has faults of its own
        raise _as_of_a_disk(error) from None


_REMEDY = "name a path, or a URL such as s3://, gs://, abfs:// or https://"


def _package(name: str) -> str:
    from fsspec.registry import known_implementations

    module = str(known_implementations[name]["class"]).split(".")[0]
    return _PACKAGES.get(name, module)


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a store raises as an OSError whose text names its kind alone."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - each store has faults of its own
        raise _as_of_a_disk(error) from None


def _as_of_a_disk(error: BaseException) -> OSError:
    cause = error.__cause__
    if isinstance(error, FileNotFoundError):
        # fsspec says so of every web server that did not answer.
        if cause is not None and type(cause).__module__.startswith("aiohttp"):
            return _as_of_a_disk(cause)
        return FileNotFoundError(errno.ENOENT, "no such object")
    status = getattr(error, "status", None)
    if status in (404, 410):
        return FileNotFoundError(errno.ENOENT, "no such object")
    if isinstance(error, PermissionError) or status in (401, 403):
        return PermissionError(errno.EACCES, "permission denied")
    number = error.errno if isinstance(error, OSError) else None
    if number and number != errno.EIO:
        return StoreError(number, os.strerror(number))
    return StoreError(errno.EIO, f"the store failed ({type(error).__name__})")
