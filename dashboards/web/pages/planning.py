"""Maintenance: what is under way and to come, and planning more of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from availability.maintenance import occurrences
from dashboards.web.pages.when import moment
from dashboards.web.seat import Seat
from storage.accounts import KINDS, AccountsReader, Maintenance

AHEAD_NS = 90 * 86_400 * 10**9
BEHIND_NS = 30 * 86_400 * 10**9
MOST = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """An occurrence of maintenance."""

    work: Maintenance
    start_ns: int
    end_ns: int
    name: str


async def page(seat: Seat) -> Response:
    """Answer with the plan, or add to it."""
    if seat.request.method == "POST":
        return await _change(seat)
    user = seat.require("viewer")
    return await _show(seat, may=user.may("operator"))


async def _show(seat: Seat, *, may: bool, problem: str = "", filled: dict[str, str] | None = None) -> Response:
    now_ns = seat.now_ns
    works = await seat.house.desk.ask(_works)
    found = [
        Planned(work, start_ns, end_ns, _label(seat, work))
        for work in works for start_ns, end_ns in occurrences(work, now_ns - BEHIND_NS, now_ns + AHEAD_NS)
    ]  # fmt: skip
    query = seat.request.query_params
    inventory = seat.house.board.inventory
    values = {key: query.get(key, "")[:200] for key in ("kind", "name", "start", "end", "reason")}
    return seat.page(
        "maintenance.html",
        status=400 if problem else 200,
        may=may,
        problem=problem,
        kinds=KINDS,
        filled=filled or {**values, "kind": values["kind"] or "site"},
        running=[one for one in found if one.start_ns <= now_ns < one.end_ns][:MOST],
        coming=sorted((one for one in found if one.start_ns > now_ns), key=lambda one: one.start_ns)[:MOST],
        over=sorted((one for one in found if one.end_ns <= now_ns), key=lambda one: -one.end_ns)[:MOST],
        done=_done(seat),
        names=[*inventory.systems, *inventory.sites, *inventory.circuits][:1000],
    )


def _works(sql: sqlite3.Connection) -> list[Maintenance]:
    return AccountsReader(sql).maintenance()


def _done(seat: Seat) -> str:
    query = seat.request.query_params
    for key in ("planned", "cancelled"):
        if query.get(key, "").isdigit():
            return seat.words(f"maintenance.{key}", number=query[key][:9])
    return ""


async def _change(seat: Seat) -> Response:
    user = seat.require("operator")
    form = await seat.form()
    text = {key: form.get(key, "")[:500] for key in ("do", "number", "kind", "name", "start", "end", "reason")}
    try:
        if text["do"] == "cancel":
            seat.house.do(
                "maintenance.cancel",
                {
                    "number": int(text["number"]) if text["number"].isdigit() else -1,
                    "reason": "cancelled on the web page",
                    "author": user.name,
                },
            )
            key, number = "cancelled", text["number"]
        else:
            answer = seat.house.do(
                "maintenance.add",
                {
                    "kind": text["kind"], "name": text["name"].strip(), "start_ns": moment(seat.words, text["start"]),
                    "end_ns": moment(seat.words, text["end"]), "excluded": form.get("excluded") == "1",
                    "reason": text["reason"], "author": user.name,
                },
            )  # fmt: skip
            key, number = "planned", str(answer["number"])
    except ValueError as error:
        return await _show(seat, may=True, problem=str(error), filled=text)
    seat.house.book.note(user.name, seat.address, key, f"maintenance {number}")
    seat.house.hub.changed()
    return seat.see(f"/maintenance?{key}={number}")


def _label(seat: Seat, work: Maintenance) -> str:
    inventory = seat.house.board.inventory
    things = {
        "target": inventory.targets,
        "site": inventory.sites,
        "circuit": inventory.circuits,
        "system": inventory.systems,
    }
    thing = things.get(work.kind, {}).get(work.name)
    label = getattr(thing, "label", None)
    return str(label(seat.words.language)) if callable(label) else work.name
