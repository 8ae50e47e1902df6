"""A site, a circuit, a system: what belongs to it and how it is."""

from __future__ import annotations

from starlette.responses import Response

from availability.check import FAILED
from collectors.load import Load, of_end
from config import Target
from config.schema.things import Circuit
from dashboards.web.model.board import SEVERITY, Now
from dashboards.web.pages.measured import Port, port
from dashboards.web.pages.wall import system_state
from dashboards.web.pages.when import HOUR_NS
from dashboards.web.seat import Refused, Seat
from haidang.model import State
from storage.metrics import Query, StoreError

MOST = 400
"""Targets in one list; the rest is found by the search."""
DAYS = 7
NEIGHBOURS = 4


def ranked(seat: Seat, targets: list[Target]) -> list[tuple[Target, Now]]:
    """Return targets with their states, what is to be seen first at the top."""
    board = seat.house.board
    found = [(one, board.target(one)) for one in targets]
    return sorted(found, key=lambda pair: SEVERITY.index(pair[1].state))[:MOST]


async def site(seat: Seat) -> Response:
    """Answer with a site."""
    seat.require("viewer")
    board, words = seat.house.board, seat.words
    found = board.inventory.sites.get(seat.request.path_params["id"])
    if found is None:
        raise Refused(404)
    below = [one for one in board.inventory.sites.values() if one.parent == found.id]
    circuits = [one for one in board.inventory.circuits.values() if found.id in (one.a, one.b)]
    return seat.page(
        "site.html", site=found, name=found.label(words.language), state=board.site(found.id),
        above=board.inventory.sites.get(found.parent or ""), targets=ranked(seat, board.at_site(found.id)),
        below=sorted(((one, board.site(one.id)) for one in below), key=lambda pair: SEVERITY.index(pair[1].state)),
        circuits=[(one, _circuit_state(seat, one)) for one in circuits],
    )  # fmt: skip


async def system(seat: Seat) -> Response:
    """Answer with a system."""
    seat.require("viewer")
    board, words = seat.house.board, seat.words
    found = board.inventory.systems.get(seat.request.path_params["id"])
    if found is None:
        raise Refused(404)
    targets = board.of_system(found.id)
    counts = board.counts(found.id)
    standing = seat.house.desk.standings.get(found.id)
    return seat.page(
        "system.html", system=found, name=found.label(words.language), state=system_state(found, counts, standing),
        counts=[(state, counts[state]) for state in SEVERITY if counts.get(state)], standing=standing,
        targets=ranked(seat, targets), targets_all=len(targets), month=f"{words.local(seat.now_ns):%m/%Y}",
    )  # fmt: skip


async def circuit(seat: Seat) -> Response:
    """Answer with a leased line."""
    seat.require("viewer")
    board, words = seat.house.board, seat.words
    found = board.inventory.circuits.get(seat.request.path_params["id"])
    if found is None:
        raise Refused(404)
    ends = [one for one in board.inventory.targets.values() if one.circuit == found.id]
    loads: list[tuple[Load, Port | None]] = []
    problem = ""
    try:
        for end in [one for one in ends if one.snmp is not None] or _neighbours(seat, found):
            load = await of_end(found, end, seat.house.store, seat.now_ns)
            if load.interface or end.circuit == found.id:
                loads.append((load, await _picture(seat, found, load)))
    except StoreError as error:
        problem = str(error)
    sites = board.inventory.sites
    return seat.page(
        "circuit.html",
        circuit=found,
        name=found.label(words.language),
        state=_circuit_state(seat, found),
        targets=ranked(seat, ends),
        loads=loads,
        problem=problem,
        system=board.inventory.systems.get(found.system or ""),
        ends=[sites[one] for one in (found.a, found.b) if one is not None and one in sites],
    )


def _neighbours(seat: Seat, circuit: Circuit) -> list[Target]:
    """Return the routers at a line's ends: a port of theirs may name the line that its own target tells nothing of."""
    board = seat.house.board
    at_ends = [one for site in (circuit.b, circuit.a) if site for one in board.at_site(site)]
    return [one for one in at_ends if one.snmp is not None and one.role.endswith("router")][:NEIGHBOURS]


async def _picture(seat: Seat, circuit: Circuit, load: Load) -> Port | None:
    if not load.interface:
        return None
    now_ns = seat.now_ns
    query = Query(
        "interface", now_ns - DAYS * 24 * HOUR_NS, now_ns, ("in_bps", "out_bps"),
        {"target": load.target, "ifName": load.interface}, 1800,
    )  # fmt: skip
    curves = await seat.house.store.read(query)
    return port(seat, load.interface, "", curves, DAYS * 24, circuit, load) if curves else None


def _circuit_state(seat: Seat, circuit: Circuit) -> State:
    board = seat.house.board
    states = [board.target(one).state for one in board.inventory.targets.values() if one.circuit == circuit.id]
    if not states:
        return State.UNKNOWN
    if all(state in FAILED for state in states):
        return State.DOWN if State.DOWN in states else State.UNREACHABLE
    return (
        State.UP
        if all(state is State.UP for state in states)
        else next(state for state in (State.DEGRADED, State.UNKNOWN) if state is State.DEGRADED or state in states)
    )
