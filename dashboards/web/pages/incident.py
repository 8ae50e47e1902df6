"""An incident: what broke, since when, who is affected, what was done; and the list of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from alerting import records
from alerting.records import Delivery, Event, Incident, Owner
from availability.books import Books
from availability.objectives import Figures
from availability.periods import month_at
from availability.promises import Promise
from dashboards.web.pages.wall import Row, row
from dashboards.web.seat import Refused, Seat
from haidang.model import CheckId, State

MOST = 200


@dataclass(frozen=True, slots=True)
class Story:
    """Everything on record of an incident.

    Parameters:
        incident: the row.
        events: its timeline.
        members: checks hidden behind it.
        told: who was told.
        month: of the target it is about, up to now; ``None`` when it is no target's primary check.
    """

    incident: Incident
    events: list[Event]
    members: list[CheckId]
    told: list[Delivery]
    month: Figures | None


async def listing(seat: Seat) -> Response:
    """Answer with the list of incidents."""
    seat.require("viewer")
    everything = seat.request.query_params.get("all") == "1"
    found = await seat.house.desk.ask(lambda sql: records.incidents(sql, resolved=everything, limit=MOST))
    rows: list[Row] = [row(seat, one) for one in found]
    return seat.page("incidents.html", rows=rows, everything=everything, most=MOST)


async def page(seat: Seat) -> Response:
    """Answer with one incident, or take an acknowledgement or a note."""
    if seat.request.method == "POST":
        return await _act(seat)
    user = seat.require("viewer")
    story = await _story(seat)
    verbs = seat.house.verbs
    return seat.page(
        "incident.html", number=story.incident.number, live=Markup(_write(seat, story)),  # noqa: S704 from our own template
        can_act=user.may("operator"), acknowledges="incident.ack" in verbs and story.incident.open,
        notes="incident.note" in verbs, owners=list(Owner), owner=story.incident.owner, title=_name(seat, story),
    )  # fmt: skip


async def live(seat: Seat) -> Response:
    """Answer with what changes of an incident."""
    seat.require("viewer")
    return seat.part(_write(seat, await _story(seat)).encode())


async def _act(seat: Seat) -> Response:
    user = seat.require("operator")
    form = await seat.form()
    number = int(seat.request.path_params["number"])
    said = {"number": number, "who": user.name, "note": " ".join(form.get("text", "").split())[:500]}
    try:
        if form.get("do") == "acknowledge":
            seat.house.do("incident.ack", {**said, "until_ns": None})
        elif form.get("do") == "own":
            seat.house.do("incident.own", {**said, "owner": form.get("owner", "")[:20]})
        else:
            seat.house.do("incident.note", said)
    except ValueError as error:
        raise Refused(400, say=str(error)) from None
    seat.house.book.note(user.name, seat.address, form.get("do", "")[:20], f"incident {number}")
    seat.house.hub.changed()
    return seat.see(f"/incident/{number}")


async def _story(seat: Seat) -> Story:
    number = int(seat.request.path_params["number"])
    configuration, now_ns = seat.house.configuration, seat.now_ns

    def read(sql: sqlite3.Connection) -> Story | None:
        incident = records.incident(sql, number) if number < 1 << 62 else None
        if incident is None:
            return None
        target = configuration.inventory.targets.get(incident.check.target)
        month = None
        if target is not None and target.primary == incident.check:
            system = configuration.inventory.systems.get(target.system or "")
            promise = Promise("", "target", target.id, (system.objective or 0) if system else 0)
            period = month_at(now_ns, configuration.timezone)
            month = Books(configuration, sql, now_ns, now_ns).of_target(target, period, promise).figures
        return Story(
            incident, records.events(sql, number), records.members(sql, number), records.deliveries(sql, number), month
        )  # fmt: skip

    story = await seat.house.desk.ask(read)
    if story is None:
        raise Refused(404)
    return story


def _name(seat: Seat, story: Story) -> str:
    return seat.words.name(story.incident.subject.name, story.incident.check.target)


def _write(seat: Seat, story: Story) -> str:
    words, one = seat.words, story.incident
    inventory = seat.house.board.inventory
    end_ns = one.ended_ns or one.resolved_ns
    board = seat.house.board
    devices: dict[str, tuple[str, str, State]] = {}
    sites: dict[str, State] = {}
    for check in story.members:
        target = inventory.targets.get(check.target)
        state = board.target(target).state if target else State.UNKNOWN
        devices[check.target] = (check.target, target.label(words.language) if target else check.target, state)
        if target is not None and target.site is not None:
            sites[target.site] = board.site(target.site).state
    user = seat.user
    return seat.render(
        "incident_live.html", one=one, name=_name(seat, story), subject=one.subject,
        known=one.check.target in inventory.targets, state=row(seat, one).state if one.open else State.UP,
        lasted=words.duration(((end_ns or seat.now_ns) - one.started_ns) / 1e9), events=story.events,
        members_all=len(story.members), devices=list(devices.values()),
        sites=[(inventory.sites[name], state) for name, state in sites.items()], told=story.told, month=story.month,
        acknowledged=one.acknowledged_by if one.acknowledged(seat.now_ns) else "",
        acknowledges="incident.ack" in seat.house.verbs,
        show_addresses=user is not None and user.name != "",
    )  # fmt: skip
