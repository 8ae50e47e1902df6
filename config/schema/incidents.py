"""What an incident is: what belongs together, how bad it is, and when people hear of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.schema.objectives import Clock
from config.schema.values import Section, number, seconds, whole


class Incidents(Section):
    """What belongs together, and when people hear of it."""

    hold_s: Annotated[float, seconds(0, 60)] = Field(
        2.0, alias="hold", description="a first message waits so long for what else fails"
    )
    storm: Annotated[int, whole(2, 1000)] = Field(3, description="so many begun within storm_window are told as one")
    storm_window_s: Annotated[float, seconds(1, 3600)] = Field(60.0, alias="storm_window", description="see storm")
    slow_storm: Annotated[int, whole(2, 1000)] = Field(
        4, description="so many of one region, carrier or system (and 2 % of it), begun within slow_storm_window"
    )
    slow_storm_window_s: Annotated[float, seconds(1, 86_400)] = Field(
        1800.0, alias="slow_storm_window", description="see slow_storm"
    )
    together_s: Annotated[float, seconds(0, 3600)] = Field(
        60.0, alias="together", description="failures of one cause begin within so long of each other"
    )
    reopen_s: Annotated[float, seconds(0, 86_400)] = Field(
        600.0, alias="reopen", description="what fails again so soon after it was back is the same incident"
    )
    settle_s: Annotated[float, seconds(0, 86_400)] = Field(
        300.0, alias="settle", description="what lasts so long after the common cause is over is told by itself"
    )
    remind_s: tuple[Annotated[float, seconds(60, 7 * 86_400)], ...] = Field(
        (3600.0, 14_400.0), alias="remind", description="still down: so long after the first message; then daily"
    )
    remind_from: Clock = Field("07:00", description="reminders of what is not critical come from this hour on")
    remind_to: Clock = Field("21:00", description="and up to this one")


class Threshold(Section):
    """From where on an incident is so severe; any one suffices."""

    targets: Annotated[int, whole(1, 1_000_000)] | None = Field(None, description="at least so many are affected")
    sites: Annotated[int, whole(1, 1_000_000)] | None = Field(None, description="at least so many are cut off")
    people: Annotated[int, whole(1, 100_000_000)] | None = Field(None, description="at least so many at these sites")
    system_percent: Annotated[float, number(0.001, 100)] | None = Field(
        None, description="at least so much of one system's targets"
    )
    budget_percent: Annotated[float, number(0, 100)] | None = Field(
        None, description="at most so much is left of the month's downtime budget"
    )
    meeting_rooms: Annotated[int, whole(1, 1_000_000)] | None = Field(
        None, description="at least so many rooms of meetings that are being held"
    )


class Severities(Section):
    """How bad an incident is, judged by what it takes from people; what reaches none of them is a warning."""

    critical: Threshold = Field(
        Threshold(sites=10, people=20_000, system_percent=50.0),
        description="default: {sites: 10, people: 20000, system_percent: 50}; one that is given replaces it whole",
    )
    major: Threshold = Field(
        Threshold(sites=3, people=3_000, system_percent=20.0, budget_percent=0.0, meeting_rooms=1),
        description="default: {sites: 3, people: 3000, system_percent: 20, budget_percent: 0, meeting_rooms: 1}",
    )
    minor: Threshold = Field(
        Threshold(sites=1, people=1, targets=5, budget_percent=50.0),
        description="default: {sites: 1, people: 1, targets: 5, budget_percent: 50}",
    )
