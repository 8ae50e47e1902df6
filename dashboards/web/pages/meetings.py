"""Meetings by video: which are to come, and whether their rooms were ready before those that were."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from dashboards.web.pages.when import HOUR_NS
from dashboards.web.seat import Seat
from haidang.conferences import sheets
from haidang.conferences.keeping import meetings_on_record
from haidang.conferences.meetings import Sitting, known
from haidang.conferences.sheets import Room, Sheet, called, in_words
from haidang.conferences.verdict import Verdict
from haidang.model import State

AHEAD_NS = 31 * 24 * HOUR_NS
MOST = 40
OF_MEETING = 8
"""Newest sheets of one meeting that are looked at."""
SIGNS = {Verdict.GO: State.UP, Verdict.WATCH: State.DEGRADED, Verdict.NO_GO: State.DOWN}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a room before a meeting, in words.

    Parameters:
        room, name: its id and name.
        state: whose sign stands for the verdict.
        verdict: as a word.
        why: the reasons.
        mos, loss: of the burst; empty when there was none.
    """

    room: str
    name: str
    state: State
    verdict: str
    why: str
    mos: str
    loss: str


@dataclass(frozen=True, slots=True)
class Record:
    """A meeting at one time: to come, or with what was found before it.

    Parameters:
        name: the meeting's.
        start_ns, end_ns: UTC.
        rooms: how many take part.
        made_ns: when its rooms were tried last; ``None``: not yet.
        summary: how many are ready, in words.
        found: the rooms that were tried, the worst first.
    """

    name: str
    start_ns: int
    end_ns: int
    rooms: int
    made_ns: int | None
    summary: str
    found: list[Found]


async def page(seat: Seat) -> Response:
    """Answer with all meetings."""
    seat.require("viewer")
    coming, past = await of_rooms(seat)
    targets = seat.house.configuration.inventory.targets
    return seat.page("conferences.html", coming=coming[:MOST], past=past[:MOST], known=targets)


async def of_rooms(seat: Seat, room: str = "") -> tuple[list[Record], list[Record]]:
    """Return meetings that are under way or to come, and those that were, the newest first.

    Parameters:
        room: only the meetings of this one, and what was found of it.

    Raises:
        DeskBusy, DatabaseError: as `dashboards.web.model.desk.Desk.ask`.
    """
    configuration, now_ns, desk = seat.house.configuration, seat.now_ns, seat.house.desk
    every = await desk.recent("meetings", lambda sql: meetings_on_record(configuration, sql))
    series = [one for one in every if not room or room in one.meeting.rooms]
    if not series:
        return [], []
    names = {name: one.label(seat.words.language) for name, one in known(series).items()}

    def ahead(_sql: sqlite3.Connection) -> list[Sitting]:
        found: list[Sitting] = []
        for one in series:
            try:
                found += one.held(now_ns, now_ns + AHEAD_NS)
            except ValueError:  # the daemon's log names the rule that cannot be used
                continue
        return found

    def kept(sql: sqlite3.Connection) -> list[Sheet]:
        return [sheet for name in names for sheet in sheets.last(sql, name, OF_MEETING)]

    sittings = await desk.recent(("sittings", room), ahead)
    made = await desk.ask(kept)
    newest: dict[tuple[str, int], Sheet] = {}
    for sheet in made:
        if not room or any(one.room == room for one in sheet.rooms):
            before = newest.get((sheet.meeting, sheet.start_ns))
            if before is None or sheet.made_ns > before.made_ns:
                newest[sheet.meeting, sheet.start_ns] = sheet
    coming = [
        _record(seat, one.meeting.label(seat.words.language), one.start_ns, one.end_ns, len(set(one.meeting.rooms)),
                newest.pop((one.meeting.id, one.start_ns), None), room)
        for one in sorted(sittings, key=lambda one: (one.start_ns, one.meeting.id)) if one.end_ns > now_ns
    ]  # fmt: skip
    past = [
        _record(seat, names[one.meeting], one.start_ns, one.end_ns, len(one.rooms), one, room)
        for one in sorted(newest.values(), key=lambda one: -one.start_ns) if one.end_ns <= now_ns
    ]  # fmt: skip
    return coming, past


def _record(
    seat: Seat, name: str, start_ns: int, end_ns: int, rooms: int, sheet: Sheet | None, room: str
) -> Record:  # fmt: skip
    if sheet is None:
        return Record(name, start_ns, end_ns, rooms, None, "", [])
    found = [_found(seat, sheet, one) for one in sheet.ordered() if not room or one.room == room]
    return Record(name, start_ns, end_ns, rooms, sheet.made_ns, sheet.summary(seat.words.language), found)


def _found(seat: Seat, sheet: Sheet, one: Room) -> Found:
    words = seat.words

    def number(key: str, digits: int) -> str:
        value = one.figures.get(key)
        return words.number(float(value), digits) if isinstance(value, int | float) else ""

    loss = number("loss_percent", 1)
    return Found(
        one.room, called(seat.house.configuration, one.room, words.language), SIGNS[one.verdict],
        sheet.word(one.verdict, words.language), "; ".join(in_words(one, words.language)), number("mos", 2),
        f"{loss}%" if loss else "",
    )  # fmt: skip
