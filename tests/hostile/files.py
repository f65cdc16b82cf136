"""Files that strangers could send: broken, oversized, nested and misleading PDFs and archives."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable

MEGABYTE = 2**20


def pdf_of(objects: list[bytes], root: int = 1, trailer: bytes = b"") -> bytes:
    """A PDF from its objects, numbered from 1, with a cross-reference table that is right."""
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.7\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(
        b"trailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, root, trailer, start)
    )
    return out.getvalue()


CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
PAGE = (
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
    b"/Resources<</Font<</F 5 0 R>>>>>>"
)


def stream(content: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), more, content)


def one_page(contents: bytes, more: bytes = b"", page: bytes = PAGE) -> bytes:
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf_of([CATALOG, pages, page, stream(contents, more), FONT])


def show(text: bytes) -> bytes:
    return b"BT /F 12 Tf 72 720 Td (%s) Tj ET" % text


def many_pages(count: int) -> bytes:
    """The same page over and over."""
    pages = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b"3 0 R " * count, count)
    return pdf_of([CATALOG, pages, PAGE, stream(show(b"page")), FONT])


def lying_count(count: bytes) -> bytes:
    pages = b"<</Type/Pages/Kids[3 0 R]/Count %s>>" % count
    return pdf_of([CATALOG, pages, PAGE, stream(show(b"page")), FONT])


def page_tree(depth: int) -> bytes:
    """One page at the end of a long chain of page tree nodes."""
    nodes = [
        b"<</Type/Pages/Kids[%d 0 R]/Count 1%s>>"
        % (n + 1, b"" if n == 2 else b"/Parent %d 0 R" % (n - 1))
        for n in range(2, 2 + depth)
    ]
    page = b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 612 792]>>" % (1 + depth)
    return pdf_of([CATALOG, *nodes, page])


def page_tree_in_a_circle() -> bytes:
    return pdf_of([CATALOG, b"<</Type/Pages/Kids[2 0 R]/Count 3>>"])


def nested_arrays(depth: int) -> bytes:
    return one_page(b"[" * depth + b"]" * depth + b" " + show(b"deep"))


def nested_dictionaries(depth: int) -> bytes:
    inner = b"<</A " * depth + b"1" + b">>" * depth
    return one_page(show(b"deep"), page=PAGE[:-2] + b"/X " + inner + b">>")


def form_calls_itself() -> bytes:
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>"
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</XObject<</X 4 0 R>>>>>>"
    )
    return one_page(b"/X Do " * 40, form, page)


def graphics_states(depth: int) -> bytes:
    return one_page(b"q " * depth + show(b"deep") + b" Q" * depth)


def packed(content: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        content = zlib.compress(content, 9)
    return content


def bomb(megabytes: int, filters: int = 1) -> bytes:
    """A page whose contents are blanks packed a thousandfold (a millionfold with two filters)."""
    names = b"/Filter[%s]" % (b"/FlateDecode " * filters)
    return one_page(packed(show(b"x") + b" " * (megabytes * MEGABYTE), filters), names)


def text_bomb(megabytes: int) -> bytes:
    """A page with more letters than a library holds."""
    contents = b"BT /F 1 Tf " + b"(%s) Tj " % (b"a" * 1000) * (megabytes * 1000) + b"ET"
    return one_page(packed(contents), b"/Filter/FlateDecode")


def picture_bomb() -> bytes:
    """A scan of a gigapixel: no text, and no need to unpack it."""
    image = (
        b"/Type/XObject/Subtype/Image/Width 30000/Height 30000/ColorSpace/DeviceGray"
        b"/BitsPerComponent 8/Filter/FlateDecode"
    )
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</XObject<</X 5 0 R>>>>>>"
    )
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    data = stream(packed(b"\0" * (64 * MEGABYTE)), image)
    return pdf_of([CATALOG, pages, page, stream(b"/X Do"), data])


PDFS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "mark-only": lambda: b"%PDF-1.7",
    "text": lambda: b"A letter in plain words.",
    "web-page": lambda: b"<html>Not found</html>",
    "zeros": lambda: b"%PDF-1.7\n" + bytes(MEGABYTE),
    "no-objects": lambda: pdf_of([]),
    "no-pages": lambda: pdf_of([CATALOG, b"<</Type/Pages/Kids[]/Count 0>>"]),
    "5000-pages": lambda: many_pages(5000),
    "count-of-2-billion": lambda: lying_count(b"2147483647"),
    "count-below-0": lambda: lying_count(b"-7"),
    "page-tree-in-a-circle": page_tree_in_a_circle,
    "page-tree-20000-deep": lambda: page_tree(20_000),
    "arrays-200000-deep": lambda: nested_arrays(200_000),
    "dictionaries-50000-deep": lambda: nested_dictionaries(50_000),
    "form-calls-itself": form_calls_itself,
    "graphics-states-500000-deep": lambda: graphics_states(500_000),
    "contents-of-100-mb": lambda: bomb(100),
    "contents-packed-twice": lambda: bomb(300, 2),
    "letters-without-end": lambda: text_bomb(5),
    "picture-of-a-gigapixel": picture_bomb,
    "encrypted-by-nobody-knows": lambda: one_page_encrypted(),
}


def one_page_encrypted() -> bytes:
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    lock = b"<</Filter/Standard/V 2/R 3/Length 128/P -44/O<%s>/U<%s>>>" % (b"41" * 32, b"42" * 32)
    objects = [CATALOG, pages, PAGE, stream(show(b"hidden")), FONT, lock]
    return pdf_of(objects, trailer=b"/Encrypt 6 0 R/ID[<41><41>]")


# --- archives ----------------------------------------------------------------------------------


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def zip_in_zip(depth: int) -> bytes:
    content = zipped({"letter.txt": b"deep"})
    for _ in range(depth):
        content = zipped({"inner.zip": content})
    return content


def overlapping(copies: int) -> bytes:
    """Many names for one packed megabyte (the bomb of D. Fifield, 2019, in its plain form)."""
    once = zipped({"a.txt": bytes(8 * MEGABYTE)})
    with zipfile.ZipFile(io.BytesIO(once)) as archive:
        start = archive.start_dir
    entry, end = once[start:-22], once[-22:]
    directory = b"".join(entry.replace(b"a.txt", b"%05d" % n) for n in range(copies))
    count = copies.to_bytes(2, "little")
    tail = end[:8] + count + count + len(directory).to_bytes(4, "little") + end[16:]
    return once[:start] + directory + tail


def lies_about_size(real: int, said: int) -> bytes:
    """A member that unpacks to more than its entry says."""
    content = zipped({"letter.txt": bytes(real)})
    return content.replace(real.to_bytes(4, "little"), said.to_bytes(4, "little"))


ZIPS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "mark-only": lambda: b"PK\x03\x04",
    "end-only": lambda: b"PK\x05\x06" + bytes(18),
    "cut-off": lambda: zipped({"letter.txt": b"word " * 1000})[:200],
    "bomb": lambda: zipped({"letter.txt": bytes(300 * MEGABYTE)}),
    "many-bombs": lambda: zipped({f"{n}.txt": bytes(3 * MEGABYTE) for n in range(60)}),
    "zip-in-zip": lambda: zip_in_zip(30),
    "overlapping": lambda: overlapping(2000),
    "lies-about-size": lambda: lies_about_size(60 * MEGABYTE, 1000),
    "60000-names": lambda: zipped({f"{n}.bin": b"" for n in range(60_000)}),
}

# --- texts -------------------------------------------------------------------------------------

HEADINGS = "CLINICAL CASE SUMMARY\n\n{summary}\n\nIMR ISSUES, DECISIONS AND RATIONALES\n\n{items}"
ITEM = (
    "{n}. Knee brace: Upheld\n\nClaims Administrator guideline: The Claims Administrator did not "
    "cite any medical evidence for its decision.\n\nMAXIMUS guideline: Decision based on MTUS Knee "
    "Complaints 2004.\n\nDecision rationale: It is not needed. The request is not medically "
    "necessary.\n\n"
)


def letter_text(items: int = 1, summary: str = "A baker hurt her knee.") -> str:
    return HEADINGS.format(
        summary=summary, items="".join(ITEM.format(n=n + 1) for n in range(items))
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


TEXTS: dict[str, Callable[[], bytes]] = {
    "50-mb-on-one-line": lambda: b"knee " * (10 * MEGABYTE),
    "4-mb-on-one-line": lambda: (b"knee " * MEGABYTE)[: 4 * MEGABYTE - 1],
    "4-mb-of-digits": lambda: b"1" * (4 * MEGABYTE - 1),
    "4-mb-of-line-ends": lambda: b"\n" * (4 * MEGABYTE - 10) + b"x",
    "4-mb-of-headings": lambda: (b"CLINICAL CASE SUMMARY\n" * 200_000)[: 4 * MEGABYTE - 1],
    "4-mb-of-labels": lambda: (
        letter_text(1).encode() + b"\nDecision rationale: a.\n" * 170_000
    )[: 4 * MEGABYTE - 1],
    "4-mb-of-dates": lambda: (
        (b"Date Assigned: 01/01/2016\n" * 160_000)[: 4 * MEGABYTE - 900] + letter_text(1).encode()
    ),
    "10000-items": lambda: letter_text(10_000).encode(),
    "summary-of-1-mb": lambda: letter_text(1, "The MRI of the knee, the MRI, " * 35_000).encode(),
    "heading-of-100-kb": lambda: letter_text(1).replace("Knee brace", "1" * 100_000).encode(),
    "guideline-of-1-mb": lambda: letter_text(1).replace(
        "MTUS Knee Complaints 2004.", "MTUS " + "Knee Complaints 2004, and " * 40_000
    ).encode(),
    "nul-bytes": lambda: letter_text(2).encode().replace(b" ", b"\0"),
    "utf-16-without-mark": lambda: letter_text(2).encode("utf-16-le"),
    "utf-7": lambda: b"K+AOQ-nie" * 10,
    "random-bytes": lambda: bytes(range(256)) * 100,
    "letter-cut-in-a-word": lambda: letter_text(3).encode()[:-180],
    "one-line-of-two-items": lambda: one_line(letter_text(2)).encode(),
}  # fmt: skip

MISLEADING: dict[str, Callable[[str], bytes]] = {
    "as-it-is": lambda text: text.encode(),
    "with-mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "windows": lambda text: text.replace("'", "\u2019").encode("cp1252"),
    "zero-width": lambda text: "\u200b".join(text).encode(),
    "soft-hyphens": lambda text: text.replace("ie", "i\u00ade").encode(),
    "right-to-left-marks": lambda text: "".join(
        f"\u202e{c}\u202c" if c.isalpha() else c for c in text
    ).encode(),
    "no-break-spaces": lambda text: text.replace(" ", "\u00a0").encode(),
    "carriage-returns": lambda text: text.replace("\n", "\r\n").encode(),
    "control-characters": lambda text: text.replace("a", "a\x7f").encode(),
}
"""The same letter to a reader's eye, so the same letter to the parser."""
