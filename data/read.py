"""Letters in: files, folders, globs, zip archives and standard input -> text with its layout.

Files, folders, globs and archives may lie on an object store or a web server (``s3://``,
``gs://``, ``abfs://``, ``https://`` …, see :mod:`imr.data.remote`); every bound and every refusal
is the same there.

``sources`` lists what there is to read, cheaply; ``load`` reads one of them; ``read`` does both.
A :class:`Source` can be sent to another process: PDFium is not thread-safe, so letters are read
in parallel by processes, never by threads.

Every failure is a :class:`~imr.data.letter.LetterError` with a reason: ``missing``, ``unreadable``,
``unsupported``, ``no_letters``, ``empty``, ``corrupt``, ``encrypted``, ``image_only``,
``too_many_pages``, ``too_large``, ``not_pdf``, ``not_text``, ``bad_zip``, ``records``.  One
letter's failure never ends the listing.
"""

from __future__ import annotations

import codecs
import glob
import lzma
import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

from imr.data import remote
from imr.data.layout import paragraphs, visible
from imr.data.letter import LetterError, Text
from imr.data.remote import StoreError, UnknownStoreError

Kind = Literal["pdf", "text", "records"]

KINDS: dict[str, Kind] = {
    ".pdf": "pdf",
    ".txt": "text",
    ".jsonl": "records",
    ".csv": "records",
    ".parquet": "records",
}
"""What a file holds, by its ending in lower case."""

ZIP_ENDING = ".zip"
STANDARD_INPUT = "-"

MAX_PDF_BYTES = 64 * 2**20
"""The real PDF letters have 20 to 100 KB; a scanned letter of 20 pages stays under 64 MiB."""

MAX_TEXT_BYTES = 4 * 2**20
"""The real letters hold 4 to 20 KB of text; what has 4 MiB is not one letter."""

MAX_RECORDS_BYTES = 2**30
"""Records inside an archive or on standard input are read into memory as a whole."""

MAX_ZIP_MEMBERS = 1_000_000
"""Seven times the letters of the busiest year; the list itself stays under 1 GB of memory."""

MAX_ZIP_RATIO = 100
"""PDFs shrink to 0.9, texts to a quarter; an archive that grows a hundredfold is a bomb."""

MAX_BYTES: dict[Kind, int] = {
    "pdf": MAX_PDF_BYTES,
    "text": MAX_TEXT_BYTES,
    "records": MAX_RECORDS_BYTES,
}

MAX_FOLDER_DEPTH = 64
"""A web server can name a folder in a folder without end."""

_PART = re.compile(r"part([-.])(\d{1,18})(?!\d)")
"""``part.10.parquet`` comes after ``part.9.parquet``: Dask numbers without leading zeros."""

_DOCUMENT_ENDINGS = frozenset(
    {".doc", ".docx", ".odt", ".rtf", ".tif", ".tiff", ".eml", ".msg", ".htm", ".html"}
)
"""In a folder these may be letters, so they are reported; other files there are passed over."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAX_CONTROL_SHARE = 0.01
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_ENCRYPTED = 0x1
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a way of packing that Python does not know
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where one letter (or one file of case records) lies; small and picklable.

    ``member`` names the entry of a zip archive at ``path``; ``content`` is set only for what
    came through standard input, ``size`` (bytes, of the object at ``path``) and ``state`` (changes
    with it) only for what lies on a store, where asking again would take a request.
    """

    path: str
    kind: Kind
    member: str | None = None
    content: bytes | None = None
    size: int | None = None
    state: str = ""

    @property
    def name(self) -> str:
        """The name shown in results and errors: the path, or ``archive!member``.

        Of a URL without user, password and signature.
        """
        path = remote.shown(self.path)
        return printable(path if self.member is None else f"{path}!{self.member}")

    @property
    def letter_id(self) -> str:
        """File name without its ending; ``stdin`` for standard input."""
        if self.member is not None:
            return printable(PurePosixPath(self.member).stem)
        if self.path == STANDARD_INPUT:
            return "stdin"
        return printable(os.path.splitext(_base_name(self.path))[0])


