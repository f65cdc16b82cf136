"""Letters in: what is listed, what comes out as text, and a name for every failure."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdfium2 import PdfDocument
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from imr.data import pdf, read
from imr.data import sources as listing
from imr.data.layout import paragraphs
from imr.data.letter import LetterError, Text
from imr.data.read import load
from imr.data.sources import Kind, Source, sources

PITCH = 13.8
REGULAR, BOLD = "Times-Roman", "Times-Bold"

Line = tuple[float, str, str]  # the distance to the line above in points, the font, the words


def pdf_bytes(*pages: list[Line], **options: object) -> bytes:
    """A PDF with the given lines on its pages."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792), **options)
    for page in pages:
        y = 720.0
        for gap, font, words in page:
            y -= gap
            canvas.setFont(font, 12)
            canvas.drawString(72, y, words)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def plain_pdf(words: str = "A letter of one line.") -> bytes:
    return pdf_bytes([(0, REGULAR, words)])


def text_of(content: bytes, tmp_path: Path, name: str = "letter.pdf") -> Text:
    file = tmp_path / name
    file.write_bytes(content)
    return load(only(sources([str(file)])))


def only(found: object) -> Source:
    [source] = found  # type: ignore[misc]
    assert isinstance(source, Source)
    return source


def failure(paths: list[str], stdin: io.BytesIO | None = None) -> LetterError:
    """The one failure that reading the paths ends in."""
    [error] = list(read.read(paths, stdin))
    assert isinstance(error, LetterError)
    return error


def zipped(tmp_path: Path, members: dict[str, bytes], name: str = "letters.zip") -> str:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return str(path)


# --- PDF layout ------------------------------------------------------------------------------


def test_a_wide_gap_and_a_bold_start_open_a_paragraph(tmp_path: Path) -> None:
    content = pdf_bytes(
        [
            (0, BOLD, "A HEADING"),
            (20, REGULAR, "First line of a paragraph,"),
            (PITCH, REGULAR, "its second line,"),
            (PITCH, REGULAR, "its third."),
            (2 * PITCH, REGULAR, "Next paragraph."),
            (PITCH, BOLD, "Bold title without a gap"),
            (PITCH, BOLD, "on two lines: Upheld"),
            (PITCH, REGULAR, "going on below it"),
        ],
        [(0, REGULAR, "and on the next page."), (PITCH, BOLD, "Bold after the page")],
        [(0, BOLD, "Bold goes on"), (PITCH, REGULAR, "and ends.")],
        [(0, BOLD, "Bold opens a page.")],
    )
    assert text_of(content, tmp_path).text == (
        "A HEADING\n\n"
        "First line of a paragraph,\nits second line,\nits third.\n\n"
        "Next paragraph.\n\n"
        "Bold title without a gap\non two lines: Upheld\ngoing on below it\n"
        "and on the next page.\n\n"
        "Bold after the page\nBold goes on\nand ends.\n\n"
        "Bold opens a page."
    )


def test_cells_on_one_baseline_stand_on_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792))
    canvas.setFont(BOLD, 12)
    for x, y, words in [
        (72, 700, "Priority: Standard"),
        (329, 700, "Application"),
        (329, 687, "Received:"),
        (427, 700, "03/04/2017"),
        (72, 660, "Next"),
    ]:
        canvas.drawString(x, y, words)
    canvas.save()
    lines = text_of(buffer.getvalue(), tmp_path).text.split("\n")
    assert lines == ["Priority: Standard Application 03/04/2017", "Received:", "", "Next"]


