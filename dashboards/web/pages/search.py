"""The inventory, and one box that finds everything in it: by name with or without accents, id, address, contract."""

from __future__ import annotations

from markupsafe import Markup
from starlette.responses import Response

from dashboards.web.model.board import Board
from dashboards.web.model.index import MOST, Entry
from dashboards.web.seat import Seat
from haidang.model import State


async def page(seat: Seat) -> Response:
    """Answer with the inventory, or with what was asked for."""
    seat.require("viewer")
    asked = seat.request.query_params.get("q", "")[:100]
    return seat.page("search.html", asked=asked, results=Markup(await _write(seat, asked)))  # noqa: S704 from our own template


async def live(seat: Seat) -> Response:
    """Answer with results only, while somebody types."""
    seat.require("viewer")
    return seat.part((await _write(seat, seat.request.query_params.get("q", "")[:100])).encode())


async def _write(seat: Seat, asked: str) -> str:
    house, board = seat.house, seat.house.board
    found, count = (await house.index()).find(asked)
    rows = [(one, one.names[seat.words.language], _state(board, one)) for one in found]
    inventory = board.inventory
    top = [
        one
        for one in inventory.sites.values()
        if one.parent not in inventory.sites or inventory.sites[one.parent or ""].parent is None
    ]
    return seat.render(
        "results.html",
        asked=asked,
        rows=rows,
        count=count,
        most=MOST,
        systems=list(inventory.systems.values()) if not asked else [],
        sites=[(one, board.site(one.id)) for one in top] if not asked else [],
        circuits=list(inventory.circuits.values())[:MOST] if not asked else [],
        targets=[]
        if asked or inventory.sites
        else [(one, board.target(one)) for one in list(inventory.targets.values())[:MOST]],
    )


def _state(board: Board, entry: Entry) -> State | None:
    if entry.kind == "target":
        return board.target(board.inventory.targets[entry.id]).state
    return board.site(entry.id).state if entry.kind == "site" else None