def read(paths: Iterable[str], stdin: BinaryIO | None = None) -> Iterator[Text | LetterError]:
    """Read every letter under ``paths``, one at a time; a letter that fails yields its error."""
    for source in sources(paths, stdin):
        if isinstance(source, LetterError):
            yield source
            continue
        try:
            yield load(source)
        except LetterError as error:
            yield error


def sources(paths: Iterable[str], stdin: BinaryIO | None = None) -> Iterator[Source | LetterError]:
    """List what there is to read, in order of ``paths`` and sorted within a folder or archive.

    Nothing is opened but archives and standard input.  What two of the ``paths`` name (a folder
    and a file in it) is listed once.
    """
    seen: set[tuple[str, str | None]] = set()
    for path in paths:
        for source in _sources_of(os.fspath(path), stdin):
            if isinstance(source, Source):
                place = (_place(source.path), source.member)
                if place in seen:
                    continue
                seen.add(place)
            yield source


def _place(path: str) -> str:
    return path if remote.protocol(path) else os.path.abspath(path)


def _base_name(path: str) -> str:
    return remote.base_name(path) if remote.protocol(path) else os.path.basename(path)


def _ending(path: str) -> str:
    return os.path.splitext(_base_name(path))[1].lower()


def load(source: Source) -> Text:
    """Read one letter.

    Raises:
        LetterError: for any content that is not a letter's text (see the module's reasons).
    """
    if source.kind == "records":
        raise LetterError(
            source.name,
            "records",
            "a file of case records, not a letter",
            "read it as records",
        )
    data = content(source)
    return _pdf(source, data) if source.kind == "pdf" else _text(source, data)


def content(source: Source) -> bytes:
    """The bytes behind a source, from disk or store, an archive's member or standard input.

    Raises:
        LetterError: reasons ``missing``, ``unreadable``, ``too_large``, ``empty``, ``bad_zip``,
            ``encrypted``.
    """
    if source.content is not None:
        data = source.content
    elif source.member is not None:
        data = _member_bytes(source)
    else:
        data = _file_bytes(source)
    limit = MAX_BYTES[source.kind]
    if len(data) > limit:
        raise _too_large(source, limit)
    if not data.strip():
        raise _empty(source)
    return data


def printable(name: str) -> str:
    """A file name on one line and encodable as UTF-8: other characters are escaped."""
    if name.isprintable():
        return name
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")
        for mark in name
    )


# --- listing ---------------------------------------------------------------------------------


def _sources_of(path: str, stdin: BinaryIO | None) -> Iterator[Source | LetterError]:
    if path == STANDARD_INPUT:
        yield from _standard_input(stdin)
        return
    path = remote.local_path(path)
    if remote.protocol(path):
        yield from _on_store(path)
        return
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        yield from _globbed(path, stdin)
    except (OSError, ValueError) as error:
        yield _unreadable(path, error)
    else:
        yield from _folder(path) if stat.S_ISDIR(mode) else _file(path)


def _globbed(path: str, stdin: BinaryIO | None) -> Iterator[Source | LetterError]:
    found = glob.glob(path, recursive=True) if glob.has_magic(path) else []
    matches = sorted(match for match in found if not _hidden(os.path.basename(match)))
    for match in matches:
        yield from _sources_of(match, stdin)
    if not matches:
        yield _missing(path)


def _file(path: str, size: int | None = None, state: str = "") -> Iterator[Source | LetterError]:
    ending = _ending(path)
    if ending == ZIP_ENDING:
        yield from _archive_sources(path, size, state)
    elif ending in KINDS:
        yield Source(path, KINDS[ending], size=size, state=state)
    else:
        yield _unsupported(_shown(path), ending)


def _folder(folder: str) -> Iterator[Source | LetterError]:
    found = False
    denied: list[OSError] = []
    for path in _walk(folder, denied.append):
        if _may_be_letter(path):
            found = True
            yield from _file(path)
    for error in denied:
        yield _unreadable(str(error.filename), error)
    if not found and not denied:
        yield _no_letters(printable(folder), "folder")


