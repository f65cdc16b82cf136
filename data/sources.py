"""What there is to read: files, folders, globs, zip archives and standard input, and their bytes.

``sources`` lists it, cheaply; ``content`` gives the bytes of one of them.  All of it may lie on an
object store or a web server as well as on this machine (:mod:`imr.data.paths`), under the same
bounds and refusals.

Every failure is a :class:`~imr.data.letter.LetterError` with a reason: ``missing``, ``unreadable``,
``unsupported``, ``no_letters``, ``empty``, ``encrypted``, ``too_large``, ``bad_zip``.  One letter's
failure never ends the listing.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Literal

from imr.data.letter import LetterError
from imr.data.paths import Entry, FilePath, StoreError, UnsupportedPathError, file_path

Kind = Literal["pdf", "text", "word", "records"]

KINDS: dict[str, Kind] = {
    ".pdf": "pdf", ".txt": "text", ".docx": "word", ".json": "records", ".jsonl": "records",
    ".csv": "records", ".tsv": "records", ".xlsx": "records", ".parquet": "records",
}  # fmt: skip
"""What a file holds, by its ending in lower case."""

ZIP_ENDING = ".zip"
STANDARD_INPUT = "-"

MAX_PDF_BYTES = 64 * 2**20
"""The real PDF letters have 20 to 100 KB; a scanned letter of 20 pages stays under 64 MiB."""

MAX_TEXT_BYTES, MAX_RECORD_BYTES = 4 * 2**20, 16 * 2**20
"""The real letters hold 4 to 20 KB of text; what has 4 MiB, or a line or cell of a record with 16
MiB, is not one letter."""

MAX_RECORDS_BYTES = 2**30
"""Records inside an archive or on standard input are read into memory as a whole."""

MAX_ZIP_MEMBERS = 1_000_000
"""Seven times the letters of the busiest year; the list itself stays under 1 GB of memory."""

MAX_RATIO = 100
"""PDFs shrink to 0.9, texts and tables to a quarter; what grows a hundredfold is a bomb."""

MAX_UNPACKED_BYTES = 128 * 2**20
"""Of Office: a letter has some 50 KB of XML, a table of 10,000 letters 40 MB."""

MAX_PARTS, MAX_WHOLE_BYTES = 10_000, 16 * 2**20
"""Of Office: parts, and bytes of one that is read as a whole (styles, names of sheets)."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # encrypted files, and those of Office before 2007
_STREAMED = ("xl/worksheets/", "xl/sharedStrings.xml", "word/document.xml")

MAX_BYTES: dict[Kind, int] = {"pdf": MAX_PDF_BYTES, "text": MAX_TEXT_BYTES,
                              "word": MAX_PDF_BYTES, "records": MAX_RECORDS_BYTES}  # fmt: skip

MAX_FOLDER_DEPTH = 64
"""A web server can name a folder in a folder without end."""

_PART = re.compile(r"part([-.])(\d{1,18})(?!\d)")
"""``part.10.parquet`` comes after ``part.9.parquet``: Dask numbers without leading zeros."""

TRUTH_NAME = "truth.jsonl.gz"
_LEFT_BEHIND = {"__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "_SUCCESS", "_metadata",
                "_common_metadata"}  # fmt: skip
"""What systems leave in folders and archives, and Spark beside the parts of a table."""

