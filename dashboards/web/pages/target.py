"""A device: how it is, how its month was, how fast it answers, what its ports carry, what is probed and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from alerting import records
from alerting.records import Incident
from availability.books import Books
from availability.objectives import Figures
from availability.periods import month_at
from availability.promises import Promise
from collectors.receiver.catalogue import Catalogue
from config import Target
from dashboards.web.model.board import Now
from dashboards.web.pages import when
from dashboards.web.pages.measured import interfaces, sensors, smoke
from dashboards.web.pages.room import Room, is_room, room
from dashboards.web.pages.wall import row
from dashboards.web.pictures import ribbon
from dashboards.web.seat import Refused, Seat
from haidang.model import CheckId, Interval
from storage.events import Recorded, recorded
from storage.metrics import StoreError

RANGES: Mapping[str, tuple[int, int]] = {"3h": (3, 30), "30h": (30, 300), "10d": (240, 1800), "30d": (720, 7200)}
"""What can be looked back at, after SmokePing: hours, and the width of a bucket in seconds."""
CHILDREN = 40
NEIGHBOURS = 200


@dataclass(frozen=True, slots=True)
class Past:
    """What is on record of a target in this month."""

    figures: Figures
    intervals: list[Interval]
    incidents: list[Incident]
    events: list[Recorded]


@dataclass(frozen=True, slots=True)
class Probe:
    """A check in words."""

    name: str
    now: Now
    every: str
    why: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A neighbour in words; ``target`` is whose page leads to it, if it is one that is watched."""

    interface: str
    name: str
    target: Target | None
    port: str
    about: str


async def page(seat: Seat) -> Response:
    """Answer with a device."""
    seat.require("viewer")
    target = seat.house.board.inventory.targets.get(seat.request.path_params["id"])
    if target is None:
        raise Refused(404)
    words, board, now_ns = seat.words, seat.house.board, seat.now_ns
    asked = seat.request.query_params.get("range", "30h")
    chosen = asked if asked in RANGES else "30h"
    past = await seat.house.desk.ask(lambda sql: _past(seat, target, sql))
    month = month_at(now_ns, words.zone)
    told = _tell(seat)
    month_ribbon = ribbon.draw(
        past.intervals, month.start_ns, month.end_ns, now_ns, when.days(month.start_ns, month.end_ns, words), told,
        words("target.month", month=f"{words.local(now_ns):%m/%Y}"),
    )  # fmt: skip
    day = now_ns - 24 * when.HOUR_NS
    day_ribbon = ribbon.draw(
        [one for one in past.intervals if one.end_ns is None or one.end_ns > day], day, now_ns, now_ns,
        when.hours(day, now_ns, words, 3), told, words("target.day"),
    )  # fmt: skip
    problem = ""
    picture, ports, readings = Markup(""), [], []
    meets: Room | None = None
    try:
        hours, step_s = RANGES[chosen]
        if "icmp" in target.probes:
            picture = await smoke(seat, target, hours, step_s)
        if target.snmp is not None:
            ports = await interfaces(seat, target, hours, step_s)
            readings = await sensors(seat, target)
        if "quality" in target.probes or is_room(seat, target):
            meets = await room(seat, target, hours, step_s)
    except StoreError as error:
        problem = str(error)
    near = await _near(seat, target)
    inventory = board.inventory
    children = [one for one in inventory.targets.values() if target.id in one.parents or target.id in one.needs]
    return seat.page(
        "target.html", target=target, name=target.label(words.language), state=board.target(target),
        quiet=target.id in seat.house.quiet(), past=past, month=f"{words.local(now_ns):%m/%Y}",
        month_ribbon=month_ribbon, day_ribbon=day_ribbon, picture=picture, ports=ports, readings=readings, room=meets,
        near=near, problem=problem, chosen=chosen, ranges=list(RANGES), probes=_probes(seat, target),
        site=inventory.sites.get(target.site or ""), system=inventory.systems.get(target.system or ""),
        circuit=inventory.circuits.get(target.circuit or ""),
        parents=[(inventory.targets[one], board.target(inventory.targets[one])) for one in target.parents],
        needs=[(inventory.targets[one], board.target(inventory.targets[one])) for one in target.needs],
        cause=_cause(seat, board.target(target)),
        children=[(one, board.target(one)) for one in children[:CHILDREN]], children_all=len(children),
        incidents=[row(seat, one) for one in past.incidents], meaning=Catalogue.ours(),
    )  # fmt: skip


def _cause(seat: Seat, now: Now) -> tuple[Target, Now] | None:
    """Return the device whose fault it is, when it is one."""
    board = seat.house.board
    known = board.inventory.targets.get(now.cause.target) if now.cause else None
    return None if known is None else (known, board.target(known))


async def _near(seat: Seat, target: Target) -> list[Beside]:
    house = seat.house
    index, targets = await house.index(), house.board.inventory.targets
    found: dict[tuple[str, str], Beside] = {}
    for one in house.near(target.id)[:NEIGHBOURS]:
        known = targets.get(index.called(one.name) or "")
        about = (one.protocol.upper(), *(one.descr or "").splitlines()[:1])
        # What says the same by LLDP and by CDP is one neighbour.
        found.setdefault(
            (one.interface, one.name),
            Beside(
                one.interface, known.label(seat.words.language) if known else one.name, known, one.port or "",
                " · ".join(about),
            ),
        )  # fmt: skip
    return list(found.values())


def _past(seat: Seat, target: Target, sql: sqlite3.Connection) -> Past:
    configuration, now_ns = seat.house.configuration, seat.now_ns
    month = month_at(now_ns, configuration.timezone)
    system = configuration.inventory.systems.get(target.system or "")
    books = Books(configuration, sql, now_ns, now_ns)
    promise = Promise("", "target", target.id, (system.objective or 0) if system else 0)
    start_ns = min(month.start_ns, now_ns - 24 * when.HOUR_NS)
    return Past(
        books.of_target(target, month, promise).figures, books.intervals(target.primary, start_ns, now_ns),
        records.incidents(sql, resolved=True, check=target.primary, limit=10), recorded(sql, target.id, most=15),
    )  # fmt: skip


def _tell(seat: Seat) -> Callable[[Interval], str]:
    def tell(one: Interval) -> str:
        words = seat.words
        end_ns = one.end_ns or seat.now_ns
        said = f"{words('state.' + one.state)}: {words.time(one.start_ns)} – {words.time(end_ns)}"
        return f"{said} ({words.duration((end_ns - one.start_ns) / 1e9)}) {words.reason(one.reason)}".strip()

    return tell


def _probes(seat: Seat, target: Target) -> list[Probe]:
    words, board = seat.words, seat.house.board
    first = target.primary
    settings: dict[str, Any] = {
        "icmp": target.icmp, "snmp": target.snmp, "dns": target.dns, "host": target.host, "quality": target.quality,
        "backup": target.backup, **dict(target.services.items()),
    }  # fmt: skip
    found = []
    for probe in target.probes:
        check = CheckId(target.id, probe)
        own = settings.get(probe)
        if check == first:
            above = ", ".join(
                board.inventory.targets[one].label(words.language) for one in (*target.parents, *target.needs)
            )
            why = words("target.why_primary") + (f" {words('target.why_behind', parent=above)}" if above else "")
        else:
            why = words("target.why_behind", parent=words.known("probes", first.probe))
        every = words.duration(own.cadence_s) if own is not None else "–"
        found.append(Probe(words.known("probes", probe), board.check(check), every, why))
    return found
