"""The monitor itself: whether the watchman is well."""

from __future__ import annotations

import sqlite3

from starlette.responses import Response

from dashboards.web.seat import Seat


async def page(seat: Seat) -> Response:
    """Answer with how the daemon is."""
    user = seat.require("viewer")
    house = seat.house

    def read(sql: sqlite3.Connection) -> dict[str, int]:
        return dict(sql.execute("SELECT state, count(*) FROM notification GROUP BY state"))

    return seat.page(
        "self.html",
        vitals=house.vitals(),
        trouble=seat.trouble(),
        outbox=await house.desk.ask(read),
        connections=house.gate.connections,
        watching=house.hub.watching,
        refused=sum(house.gate.counted.values()) + house.hub.refused,
        users=house.book.users() if user.may("admin") else [],
        directory=str(house.configuration.data_dir),
        targets=len(house.board.inventory.targets),
    )
