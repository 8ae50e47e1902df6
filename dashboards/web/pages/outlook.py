"""The outlook: what will probably miss its objective, and whether planned work can be afforded."""

from __future__ import annotations

import sqlite3

from starlette.responses import Response

from availability.books import Books
from availability.promises import Promise
from dashboards.web.pages.when import moment
from dashboards.web.seat import Seat
from haidang.foretelling import Cost, Foretelling, costs
from storage.accounts import KINDS


async def page(seat: Seat) -> Response:
    """Answer with the outlook, and with the price of work that was asked for."""
    seat.require("viewer")
    query = seat.request.query_params
    asked = {key: query.get(key, "").strip()[:200] for key in ("kind", "name", "start", "end")}
    problem, prices = "", None
    if asked["name"]:
        try:
            prices = await _prices(seat, asked)
        except ValueError as error:
            problem = str(error)
    made_ns, found = await seat.house.desk.foretold()
    inventory = seat.house.board.inventory
    found = sorted(found, key=lambda one: (-(one.miss if one.miss is not None else -1), one.promise.id))
    return seat.page(
        "forecast.html", status=400 if problem else 200, problem=problem, prices=prices, asked=asked, kinds=KINDS,
        made_ns=made_ns, rows=[(_name(seat, one.promise), one) for one in found],
        names=[*inventory.systems, *inventory.sites, *inventory.circuits][:1000],
    )  # fmt: skip


async def _prices(seat: Seat, asked: dict[str, str]) -> list[tuple[str, Cost]]:
    start_ns, end_ns = moment(seat.words, asked["start"]), moment(seat.words, asked["end"])
    configuration, now_ns = seat.house.configuration, seat.now_ns

    def read(sql: sqlite3.Connection) -> list[Cost]:
        foretelling = Foretelling(configuration, Books(configuration, sql, now_ns, now_ns), now_ns)
        return costs(configuration, foretelling, asked["kind"], asked["name"], start_ns, end_ns, now_ns)

    return [(_name(seat, one.promise), one) for one in await seat.house.desk.ask(read)]


def _name(seat: Seat, promise: Promise) -> str:
    inventory = seat.house.board.inventory
    named = inventory.objectives.get(promise.id) or inventory.systems.get(promise.id)
    return named.label(seat.words.language) if named else promise.id
