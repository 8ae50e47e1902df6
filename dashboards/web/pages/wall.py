"""The wall: everything in one look from three metres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from alerting import records
from availability.check import FAILED
from availability.promises import formula_of
from availability.systems import Rule
from config.schema.things import System
from dashboards.web.house import House
from dashboards.web.model.board import SEVERITY, Now, worst
from dashboards.web.model.desk import Standing
from dashboards.web.pictures import places
from dashboards.web.pictures.places import Drawing, Place
from dashboards.web.seat import Seat
from dashboards.web.words import Words
from haidang.model import State

SHOWN = 9
"""Incidents that fit beside the map; the rest is counted."""
FRESH_NS = 10 * 10**9
"""Durations on the wall are written anew this often."""
RISKY = 0.2
"""From this probability of a miss on it is marked."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A system on the wall, in words."""

    id: str
    name: str
    state: State
    up: int
    all: int
    bad: list[tuple[State, int]]
    percent: str
    objective: str
    reckoned: bool
    left: str | None
    share: float
    over: bool
    miss: str | None
    risky: bool
    broken: bool


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in a list, in words."""

    number: int
    state: State
    name: str
    site: str
    at: str
    lasted: str
    hidden: int
    acknowledged: str = ""


async def page(seat: Seat) -> Response:
    """Answer with the wall."""
    seat.require("viewer")
    live = await part(seat)
    return seat.page("wall.html", live=Markup(live.decode()))  # noqa: S704 rendered by our own template, escaped there


async def live(seat: Seat) -> Response:
    """Answer with what changes on the wall."""
    seat.require("viewer")
    return seat.part(await part(seat))


async def part(seat: Seat) -> bytes:
    """Write what changes; the same for all who read one language, made once for each version."""
    house, key = seat.house, ("wall", seat.words.language)
    async with house.writing:  # all walls ask at once when something has changed, and one is enough to write it
        version = (house.hub.version, house.board.version, seat.now_ns // FRESH_NS)
        kept = house.rendered.get(key)
        if kept is not None and kept[0] == version:
            return kept[1]
        latest = (
            []
            if house.desk.incidents
            else await house.desk.ask(lambda sql: records.incidents(sql, resolved=True, limit=5))
        )
        body = _write(seat, [row(seat, one) for one in latest]).encode()
        house.rendered[key] = (version, body)
        return body


def _write(seat: Seat, latest: list[Row]) -> str:
    house, words = seat.house, seat.words
    board, desk = house.board, house.desk
    counts = board.counts()
    quiet = house.quiet()
    sites, picture = _map(seat)
    known = [one for one in sites if one.targets]
    bad = sum(counts.get(state, 0) for state in (State.DOWN, State.UNREACHABLE, State.DEGRADED))
    measured = sum(counts.values()) - counts.get(State.UNKNOWN, 0)
    incidents = [
        row(seat, one.incident, one.hidden) for one in desk.incidents[:SHOWN]
    ]  # fmt: skip
    unclear = counts.get(State.UNKNOWN, 0)
    state = State.DOWN if incidents else worst(counts)
    return seat.render(
        "wall_live.html",
        calm=not incidents and not bad and not unclear,
        unclear=unclear,
        incidents=incidents,
        open_count=len(desk.incidents),
        more=len(desk.incidents) - len(incidents),
        latest=latest,
        uneasy=bad,
        overall=state if measured else State.UNKNOWN,
        tally=[
            *((state, counts[state]) for state in reversed(SEVERITY) if counts.get(state)),
            *([(State.MAINTENANCE, len(quiet))] if quiet else []),
        ],
        trouble=seat.trouble(),
        map=picture.svg,
        wide=picture.wide,
        sites_up=sum(one.state is State.UP for one in known),
        sites_all=len(known) if board.inventory.sites else 0,
        systems=[_tile(house, words, system) for system in board.inventory.systems.values()],
    )


def _map(seat: Seat) -> tuple[list[Place], Drawing]:
    """Return the sites, or the targets where there are none, and their picture; drawn anew when a state has changed."""
    house, words = seat.house, seat.words
    board = house.board
    kept = house.maps.get(words.language)
    if kept is not None and kept[0] == board.version:
        return kept[1]
    sites = [_place(house, words, site) for site in board.inventory.sites]
    link = "/site/"
    if not sites:
        link = "/target/"
        sites = [
            Place(one.id, one.label(words.language), None, None, None, board.target(one).state,
                  f"{one.label(words.language)}: {words('state.' + board.target(one).state)}", 1)
            for one in list(board.inventory.targets.values())[:400]
        ]  # fmt: skip
    drawn = sites, places.draw(sites, words("wall.map"), link=link)
    house.maps[words.language] = (board.version, drawn)
    return drawn


def _place(house: House, words: Words, site: str) -> Place:
    known, now = house.board.inventory.sites[site], house.board.site(site)
    name = known.label(words.language)
    said = words("state." + now.state)
    if now.bad:
        said += f", {words('wall.well', up=now.targets - now.bad, all=now.targets)}"
    return Place(site, name, known.parent, known.latitude, known.longitude, now.state, f"{name}: {said}", now.targets)


def system_state(system: System, counts: Mapping[State, int], standing: Standing | None) -> State:
    """Return how a system is now: down when its formula says so, degraded while something of it is not well."""
    if not any(counts.values()):
        return State.UNKNOWN
    failed = counts.get(State.DOWN, 0) + counts.get(State.UNREACHABLE, 0)
    if failed:
        rule = formula_of(system).rule
        lost = rule is Rule.ALL or (standing is not None and standing.up <= 0) or failed == sum(counts.values())
        return State.DOWN if lost else State.DEGRADED
    if counts.get(State.DEGRADED):
        return State.DEGRADED
    return State.UNKNOWN if counts.get(State.UNKNOWN) else State.UP


def _tile(house: House, words: Words, system: System) -> Tile:
    counts = house.board.counts(system.id)
    standing = house.desk.standings.get(system.id)
    figures = standing.figures if standing else None
    left_s = figures.budget_left_s if figures else None
    budget_s = figures.budget_s if figures else None
    objective = system.objective
    return Tile(
        system.id,
        system.label(words.language),
        system_state(system, counts, standing),
        counts.get(State.UP, 0),
        sum(counts.values()),
        [(state, counts[state]) for state in SEVERITY if state is not State.UP and counts.get(state)],
        words.percent(figures.availability_percent) if figures else words("wall.reckoning"),
        words.percent(objective) if objective is not None else "",
        figures is not None,
        words.about(abs(left_s)) if left_s is not None else None,
        left_s / budget_s if left_s is not None and budget_s else 0.0,
        left_s is not None and left_s < 0,
        words.percent(100 * standing.miss, 0) if standing and standing.miss is not None else None,
        standing is not None and (standing.miss or 0) >= RISKY,
        2 * (counts.get(State.DOWN, 0) + counts.get(State.UNREACHABLE, 0)) >= sum(counts.values()) > 0,
    )


def row(seat: Seat, one: records.Incident, hidden: int = 0) -> Row:
    """Write an incident for a list."""
    words = seat.words
    end_ns = one.ended_ns or one.resolved_ns
    lasted = words.about(((end_ns or seat.now_ns) - one.started_ns) / 1e9)
    now: Now = seat.house.board.check(one.check)
    state = (now.state if now.state in FAILED else State.DOWN) if one.open else State.UP
    return Row(
        one.number, state, words.name(one.subject.name, one.check.target), words.name(one.subject.site),
        words.moment(one.started_ns, seat.now_ns),
        words("wall.ongoing" if one.open else "wall.was", duration=lasted), hidden,
        one.acknowledged_by if one.open and one.acknowledged(seat.now_ns) else "",
    )  # fmt: skip