_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_ENCRYPTED = 0x1
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
               ValueError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Where one letter (or one file of case records) lies; small and picklable.

    ``path`` is a path or URL as given; ``member`` names the entry of a zip archive at it;
    ``content`` is set for what came through standard input or was fetched ahead, ``ending`` for the
    former; ``size`` (bytes, of the object at ``path``) and ``state`` (changes with it) are set only
    for what lies on a store.
    """

    path: str
    kind: Kind
    member: str | None = None
    content: bytes | None = None
    size: int | None = None
    state: str = ""
    ending: str = ""

    @property
    def name(self) -> str:
        """The name shown in results and errors: the path (see ``FilePath``), ``archive!member``."""
        path = str(file_path(self.path))
        return printable(path if self.member is None else f"{path}!{self.member}")

    @property
    def letter_id(self) -> str:
        """File name without its ending; ``stdin`` for standard input."""
        if self.member is not None:
            return printable(PurePosixPath(self.member).stem)
        return "stdin" if self.path == STANDARD_INPUT else printable(file_path(self.path).stem)


def printable(name: str) -> str:
    """A file name on one line and encodable as UTF-8: other characters are escaped."""
    if name.isprintable():
        return name
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")
        for mark in name
    )


# --- listing ---------------------------------------------------------------------------------


def sources(paths: Iterable[str], ending: str = "") -> Iterator[Source | LetterError]:
    """List what there is to read, in order of ``paths`` and sorted within a folder or archive.

    Nothing is opened but archives and standard input, which is taken for a file of that ``ending``
    (told from its bytes where none is given).  What two of the ``paths`` name (a folder and a file
    in it) is listed once.
    """
    seen: set[tuple[str, str | None]] = set()
    for source in chain.from_iterable(_named(path, ending) for path in paths):
        if isinstance(source, Source):
            on_store = file_path(source.path).on_store
            place = source.path if on_store else os.path.abspath(source.path)
            if (place, source.member) in seen:
                continue
            seen.add((place, source.member))
        yield source


def _named(text: str, ending: str) -> Iterator[Source | LetterError]:
    """What one path of the user names: a file, a folder, an archive, or what a pattern matches."""
    if text == STANDARD_INPUT:
        data = sys.stdin.buffer.read(MAX_RECORDS_BYTES + 1)
        ending = ending or _ending(data)
        if ending in KINDS:
            yield Source(text, KINDS[ending], content=data, ending=ending)
        else:
            yield _unsupported("stdin", ending)
        return
    path = file_path(text)
    found, matches = _looked_at(path), []
    if isinstance(found, LetterError) and found.reason == "missing":
        try:
            matches = [match for match in path.matches() if not _hidden(match.name)]
        except OSError as error:
            found = _not_opened(path, error)
    for one in map(_looked_at, matches) if matches else (found,):
        yield from _at(one)


def _looked_at(path: FilePath) -> Entry | LetterError:
    try:
        return path.look()
    except (OSError, UnsupportedPathError) as error:
        return _not_opened(path, error)


def _at(entry: Entry | LetterError) -> Iterator[Source | LetterError]:
    if isinstance(entry, LetterError):
        yield entry
    elif entry.folder:
        found = False
        for one in _walk(entry.path, MAX_FOLDER_DEPTH):
            found = True
            yield from _at(one)
        if not found:
            yield _no_letters(str(entry.path), "folder")
    else:
        archive = entry.path.suffix.lower() == ZIP_ENDING
        yield from _archived(entry) if archive else (_source(entry),)


def _source(entry: Entry, member: str | None = None) -> Source | LetterError:
    """The file, or this member of the archive."""
    path = entry.path
    ending = (path if member is None else PurePosixPath(member)).suffix.lower()
    if ending in KINDS:
        return Source(path.address, KINDS[ending], member, size=entry.size, state=entry.state)
    return _unsupported(str(path) if member is None else f"{path}!{member}", ending)


def _walk(folder: FilePath, depth: int) -> Iterator[Entry | LetterError]:
    """The files of a folder, then those of its folders; what cannot be listed is named.

    Hidden ones are passed over and links to folders are not followed.
    """
    if not depth:
        problem = f"more than {MAX_FOLDER_DEPTH} folders deep"
        remedy = "name the folder with the letters"
        yield LetterError(printable(str(folder)), "unreadable", problem, remedy)
        return
    try:
        listed = folder.entries()
    except OSError as error:
        yield _not_opened(folder, error)
        return
    visible = sorted((one for one in listed if not _hidden(one.path.name)), key=_files_by_part)
    for one in visible:
        yield from _walk(one.path, depth - 1) if one.folder else (one,)


def _files_by_part(entry: Entry) -> tuple[bool, str]:
    """Files before folders, by name, parts of a table in the order of their numbers."""
    name = entry.path.name
    return entry.folder, _PART.sub(lambda p: f"part{p[1]}{int(p[2]):018}", name, count=1)


def _hidden(name: str) -> bool:
    """Names that systems leave behind, and the truth of letters that ``imr synthesize`` wrote."""
    left = name.startswith((".", "~$")) or name in _LEFT_BEHIND or name == TRUTH_NAME
    return left and name not in (".", "..")


def _archived(entry: Entry) -> Iterator[Source | LetterError]:
    """The visible files in an archive, sorted by name.

    Members are read in memory and never unpacked, so a name with ``..`` leads nowhere.
    """
    name = printable(str(entry.path))
    try:
        archive = _archive(entry.path, entry.state)
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) > MAX_ZIP_MEMBERS:
            problem = f"the archive lists {len(members)} files, at most {MAX_ZIP_MEMBERS} are read"
            raise LetterError(name, "too_large", problem, "split it")
        assert archive.fp is not None
        packed = max(archive.fp.seek(0, os.SEEK_END), 2**20)
        if sum(member.file_size for member in members) > MAX_RATIO * packed:
            problem = f"the archive would grow more than {MAX_RATIO} times when unpacked"
            raise LetterError(name, "too_large", problem, "check where it comes from")
    except LetterError as error:
        yield error
        return
    names = {member.filename for member in members}
    shown = sorted(one for one in names if not any(map(_hidden, PurePosixPath(one).parts)))
    yield from (_source(entry, one) for one in shown)
    if not shown:
        yield _no_letters(name, "archive")


def _ending(data: bytes) -> str:
    """The ending of a file with these bytes; a table of text has no mark to be told by."""
    if data.startswith(_ZIP_MARKS):
        # Office names its parts in the clear, at the end of the archive.
        parts = {b"word/document.xml": ".docx", b"xl/workbook.xml": ".xlsx"}
        return next((e for part, e in parts.items() if part in data[-(2**16) :]), ZIP_ENDING)
    if data.startswith(b"PAR1"):
        return ".parquet"
    return ".pdf" if is_pdf(data) else _json_ending(data) or ".txt"


_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(\{)|\[\s*(?:\{|\]))")


def _json_ending(data: bytes) -> str | None:
    """``.json`` of one object or list over several lines, ``.jsonl`` of an object a line; None of
    what begins as neither.  What is broken is told by its first line, so that its fault is named.
    """
    start = _JSON_START.match(data)
    if not start or not start[1]:
        return ".json" if start else None
    first, _, rest = data[start.start(1) : start.start(1) + MAX_RECORD_BYTES].partition(b"\n")
    if _is_json(first):
        return ".jsonl"
    if len(data) <= MAX_RECORD_BYTES and _is_json(data):
        return ".json"
    an_object_a_line = first.rstrip().endswith(b"}") or rest.lstrip().startswith(b"{")
    return ".jsonl" if an_object_a_line or not rest.strip() else ".json"


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def is_pdf(content: bytes) -> bool:
    """True where the bytes carry the PDF mark, which other matter may precede by the standard."""
    return b"%PDF-" in content[:1024]


# --- bytes -----------------------------------------------------------------------------------


def content(source: Source) -> bytes:
    """The bytes behind a source, from disk or store, an archive's member or standard input.

    Raises ``missing``, ``unreadable``, ``unsupported``, ``too_large``, ``empty``, ``bad_zip``,
    ``encrypted``.
    """
    limit = MAX_BYTES[source.kind]
    if source.content is not None:
        data = source.content
    elif source.member is not None:
        data = _member_bytes(source, source.member, limit)
    elif source.size is not None and source.size > limit:
        raise _too_large(source)
    else:
        path = file_path(source.path)
        try:
            data = path.read_bytes(limit, source.size)
        except (OSError, UnsupportedPathError) as error:
            raise _not_opened(path, error) from None
    if len(data) > limit:
        raise _too_large(source)
    if not data.strip():
        raise LetterError(source.name, "empty", "the file is empty", "fetch the file again")
    return data


def opened(source: Source) -> BinaryIO:
    """The bytes behind a source as a file, read piece by piece; raises as :func:`content`."""
    if source.member is not None or source.content is not None:
        return io.BytesIO(content(source))
    path = file_path(source.path)
    try:
        return path.open()
    except (OSError, UnsupportedPathError) as error:
        raise _not_opened(path, error) from None


def _member_bytes(source: Source, member: str, limit: int) -> bytes:
    path = file_path(source.path)
    archive = _archive(path, source.state)
    try:
        entry = archive.getinfo(member)
        if entry.flag_bits & _ZIP_ENCRYPTED:
            problem, remedy = "encrypted in its archive", "unpack it with its password"
            raise LetterError(source.name, "encrypted", problem, remedy)
        if entry.file_size > limit:
            raise _too_large(source)
        with archive.open(entry) as file:
            return file.read(limit + 1)
    except KeyError:
        raise _missing(source.name) from None
    except StoreError as error:
        raise _not_opened(path, error) from None
    except _ZIP_FAULTS as error:
        raise _bad_zip(source.name, error) from None


def _archive(path: FilePath, state: str) -> zipfile.ZipFile:
    """The opened archive; kept open, for its list takes longer to read than a letter.

    ``state`` changes with an archive on a store; that of a file is asked for here.
    """
    try:
        return _opened_archive(path, state if path.on_store else path.state(), os.getpid())
    except (FileNotFoundError, PermissionError, StoreError, UnsupportedPathError) as error:
        raise _not_opened(path, error) from None
    except _ZIP_FAULTS as error:
        if isinstance(error.__context__, StoreError):  # zipfile takes it for a bad archive
            raise _not_opened(path, error.__context__) from None
        raise _bad_zip(printable(str(path)), error) from None


class _Archive(zipfile.ZipFile):
    """An archive that closes the file it was opened on."""

    def close(self) -> None:
        file = self.fp
        super().close()
        if file is not None:
            file.close()


@lru_cache(maxsize=2)
def _opened_archive(path: FilePath, _state: str, _process: int) -> zipfile.ZipFile:
    """Keyed by state and process: a forked worker must not share its parent's place in the file."""
    file = path.open()
    try:
        return _Archive(file)
    except BaseException:
        file.close()
        raise


