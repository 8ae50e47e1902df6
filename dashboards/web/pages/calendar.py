"""The calendar: how available something was on each day of a month."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from availability.books import Books
from availability.objectives import Figures
from availability.periods import month_at, month_named
from availability.promises import Promise
from config.schema.named import Named
from dashboards.web.model.desk import Day, days
from dashboards.web.pages.when import HOUR_NS, midnights
from dashboards.web.seat import Refused, Seat

KINDS = ("system", "site", "circuit", "target")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of something."""

    figures: Figures
    formula: str
    days: list[Day]


async def page(seat: Seat) -> Response:
    """Answer with a month."""
    seat.require("viewer")
    words, inventory = seat.words, seat.house.board.inventory
    kind, name = _asked(seat)
    zone = words.zone
    try:
        asked = seat.request.query_params.get("month", "")
        month = month_named(asked, zone) if asked else month_at(seat.now_ns, zone)
    except ValueError as error:
        raise Refused(400, say=str(error)) from None
    things = {
        "system": inventory.systems,
        "site": inventory.sites,
        "circuit": inventory.circuits,
        "target": inventory.targets,
    }
    thing = things[kind].get(name)
    if name and thing is None:
        raise Refused(404)
    found = None
    if thing is not None:
        objective = inventory.systems[name].objective if kind == "system" else None
        promise = Promise(name, kind, name, objective or 0)
        edges = midnights(month, words)
        configuration, now_ns = seat.house.configuration, seat.now_ns

        def read(sql: sqlite3.Connection) -> Month | None:
            account = Books(configuration, sql, now_ns, now_ns).of_promise(promise, month)
            return Month(account.figures, account.formula, days(account, edges, now_ns)) if account else None

        found = await seat.house.desk.recent(("calendar", kind, name, month.name), read)
    first = words.local(month.start_ns).weekday()
    return seat.page(
        "calendar.html",
        kind=kind,
        name=name,
        found=found,
        month=month.name,
        first=first,
        today=month_at(seat.now_ns, zone).name,
        title=_label(thing, name, words.language),
        shown=f"{words.local(month.start_ns):%m/%Y}",
        before=month_at(month.start_ns - HOUR_NS, zone).name,
        after=month_at(month.end_ns + HOUR_NS, zone).name,
        systems=[(one.id, one.label(words.language)) for one in inventory.systems.values()],
    )


def _asked(seat: Seat) -> tuple[str, str]:
    query = seat.request.query_params
    kind, _, name = query.get("of", "").partition(":")
    if kind in KINDS and name:
        return kind, name
    inventory = seat.house.board.inventory
    if inventory.systems:
        return "system", next(iter(inventory.systems))
    return "target", next(iter(inventory.targets), "")


def _label(thing: Named | object, name: str, language: str) -> str:
    label = getattr(thing, "label", None)
    return str(label(language)) if callable(label) else name
