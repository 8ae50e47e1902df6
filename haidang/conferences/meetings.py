"""When meetings are: those of the configuration, and those of calendars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from alerting.oncall.rota import moment
from availability import recurrence
from availability.maintenance import covers
from config import Configuration
from config.schema.conferences import Meeting


@dataclass(frozen=True, slots=True)
class Sitting:
    """One meeting at one time, UTC nanoseconds.

    Parameters:
        mail: where its organiser reads mail who is no contact; empty otherwise.
    """

    meeting: Meeting
    start_ns: int
    end_ns: int
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A meeting and when it is held; times in UTC nanoseconds.

    Parameters:
        meeting: its id, name, rooms and organiser.
        start_ns, lasting_ns: of the first one.
        zone: on whose wall clock it is repeated.
        rule: RRULE; empty: once.
        added: further beginnings.
        without: beginnings that are not held, or held otherwise.
        mail: see `Sitting`.
    """

    meeting: Meeting
    start_ns: int
    lasting_ns: int
    zone: tzinfo
    rule: str = ""
    added: tuple[int, ...] = ()
    without: frozenset[int] = frozenset()
    mail: str = ""

    def held(self, from_ns: int, to_ns: int) -> list[Sitting]:
        """Return when it touches a period.

        Raises:
            ValueError: its rule cannot be used; names the meeting.
        """
        begins: Iterable[int] = [self.start_ns]
        if self.rule:
            try:
                begins = recurrence.starts(self.rule, self.start_ns, from_ns - self.lasting_ns + 1, to_ns, self.zone)
            except ValueError as error:
                raise ValueError(f"conferences.meetings {self.meeting.id}: {error}") from error
        return [
            Sitting(self.meeting, at_ns, at_ns + self.lasting_ns, self.mail)
            for at_ns in sorted({*begins, *self.added} - self.without)
            if at_ns < to_ns and at_ns + self.lasting_ns > from_ns
        ]


def configured(configuration: Configuration) -> list[Series]:
    """Return the meetings that stand in the configuration."""
    return [_series(one, configuration) for one in configuration.conferences.meetings]


def _series(one: Meeting, configuration: Configuration) -> Series:
    zone = configuration.timezone
    start_ns = moment(datetime.fromisoformat(one.start), zone)
    return Series(one, start_ns, round(one.lasting_s * 1e9), zone, one.every or "")


def sittings(meetings: Iterable[Series], from_ns: int, to_ns: int) -> list[Sitting]:
    """Return the meetings that touch a period, in their order. Errors as `Series.held`."""
    found = [one for series in meetings for one in series.held(from_ns, to_ns)]
    return sorted(found, key=lambda one: (one.start_ns, one.meeting.id))


def known(meetings: Iterable[Series]) -> dict[str, Meeting]:
    """Return meetings by their id; of a series with single changes, the series."""
    found: dict[str, Meeting] = {}
    for one in meetings:
        if one.rule or one.meeting.id not in found:
            found[one.meeting.id] = one.meeting
    return found


def ways_to(configuration: Configuration, rooms: Collection[str]) -> set[str]:
    """Return rooms with everything they are reached through: what may not be worked on while they meet."""
    targets = configuration.inventory.targets
    found: set[str] = set()
    waiting = [name for name in rooms if name in targets]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*targets[name].parents, *targets[name].needs]
    return found


def disturbed(configuration: Configuration, kind: str, name: str, rooms: Sequence[str]) -> list[str]:
    """Return the rooms that work would disturb: on themselves, or on what they are reached through.

    Parameters:
        kind, name: what is worked on, see `availability.maintenance.covers`.
    """
    inventory = configuration.inventory
    return [
        room for room in rooms
        if any(covers(inventory, kind, name, inventory.targets[way]) for way in ways_to(configuration, [room]))
    ]  # fmt: skip