def test_double_spacing_is_no_paragraph(tmp_path: Path) -> None:
    lines = [(2 * PITCH, REGULAR, f"line {n} of a letter set wide") for n in range(12)]
    read_back = text_of(pdf_bytes(lines), tmp_path)
    assert not read_back.has_paragraphs
    assert len(read_back.text.split("\n")) == 12


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_rotated_page_keeps_its_paragraphs(tmp_path: Path, rotation: int) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(792, 612) if rotation in (90, 270) else (612, 792))
    canvas.setPageRotation(rotation)
    if rotation == 90:
        canvas.translate(792, 0)
    elif rotation == 180:
        canvas.translate(612, 792)
    elif rotation == 270:
        canvas.translate(0, 612)
    canvas.rotate(rotation)
    for y, words in [(500, "one"), (486, "two"), (472, "three"), (440, "four"), (426, "five")]:
        canvas.drawString(72, y, words)
    canvas.save()
    assert text_of(buffer.getvalue(), tmp_path).text == "one\ntwo\nthree\n\nfour\nfive"


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("pages", ["every page", "the last page"])
def test_a_letter_on_its_side_or_head_is_read(
    turn: int, pages: str, samples: Path, tmp_path: Path
) -> None:
    """As a scanner or a printer leaves it: the text stays, the page is shown turned."""
    letters = sorted(samples.glob("*.pdf"))
    assert letters
    for letter in letters:
        document = PdfDocument(letter)
        for page in list(document)[0 if pages == "every page" else -1 :]:
            page.set_rotation(turn)
        turned = io.BytesIO()
        document.save(turned)
        document.close()
        read_back = text_of(turned.getvalue(), tmp_path, letter.name)
        assert read_back.text == load(Source(str(letter), "pdf")).text


def test_a_hyphen_at_a_line_end_stays_a_hyphen(tmp_path: Path) -> None:
    content = pdf_bytes([(0, REGULAR, "relief of right-"), (PITCH, REGULAR, "sided pain")])
    assert text_of(content, tmp_path).text == "relief of right-sided pain"


def test_a_pdf_without_its_end_is_read_with_a_warning(tmp_path: Path) -> None:
    content = plain_pdf()
    whole = text_of(content, tmp_path)
    cut = text_of(content[: content.rindex(b"startxref")], tmp_path)
    assert (whole.text, whole.warnings) == ("A letter of one line.", ())
    assert cut.text == whole.text
    assert cut.warnings == ("the end mark of the PDF is missing: pages may be lost",)


# --- faults in PDFs --------------------------------------------------------------------------


def pdf_faults() -> dict[str, tuple[bytes, str]]:
    locked = StandardEncryption("secret", ownerPassword="owner", strength=128)
    return {
        "no bytes": (b"", "empty"),
        "white space": (b" \n\n ", "empty"),
        "text": (b"A letter in plain words.", "not_pdf"),
        "a page of the web": (b"<html><body>Not found</body></html>", "not_pdf"),
        "mark only": (b"%PDF-1.7\n", "corrupt"),
        "cut in half": (plain_pdf()[:300], "corrupt"),
        "password": (pdf_bytes([(0, REGULAR, "hidden")], encrypt=locked), "encrypted"),
        "empty page": (pdf_bytes([]), "image_only"),
        "a drawing": (pdf_bytes([(0, REGULAR, " ")]), "image_only"),
        "a book": (pdf_bytes(*[[] for _ in range(pdf.MAX_PAGES + 1)]), "too_many_pages"),
    }


@pytest.mark.parametrize("name", pdf_faults())
def test_a_fault_of_a_pdf_has_its_name(name: str, tmp_path: Path) -> None:
    content, reason = pdf_faults()[name]
    file = tmp_path / "letter.pdf"
    file.write_bytes(content)
    error = failure([str(file)])
    assert error.reason == reason
    assert error.source == str(file)
    assert error.remedy
    assert "\n" not in str(error)


def test_a_page_of_too_many_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGE_CHARS", 10)
    with pytest.raises(LetterError) as caught:
        text_of(plain_pdf(), tmp_path)
    assert caught.value.reason == "too_large"


def test_an_owner_password_alone_does_not_lock_a_letter(tmp_path: Path) -> None:
    free = StandardEncryption("", ownerPassword="owner", strength=128)
    assert text_of(pdf_bytes([(0, REGULAR, "Open.")], encrypt=free), tmp_path).text == "Open."


