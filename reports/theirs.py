"""A carrier's own figures of a month beside ours: what agrees, what to dispute.

Its file is CSV or XLSX with a head: the line (our id, its name or its contract), and its availability in percent, its
downtime in minutes, or both. What the columns may be called is in the catalogues (``compare_heads``).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from reports.gather import LANGUAGES
from reports.model import CircuitRow, Report
from reports.words import plain_list

LARGEST = 20 * 1024 * 1024
MOST_ROWS = 100_000
CLOSE_PERCENT = 0.005
"""Figures that are rounded to two digits agree within this."""
_UNIT = re.compile(r"\s*(\(%\)|%)\s*$")
_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")


class NotAComparison(ValueError):
    """A file cannot be read as somebody's figures; the text says why, and what is expected."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What somebody says of one line; ``row`` is its place in the file, the head being 1."""

    row: int
    circuit: str
    availability_percent: float | None
    down_s: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One line, theirs beside ours.

    Parameters:
        circuit: its id, or what their file calls it when we have no such line.
        theirs: ``None`` when their file has nothing on it.
        ours: ``None`` when we have no such line.
        verdict: ``agrees``, ``theirs is higher``, ``theirs is lower``, ``not in their file``, ``not ours``.
        difference_percent: theirs less the nearer of our bounds; 0 where it lies between them.
        difference_down_s: their downtime less ours, where both are known.
    """

    circuit: str
    theirs: Theirs | None
    ours: CircuitRow | None
    verdict: str
    difference_percent: float | None = None
    difference_down_s: float | None = None


def read_csv(text: bytes, name: str) -> list[Theirs]:
    """Read a CSV file; comma, semicolon or tab.

    Raises:
        NotAComparison: it is none.
    """
    try:
        lines = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotAComparison(f"{name}: is not UTF-8 (byte {error.start}); save it as CSV UTF-8") from error
    head = lines.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    try:
        table = list(islice(csv.reader(io.StringIO(lines, newline=""), delimiter=mark), MOST_ROWS + 2))
    except csv.Error as error:
        raise NotAComparison(f"{name}: is no CSV ({error})") from error
    return rows(table, name)


def rows(table: Iterable[Sequence[object]], name: str) -> list[Theirs]:
    """Read a table with a head.

    Raises:
        NotAComparison: a column is missing, a number is none, or a line is there twice.
    """
    lines = iter(table)
    places = _places([_head(cell) for cell in next(lines, ())], name)
    found: list[Theirs] = []
    seen: set[str] = set()
    for number, cells in enumerate(lines, 2):
        if number > MOST_ROWS + 1:
            raise NotAComparison(f"{name}: has more than {MOST_ROWS} rows")
        value = {key: cells[place] if place < len(cells) else "" for key, place in places.items()}
        circuit = " ".join(str(value["circuit"]).split())
        if not circuit:
            continue
        if circuit.casefold() in seen:
            raise NotAComparison(f"{name}:{number}: {circuit} was there before")
        seen.add(circuit.casefold())
        minutes = _number(value.get("down_minutes", ""), name, number)
        found.append(
            Theirs(
                number, circuit, _number(value.get("availability", ""), name, number),
                None if minutes is None else minutes * 60,
            )
        )  # fmt: skip
    shares = [one.availability_percent for one in found if one.availability_percent is not None]
    if shares and max(shares) <= 1:  # a spreadsheet's percent cells hold shares of one
        return [
            one
            if one.availability_percent is None
            else replace(one, availability_percent=100 * one.availability_percent)
            for one in found
        ]
    for one in found:
        if one.availability_percent is not None and not 0 <= one.availability_percent <= 100:
            raise NotAComparison(f"{name}:{one.row}: {one.availability_percent:g} is no percentage")
    return found


def compare(report: Report, theirs: Sequence[Theirs]) -> list[Compared]:
    """Put their figures beside ours, what is to be disputed first.

    Of a line with a contractual objective the contractual figures count, else the measured ones.
    """
    known: dict[str, CircuitRow] = {}
    for row in report.circuits:
        for called in (row.contract, *row.name.values(), row.id):  # the id has the last word
            if called:
                known[_key(called)] = row
    found, met = [], set()
    for one in theirs:
        ours = known.get(_key(one.circuit))
        if ours is None:
            found.append(Compared(one.circuit, one, None, "not ours"))
            continue
        met.add(ours.id)
        found.append(_compared(one, ours))
    found += [Compared(row.id, None, row, "not in their file") for row in report.circuits if row.id not in met]
    order = {"theirs is higher": 0, "theirs is lower": 1, "not ours": 2, "not in their file": 3, "agrees": 4}
    return sorted(found, key=lambda one: (order[one.verdict], -abs(one.difference_percent or 0), one.circuit))


def _compared(theirs: Theirs, ours: CircuitRow) -> Compared:
    numbers = ours.contractual or ours.measured
    said = theirs.availability_percent
    length_s = numbers.period_s
    if said is None and theirs.down_s is not None and length_s > 0:
        said = 100 * (1 - theirs.down_s / length_s)
    low, high = numbers.lowest_percent, numbers.highest_percent
    down_s = None if theirs.down_s is None else round(theirs.down_s - numbers.down_s, 3)
    if said is None or low is None or high is None:
        return Compared(ours.id, theirs, ours, "agrees" if not down_s else "theirs is lower", None, down_s)
    beyond = said - high if said > high else said - low if said < low else 0.0
    verdict = "agrees" if abs(beyond) <= CLOSE_PERCENT else "theirs is higher" if beyond > 0 else "theirs is lower"
    return Compared(ours.id, theirs, ours, verdict, round(beyond, 6), down_s)


def _places(head: Sequence[str], name: str) -> Mapping[str, int]:
    places: dict[str, int] = {}
    names = {key: [one for language in LANGUAGES for one in plain_list(language, f"compare_heads.{key}")] for key in
             ("circuit", "availability", "down_minutes")}  # fmt: skip
    for key, called in names.items():
        for one in called:
            if _head(one) in head:
                places.setdefault(key, head.index(_head(one)))
    if "circuit" not in places or len(places) == 1:
        missing = "circuit" if "circuit" not in places else "availability"
        raise NotAComparison(
            f"{name}: has no column for {missing} (there are {', '.join(filter(None, head)) or 'none'}): "
            f"it may be called {', '.join(names[missing])}"
        )  # fmt: skip
    return places


def _head(cell: object) -> str:
    """Return what a column is called, without the per cent sign that people put behind it."""
    return _key(_UNIT.sub("", str(cell)))


def _key(cell: object) -> str:
    return " ".join(unicodedata.normalize("NFC", str(cell)).casefold().split())


def _number(cell: object, name: str, row: int) -> float | None:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    text = str(cell or "").replace("%", "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise NotAComparison(f'{name}:{row}: "{text[:40]}" is not a number; write 99.95 or 99,95')
    return float(text.replace(",", "."))
