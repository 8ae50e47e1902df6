"""What the endpoints answer: from the board where it is there, else from the ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from alerting import records
from alerting.records import Incident
from availability.periods import month_at
from config import Target
from config.schema.things import Site
from dashboards.web.api.endpoint import Problem, Values, page
from dashboards.web.house import House
from dashboards.web.model.board import Board, Now
from dashboards.web.pages.archive import file_of, revisions
from dashboards.web.pages.wall import system_state
from haidang.model import CheckId, State
from haidang.show import utc
from haidang.statements import availability as stated
from haidang.statements import named as period_named
from haidang.statements import told
from probes.threads import in_thread
from storage.accounts import AccountsReader, Maintenance


async def systems(house: House, _values: Values) -> dict[str, Any]:
    """Every system: how it is, and how it stands in this month."""
    board = house.board
    items = []
    for system in board.inventory.systems.values():
        counts = board.counts(system.id)
        standing = house.desk.standings.get(system.id)
        items.append(
            {
                "id": system.id,
                "name": _names(system),
                "state": system_state(system, counts, standing).value,
                "objective_percent": system.objective,
                "targets": {state.value: counts.get(state, 0) for state in State},
                "month": told(standing.figures) if standing else None,
                "formula": standing.formula if standing else None,
                "miss_probability": standing.miss if standing else None,
            }
        )
    return {"items": items, "next": None, "total": len(items)}


async def users(house: House, _values: Values) -> dict[str, Any]:
    """Who can sign in, and which programs have a token."""
    factors = house.factors.users()
    items: list[dict[str, Any]] = [
        {"name": one.name, "kind": "user", "may": [one.role], "totp": one.name in factors, "until": None, "seen": None}
        for one in house.book.users()
    ]
    items += [
        {"name": one.name, "kind": "token", "may": list(one.scopes), "totp": False, "until": utc(one.until_ns),
         "seen": utc(one.seen_ns)}
        for one in house.tokens.all()
    ]  # fmt: skip
    return {"items": items, "next": None, "total": len(items)}


async def audit(house: House, values: Values) -> dict[str, Any]:
    """Who did what, the newest first."""
    return house.book.audit(values["limit"], values["before"])


async def sites(house: House, values: Values) -> dict[str, Any]:
    """Sites and how they are."""
    board = house.board

    def write(site: Site) -> dict[str, Any]:
        now = board.site(site.id)
        return {
            "id": site.id,
            "name": _names(site),
            "level": site.level,
            "parent": site.parent,
            "latitude": site.latitude,
            "longitude": site.longitude,
            "state": now.state.value,
            "targets": now.targets,
            "not_well": now.bad,
        }

    return page(list(board.inventory.sites.values()), lambda site: site.id, write, values)


async def targets(house: House, values: Values) -> dict[str, Any]:
    """Targets by what was asked for, in the order of the configuration."""
    board = house.board
    chosen = list(board.inventory.targets.values())
    for key in ("system", "site", "circuit", "role"):
        if values[key] is not None:
            chosen = [one for one in chosen if getattr(one, key) == values[key]]
    if values["state"] is not None:
        chosen = [one for one in chosen if board.target(one).state.value == values["state"]]
    return page(chosen, lambda one: one.id, lambda one: _target(board, one), values)


async def target(house: House, values: Values) -> dict[str, Any]:
    """One target with its checks."""
    known = house.board.inventory.targets.get(values["id"])
    if known is None:
        raise Problem(404, "Not found", f"there is no target {values['id']}")
    checks = [_check(CheckId(known.id, probe), house.board) for probe in known.probes]
    return {**_target(house.board, known), "parents": list(known.parents), "needs": list(known.needs), "checks": checks}


async def states(house: House, values: Values) -> dict[str, Any]:
    """Checks and their states."""
    board = house.board
    checks = [(one.id, probe) for one in board.inventory.targets.values() for probe in one.probes]
    if values["state"] is not None:
        checks = [one for one in checks if board.check(CheckId(*one)).state.value == values["state"]]
    return page(checks, "/".join, lambda one: _check(CheckId(*one), board), values)


async def incidents(house: House, values: Values) -> dict[str, Any]:
    """Incidents, the newest first."""
    before = values["before"]

    def read(sql: sqlite3.Connection) -> list[Incident]:
        return records.incidents(sql, resolved=not values["open"], limit=100_000)

    found = [one for one in await house.desk.ask(read) if before is None or one.number < before]
    chosen = found[: values["limit"]]
    more = len(found) > len(chosen)
    return {
        "items": [_incident(one) for one in chosen],
        "next": str(chosen[-1].number) if more else None,
        "total": len(found),
    }


async def incident(house: House, values: Values) -> dict[str, Any]:
    """One incident with its timeline, what it hides and who was told."""
    number = values["number"]

    def read(sql: sqlite3.Connection) -> dict[str, Any] | None:
        one = records.incident(sql, number)
        if one is None:
            return None
        return {
            **_incident(one),
            "hidden": [str(check) for check in records.members(sql, number)],
            "timeline": [
                {"at": utc(event.at_ns), "kind": event.kind, "text": event.text}
                for event in records.events(sql, number)
            ],
            "messages": [
                {
                    "step": one.step.value,
                    "contact": one.contact,
                    "channel": one.channel,
                    "state": one.state,
                    "done": utc(one.done_ns),
                }
                for one in records.deliveries(sql, number)
            ],
        }

    found = await house.desk.ask(read)
    if found is None:
        raise Problem(404, "Not found", f"there is no incident {number}")
    return found


async def availability(house: House, values: Values) -> dict[str, Any]:
    """How available systems, objectives and targets were in a month; the same as ``haidang availability --json``."""
    configuration, now_ns, system = house.configuration, house.clock.utc_ns(), values["system"]
    if system is not None and system not in configuration.inventory.systems:
        raise Problem(404, "Not found", f"there is no system {system}")
    try:
        month = values["month"] or month_at(now_ns, configuration.timezone).name
        asked = period_named("month", month, configuration.timezone, now_ns)
    except ValueError as error:
        raise Problem(400, "Invalid parameter", str(error)) from None
    return await house.desk.ask(lambda sql: stated(configuration, sql, asked, now_ns, running=True, system=system))


async def maintenance(house: House, values: Values) -> dict[str, Any]:
    """Planned and past work, in the order of its numbers."""
    works = await house.desk.ask(lambda sql: AccountsReader(sql).maintenance())
    return page(works, lambda one: one.number, _maintenance, values)


async def reports(house: House, _values: Values) -> dict[str, Any]:
    """Kept reports, the newest first, each file with where to get it."""
    try:
        found = await in_thread(lambda: revisions(house.configuration.data_dir), "archive")
    except OSError as error:
        raise Problem(503, "Busy", f"the archive cannot be read: {error.strerror}") from None
    items = [
        {
            "month": one.month,
            "revision": one.number,
            "files": [
                {
                    "name": file.name, "sha256": file.sha256, "bytes": file.size,
                    "path": f"/api/v1/reports/{one.month}/{one.number}/{file.name}",
                }
                for file in one.files
            ],
        }
        for one in found
    ]  # fmt: skip
    return {"items": items, "next": None, "total": len(items)}


async def report(house: House, values: Values) -> Path:
    """One file of a kept report, as it was kept."""
    data_dir, month, number, name = house.configuration.data_dir, values["month"], values["revision"], values["name"]
    try:
        found = await in_thread(lambda: file_of(data_dir, month, number, name), "archive")
    except OSError as error:
        raise Problem(503, "Busy", f"the archive cannot be read: {error.strerror}") from None
    if found is None:
        raise Problem(404, "Not found", "no such file is kept; /api/v1/reports lists them")
    return found


def _names(thing: Any) -> dict[str, str]:  # noqa: ANN401 whatever has a label: systems, sites, targets
    return {language: thing.label(language) for language in ("vi", "en")}


def _target(board: Board, one: Target) -> dict[str, Any]:
    return {
        "id": one.id, "name": _names(one), "address": one.address, "site": one.site, "system": one.system,
        "circuit": one.circuit, "role": one.role, "probes": list(one.probes), "primary": str(one.primary),
        **_now(board.target(one)),
    }  # fmt: skip


def _check(check: CheckId, board: Board) -> dict[str, Any]:
    return {"check": str(check), "target": check.target, "probe": check.probe, **_now(board.check(check))}


def _now(now: Now) -> dict[str, Any]:
    return {
        "state": now.state.value, "since": utc(now.since_ns), "reason": now.reason,
        "cause": str(now.cause) if now.cause else None,
    }  # fmt: skip


def _maintenance(one: Maintenance) -> dict[str, Any]:
    return {
        "number": one.number, "kind": one.kind, "name": one.name, "start": utc(one.start_ns), "end": utc(one.end_ns),
        "rule": one.rule, "timezone": one.zone, "excluded": bool(one.excluded), "reason": one.reason,
        "author": one.author, "created": utc(one.created_ns), "cancelled_from": utc(one.cancelled_from_ns),
    }  # fmt: skip


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "number": one.number, "target": one.check.target, "probe": one.check.probe, "name": dict(one.subject.name),
        "site": dict(one.subject.site), "carrier": one.subject.carrier, "reason": one.reason, "open": one.open,
        "severity": one.severity.value, "owner": one.owner.value, "acknowledged_by": one.acknowledged_by or None,
        "started": utc(one.started_ns), "confirmed": utc(one.opened_ns), "ended": utc(one.ended_ns),
        "resolved": utc(one.resolved_ns),
    }  # fmt: skip