# --- plain text ------------------------------------------------------------------------------

PARAGRAPHS = [
    ["HOW IT WAS DECIDED"],
    [
        "An expert looked at the whole file of the case and wrote down, in the order that the",
        "rules ask for, what the worker was found to need and what was asked for on the",
        "worker's behalf, with the papers at hand.",
    ],
    ["Knee brace, quantity: 1:  Upheld"],
    [
        "Decision rationale: The brace was asked for after a fall, and the knee was stable on",
        "every examination since; no paper says why it would help.",
    ],
]
SHOWN = "\n\n".join("\n".join(lines) for lines in PARAGRAPHS)


def doubled(filler: str, between: str) -> str:
    """Every line followed by a blank one; paragraphs by one more."""
    return between.join("".join(f"{line} \n{filler}" for line in lines) for lines in PARAGRAPHS)


LAYOUTS = {
    "plain": SHOWN,
    "windows": SHOWN.replace("\n", "\r\n"),
    "old mac": SHOWN.replace("\n", "\r"),
    "indented": "\n".join("      " + line if line else "" for line in SHOWN.split("\n")),
    "blank lines of spaces": SHOWN.replace("\n\n", "\n   \n"),
    "many blank lines": SHOWN.replace("\n\n", "\n\n\n\n"),
    "doubled, then a space": doubled("\n", " \n\n"),
    "doubled, a space alone": doubled("\n", " \n"),
    "doubled, stripped": doubled("\n", "\n\n"),
    "doubled by spaces": doubled(" \n", " \n"),
    "tripled": doubled("\n\n", " \n"),
    "doubled for windows": doubled("\n", " \n\n").replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + SHOWN,
    "page break in a sentence": SHOWN.replace("that the\nrules", "that the\n\n\n\f\n   rules"),
    "page break between paragraphs": SHOWN.replace("hand.\n\n", "hand.\n\f"),
    "no-width characters": SHOWN.replace("expert", "ex\u200bpe\u00adrt"),
    "hard spaces": SHOWN.replace("expert looked", "expert\u00a0looked"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_of_a_text_reads_the_same(name: str) -> None:
    assert paragraphs(LAYOUTS[name]) == (SHOWN, True)


def test_a_text_without_blank_lines_says_so() -> None:
    dense = SHOWN.replace("\n\n", "\n")
    assert paragraphs(dense) == (dense, False)


def test_paragraphs_of_one_line_each_stay_apart() -> None:
    text = "\n\n".join(" ".join(lines) for lines in PARAGRAPHS)
    assert paragraphs(text) == (text, True)


words = st.text(alphabet="abcdefghij", min_size=2, max_size=9)
wrapped_lines = st.lists(words, min_size=8, max_size=11).map(" ".join)
bodies = st.lists(st.lists(wrapped_lines, min_size=3, max_size=6), min_size=2, max_size=6)


@given(bodies, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "    "]))
def test_layout_variants_hold_the_same_paragraphs(
    body: list[list[str]], end: str, indent: str
) -> None:
    sentences = [[f"Start {lines[0]}", *lines[1:-1], lines[-1] + "."] for lines in body]
    expected = "\n\n".join("\n".join(lines) for lines in sentences)
    single = (end + end).join(end.join(indent + line for line in lines) for lines in sentences)
    double = (" " + end + end).join(
        "".join(f"{indent}{line} {end}{end}" for line in lines) for lines in sentences
    )
    assert paragraphs(single) == (expected, True)
    assert paragraphs(double) == (expected, True)


