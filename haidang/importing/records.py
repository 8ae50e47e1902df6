"""What a table says of each thing: its rows, with every value's cell, in the configuration's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from config.errors import Hints, quoted
from haidang.importing.headings import Kind, columns, keys, kind_called, kinds, meant, plain
from haidang.importing.sheets import Cell, Sheet

HEAD_WITHIN = 20
"""The row with the headings is among the first so many: above it there may be a title."""
Value = str | tuple[str, ...] | None
"""What a cell says: a text, several, or nothing: the key is left out then."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a table.

    Parameters:
        place: ``file:sheet:cell``.
        field: the key it is about.
        message: what is wrong, and the cure.
        hint: what was probably meant.
    """

    place: str
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        about = f"{self.field}: " if self.field else ""
        meant_ = f" (did you mean {quoted(self.hint)}?)" if self.hint else ""
        return f"{self.place}: {about}{self.message}{meant_}"


@dataclass(frozen=True, slots=True)
class Record:
    """What is said of one thing.

    Parameters:
        kind: what it is.
        id: its id.
        values: by dotted key; a key that is not there is not spoken of.
        places: where each key stands; the empty key is the thing as a whole.
    """

    kind: Kind
    id: str
    values: Mapping[str, Value]
    places: Mapping[str, str]


@dataclass(slots=True)
class Tables:
    """What was read: records, the kinds that were listed whole, faults, and notes about what was passed over."""

    records: list[Record] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_tables(sheets: Sequence[Sheet], kind: str = "") -> Tables:
    """Read tables.

    Parameters:
        sheets: of all files.
        kind: what they hold, whatever they are called; empty: their names say it.
    """
    found = Tables()
    hints = Hints()
    unnamed = []
    for sheet in sheets:
        which = kinds()[kind] if kind else kind_called(sheet.title)
        if which is None:
            unnamed.append(sheet)
            continue
        found.kinds[which.name] = which
        found.records += _records(sheet, which, found, hints)
    for sheet in unnamed:
        place = sheet.place(1, 0).rpartition(":")[0]
        if found.kinds and sheet.name:  # a sheet of remarks beside the tables
            found.notes.append(f"{place}: not read: its name is of no kind ({', '.join(kinds())})")
        else:
            message = f"what is in it? Name it {', '.join(kinds())}, or say --kind KIND"
            found.faults.append(Fault(place, "", message))
    _twice(found)
    return found


def _twice(found: Tables) -> None:
    first: dict[tuple[str, str], Record] = {}
    for record in found.records:
        before = first.setdefault((record.kind.section, record.id), record)
        if before is not record:
            message = f"{quoted(record.id)} was given before, at {before.places['id']}"
            found.faults.append(Fault(record.places["id"], "id", message))
    found.records[:] = first.values()  # the second would be told again, as a clash with the first


def _records(sheet: Sheet, kind: Kind, found: Tables, hints: Hints) -> Iterator[Record]:
    known = columns(kind.section)
    head = next((row for row in sheet.rows[:HEAD_WITHIN] if _is_head(row[1], known)), None)
    if head is None:
        row, cells = sheet.rows[0]
        place = sheet.place(row, 1)
        shown = ", ".join(quoted(cell.text) for cell in cells[:6] if cell.text)
        message = (
            f"no row of headings with an id column (Mã, ID) within the first {HEAD_WITHIN} rows; it begins {shown}"
        )
        found.faults.append(Fault(place, "", message))
        return
    by_column: dict[int, str] = {}
    for column, cell in enumerate(head[1], 1):
        key = known.get(plain(cell.text), "")
        place = sheet.place(head[0], column)
        if key in by_column.values():
            found.faults.append(Fault(place, key, f"the column {quoted(cell.text)} is there twice: take one out"))
        elif key:
            by_column[column] = key
        elif cell.text and plain(cell.text) not in ("stt", "tt", "no", "so tt", "so thu tu", "nr"):
            hint = hints.nearest(plain(cell.text), known)
            message = f"there is no field {quoted(cell.text)} of {kind.section}: rename the column or take it out"
            found.faults.append(Fault(place, "", message, known.get(hint, "")))
    width = max(column for column, cell in enumerate(head[1], 1) if cell.text)
    for number, cells in sheet.rows:
        if number > head[0]:
            record = _record(sheet, kind, number, cells, by_column, width, found)
            if record is not None:
                yield record


def _is_head(cells: Sequence[Cell], known: Mapping[str, str]) -> bool:
    return any(known.get(plain(cell.text)) == "id" for cell in cells)


def _record(
    sheet: Sheet, kind: Kind, number: int, cells: Sequence[Cell], by_column: Mapping[int, str], width: int,
    found: Tables,
) -> Record | None:  # fmt: skip
    values: dict[str, Value] = {}
    places = {"": sheet.place(number, 0)}
    several = keys(kind.section)
    for column, key in by_column.items():
        cell = cells[column - 1] if column <= len(cells) else Cell("")
        places[key] = sheet.place(number, column)
        if cell.fault:
            found.faults.append(Fault(places[key], key, cell.fault))
            continue
        values[key] = _value(key, cell, many=several[key])
    for column, cell in enumerate(cells, 1):
        if cell.text and column > width:
            message = (
                f"{quoted(cell.text)} stands under no heading: give the column one, or quote cells with separators"
            )
            found.faults.append(Fault(sheet.place(number, column), "", message))
            break
    name = values.get("id")
    if not isinstance(name, str) or not name:
        if any(value for value in values.values()):
            message = "the id is missing: each row needs one of its own, e.g. cam-0001"
            found.faults.append(Fault(places["id"], "id", message))
        return None
    return Record(kind, name, values, places)


def _value(key: str, cell: Cell, *, many: bool) -> Value:
    # A line that was broken to fit its cell is still one line; notes alone have several.
    text = cell.text if key == "notes" else re.sub(r"\s*[\r\n]\s*", " ", cell.text)
    if not text:
        return None
    if many:
        return tuple(one.lower() if one.isascii() else one for one in re.split(r"[;,\s]+", text) if one)
    last = key.rpartition(".")[2]
    if key in ("id", "site", "system", "circuit", "parent", "a", "b", "snmp.credential"):
        return text.lower() if text.isascii() else text
    if key in ("latitude", "longitude", "mbps", "objective") or key.endswith(("_days", "loss")):
        return _decimal(key, text, number=cell.number)
    if key in ("level", "role"):
        said = meant(key, text)
        return said.lower() if said.isascii() else said
    return meant(last, text)


def _decimal(key: str, text: str, *, number: bool) -> str:
    """Write a number with a point; a spreadsheet's percent cell holds a share of one."""
    bare = text.rstrip("%").strip()
    if re.fullmatch(r"-?[0-9]+,[0-9]+", bare):
        bare = bare.replace(",", ".")
    if key == "objective" and number and 0 < float(bare) <= 1:
        bare = f"{float(bare) * 100:.6f}".rstrip("0").rstrip(".")
    return bare


def named(records: Sequence[Record], known: Callable[[str], Mapping[str, str]]) -> list[Record]:
    """Put ids where people have written the names of sites, systems and lines, if only one has that name.

    Parameters:
        known: gives the ids of a section by their names, reduced by `plain`; two of a name are not in it.
    """
    found = []
    for record in records:
        values = dict(record.values)
        for key, section in _REFERENCES.get(record.kind.section, {}).items():
            value = values.get(key)
            if isinstance(value, str) and not _SLUG.fullmatch(value):
                values[key] = known(section).get(plain(value), value)
            elif isinstance(value, str):
                names = known(section)
                values[key] = value if value in names.values() else names.get(plain(value), value)
        found.append(Record(record.kind, record.id, values, record.places))
    return found


_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REFERENCES = {
    "sites": {"parent": "sites"},
    "circuits": {"a": "sites", "b": "sites", "system": "systems"},
    "targets": {"site": "sites", "system": "systems", "circuit": "circuits"},
}