# --- archives of Office ------------------------------------------------------------------------


def office_archive(name: str, kind: str, content: IO[bytes]) -> zipfile.ZipFile:
    """A Word or Excel file (``kind`` docx or xlsx), which is a zip archive of XML.

    Nothing in it is run or followed: macros, links, embedded objects and pictures are not opened,
    no formula is computed, an entity of the XML is refused.  What is unpacked is bounded here.
    Raises ``not_docx``, ``not_xlsx``, ``encrypted``, ``too_large``.
    """
    start, packed = content.read(len(_OLD_OFFICE)), content.seek(0, os.SEEK_END)
    content.seek(0)
    if start == _OLD_OFFICE:
        problem = "encrypted, or a file of Office before 2007"
        raise LetterError(name, "encrypted", problem, f"save it as .{kind} without a password")
    try:
        archive = zipfile.ZipFile(content)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise not_office(name, kind, error) from None
    parts = archive.infolist()
    whole = sum(part.file_size for part in parts)
    read_whole = (
        part.file_size
        for part in parts
        if part.filename.endswith((".xml", ".rels")) and not part.filename.startswith(_STREAMED)
    )
    most = min(MAX_UNPACKED_BYTES, MAX_RATIO * max(packed, 2**20))
    if len(parts) > MAX_PARTS or whole > most or max(read_whole, default=0) > MAX_WHOLE_BYTES:
        problem = f"it would unpack to more than {most // 2**20} MiB or in too many or large parts"
        remedy = "check where it comes from; split it, or save a table as CSV"
        raise LetterError(name, "too_large", problem, remedy)
    return archive


