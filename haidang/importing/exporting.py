"""Writes the inventory as spreadsheets, the way an import reads it: importing what was exported changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter

from config import Written
from haidang.importing.headings import heading, keys, kind_title, kinds
from haidang.importing.merging import flat, kind_of_item
from haidang.importing.records import Value


@dataclass(frozen=True, slots=True)
class Exported:
    """One kind as a table: its name, its headings, its rows."""

    kind: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(written: Written, language: str) -> list[Exported]:
    """Put every item into the table of its kind; a column is there when some item has a value for it."""
    found = []
    for name, kind in kinds().items():
        known = keys(kind.section)
        items = []
        for item in written.items:
            if item.kind == kind.section and kind_of_item(item) == kind:
                values = {key: value for key, value in flat(item.raw).items() if key in known and value}
                items.append(values)
        if any("name.vi" in values or "name.en" in values for values in items):
            for values in items:
                whole = values.pop("name", None)
                if whole is not None:
                    values |= {"name.vi": whole, "name.en": whole}
        used = [key for key in known if any(key in values for values in items)]
        if items:
            rows = tuple(tuple(_cell(values.get(key)) for key in used) for values in items)
            head = tuple(heading(kind.section, key, language) if language else key for key in used)
            found.append(Exported(name, kind_title(name, language) if language else name, head, rows))
    return found


def write_csv(found: Iterable[Exported], folder: Path) -> list[Path]:
    """Write one CSV file for each kind, in UTF-8 with the mark by which spreadsheets know it.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in found:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(table.head)
        writer.writerows([[f"'{cell}" if cell[:1] in ("=", "+", "-", "@") and len(cell) > 1 and not _number(cell)
                           else cell for cell in row] for row in table.rows])  # fmt: skip
        path = folder / f"{table.kind}.csv"
        path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
        paths.append(path)
    return paths


def write_xlsx(found: Iterable[Exported], path: Path) -> None:
    """Write one workbook, a sheet for each kind; every cell is text: no program rewrites a contract's number.

    Raises:
        OSError: it cannot be written.
    """
    stream = io.BytesIO()
    with xlsxwriter.Workbook(
        stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        bold, text = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "@"})
        for table in found:
            sheet = book.add_worksheet(table.title[:31])
            sheet.freeze_panes(1, 1)
            for column, name in enumerate(table.head):
                width = max([len(name), *(len(row[column]) for row in table.rows[:500])])
                sheet.set_column(column, column, min(60, width + 2), text)
                sheet.write_string(0, column, name, bold)
            for number, row in enumerate(table.rows, 1):
                for column, cell in enumerate(row):
                    if cell:
                        sheet.write_string(number, column, cell, text)
            sheet.autofilter(0, 0, len(table.rows), len(table.head) - 1)
    path.write_bytes(stream.getvalue())


def _cell(value: Value) -> str:
    return "; ".join(value) if isinstance(value, tuple) else value or ""


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