def _may_be_letter(path: str) -> bool:
    ending = _ending(path)
    return ending in KINDS or ending == ZIP_ENDING or ending in _DOCUMENT_ENDINGS


def _in_order(name: str) -> str:
    """The key by which names in a folder are sorted: by letter, the parts of a table by number."""
    return _PART.sub(lambda part: f"part{part[1]}{int(part[2]):018}", name, count=1)


def _walk(folder: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    """Files under a folder, sorted; hidden ones are passed over and links are not followed."""
    for parent, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        names = sorted(files, key=_in_order)
        yield from (os.path.join(parent, name) for name in names if not _hidden(name))


def _hidden(name: str) -> bool:
    """Names that systems leave behind: ``.DS_Store``, ``~$letter.docx``, ``__MACOSX``."""
    if name in (".", ".."):
        return False
    return name.startswith((".", "~$")) or name == "__MACOSX"


def _on_store(url: str) -> Iterator[Source | LetterError]:
    """What lies at a URL: an object, a folder of objects, or what a pattern names."""
    try:
        yield from _at(remote.entry(url))
    except FileNotFoundError:
        yield from _globbed_on_store(url)
    except (OSError, UnknownStoreError) as error:
        yield _not_opened(url, error)


def _at(entry: remote.Entry) -> Iterator[Source | LetterError]:
    if entry.folder:
        yield from _folder_on_store(entry)
    else:
        yield from _file(entry.url, entry.size, entry.state)


def _globbed_on_store(url: str) -> Iterator[Source | LetterError]:
    try:
        found = remote.globbed(url) if glob.has_magic(url) else []
    except OSError as error:
        yield _not_opened(url, error)
        return
    matches = [match for match in found if not _hidden(_base_name(match))]
    for match in matches:
        try:
            entry = remote.entry(match)
        except OSError as error:
            yield _not_opened(match, error)
        else:
            yield from _at(entry)
    if not matches:
        yield _missing(remote.shown(url))


def _folder_on_store(folder: remote.Entry) -> Iterator[Source | LetterError]:
    found = False
    for one in _walk_on_store(folder, MAX_FOLDER_DEPTH):
        if isinstance(one, LetterError):
            found = True
            yield one
        elif _may_be_letter(one.url):
            found = True
            yield from _file(one.url, one.size, one.state)
    if not found:
        yield _no_letters(_shown(folder.url), "folder")


def _walk_on_store(folder: remote.Entry, depth: int) -> Iterator[remote.Entry | LetterError]:
    """As :func:`_walk`: the files of a folder, then its folders; what fails is named."""
    if not depth:
        yield LetterError(
            _shown(folder.url), "unreadable", f"more than {MAX_FOLDER_DEPTH} folders deep",
            "name the folder with the letters",
        )  # fmt: skip
        return
    try:
        listed = remote.entries(folder)
    except OSError as error:
        yield _not_opened(folder.url, error)
        return
    visible_ones = [one for one in listed if not _hidden(_base_name(one.url.rstrip("/")))]
    visible_ones.sort(key=lambda one: _in_order(_base_name(one.url)))
    yield from (one for one in visible_ones if not one.folder)
    for one in visible_ones:
        if one.folder:
            yield from _walk_on_store(one, depth - 1)


def _archive_sources(path: str, size: int | None, state: str) -> Iterator[Source | LetterError]:
    try:
        names = _letter_members(path, state)
    except LetterError as error:
        yield error
        return
    found = False
    for name in names:
        ending = PurePosixPath(name).suffix.lower()
        if ending in KINDS:
            found = True
            yield Source(path, KINDS[ending], name, size=size, state=state)
        elif ending in _DOCUMENT_ENDINGS or ending == ZIP_ENDING:
            found = True
            yield _unsupported(f"{_shown(path)}!{printable(name)}", ending)
    if not found:
        yield _no_letters(_shown(path), "archive")


def _letter_members(path: str, state: str) -> list[str]:
    """Names of the visible files in an archive, sorted.

    Members are read in memory and never unpacked, so a name with ``..`` leads nowhere.
    """
    archive = _archive(path, state)
    members = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(members) > MAX_ZIP_MEMBERS:
        raise LetterError(
            _shown(path),
            "too_large",
            f"the archive lists {len(members)} files, at most {MAX_ZIP_MEMBERS} are read",
            "split it",
        )
    assert archive.fp is not None
    packed = max(archive.fp.seek(0, os.SEEK_END), 2**20)
    if sum(entry.file_size for entry in members) > MAX_ZIP_RATIO * packed:
        raise LetterError(
            _shown(path),
            "too_large",
            f"the archive would grow more than {MAX_ZIP_RATIO} times when unpacked",
            "check where it comes from",
        )
    names = {entry.filename for entry in members}
    return sorted(name for name in names if not any(map(_hidden, PurePosixPath(name).parts)))


def _standard_input(stdin: BinaryIO | None) -> Iterator[Source | LetterError]:
    """One source for what stands on standard input: its kind is told from its bytes."""
    stream = sys.stdin.buffer if stdin is None else stdin
    data = stream.read(MAX_RECORDS_BYTES + 1)
    if data.startswith(_ZIP_MARKS):
        yield _unsupported("stdin", ZIP_ENDING)
        return
    yield Source(STANDARD_INPUT, _kind_of(data), content=data)


def _kind_of(data: bytes) -> Kind:
    from imr.data.pdf import is_pdf

    if is_pdf(data):
        return "pdf"
    return "records" if data.startswith(b"PAR1") or data.lstrip()[:1] == b"{" else "text"


# --- bytes -----------------------------------------------------------------------------------


def _file_bytes(source: Source) -> bytes:
    limit = MAX_BYTES[source.kind]
    if remote.protocol(source.path):
        return _object_bytes(source, limit)
    try:
        with open(source.path, "rb", opener=_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LetterError(source.name, "unsupported", "not a regular file", "copy it")
            if status.st_size > limit:
                raise _too_large(source, limit)
            return file.read(limit + 1)
    except FileNotFoundError:
        raise _missing(source.path) from None
    except OSError as error:
        raise _unreadable(source.path, error) from None


def _object_bytes(source: Source, limit: int) -> bytes:
    if source.size is not None and source.size > limit:
        raise _too_large(source, limit)
    try:
        return remote.read_bytes(source.path, limit, source.size)
    except (OSError, UnknownStoreError) as error:
        raise _not_opened(source.path, error) from None


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a named pipe would hold the run until somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _member_bytes(source: Source) -> bytes:
    archive = _archive(source.path, source.state)
    limit = MAX_BYTES[source.kind]
    try:
        entry = archive.getinfo(source.member or "")
        if entry.flag_bits & _ZIP_ENCRYPTED:
            raise LetterError(
                source.name, "encrypted", "encrypted in its archive", "unpack it with its password"
            )
        if entry.file_size > limit:
            raise _too_large(source, limit)
        with archive.open(entry) as member:
            return member.read(limit + 1)
    except KeyError:
        raise _missing(source.name) from None
    except LetterError:
        raise
    except StoreError as error:
        raise _not_opened(source.path, error) from None
    except _ZIP_FAULTS as error:
        raise _bad_zip(source.name, error) from None


def _archive(path: str, state: str) -> zipfile.ZipFile:
    """The opened archive; kept open, for its list takes longer to read than a letter.

    ``state`` changes with an archive on a store; that of a file is asked for here.
    """
    try:
        if remote.protocol(path):
            return _opened_on_store(path, state, os.getpid())
        status = os.stat(path)
        return _opened_archive(path, status.st_mtime_ns, status.st_size, os.getpid())
    except (FileNotFoundError, PermissionError, StoreError, UnknownStoreError) as error:
        raise _not_opened(path, error) from None
    except _ZIP_FAULTS as error:
        if isinstance(error.__context__, StoreError):  # zipfile takes it for a bad archive
            raise _not_opened(path, error.__context__) from None
        raise _bad_zip(_shown(path), error) from None


@lru_cache(maxsize=2)
def _opened_archive(path: str, *_stamp: int) -> zipfile.ZipFile:
    """Keyed by a stamp: the file's time and size, and the process.

    A forked worker must not share its parent's place in the file.
    """
    return zipfile.ZipFile(path)


@lru_cache(maxsize=2)
def _opened_on_store(url: str, _state: str, _process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(remote.open_seekable(url))


# --- bytes to text ---------------------------------------------------------------------------


def _pdf(source: Source, data: bytes) -> Text:
    from imr.data.pdf import is_cut_off, is_pdf, pdf_text

    if not is_pdf(data):
        raise LetterError(
            source.name, "not_pdf", "not a PDF in spite of its ending", "give it its true ending"
        )
    text = visible(pdf_text(data, source.name))
    warnings = (
        ("the end mark of the PDF is missing: pages may be lost",) if is_cut_off(data) else ()
    )
    return Text(source.letter_id, source.name, text, "\n\n" in text, warnings)


def _text(source: Source, data: bytes) -> Text:
    from imr.data.pdf import is_pdf

    if is_pdf(data):
        raise LetterError(
            source.name, "not_text", "a PDF in spite of its ending", "give it the ending .pdf"
        )
    text, shown = paragraphs(decoded(data, source.name))
    if not text:
        raise _empty(source)
    return Text(source.letter_id, source.name, text, shown)


def decoded(data: bytes, source: str) -> str:
    """Text in UTF-8, UTF-16 or UTF-32 with its mark, else in Windows' Western code page.

    Raises:
        LetterError: reason ``not_text`` for NUL or many control bytes, or a broken encoding.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strict(data, encoding, source)
    if b"\0" in data or _control_share(data) > _MAX_CONTROL_SHARE:
        raise _not_text(source)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _strict(data: bytes, encoding: str, source: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise _not_text(source) from None


def _control_share(data: bytes) -> float:
    return 1 - len(data.translate(None, _CONTROL_BYTES)) / max(len(data), 1)


# --- errors ----------------------------------------------------------------------------------


def _shown(path: str) -> str:
    return printable(remote.shown(path))


def _not_opened(path: str, error: Exception) -> LetterError:
    """Why a place on disk or store cannot be read, without what its URL keeps secret."""
    if isinstance(error, UnknownStoreError):
        return LetterError(_shown(path), "unsupported", error.problem, error.remedy)
    if isinstance(error, FileNotFoundError):
        return _missing(remote.shown(path))
    return _unreadable(remote.shown(path), error)


def _missing(path: str) -> LetterError:
    return LetterError(printable(path), "missing", "no such file or folder", "check the path")


def _unreadable(path: str, error: Exception) -> LetterError:
    said = getattr(error, "strerror", None) or "it cannot be opened"
    said = said[:1].lower() + said[1:]
    return LetterError(printable(path), "unreadable", said, "check the path and its permissions")


def _unsupported(name: str, ending: str) -> LetterError:
    found = f"the ending {printable(ending)}" if ending else "no ending"
    allowed = ", ".join([*KINDS, ZIP_ENDING])
    return LetterError(
        name, "unsupported", f"{found} is not read", f"allowed are {allowed}; convert it first"
    )


def _no_letters(name: str, container: str) -> LetterError:
    allowed = ", ".join(KINDS)
    return LetterError(name, "no_letters", f"no letters in the {container}", f"it needs {allowed}")


def _empty(source: Source) -> LetterError:
    return LetterError(source.name, "empty", "the file is empty", "fetch the file again")


def _not_text(source: str) -> LetterError:
    return LetterError(
        source, "not_text", "binary content, not text", "save it as UTF-8 text or as PDF"
    )


def _too_large(source: Source, limit: int) -> LetterError:
    return LetterError(
        source.name,
        "too_large",
        f"larger than {limit // 2**20} MiB, the most that is read of a {source.kind} file",
        "check that it is one letter",
    )


def _bad_zip(name: str, error: Exception) -> LetterError:
    return LetterError(
        name, "bad_zip", f"the archive cannot be read ({type(error).__name__})", "pack it again"
    )