def not_office(name: str, kind: str, fault: Exception | str) -> LetterError:
    """The error of a Word or Excel file that cannot be read."""
    if isinstance(fault, MemoryError):
        problem = "reading it needs too much memory"
        return LetterError(name, "too_large", problem, "check where it comes from; split it")
    if isinstance(fault, Exception):
        fault = f"damaged or cut off ({type(fault).__name__})"
    return LetterError(name, f"not_{kind}", f"cannot read it as .{kind}: {fault}", "save it again")


# --- errors ----------------------------------------------------------------------------------


def _not_opened(path: FilePath, error: Exception) -> LetterError:
    """Why a file on disk or store cannot be read, without what its URL keeps secret."""
    name = printable(str(path))
    if isinstance(error, UnsupportedPathError):
        return LetterError(name, "unsupported", error.problem, error.remedy)
    if isinstance(error, FileNotFoundError):
        return _missing(name)
    fault = getattr(error, "strerror", None) or "it cannot be opened"
    fault = fault[:1].lower() + fault[1:]
    return LetterError(name, "unreadable", fault, "check the path and its permissions")


def _missing(name: str) -> LetterError:
    return LetterError(printable(name), "missing", "no such file or folder", "check the path")


def _unsupported(name: str, ending: str) -> LetterError:
    problem = f"the ending {printable(ending)} is not read" if ending else "no ending is not read"
    remedy = f"allowed are {', '.join([*KINDS, ZIP_ENDING])}; convert it first"
    return LetterError(printable(name), "unsupported", problem, remedy)


def _no_letters(name: str, container: str) -> LetterError:
    problem, remedy = f"no letters in the {container}", f"it needs {', '.join(KINDS)}"
    return LetterError(printable(name), "no_letters", problem, remedy)


def _too_large(source: Source) -> LetterError:
    mebibytes = MAX_BYTES[source.kind] // 2**20
    problem = f"larger than {mebibytes} MiB, the most that is read of a {source.kind} file"
    return LetterError(source.name, "too_large", problem, "check that it is one letter")


def _bad_zip(name: str, error: Exception) -> LetterError:
    problem = f"the archive cannot be read ({type(error).__name__})"
    return LetterError(name, "bad_zip", problem, "pack it again")
