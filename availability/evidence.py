"""Power or line: what is known of how something went away, from what devices say with their last breath.

Pure: takes what trap receivers and UPS polls found, names nobody's protocol. The words follow ITU-T G.988 (dying gasp)
and RFC 1628 (UPS-MIB: on battery, low battery).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

BEFORE_NS = 30_000_000_000
"""A last word is said up to this long before the first lost echo: clocks and polls are not that exact."""
AFTER_NS = 10_000_000_000
BATTERY_NS = 8 * 3600 * 1_000_000_000
"""A UPS that went on battery longer ago than this and is not known to have come back proves nothing."""


class Said(StrEnum):
    """What was heard."""

    DYING_GASP = "dying-gasp"
    """The device itself: my power is failing."""
    ON_BATTERY = "on-battery"
    """The site's UPS: no mains."""
    ON_MAINS = "on-mains"
    """The site's UPS: mains are there."""
    LINK_DOWN = "link-down"
    """The device at the other end: the line's signal is gone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing heard of a target or its site, at a time (UTC nanoseconds)."""

    said: Said
    at_ns: int


class Kind(StrEnum):
    """What a failure is put down to."""

    POWER = "power"
    LINE = "line"
    UNSURE = "unsure"


def power_or_line(since_ns: int, heard: Sequence[Evidence]) -> Kind:
    """Classify a failure.

    A dying gasp is power. A UPS on battery before the failure is power, unless the mains were back by then. A lost
    signal at the other end with the mains known to be there is the line; without word of the mains it can be both.

    Parameters:
        since_ns: the first lost sample, UTC nanoseconds.
        heard: in any order; what is later than the failure by more than a few seconds is passed over.
    """
    known = sorted((one for one in heard if one.at_ns <= since_ns + AFTER_NS), key=lambda one: one.at_ns)
    recent = {one.said for one in known if one.at_ns >= since_ns - BEFORE_NS}
    if Said.DYING_GASP in recent:
        return Kind.POWER
    mains = [one for one in known if one.said in (Said.ON_BATTERY, Said.ON_MAINS)]
    if mains and mains[-1].said is Said.ON_BATTERY and since_ns - mains[-1].at_ns <= BATTERY_NS:
        return Kind.POWER
    if Said.LINK_DOWN in recent and mains and mains[-1].said is Said.ON_MAINS:
        return Kind.LINE
    return Kind.UNSURE
