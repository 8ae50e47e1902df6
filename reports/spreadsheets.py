"""The report as CSV and XLSX: every table, typed, the same bytes for the same report.

What a cell holds is data: text that begins like a formula stays text in both.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from reports.columns import Table, Type, Value
from reports.model import Report
from reports.tables import tables
from reports.words import Words

_FORMATS: dict[Type, str] = {
    "percent": '0.0000"%"', "duration": "[h]:mm:ss", "number": "0.###", "whole": "0",
    "time": "yyyy-mm-dd hh:mm:ss", "date": "yyyy-mm-dd", "text": "@",
}  # fmt: skip
_WIDTHS: dict[Type, int] = {
    "percent": 13, "duration": 12, "number": 10, "whole": 9, "time": 20, "date": 12, "text": 16,
}  # fmt: skip
FORMULAS = ("availability", "bounds", "budget", "site", "load", "credit", "equipment", "percent")
"""What is printed of them, in order."""
_ROWS = 1_048_575
"""Of a sheet, its head left out (the format's own limit)."""
_EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001 what ZIP counts from; never a moment of ours


def as_csv(report: Report, words: Words) -> bytes:
    """Write all tables into one ZIP of CSV files (RFC 4180, UTF-8): seconds, percent, UTC times; heads are keys."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in tables(report, words):
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(_head(column.key, column.type) for column in table.columns)
            writer.writerows([_cell(value) for value in row] for row in table.rows)
            entry = zipfile.ZipInfo(f"{table.id}.csv", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text.getvalue().encode("utf-8-sig"))
    return out.getvalue()


def _head(key: str, kind: Type) -> str:
    return f"{key}{ {'percent': '_percent', 'duration': '_s', 'time': '_utc'}.get(kind, '') }"


def _cell(value: Value) -> object:
    """Keep a spreadsheet that opens the file from taking a name for a formula."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str() if value[:1] in ("=", "+", "-", "@", "\t", "\r"):
            return f"'{value}"
        case _:
            return value


def as_xlsx(report: Report, words: Words) -> bytes:
    """Write every table as a sheet with types, filters and a frozen head; times are those of the report's zone."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"title": words.say("letter.title", month=words.month(report.month)), "created": _EPOCH})
    forms = {kind: book.add_format({"num_format": form, "valign": "top"}) for kind, form in _FORMATS.items()}
    bad = {
        kind: book.add_format({"num_format": form, "valign": "top", "bold": True}) for kind, form in _FORMATS.items()
    }
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#D9D9D9", "border": 1})
    _cover(book.add_worksheet(words.say("sections.contents")[:31]), report, words, head)
    for table in tables(report, words):
        title = words.say(f"sections.{_SHEETS.get(table.id, table.id)}").partition(". ")
        sheet = book.add_worksheet(_sheet_name(title[2] or title[0], book))
        for number, column in enumerate(table.columns):
            sheet.set_column(number, number, _width(table, number))
            sheet.write_string(0, number, words.say(f"columns.{column.key}"), head)
        sheet.freeze_panes(1, 1)
        for number, row in enumerate(table.rows[:_ROWS]):
            form = bad if number in table.bad else forms
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                _write(sheet, number + 1, place, value, column.type, form[column.type], words)
        if table.rows:
            sheet.autofilter(0, 0, min(len(table.rows), _ROWS), len(table.columns) - 1)
    book.close()
    return out.getvalue()


_SHEETS = {"promised": "objectives", "times": "incident_times"}


def _sheet_name(title: str, book: xlsxwriter.Workbook) -> str:
    name = title[:31]
    taken = {sheet.get_name().casefold() for sheet in book.worksheets()}
    number = 2
    while name.casefold() in taken:
        name, number = f"{title[:28]} {number}", number + 1
    return name


def _width(table: Table, number: int) -> float:
    kind = table.columns[number].type
    if kind != "text":
        return _WIDTHS[kind]
    longest = max((len(str(row[number] or "")) for row in table.rows[:500]), default=0)
    return max(_WIDTHS["text"], min(longest + 2, 60))


def _write(sheet: Worksheet, row: int, place: int, value: Value, kind: Type, form: object, words: Words) -> None:
    match value:
        case None:
            sheet.write_blank(row, place, None, form)
        case datetime():
            sheet.write_datetime(row, place, value.astimezone(words.zone).replace(tzinfo=None), form)
        case date():
            sheet.write_datetime(row, place, datetime(value.year, value.month, value.day), form)  # noqa: DTZ001
        case str():
            sheet.write_string(row, place, value[:32_767], form)
        case _:
            sheet.write_number(row, place, value / 86_400 if kind == "duration" else value, form)


def _cover(sheet: Worksheet, report: Report, words: Words, head: object) -> None:
    sheet.set_column(0, 0, 110)
    sheet.write_string(0, 0, words.say("letter.title", month=words.month(report.month)), head)
    lines = [
        *report.story[words.language],
        *(words.say(f"formulas.{key}") for key in FORMULAS),
        words.say("formulas.intro", version=report.formula_version), words.say("formulas.seal"),
        *(words.say(f"formulas.seal_{key}", value=value) for key, value in report.seal.model_dump().items()),
    ]  # fmt: skip
    for number, line in enumerate(lines, 2):
        sheet.write_string(number, 0, line)
