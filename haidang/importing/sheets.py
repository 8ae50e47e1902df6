"""Reads CSV files and XLSX workbooks into rows of text, with the name that each cell has in the spreadsheet.

What spreadsheets do to data is undone here where that is certain, and told where it is not: a byte order mark, UTF-16,
``sep=;``, numbers that became 20.0, merged cells, the quote before a text that begins like a formula. A date or a
failed formula is an error of its cell: no field of an inventory is a date, and what stood there before cannot be known.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from config.errors import quoted
from config.source import LARGEST_TABLE, Unreadable, decode, read_bytes

MOST_ROWS = 100_000
MOST_COLUMNS = 200
LONGEST_CELL = 10_000
_FAILED = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!)")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class SheetError(Exception):
    """A file cannot be read as a spreadsheet; the text says why, and the cure."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Parameters:
        text: without blanks around it.
        fault: why it cannot be taken; empty when it can.
        number: whether the spreadsheet holds it as a number.
    """

    text: str
    fault: str = ""
    number: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Parameters:
        file: where it was read.
        name: of the sheet; empty for a CSV file.
        rows: number (the first is 1) and cells of each row that is not empty.
    """

    file: Path
    name: str
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]

    @property
    def title(self) -> str:
        """What tells which kind it is."""
        return self.name or self.file.stem

    def place(self, row: int, column: int) -> str:
        """Say a place as ``file:sheet:cell``, or ``file:cell``; column 0 is the row as a whole."""
        cell = f"{letters(column)}{row}" if column else f"{row}"
        return f"{self.file}:{self.name}:{cell}" if self.name else f"{self.file}:{cell}"


def letters(column: int) -> str:
    """Write a column's number as a spreadsheet does: 1 is A, 27 is AA."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def read(path: Path) -> list[Sheet]:
    """Read every sheet of a file; empty ones are left out.

    Raises:
        SheetError: it is neither CSV nor XLSX, too large, or not readable.
    """
    ending = path.suffix.lower()
    if ending not in (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods"):
        raise SheetError(f"{path}: neither .csv nor .xlsx: save the table as one of these")
    try:
        content = read_bytes(path, LARGEST_TABLE)
        sheets = [_csv(path, content)] if ending in (".csv", ".tsv", ".txt") else list(_workbook(path, content))
    except Unreadable as error:
        line = f":{error.mark.line}" if error.mark else ""
        cure = " (Excel: CSV UTF-8)" if error.message.endswith("UTF-8") else ""
        raise SheetError(f"{path}{line}: {error.message}{cure}") from error
    found = [sheet for sheet in sheets if sheet.rows]
    if not found:
        raise SheetError(f"{path}: nothing in it: its first row must name the columns, e.g. id, name, address")
    return found


def _csv(path: Path, content: bytes) -> Sheet:
    if content.startswith(_UTF16):  # what Excel calls "Unicode text"
        try:
            content = content.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise SheetError(f"{path}: not UTF-16, although it begins so: save it as CSV UTF-8") from error
    text = decode(content)
    separator = re.match(r"sep=(.)\r?\n", text)
    lines = csv.reader(
        io.StringIO(text[separator.end() :] if separator else text, newline=""),
        delimiter=separator[1] if separator else _delimiter(text), strict=True,
    )  # fmt: skip
    first = 2 if separator else 1
    try:
        rows = [[_from_text(cell) for cell in cells] for cells in _bounded(path, lines)]
    except csv.Error as error:
        raise SheetError(
            f"{path}:{lines.line_num}: not CSV: {error}; a quote inside a quoted cell is written twice"
        ) from error
    return Sheet(path, "", tuple(_kept(rows, first)))


def _delimiter(text: str) -> str:
    """Choose what most of the first lines are separated by: a title above the table may have none of it."""
    head = "\n".join(text.splitlines()[:20])
    return max(",;\t", key=head.count)


def _bounded(path: Path, rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    for number, cells in enumerate(rows, 1):
        if number > MOST_ROWS:
            raise SheetError(f"{path}: more than {MOST_ROWS} rows: split it")
        yield cells[:MOST_COLUMNS]


def _workbook(path: Path, content: bytes) -> Iterator[Sheet]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 an extra that not all need
    except ImportError:
        raise SheetError(
            f"{path}: XLSX needs the extra xlsx ({sys.prefix}/bin/pip install 'haidang[xlsx]'); CSV needs nothing"
        ) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            _few(path, name, sheet.total_height)
            if sheet.start is None or sheet.total_width > 16_384:
                continue
            rows = [[_from_value(value) for value in cells[:MOST_COLUMNS]] for cells in
                    sheet.to_python(skip_empty_area=False)]  # fmt: skip
            _unmerge(rows, sheet.merged_cell_ranges or ())
            yield Sheet(path, name, tuple(_kept(rows, 1)))
    except (CalamineError, ValueError, OSError) as error:
        raise SheetError(f"{path}: cannot be read as XLSX ({error}): save it as .xlsx without a password") from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # the library gave up on what no spreadsheet holds
            raise SheetError(f"{path}: damaged: open it in a spreadsheet and save it again") from error
        raise


def _few(path: Path, name: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise SheetError(f"{path}:{name}: more than {MOST_ROWS} rows: split it")


def _kept(rows: Sequence[Sequence[Cell]], first: int) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    for number, cells in enumerate(rows, first):
        if any(cell.text or cell.fault for cell in cells):
            yield number, tuple(cells)


def _unmerge(rows: list[list[Cell]], ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Give each row of a merged column its value. Cells merged across are a title: left as they are."""
    for (top, left), (bottom, right) in ranges:
        if left == right and left < MOST_COLUMNS and bottom < len(rows):
            for row in rows[top + 1 : bottom + 1]:
                if left < min(len(row), len(rows[top])) and any(cell.text for cell in row):
                    row[left] = rows[top][left]


def _from_text(text: str) -> Cell:
    plain = text.strip().strip("\ufeff\u200b")
    if len(plain) > 1 and plain[0] == "'" and plain[1] in "=+-@":
        plain = plain[1:]  # our own export's guard, and Excel's mark of a text
    plain = plain.replace("\u00a0", " ").strip()
    if len(plain) > LONGEST_CELL:
        return Cell(plain[:80], f"{len(plain)} characters: at most {LONGEST_CELL} are allowed")
    if _FAILED.fullmatch(plain):
        return Cell(plain, f"the formula here has failed ({plain}): mend it, or write the value")
    return Cell(plain)


def _from_value(value: object) -> Cell:
    if isinstance(value, bool):
        return Cell("true" if value else "false")
    if isinstance(value, int | float):
        whole = float(value).is_integer() and abs(value) < 1e15
        return Cell(str(int(value)) if whole else repr(float(value)), number=True)
    if isinstance(value, date | datetime | time | timedelta):
        shown = quoted(str(value))
        cure = "format the column as text and type it again"
        return Cell(str(value), f"the spreadsheet has made a date or time of this ({shown}): {cure}")
    return _from_text(str(value))
