"""What is on record, as plain data: states now, incidents, events."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerting import records
from alerting.world import in_language
from collectors.receiver.catalogue import Catalogue
from config import Configuration
from haidang.model import CheckId, Interval, State
from haidang.settings import known_events
from storage.events import recorded
from storage.ledger import LedgerReader

_BAD = (State.DOWN, State.UNREACHABLE)
_NOT_JUDGED = "not judged yet: too few samples"


def utc(at_ns: int | None) -> str | None:
    """Write a time for programs: UTC, ISO 8601."""
    if at_ns is None:
        return None
    return datetime.fromtimestamp(at_ns // 10**9, UTC).isoformat().replace("+00:00", "Z")


def local(at_ns: int | None, zone: ZoneInfo) -> str:
    """Write a time for people, in their zone."""
    return "" if at_ns is None else f"{datetime.fromtimestamp(at_ns // 10**9, zone):%d/%m/%Y %H:%M:%S}"


def since(at_ns: int | None, zone: ZoneInfo, now_ns: int) -> str:
    """Write a time for a narrow column: the hour for today, the day for older ones."""
    if at_ns is None:
        return ""
    at, now = (datetime.fromtimestamp(value // 10**9, zone) for value in (at_ns, now_ns))
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at:%d/%m %H:%M}" if at.year == now.year else f"{at:%d/%m/%Y}"


def span(seconds: float) -> str:
    """Write a duration for people: ``2d 03:04:05``, ``03:04:05``, ``12 s``."""
    sign, whole = ("-" if seconds < 0 else ""), abs(round(seconds))
    if whole < 60:
        return f"{sign}{whole} s"
    days, rest = divmod(whole, 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{sign}{days}d {clock}" if days else f"{sign}{clock}"


def status(configuration: Configuration, sql: sqlite3.Connection, process: int | None, now_ns: int) -> dict[str, Any]:
    """Tell how everything is now.

    Parameters:
        configuration: what should be watched.
        sql: any connection to ``haidang.db``.
        process: the running daemon's, ``None`` when none runs: then the states are the last known ones.
        now_ns: UTC nanoseconds.
    """
    reader = LedgerReader(sql)
    run = reader.last_run()
    running = {interval.check: interval for interval in reader.running()}
    by_target: dict[str, list[CheckId]] = {}
    for check in plan_ids(configuration):
        by_target.setdefault(check.target, []).append(check)
    targets = []
    for name, target in configuration.inventory.targets.items():
        first = running.get(target.primary)
        checks = [_check(check, running.get(check)) for check in by_target[name]]
        state = first.state.value if first else State.UNKNOWN.value
        if state == State.UP and any(check["state"] in _BAD for check in checks):
            state = State.DEGRADED.value
        targets.append(
            {
                "target": name, "name": target.label(configuration.language), "site": target.site,
                "system": target.system, "address": target.address, "state": state,
                "since": utc(first.start_ns) if first else None, "reason": first.reason if first else _NOT_JUDGED,
                "checks": checks,
            }
        )  # fmt: skip
    summary = {state.value: sum(target["state"] == state for target in targets) for state in State}
    return {
        "daemon": {
            "running": process is not None, "process": process, "started": utc(run[0]) if run else None,
            "last_sign_of_life": utc(reader.alive_ns()) if run else None,
        },
        "at": utc(now_ns),
        "summary": summary,
        "targets": targets,
        "incidents": [one.number for one in records.incidents(sql) if one.merged_into is None],
    }  # fmt: skip


def plan_ids(configuration: Configuration) -> list[CheckId]:
    """Return the id of every configured check."""
    return [
        CheckId(target.id, probe) for target in configuration.inventory.targets.values() for probe in target.probes
    ]  # fmt: skip


def _check(check: CheckId, interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {"probe": check.probe, "state": "unknown", "since": None, "reason": _NOT_JUDGED, "cause": None}
    return {
        "probe": check.probe, "state": interval.state.value, "since": utc(interval.start_ns),
        "reason": interval.reason, "cause": str(interval.cause) if interval.cause else None,
    }  # fmt: skip


def incidents(
    configuration: Configuration, sql: sqlite3.Connection, now_ns: int, *, resolved: bool, number: int | None = None
) -> list[dict[str, Any]]:
    """Tell of the open incidents, and of the resolved ones when asked; the newest first.

    Parameters:
        number: only of this one; nothing when there is none.
    """
    if number is None:
        found = records.incidents(sql, resolved=resolved)
    else:
        found = [one] if (one := records.incident(sql, number)) else []
    return [_incident(configuration, sql, one, now_ns) for one in found]


def brief(configuration: Configuration, incident: records.Incident, now_ns: int) -> dict[str, Any]:
    """Tell of an incident what is in its own row."""
    end_ns = incident.ended_ns or incident.resolved_ns or now_ns
    until_ns = incident.acknowledged_until_ns
    return {
        "number": incident.number, "target": incident.check.target, "probe": incident.check.probe,
        "name": in_language(incident.subject.name, configuration.language),
        "site": in_language(incident.subject.site, configuration.language),
        "open": incident.open, "severity": incident.severity.value,
        "impact": incident.impact.as_json() if incident.impact else None,
        "reason": incident.reason, "since": utc(incident.since_ns), "first": utc(incident.started_ns),
        "confirmed": utc(incident.opened_ns), "until": utc(incident.ended_ns),
        "resolved": utc(incident.resolved_ns), "duration_s": round((end_ns - incident.since_ns) / 1e9, 3),
        "merged_into": incident.merged_into, "acknowledged_by": incident.acknowledged_by or None,
        "acknowledged_until": None if until_ns in (None, records.FOREVER_NS) else utc(until_ns),
        "acknowledged": incident.acknowledged(now_ns),
        "owner": incident.owner.value, "owner_by": incident.owner_by or None,
        "next_message": utc(incident.again_ns),
    }  # fmt: skip


def _incident(
    configuration: Configuration, sql: sqlite3.Connection, incident: records.Incident, now_ns: int
) -> dict[str, Any]:  # fmt: skip
    return {
        **brief(configuration, incident, now_ns),
        "merged": [child.number for child in records.children(sql, incident.number)],
        "hidden": [str(check) for check in records.members(sql, incident.number)],
        "still_hidden": [str(check) for check in records.lasting(sql, incident.number)],
        "evidence": [
            {"kind": kind, "at": utc(at_ns), "lines": lines}
            for kind, (at_ns, lines) in records.evidence(sql, incident.number).items()
        ],
        "timeline": [
            {"at": utc(event.at_ns), "kind": event.kind, "text": event.text}
            for event in records.events(sql, incident.number)
        ],
        "messages": [
            {
                "step": message.step.value, "contact": message.contact, "address": message.address,
                "state": message.state, "attempts": message.attempts, "done": utc(message.done_ns),
                "error": message.error,
            }
            for message in records.deliveries(sql, incident.number)
        ],
    }  # fmt: skip


def events(
    configuration: Configuration, sql: sqlite3.Connection, target: str | None, *, most: int
) -> list[dict[str, Any]]:
    """Tell what devices told by themselves; the newest first."""
    catalogue = Catalogue.ours().also(known_events(configuration))
    return [
        {
            "target": event.target, "first": utc(event.first_ns), "last": utc(event.last_ns), "count": event.count,
            "kind": event.kind, "source": event.source, "name": event.name, "severity": event.severity,
            "meaning": catalogue.words(event.name, configuration.language), "text": event.text,
            "proven": event.proven,
        }
        for event in recorded(sql, target, most=most)
    ]  # fmt: skip
