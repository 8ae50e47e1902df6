"""When meetings are, from the configuration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from alerting.oncall.rota import moment
from availability import recurrence
from config import Configuration
from config.schema.conferences import Meeting


@dataclass(frozen=True, slots=True)
class Sitting:
    """One meeting at one time, UTC nanoseconds."""

    meeting: Meeting
    start_ns: int
    end_ns: int


def sittings(configuration: Configuration, from_ns: int, to_ns: int) -> list[Sitting]:
    """Return the meetings that touch a period, in their order.

    Raises:
        ValueError: a meeting's rule cannot be used; names the meeting.
    """
    found = [
        one for meeting in configuration.conferences.meetings for one in held(meeting, configuration, from_ns, to_ns)
    ]
    return sorted(found, key=lambda one: (one.start_ns, one.meeting.id))


def held(meeting: Meeting, configuration: Configuration, from_ns: int, to_ns: int) -> list[Sitting]:
    """Return when one meeting touches a period. Errors as `sittings`."""
    first_ns = moment(datetime.fromisoformat(meeting.start), configuration.timezone)
    lasting_ns = round(meeting.lasting_s * 1e9)
    begins = [first_ns]
    if meeting.every:
        try:
            begins = recurrence.starts(meeting.every, first_ns, from_ns - lasting_ns + 1, to_ns, configuration.timezone)
        except ValueError as error:
            raise ValueError(f"conferences.meetings {meeting.id}: {error}") from error
    touching = (at_ns for at_ns in begins if at_ns < to_ns and at_ns + lasting_ns > from_ns)
    return [Sitting(meeting, at_ns, at_ns + lasting_ns) for at_ns in touching]


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
