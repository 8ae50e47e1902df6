"""The on-call calendar: who is on duty now and on each day of a month, and who stands in."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from alerting.oncall.roster import Roster, roster
from alerting.oncall.rota import on_duty, shifts
from availability.periods import month_at, month_named
from dashboards.web.pages.when import HOUR_NS, midnights, moment
from dashboards.web.seat import Refused, Seat
from storage.duty import OverrideRow, overrides

AHEAD_NS = 60 * 24 * HOUR_NS
MOST = 100


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of a day: who is on duty from an hour on; an empty name: nobody."""

    hour: str
    name: str
    stands_in: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """A rota: who is on duty now, until when, and the days of the month."""

    id: str
    label: str
    now: str
    until_ns: int | None
    days: list[list[Turn]]


async def page(seat: Seat) -> Response:
    """Answer with the calendar, or take a stand-in."""
    if seat.request.method == "POST":
        return await _change(seat)
    user = seat.require("viewer")
    return await _show(seat, may=user.may("operator"))


async def _show(seat: Seat, *, may: bool, problem: str = "", filled: dict[str, str] | None = None) -> Response:
    words, configuration, now_ns = seat.words, seat.house.configuration, seat.now_ns
    asked = seat.request.query_params.get("month", "")
    try:
        month = month_named(asked, words.zone) if asked else month_at(now_ns, words.zone)
    except ValueError as error:
        raise Refused(400, say=str(error)) from None

    def read(sql: sqlite3.Connection) -> list[OverrideRow]:
        return overrides(sql, min(month.start_ns, now_ns))

    rows = await seat.house.desk.ask(read)
    everything = roster(configuration, rows)
    edges = midnights(month, words)
    contacts = configuration.inventory.contacts
    return seat.page(
        "oncall.html", status=400 if problem else 200, may=may, problem=problem,
        duties=[_duty(seat, everything, name, edges) for name in everything.rotas],
        month=month.name, shown=f"{words.local(month.start_ns):%m/%Y}", first=words.local(month.start_ns).weekday(),
        midnights=edges[:-1], before=month_at(month.start_ns - HOUR_NS, words.zone).name,
        after=month_at(month.end_ns + HOUR_NS, words.zone).name,
        rows=[one for one in rows if one.end_ns > now_ns and one.cancelled_ns is None][:MOST],
        rotas=[(one.id, one.label(words.language)) for one in configuration.inventory.rotas.values()],
        people=[(one.id, one.label(words.language)) for one in contacts.values()],
        person={one.id: one.label(words.language) for one in contacts.values()},
        filled=filled or {"rota": "", "person": "", "start": "", "end": "", "reason": ""},
    )  # fmt: skip


def _duty(seat: Seat, everything: Roster, name: str, edges: list[int]) -> Duty:
    rota, words = everything.rotas[name], seat.words
    contacts = seat.house.configuration.inventory.contacts

    def called(person: str | None) -> str:
        known = contacts.get(person or "")
        return known.label(words.language) if known else person or ""

    now, _by = on_duty(rota, everything.overrides, seat.now_ns)
    ahead = shifts(rota, everything.overrides, seat.now_ns, seat.now_ns + AHEAD_NS)
    until_ns = ahead[0].end_ns if len(ahead) > 1 else None
    days: list[list[Turn]] = [[] for _ in edges[:-1]]
    day = 0
    for shift in shifts(rota, everything.overrides, edges[0], edges[-1]):
        while edges[day + 1] <= shift.start_ns:
            day += 1
        for number in range(day, len(days)):
            if edges[number] >= shift.end_ns:
                break
            at_ns = max(shift.start_ns, edges[number])
            days[number].append(
                Turn(f"{words.local(at_ns):%H:%M}", called(shift.person), shift.by.startswith("override"))
            )
    label = seat.house.configuration.inventory.rotas[name].label(words.language)
    return Duty(name, label, called(now), until_ns, days)


async def _change(seat: Seat) -> Response:
    user = seat.require("operator")
    form = await seat.form()
    keys = ("do", "number", "rota", "person", "start", "end", "reason")
    text = {key: form.get(key, "").strip()[:500] for key in keys}
    try:
        if text["do"] == "cancel":
            number = int(text["number"]) if text["number"].isdecimal() and len(text["number"]) < 16 else -1
            said = {"number": number, "reason": seat.words("oncall.cancelled"), "author": user.name}
            seat.house.do("oncall.cancel", said)
        else:
            seat.house.do(
                "oncall.override",
                {
                    "rota": text["rota"], "person": text["person"], "start_ns": moment(seat.words, text["start"]),
                    "end_ns": moment(seat.words, text["end"]), "reason": text["reason"], "author": user.name,
                },
            )  # fmt: skip
    except ValueError as error:
        return await _show(seat, may=True, problem=str(error), filled=text)
    seat.house.book.note(user.name, seat.address, f"stand-in {text['do'] or 'add'}", text["rota"] or text["number"])
    return seat.see("/oncall")
