"""Reads a CSV file of targets into the same tree as YAML: one mapping per row; the column of a place is its cell."""

from __future__ import annotations

import csv
import io
import re

from config.document import Problem
from config.source import Unreadable
from config.tree import List, Mapping, Mark

LISTS = frozenset({"needs", "parents", "probes", "notify"})
"""Columns with several values in a cell, separated by ``;`` or spaces."""


def parse(text: str, columns: frozenset[str]) -> tuple[List, list[Problem]]:
    """Read a table whose first row names the fields.

    A name with a dot (``snmp.port``) is a field of a section; ``snmp`` alone is the credential; ``dns.name`` and so on.

    Parameters:
        text: the file's content; the separator is ``,`` or, as some spreadsheets write, ``;`` or a tab.
        columns: the names a column may have.

    Returns:
        the rows, and what is wrong with the header or a row's length.

    Raises:
        Unreadable: there is no header, or the quoting is broken.
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows = List(Mark(1, 1))
    problems: list[Problem] = []
    header: list[str] = []
    before = 0
    try:
        for cells in lines:
            line, before = before + 1, lines.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                problems += _header_problems(header, columns, line)
                continue
            if len(cells) > len(header):
                message = (
                    f"{len(cells)} cells in a table of {len(header)} columns; a cell with the separator needs quotes"
                )
                problems.append((Mark(line, len(header) + 1), f"targets[{len(rows)}]", message))
            rows.add(_row(header, cells, line, columns), Mark(line, 1))
    except csv.Error as error:
        at = Mark(max(1, min(lines.line_num, text.count("\n") + 1)), 1)
        raise Unreadable(f"not CSV: {_WORDS.get(str(error), error)}", at) from error
    if not header:
        raise Unreadable("the file is empty: its first row must name the fields, e.g. id,name,address", Mark(1, 1))
    if "id" not in header:
        return List(Mark(1, 1)), problems  # said once, not for every row
    return rows, problems


def _delimiter(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return next((mark for mark in ",;\t" if mark in first), ",")


def _header_problems(header: list[str], columns: frozenset[str], line: int) -> list[Problem]:
    problems = []
    if columns.isdisjoint(header):
        return [(Mark(line, 1), "id", NOT_FIELDS)]  # said once, not for every column
    for number, name in enumerate(header, 1):
        if name not in columns:
            problems.append((Mark(line, number), name, UNKNOWN_COLUMN))
        elif name in header[: number - 1]:
            problems.append(
                (Mark(line, number), name, f"this column was given before, as column {header.index(name) + 1}")
            )
    if "id" not in header:
        problems.append((Mark(line, 1), "id", "the table has no column id"))
    return problems


UNKNOWN_COLUMN = "there is no such field of a target"
NOT_FIELDS = (
    "the table has no column id: its first row must name the fields of a target, e.g. id,name,address; "
    "a table with headings for people, in Vietnamese or English, is taken over with: haidang import FILE"
)
_WORDS = {
    "unexpected end of data": 'a quotation mark (") was opened and not closed; one within a cell is written twice'
}


def _row(header: list[str], cells: list[str], line: int, columns: frozenset[str]) -> Mapping:
    row = Mapping(Mark(line, 1))
    for number, (name, cell) in enumerate(zip(header, cells, strict=False), 1):
        value, at = cell.strip(), Mark(line, number)
        if not value or name not in columns:
            continue
        if name in LISTS:
            items = List(at)
            for item in re.split(r"[;\s]+", value):
                if item:
                    items.add(item, at)
            row.add(name, at, items, at)
            continue
        section, dot, field = ("snmp", ".", "credential") if name == "snmp" else name.partition(".")
        if not dot:
            row.add(name, at, value, at)
            continue
        inner = row.get(section)
        if not isinstance(inner, Mapping):
            inner = Mapping(at)
            row.add(section, at, inner, at)
        inner.add(field, at, value, at)
    return row
