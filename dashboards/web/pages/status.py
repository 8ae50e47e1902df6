"""The public status page: how the chosen systems are and how their month is, for whoever comes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from dashboards.web.pages.wall import FRESH_NS, system_state
from dashboards.web.seat import Refused, Seat
from haidang.model import State


@dataclass(frozen=True, slots=True)
class Line:
    """A system, in words."""

    name: str
    state: State
    percent: str


async def page(seat: Seat) -> Response:
    """Answer with the page; it is not there unless systems were chosen."""
    return seat.page("status.html", live=Markup(_part(seat).decode()))  # noqa: S704 rendered by our own template, escaped there


async def live(seat: Seat) -> Response:
    """Answer with what changes of it."""
    return seat.part(_part(seat))


def _part(seat: Seat) -> bytes:
    """Write what changes; made once for each version, so that many who come cost nothing."""
    house = seat.house
    systems = house.board.inventory.systems
    chosen = [systems[name] for name in dict.fromkeys(house.configuration.web.status_page) if name in systems]
    if not chosen:
        raise Refused(404)
    key = ("status", seat.words.language)
    version = (house.hub.version, house.board.version, seat.now_ns // FRESH_NS)
    kept = house.rendered.get(key)
    if kept is not None and kept[0] == version:
        return kept[1]
    lines = []
    for system in chosen:
        standing = house.desk.standings.get(system.id)
        percent = seat.words.percent(standing.figures.availability_percent) if standing else "–"
        state = system_state(system, house.board.counts(system.id), standing)
        lines.append(Line(system.label(seat.words.language), state, percent))
    body = seat.render("status_live.html", lines=lines, month=f"{seat.words.local(seat.now_ns):%m/%Y}").encode()
    house.rendered[key] = (version, body)
    return body
