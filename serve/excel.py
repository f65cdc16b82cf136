"""A table as an Excel workbook of one sheet.

The few parts that a workbook needs are written here, straight into the file: pandas and openpyxl
fill a temporary file elsewhere first, which a killed run would leave behind with the text of
letters in it.  Text cells are marked as text, so that no spreadsheet takes one for a formula.
"""

from __future__ import annotations

import contextlib
import html
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import IO, Any

from imr.serve.messages import Refused
from imr.serve.outputs import Kind, Row, TableColumn, encodable, plain_text

MAX_ROWS, MAX_CELL_CHARS = 1_048_576, 32_767
"""Of a sheet, as Excel allows; a longer text is cut and ends in an ellipsis."""

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SCHEMAS = "http://schemas.openxmlformats.org"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_SCHEMAS}/package/2006/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_OFFICE}.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{_OFFICE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{_SCHEMAS}/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_SCHEMAS}/spreadsheetml/2006/main" '
        f'xmlns:r="{_SCHEMAS}/officeDocument/2006/relationships">'
        '<sheets><sheet name="imr" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{_SCHEMAS}/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_SHEET = (
    f'{_HEAD}<worksheet xmlns="{_SCHEMAS}/spreadsheetml/2006/main"><sheetViews>'
    '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView>'
    "</sheetViews><sheetData>"
)


class ExcelTable:
    """Writes the rows of a table into the sheet of a workbook."""

    def __init__(self, file: IO[bytes], columns: Sequence[TableColumn]) -> None:
        self._columns, self._written = columns, 1
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        for name, part in _PARTS.items():
            self._archive.writestr(name, _HEAD + part)
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        head = "".join(_text(column.name) for column in columns)
        self._sheet.write(f"{_SHEET}<row>{head}</row>".encode())

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows.

        Raises:
            Refused: where a sheet holds no more.
        """
        for row in rows:
            self._written += 1
            if self._written > MAX_ROWS:
                problem = f"more than {MAX_ROWS - 1:,} rows, the most of an Excel sheet"
                raise Refused(problem, "write .parquet or .csv")
            cells = "".join(_cell(c.kind, row.get(c.name)) for c in self._columns)
            self._sheet.write(f"<row>{cells}</row>".encode())

    def finish(self) -> None:
        """End the sheet and the archive."""
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._archive.close()

    def abandon(self) -> None:
        """Let go of the file, which is not kept."""
        with contextlib.suppress(OSError, ValueError):
            self._sheet.close()
        self._archive.close()


def _cell(kind: Kind, value: Any) -> str:
    if value is None:
        return "<c/>"
    if kind == "bool":
        return f'<c t="b"><v>{int(value)}</v></c>'
    if kind in ("int", "float"):
        return f"<c><v>{value!r}</v></c>" if value == value else "<c/>"
    return _text(plain_text(kind, value))


def _text(text: str) -> str:
    text = _NO_XML.sub("", encodable(text))
    if len(text) > MAX_CELL_CHARS:
        text = text[: MAX_CELL_CHARS - 1] + "…"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{html.escape(text, False)}</t></is></c>'
