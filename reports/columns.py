"""What the report's tables are made of: columns with a type, fields that say what goes into them, rows of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from reports.model import Spread
from reports.parts import Numbers
from reports.words import Words

Type = Literal["text", "percent", "duration", "number", "whole", "time", "date"]
Value = str | float | int | datetime | date | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Parameters:
        key: never changes: the head in CSV, and of what the head people read is looked up by.
        type: percent is 0 to 100, duration is seconds.
        width: share of the printed page's width; 0: not printed.
    """

    key: str
    type: Type = "text"
    width: float = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One table; each row has a value for each column. ``bad`` rows are shown as such."""

    id: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    bad: frozenset[int] = frozenset()


_NUMBERS: tuple[tuple[str, Type, str], ...] = (
    ("availability", "percent", "availability_percent"), ("lowest", "percent", "lowest_percent"),
    ("highest", "percent", "highest_percent"), ("coverage", "percent", "coverage_percent"),
    ("objective", "percent", "objective_percent"), ("period", "duration", "period_s"),
    ("elapsed", "duration", "elapsed_s"), ("up", "duration", "up_s"), ("down", "duration", "down_s"),
    ("unknown", "duration", "unknown_s"), ("excluded", "duration", "excluded_s"), ("outages", "whole", "outages"),
    ("budget", "duration", "budget_s"), ("left", "duration", "budget_left_s"),
)  # fmt: skip
_SPREAD: tuple[tuple[str, Type, str], ...] = (
    ("count", "whole", "n"), ("median", "duration", "median_s"), ("p90", "duration", "p90_s"),
    ("max", "duration", "max_s"), ("mean", "duration", "mean_s"),
)  # fmt: skip
Field = tuple[Column, Callable[[Any], Value]]
"""A column, and how its value is got from a row of the report."""


def text(key: str, of: Callable[[Any], Value], width: float = 0) -> Field:
    """Make a column of words."""
    return Column(key, "text", width), of


def typed(key: str, kind: Type, of: Callable[[Any], Value], width: float = 0) -> Field:
    """Make a column of anything else."""
    return Column(key, kind, width), of


def figures(of: Callable[[Any], Numbers], widths: Mapping[str, float]) -> list[Field]:
    """Make the columns of availability; those without a width are not printed."""
    return [typed(key, kind, _of_numbers(of, field), widths.get(key, 0)) for key, kind, field in _NUMBERS]


def verdict(words: Words, figures_: Numbers) -> str:
    """Say whether an objective is met."""
    return words.known("verdicts", figures_.verdict or "none")


def numbers(words: Words, of: Callable[[Any], Numbers], **widths: float) -> list[Field]:
    """Make the columns of availability and its verdict."""
    return [*figures(of, widths), text("verdict", lambda row: verdict(words, of(row)), widths.get("verdict", 0))]


def spreads(width: float) -> list[Field]:
    """Make the columns of how durations are spread; a row is a name and its `Spread`."""
    return [typed(key, kind, _of_spread(field), width) for key, kind, field in _SPREAD]


def made(table: str, rows: Sequence[Any], fields: Iterable[Field], bad: Callable[[Any], object] | None = None) -> Table:
    """Fill a table."""
    kept = tuple(fields)
    return Table(
        table, tuple(column for column, _ in kept), tuple(tuple(of(row) for _, of in kept) for row in rows),
        frozenset(number for number, row in enumerate(rows) if bad is not None and bad(row)),
    )  # fmt: skip


def _of_spread(field: str) -> Callable[[tuple[str, Spread]], Value]:
    return lambda row: getattr(row[1], field)


def _of_numbers(of: Callable[[Any], Numbers], field: str) -> Callable[[Any], Value]:
    return lambda row: getattr(of(row), field)
