"""What a dashboard is, said once: which numbers, put together how, shown as what. No query language is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Fold = Literal["mean", "max", "min"]
"""How the points of one line are put together, within a step and over all series that the line is made of."""
Kind = Literal["lines", "stat", "table", "states"]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a store.

    Parameters:
        measurement: its name.
        fields: names; several in tables only.
        by: tags that name a line (or a row).
        where: values that tags must have; ``$name`` is a variable of the dashboard, a regular expression.
        fold: see `Fold`.
        now: only the newest value of each line, not how it went.
        counter: the field only grows: show by how much each second.
        factor: every value times this.
        every_s: how often such points are written, seconds: no step of a picture is narrower.
    """

    measurement: str
    fields: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    fold: Fold = "mean"
    now: bool = False
    counter: bool = False
    factor: float = 1
    every_s: int = 60


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Parameters:
        title: key of its title in the catalogue.
        kind: how it is shown.
        queries: what it shows; a table has exactly one.
        width, height: in Grafana's grid of 24 columns.
        unit: Grafana's name of the unit.
        steps: from which value on it is of which colour; the first from ever.
        decimals: digits behind the decimal mark.
        states: values are states as numbers.
        limit: the last step is a line in the picture.
        units: of single fields of a table.
    """

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    unit: str = "short"
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    decimals: int | None = None
    states: bool = False
    limit: bool = False
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variable:
    """What whoever looks can choose.

    Parameters:
        tag: is chosen by, and the variable's name.
        measurement, field: where its values are looked for.
        first: chosen at first where the configuration has it; else all are.
        every: the regular expression of all: ``.*`` takes what has no such tag, too.
    """

    tag: str
    measurement: str
    field: str
    first: str = ""
    every: str = ".*"


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard.

    Parameters:
        id: its UID is ``haidang-`` and this; its title's key in the catalogue.
        panels: from left to right and from top to bottom.
        variables: what can be chosen.
        since: how far back it looks at first.
    """

    id: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-6h"

    @property
    def uid(self) -> str:
        """Its name in Grafana, for ever."""
        return f"haidang-{self.id}"
