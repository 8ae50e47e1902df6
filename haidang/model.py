"""The nouns every room speaks in. This module imports nothing of ours; every room may import it.

Times: a name that ends in ``_ns`` is nanoseconds of UTC since 1970 unless it says *monotonic*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FieldValue = float | int | str | bool


class Status(StrEnum):
    """What one probe found in one slot. Not polled, or blind ourselves, is ``unknown``: neither up nor down."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class State(StrEnum):
    """What a check is in, as the ledger keeps it."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Sample:
    """One try inside an observation: when it was sent, and whether it was answered.

    A ping burst has one per echo, so that an outage begins at the first lost echo and not at the burst's slot;
    most probes have exactly one.
    """

    at_ns: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """One probe's outcome for one scheduled slot.

    Parameters:
        target: id of what was probed (or the address, for a probe by hand).
        probe: the probe's name, e.g. ``icmp``, ``snmp``, ``dns``, ``host``.
        slot_ns: the scheduled time, UTC nanoseconds.
        status: what was found.
        reason: why, in words for a person; empty when up with nothing to add.
        fields: measured numbers, the unit in the name (``rtt_median_ms``).
        duration_ms: from the first send until the answer was complete or the deadline passed.
        samples: the single tries with their times, oldest first. An ``unknown`` observation may carry
            the tries that are certain and leave out those that are not.
        no_route: nothing left this machine: it has no route, or its own interface is down.
        warning: it answers, and something is not as it should be (a certificate about to expire), in words.
    """

    target: str
    probe: str
    slot_ns: int
    status: Status
    reason: str
    fields: Mapping[str, FieldValue]
    duration_ms: float
    samples: tuple[Sample, ...] = ()
    no_route: bool = False
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The name of a line of measurements: measurement and tags, schema after Telegraf's where it has one.

    Build it once per target or interface and reuse it: stores cache what they derive from it.
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Fields of one series at one time."""

    series: Series
    time_ns: int
    fields: Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True, order=True)
class CheckId:
    """Names a check: what is watched and by which probe. Prints as ``target/probe``."""

    target: str
    probe: str

    def __str__(self) -> str:
        return f"{self.target}/{self.probe}"


@dataclass(frozen=True, slots=True)
class Transition:
    """A confirmed change of a check's state.

    Parameters:
        check: which check.
        state: the state it is in from ``at_ns`` on.
        previous: the state before, ``None`` for the first one ever.
        at_ns: when it truly began (the first failed or first good sample), not when it was confirmed.
        confirmed_ns: when it was confirmed.
        reason: why, in words.
        cause: for ``unreachable``: the check that failed and hides this one; for ``down``: the shared-risk group
            (carrier, power feeder …) that explains it; for ``degraded``: the way that is lost.
        evidence: counted facts behind the verdict (``failures``, ``span_s`` …).
        flapping: the check changes to and fro: the states go on, nobody is told of each.
        members: for a shared-risk group: the checks that fail because of it, as far as is known.
    """

    check: CheckId
    state: State
    previous: State | None
    at_ns: int
    confirmed_ns: int
    reason: str
    cause: CheckId | None = None
    evidence: Mapping[str, FieldValue] = field(default_factory=dict)
    flapping: bool = False
    members: tuple[CheckId, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time in one state, as the ledger keeps it; ``end_ns`` is ``None`` while it runs."""

    check: CheckId
    state: State
    start_ns: int
    end_ns: int | None
    reason: str
    cause: CheckId | None = None
    owner: str = ""
    incident: int | None = None