@given(st.text())
def test_no_word_is_lost_and_reading_twice_changes_nothing(text: str) -> None:
    shown, has_paragraphs = paragraphs(text)
    assert has_paragraphs == ("\n\n" in shown)
    assert "\n\n\n" not in shown
    assert shown == shown.strip()
    kept = read.visible(text.replace("\u2029", "\n")).split()
    assert shown.split() == kept
    assert paragraphs(shown)[0].split() == shown.split()


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    words = "The patient’s knee – résumé."
    assert text_of(words.encode(encoding), tmp_path, "letter.txt").text == words


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\f ", "empty"),
        ("\u200b\ufeff".encode(), "empty"),
        (b"abc\0def", "not_text"),
        (b"\x89PNG\r\n\x1a\n\x01\x02\x03", "not_text"),
        (b"\xff\xfea", "not_text"),
        (plain_pdf(), "not_text"),
    ],
)
def test_what_is_no_text(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_bytes(content)
    assert failure([str(file)]).reason == reason


# --- any bytes -------------------------------------------------------------------------------


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda tail: b"%PDF-1.4\n" + tail)
    | st.tuples(st.integers(0, 1200), st.integers(0, 40), st.binary(max_size=40)).map(
        lambda cut: plain_pdf()[: cut[0]] + cut[2] + plain_pdf()[cut[0] + cut[1] :]
    ),
    st.sampled_from(["pdf", "text"]),
)
def test_any_bytes_end_in_text_or_a_named_error(content: bytes, kind: Kind) -> None:
    try:
        text = load(Source("-", kind, content=content))
    except LetterError as error:
        assert error.reason in {"empty", "corrupt", "encrypted", "image_only", "not_pdf",
                                "not_text", "too_many_pages", "too_large"}  # fmt: skip
        assert "\n" not in str(error)
    else:
        assert text.text.strip()
        text.text.encode()


# --- files, folders, globs -------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders with letters of the same name, and what lies about in folders."""
    for name, content in {
        "b/letter.txt": b"Second.",
        "a/letter.txt": b"First.",
        "a/deep/CASE.TXT": b"Third.",
        "a/scan.pdf": plain_pdf("Fourth."),
        "a/cases.csv": b"letter_id\n1\n",
        "a/.hidden.txt": b"no",
        "a/~$letter.txt": b"no",
        "a/notes.md": b"no",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path


def names(found: object, folder: Path) -> list[str]:
    return [os.path.relpath(source.name, folder) for source in found]  # type: ignore[attr-defined]


def test_folders_are_searched_in_order(tree: Path) -> None:
    found = list(sources([str(tree)]))
    assert names(found, tree) == [
        "a/cases.csv", "a/letter.txt", "a/scan.pdf", "a/deep/CASE.TXT", "b/letter.txt",
    ]  # fmt: skip
    assert [source.kind for source in found if isinstance(source, Source)] == [
        "records", "text", "pdf", "text", "text",
    ]  # fmt: skip


def test_a_name_in_two_folders_is_two_letters(tree: Path) -> None:
    texts = list(read.read([str(tree / "a" / "letter.txt"), str(tree / "b")]))
    assert [(t.letter_id, t.text) for t in texts if isinstance(t, Text)] == [
        ("letter", "First."),
        ("letter", "Second."),
    ]
    assert texts[0].source != texts[1].source


def test_what_is_named_twice_is_read_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    found = list(sources(["b/letter.txt", "./b", str(tree / "b"), "b/*.txt"]))
    assert names(found, Path()) == ["b/letter.txt"]


def test_globs(tree: Path) -> None:
    assert names(sources([str(tree / "*" / "*.txt")]), tree) == ["a/letter.txt", "b/letter.txt"]
    assert names(sources([str(tree / "**" / "*.TXT")]), tree) == ["a/deep/CASE.TXT"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    file = tmp_path / "letter[1].txt"
    file.write_text("Here.")
    assert names(sources([str(file)]), tmp_path) == ["letter[1].txt"]


def test_nothing_is_opened_before_it_is_asked_for(tree: Path) -> None:
    found = sources([str(tree / "a" / "letter.txt"), str(tree / "gone.txt")])
    assert isinstance(next(found), Source)
    assert isinstance(next(found), LetterError)


def test_sources_travel_between_processes(tree: Path) -> None:
    for source in sources([str(tree / "b"), zipped(tree, {"in.txt": b"Inside."})]):
        assert isinstance(source, Source)
        assert load(pickle.loads(pickle.dumps(source))) == load(source)


def path_faults(folder: Path) -> dict[str, tuple[str, str]]:
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "notes.md").write_text("no letter")
    (folder / "letter.docx").write_bytes(b"PK")
    (folder / "letter").write_text("no ending")
    (folder / "mail").mkdir()
    (folder / "mail" / "letter.eml").write_text("From: x")
    return {
        "no such file": ("gone.pdf", "missing"),
        "no match": ("*.nothing", "missing"),
        "an empty folder": ("empty", "no_letters"),
        "a folder of something else": ("other", "no_letters"),
        "a wrong ending": ("letter.docx", "unsupported"),
        "no ending": ("letter", "unsupported"),
        "a document in a folder": ("mail", "unsupported"),
        "records": ("cases.csv", "records"),
        "a NUL in the name": ("let\0ter.pdf", "unreadable"),
        "a name too long": ("x" * 5000 + ".pdf", "unreadable"),
    }


@pytest.mark.parametrize(
    "name",
    ["no such file", "no match", "an empty folder", "a folder of something else", "a wrong ending",
     "no ending", "a document in a folder", "records", "a NUL in the name", "a name too long"],
)  # fmt: skip
def test_a_fault_of_a_path_has_its_name(name: str, tmp_path: Path) -> None:
    faults = path_faults(tmp_path)
    path, reason = faults[name]
    (tmp_path / "cases.csv").write_text("letter_id\n")
    error = failure([str(tmp_path / path)])
    assert error.reason == reason
    assert error.remedy
    assert str(error).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("locked", ["letter.txt", "."])
def test_missing_permissions(locked: str, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "letter.txt").write_text("Hidden.")
    (folder / locked).chmod(0)
    try:
        assert failure([str(folder)]).reason == "unreadable"
    finally:
        (folder / locked).chmod(stat.S_IRWXU)


def test_a_refused_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "letter.txt"
    file.write_text("Hidden.")
    monkeypatch.setattr("builtins.open", refuse)
    error = failure([str(file)])
    assert (error.reason, error.message) == ("unreadable", "permission denied")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "letter.txt")
    assert failure([str(tmp_path / "letter.txt")]).reason == "unsupported"


