"""Device profiles as the poll uses them: which devices they are for, what is read, what a reading means.

They are written in YAML (``config/profiles``, docs/profiles.md) and compiled by `collectors.profiles`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value of a row stands.

    Parameters:
        root: OID of the column, or of the scalar without its ``.0``.
        at: the instance, where it is always the same one.
        take, skip: of the row's index only the first so many parts, or all but the first so many.
        key: the instance is what this other source says (a number, or an OID's last part).
        high: the upper 32 bits; what stands at ``root`` are the lower ones.
        unsigned: a negative number is one of 32 bits that the agent shows as signed.
        words: text for numbers, where a name is made of them.
    """

    root: bytes
    at: bytes | None = None
    take: int | None = None
    skip: int = 0
    key: Source | None = None
    high: bytes | None = None
    unsigned: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def roots(self) -> Iterator[bytes]:
        """Name the columns that have to be read for it."""
        yield self.root
        if self.high is not None:
            yield self.high
        if self.key is not None:
            yield from self.key.roots()


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a row: one of some values, or a pattern in its text.

    Parameters:
        source: of what; ``None``: the row's index.
        values: as text; empty when the pattern decides.
        negated: none of the values instead.
        pattern: searched in the text.
    """

    source: Source | None
    values: frozenset[str] = frozenset()
    negated: bool = False
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a number or word of an enumeration means: ``ok, warning, critical, unknown``, and the MIB's word for it."""

    status: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a value is bad, each a source (converted like the value) or a number in the sensor's unit."""

    warning_high: Source | float | None = None
    critical_high: Source | float | None = None
    warning_low: Source | float | None = None
    critical_low: Source | float | None = None

    def each(self) -> Iterator[tuple[str, bool, Source | float]]:
        """Go through those that are given, the worst first: status, whether it is an upper limit, where it stands."""
        for status, high, limit in (
            ("critical", True, self.critical_high), ("critical", False, self.critical_low),
            ("warning", True, self.warning_high), ("warning", False, self.warning_low),
        ):  # fmt: skip
            if limit is not None:
                yield status, high, limit


Name = tuple["str | Source", ...]
"""Pieces of text and of the row; `INDEX` and `POSITION` stand for the row's index and its number, counted from 1."""

INDEX = Source(b"index")
POSITION = Source(b"position")


@dataclass(frozen=True, slots=True)
class Rule:
    """How rows of a device become sensors.

    The value is read, taken apart by ``pattern`` where it is text, made unknown where it is one of ``unknown``, set
    against ``total`` or ``free`` to give percent, multiplied by ``scale`` and the device's own exponents, shifted by
    ``offset``, turned from Fahrenheit, and made unknown where it lies outside ``least`` and ``most``.

    Parameters:
        kind: ``temperature, fan, cpu …``.
        names: the first whose pieces are all there is the sensor's.
        values: alternatives; the first that a row has.
        unit: of the result.
        minus: taken off the value before anything else.
        total, free: percent of this, or of the sum with this.
        prefix: SI prefix as EntitySensorDataScale (RFC 3433 §3).
        digits: decimal digits behind the point, as EntitySensorPrecision.
        ratio: a signed factor: -10 divides by 10, 10 multiplies (Rittal).
        pattern: its first group is the number, or ``value`` where another, ``name``, names the sensor;
            ``every``: each match is a sensor of its own.
        unknown: raw values that mean "not known".
        absent: raw values that mean "there is no such thing here": no sensor.
        states: an enumeration by raw value; the status is its, the value stays the raw number.
        status, status_states: another source whose enumeration gives the status.
        where: all must hold, or there is no sensor.
        valid: all must hold, or the value is unknown.
    """

    kind: str
    names: tuple[Name, ...]
    values: tuple[Source, ...]
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    fahrenheit: bool = False
    minus: tuple[Source, ...] = ()
    total: Source | None = None
    free: Source | None = None
    prefix: Source | None = None
    digits: Source | None = None
    ratio: Source | None = None
    pattern: re.Pattern[str] | None = None
    every: bool = False
    unknown: frozenset[float] = frozenset()
    absent: frozenset[float] = frozenset()
    least: float | None = None
    most: float | None = None
    states: Mapping[str, State] = field(default_factory=dict)
    status: Source | None = None
    status_states: Mapping[str, State] = field(default_factory=dict)
    limits: Limits = Limits()
    where: tuple[Condition, ...] = ()
    valid: tuple[Condition, ...] = ()

    def live(self) -> Iterator[bytes]:
        """Name the columns that change from poll to poll."""
        sources = [*self.values, *self.minus, self.total, self.free, self.status]
        sources += [condition.source for condition in self.valid]
        for source in sources:
            if source is not None:
                yield source.root
                if source.high is not None:
                    yield source.high

    def roots(self) -> Iterator[bytes]:
        """Name the columns that have to be read for it."""
        sources = [*self.values, *self.minus, self.total, self.free, self.prefix, self.digits, self.ratio, self.status]
        sources += [condition.source for condition in (*self.where, *self.valid)]
        sources += [limit for _, _, limit in self.limits.each() if isinstance(limit, Source)]
        sources += [piece for name in self.names for piece in name if isinstance(piece, Source)]
        for source in sources:
            if source is not None and source not in (INDEX, POSITION):
                yield from source.roots()


@dataclass(frozen=True, slots=True)
class Fact:
    """Where a device tells its model, serial number or software.

    Parameters:
        source: column or scalar; ``None``: sysDescr.
        pattern: its first group is the fact, or the whole text.
        where: what must hold for the row.
    """

    source: Source | None
    pattern: re.Pattern[str] | None = None
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is read from a kind of device.

    Parameters:
        name: the profile's.
        rules: in order; of two that give the same object the first counts.
        facts: ``model, serial, software`` → where to look, the first that is there counts.
    """

    name: str
    rules: tuple[Rule, ...]
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)

    def roots(self) -> tuple[bytes, ...]:
        """Name the columns that have to be read, each once."""
        sources = [
            source
            for fact in self.all_facts()
            for source in (fact.source, *(condition.source for condition in fact.where))
            if source is not None
        ]
        found = [root for rule in self.rules for root in rule.roots()]
        return tuple(dict.fromkeys([*found, *(root for source in sources for root in source.roots())]))

    def live(self) -> frozenset[bytes]:
        """Name those of them that change from poll to poll."""
        return frozenset(root for rule in self.rules for root in rule.live())

    def all_facts(self) -> Iterator[Fact]:
        """Go through the facts."""
        for several in self.facts.values():
            yield from several


@dataclass(frozen=True, slots=True)
class Match:
    """Which devices a profile is for.

    Parameters:
        profile: the profile.
        vendor, device_class: what such a device is.
        prefix: its sysObjectID begins with this; empty: any.
        descr: found in its sysDescr.
        probe: it has something below this OID.
    """

    profile: Profile
    vendor: str | None
    device_class: str
    prefix: bytes = b""
    descr: re.Pattern[str] | None = None
    probe: bytes | None = None


@dataclass(frozen=True, slots=True)
class Library:
    """All profiles there are.

    Parameters:
        matches: the most specific first: longest sysObjectID, then most further conditions.
    """

    matches: tuple[Match, ...] = ()

    @classmethod
    def of(cls, matches: list[Match]) -> Library:
        """Make a library, putting the most specific first; of equals those given first stay first."""
        return cls(
            tuple(
                sorted(matches, key=lambda one: (-len(one.prefix), -(one.descr is not None) - (one.probe is not None)))
            )
        )
