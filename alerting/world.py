"""What alerting asks of the world outside: who hears of a check, what it is called, how its month stands.

The daemon adapts the configuration and the ledger to this; nothing here knows how either is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from alerting.severity import Impact
from availability.objectives import Figures
from haidang.model import CheckId

Words = Mapping[str, str]
"""A name by language: ``{"vi": "Mạng WAN", "en": "WAN"}``. One language is enough; an empty one means *not known*."""


def in_language(words: Words, language: str) -> str:
    """Return a name in a language, else in any it has, else an empty text."""
    return words.get(language) or next((word for word in words.values() if word), "")


class Step(StrEnum):
    """What in an incident's life a message tells."""

    OPENED = "opened"
    FLAPPING = "flapping"
    """It goes to and fro; nothing more is told until that ends."""
    STEADY = "steady"
    """It flaps no longer and is down."""
    FLAPPED = "flapped"
    """It flaps no longer and is up: the incident's end."""
    REOPENED = "reopened"
    """It failed again soon after it was back: the same incident."""
    GROWN = "grown"
    """More is affected than was told, or it is worse."""
    STILL = "still"
    """It lasts; nobody has acknowledged it, or the time for that is over."""
    SPLIT = "split"
    """What it went on in is over, and this lasts."""
    ESCALATED = "escalated"
    """It lasts and nobody has acknowledged it: the next ones are told."""
    RESOLVED = "resolved"
    CLOSED = "closed"
    """The check is no longer watched; whether it came back is not known."""
    UNMEASURED = "unmeasured"
    """What a rule found is not measured any more; whether it still holds is not known."""
    DIGEST = "digest"
    """A list of what was not urgent."""
    DRILL = "drill"
    """The daily proof that messages arrive, to be acknowledged."""
    MISSED = "missed"
    """A drill was not acknowledged."""
    TEST = "test"
    REPORT = "report"
    """A month's report: of no incident, with files attached."""
    SHEET = "sheet"
    """What was found of a meeting's rooms, before or after it: of no incident."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message says of a check besides its state.

    Parameters:
        name: the target's name.
        address: where it is probed, as a person would type it.
        site, level, system: the names of the place, its administrative level, the watched system.
        circuit: the line's number at the carrier.
        carrier: who runs the line.
        notes: what the operator wrote down for whoever is on call.
    """

    name: Words
    address: str = ""
    site: Words = field(default_factory=dict)
    level: Words = field(default_factory=dict)
    system: Words = field(default_factory=dict)
    circuit: str = ""
    carrier: str = ""
    notes: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, to be kept with an incident."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Subject:
        """Read what `as_json` gave; keys of other versions are passed over."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{"name": {}, **known})


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mailbox (or number, or room) that hears of a check.

    Parameters:
        contact: the person's or group's id in the configuration.
        address: where the channel delivers to.
        language: ``vi`` or ``en``.
        channel: the channel's name, e.g. ``mail``.
        ways: channels and addresses to take instead when this one does not deliver, in order.
    """

    contact: str
    address: str
    language: str = "vi"
    channel: str = "mail"
    ways: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """Something that several things have in common, by which they may fail together: a carrier, a region, a system.

    Parameters:
        kind, id: what it is.
        size: how many targets have it.
        name: what people call it.
    """

    kind: str
    id: str
    size: int = field(compare=False)
    name: Words = field(compare=False)


class World(Protocol):
    """Asked while a transition is being written: answers at once, from memory or the ledger, and never raises."""

    def subject(self, check: CheckId) -> Subject:
        """Describe a check; one that is not configured gets a subject with its id for a name."""
        ...

    def recipients(self, check: CheckId) -> Sequence[Recipient]:
        """Return who hears of a check's incidents; each mailbox once."""
        ...

    def behind(self, check: CheckId) -> Sequence[CheckId]:
        """Return the checks that cannot be reached while this one is down."""
        ...

    def above(self, check: CheckId) -> Sequence[CheckId]:
        """Return the checks any one of which leads to this one: its ways."""
        ...

    def common(self, check: CheckId) -> Collection[Ground]:
        """Return what a check has in common with others; nothing for what is no target's."""
        ...

    def impact(self, checks: Collection[CheckId]) -> Impact:
        """Say what cannot be used while these checks fail, with all that is behind them; without the budget."""
        ...

    def month(self, check: CheckId, at_ns: int) -> Figures | None:
        """Return the figures of the calendar month that contains a time, up to it.

        ``None`` when this check does not count toward its target's availability.
        """
        ...