def test_a_file_that_vanishes_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Here.")
    source = only(sources([str(file)]))
    file.unlink()
    with pytest.raises(LetterError) as caught:
        load(source)
    assert caught.value.reason == "missing"


@pytest.mark.parametrize("kind", ["pdf", "text"])
def test_a_file_over_the_limit(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(listing.MAX_BYTES, kind, 10)
    file = tmp_path / ("letter.pdf" if kind == "pdf" else "letter.txt")
    file.write_bytes(plain_pdf())
    assert failure([str(file)]).reason == "too_large"
    assert failure([zipped(tmp_path, {file.name: plain_pdf()})]).reason == "too_large"


def test_one_bad_letter_leaves_the_others(tree: Path) -> None:
    (tree / "a" / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    found = list(read.read([str(tree), str(tree / "gone")]))
    assert [x.reason for x in found if isinstance(x, LetterError)] == [
        "corrupt", "records", "missing",
    ]  # fmt: skip
    assert [x.text for x in found if isinstance(x, Text)] == [
        "First.", "Fourth.", "Third.", "Second.",
    ]  # fmt: skip


# --- archives --------------------------------------------------------------------------------


def test_members_are_read_in_place(tmp_path: Path) -> None:
    path = zipped(
        tmp_path,
        {
            "2/letter.txt": b"Two.",
            "1/letter.pdf": plain_pdf("One."),
            "../../outside.txt": b"Three.",
            "/etc/root.txt": b"Four.",
            "__MACOSX/._letter.txt": b"no",
            "notes.md": b"no",
        },
    )
    before = sorted(p for p in tmp_path.parent.rglob("*"))
    texts = [t for t in read.read([path]) if isinstance(t, Text)]
    assert [(t.letter_id, t.text) for t in texts] == [
        ("outside", "Three."),
        ("root", "Four."),
        ("letter", "One."),
        ("letter", "Two."),
    ]
    assert texts[2].source == f"{path}!1/letter.pdf"
    assert sorted(p for p in tmp_path.parent.rglob("*")) == before


def test_an_archive_without_letters(tmp_path: Path) -> None:
    assert failure([zipped(tmp_path, {"notes.md": b"no"})]).reason == "no_letters"


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    assert failure([zipped(tmp_path, {"inner.zip": b"PK"})]).reason == "unsupported"


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 and then nothing"])
def test_a_broken_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "letters.zip").write_bytes(content)
    assert failure([str(tmp_path / "letters.zip")]).reason == "bad_zip"


def test_a_damaged_member_leaves_the_others(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": b"first letter " * 50, "b.txt": b"second"})
    content = bytearray(Path(path).read_bytes())
    content[45] ^= 0xFF
    Path(path).write_bytes(content)
    bad, good = read.read([path])
    assert isinstance(bad, LetterError)
    assert isinstance(good, Text)
    assert (bad.reason, good.text) == ("bad_zip", "second")


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": b"secret"})
    content = bytearray(Path(path).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    Path(path).write_bytes(content)
    assert failure([path]).reason == "encrypted"


def test_an_archive_that_would_grow_without_end(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.txt": bytes(150 * 2**20)})
    error = failure([path])
    assert error.reason == "too_large"
    assert "100 times" in error.message


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_ZIP_MEMBERS", 1)
    assert failure([zipped(tmp_path, {"a.txt": b"1", "b.txt": b"2"})]).reason == "too_large"


def test_names_that_would_break_a_line(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"one\ntwo.txt": b"Fine.", "\x1b[31mred.txt": b"\0"})
    red, fine = read.read([path])
    assert isinstance(fine, Text)
    assert fine.letter_id == "one\\ntwo"
    assert isinstance(red, LetterError)
    assert str(red).isprintable()


# --- standard input --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (plain_pdf(), "pdf"),
        (b"A letter.", "text"),
        (b'{"letter_id": "1"}', "records"),
        (b"PAR1", "records"),
    ],
)
def test_standard_input_is_told_by_its_bytes(content: bytes, kind: str) -> None:
    source = only(sources(["-"], io.BytesIO(content)))
    assert (source.kind, source.letter_id, source.content) == (kind, "stdin", content)


def test_standard_input_is_read() -> None:
    [text] = read.read(["-"], io.BytesIO(b"A letter."))
    assert text == Text("stdin", "-", "A letter.", has_paragraphs=False)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"PK\x03\x04", "unsupported")])
