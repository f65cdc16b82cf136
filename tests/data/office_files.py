"""Word and Excel files for tests, made part by part."""

from __future__ import annotations

import html
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    words = html.escape(text)
    return f"<w:p><w:r>{properties}<w:t xml:space='preserve'>{words}</w:t></w:r></w:p>"


def docx(body: str, more: Mapping[str, str | bytes] | None = None, head: str = "") -> bytes:
    document = f"<w:document xmlns:w='{WORD}'><w:body>{body}</w:body></w:document>"
    return archive({"word/document.xml": head + document, **(more or {})})


def docx_of(lines: Iterable[str]) -> bytes:
    return docx("".join(map(paragraph, lines)))


def xlsx(*tables: Iterable[Iterable[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in tables:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def raw_xlsx(sheet_data: str, more: Mapping[str, str | bytes] | None = None) -> bytes:
    """A workbook whose one sheet holds this XML."""
    parts = json.loads((resources.files("imr.serve") / "workbook.json").read_bytes())
    begun = parts.pop("xl/worksheets/sheet1.xml").partition("<sheetViews>")[0]
    sheet = f"{begun}<sheetData>{sheet_data}</sheetData></worksheet>"
    return archive({**parts, "xl/worksheets/sheet1.xml": sheet, **(more or {})})


def text_cell(text: str, place: str = "") -> str:
    where = f' r="{place}"' if place else ""
    return f'<c{where} t="inlineStr"><is><t>{html.escape(text)}</t></is></c>'