def test_faults_of_standard_input(content: bytes, reason: str) -> None:
    assert failure(["-"], io.BytesIO(content)).reason == reason


# --- real letters ----------------------------------------------------------------------------


def test_real_letters_are_all_read(real_letters: Path) -> None:
    texts = list(read.read([str(real_letters / "pdf"), str(real_letters / "text")]))
    assert [error for error in texts if isinstance(error, LetterError)] == []
    assert len(texts) == 135
    for text in texts:
        assert isinstance(text, Text)
        assert text.has_paragraphs
        assert text.warnings == ()
        assert "\nIMR ISSUES, DECISIONS AND RATIONALES\n" in text.text
        assert all(line == line.strip() for line in text.text.split("\n"))


def test_headings_of_real_letters_open_paragraphs(real_letters: Path) -> None:
    """But for a heading right under a line that opens bold too: three in these letters."""
    headings = ("CLINICAL CASE SUMMARY", "MAXIMUS guideline:", "Decision rationale:")
    above = [
        above
        for text in read.read([str(real_letters / "pdf")])
        if isinstance(text, Text)
        for above, line in pairwise(text.text.split("\n"))
        if line.startswith(headings)
    ]
    assert len(above) == 130 + 2 * 286
    assert [line for line in above if line and not line.startswith(headings)] == []
    assert len([line for line in above if line]) == 3
