"""A province's ledger over thirteen months with storms in it, written as the daemon would have, in seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config import Configuration, Target, load
from haidang.model import CheckId
from lab.province import Shape, generate
from lab.province.configuration import write_configuration
from storage.database import Database

S = 10**9
DAY = 86_400
MONTHLY = 2_629_800


@dataclass(frozen=True, slots=True)
class Down:
    """One stretch of downtime, UTC seconds."""

    target: str
    start: int
    end: int
    state: str = "down"
    cause: CheckId | None = None
    incident: int | None = None


def configure(folder: Path, shape: Shape | None = None, extra: str = "") -> Configuration:
    """Write the lab's configuration of a province, and whatever is put behind it."""
    path = write_configuration(generate(shape or Shape()), folder)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + extra, encoding="utf-8")
    return load(path)


def write(configuration: Configuration, start: int, end: int, seed: int = 1) -> None:
    """Write a history of own outages, cut hubs, carriers' bad days and one flood, with its incidents.

    Parameters:
        start, end: UTC seconds; the daemon ended in order at the end.
    """
    rng = random.Random(seed)
    folder = configuration.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(folder / "haidang.db", "haidang")
    sql = database.connection
    sql.execute("PRAGMA synchronous=OFF")
    with database.transaction():
        sql.execute("INSERT INTO run (started_ns, beat_ns, stopped_ns, version) VALUES (?, ?, ?, '1')",
                    (start * S, end * S, end * S))  # fmt: skip
        down = list(_all(configuration, start, end, rng, database))
        _intervals(configuration, database, start, end, down)
    database.close()


def _all(configuration: Configuration, start: int, end: int, rng: random.Random, database: Database) -> Iterator[Down]:
    inventory = configuration.inventory
    children: dict[str, list[str]] = {}
    for target in inventory.targets.values():
        for parent in target.parents[:1]:
            children.setdefault(parent, []).append(target.id)
    number = 0
    for target in inventory.targets.values():
        rate = 0.03 if target.role in ("camera", "service") else 0.12 if target.circuit else 0.06
        for began in _times(rng, start, end, rate):
            lasted = round(rng.lognormvariate(6.6, 1.4))
            behind = list(_behind(children, target.id))
            number += 1
            site = inventory.sites[target.site].label("vi") if target.site else ""
            yield from _one(number, target, site, began, min(began + lasted, end), behind, database, rng)
    by_carrier: dict[str, list[Target]] = {}
    for target in inventory.targets.values():
        circuit = inventory.circuits.get(target.circuit or "")
        if circuit and circuit.carrier:
            by_carrier.setdefault(circuit.carrier, []).append(target)
    for carrier, members in sorted(by_carrier.items()):
        for began in _times(rng, start, end, 0.4):
            cause = CheckId(carrier, "carrier")
            number += 1
            lasted = round(rng.lognormvariate(8, 0.8))
            hit = rng.sample(members, max(1, len(members) // 3))
            _incident(database, number, cause, carrier, began, began + lasted, [one.id for one in hit])
            for member in hit:
                yield Down(member.id, began, min(began + lasted, end), "down", cause, number)


def _one(
    number: int, target: Target, site: str, began: int, ended: int, behind: list[str], database: Database,
    rng: random.Random,
) -> Iterator[Down]:  # fmt: skip
    _incident(
        database,
        number,
        target.primary,
        target.label("vi"),
        began,
        ended,
        behind,
        rng.random() < 0.7,
        site,
    )
    yield Down(target.id, began, ended, "down", None, number)
    for name in behind:
        yield Down(name, began + rng.randint(0, 9), ended + rng.randint(0, 9), "unreachable", target.primary, number)


def _times(rng: random.Random, start: int, end: int, monthly: float) -> Iterator[int]:
    at = start + rng.expovariate(monthly / MONTHLY)
    while at < end - 60:
        yield round(at)
        at += rng.expovariate(monthly / MONTHLY)


def _behind(children: dict[str, list[str]], name: str) -> Iterator[str]:
    for child in children.get(name, ()):
        yield child
        yield from _behind(children, child)


def _incident(
    database: Database, number: int, check: CheckId, name: str, began: int, ended: int, behind: Iterable[str],
    acknowledged: bool = False, site: str = "",
) -> None:  # fmt: skip
    sql = database.connection
    subject = json.dumps({"name": {"vi": name, "en": name}, "site": {"vi": site, "en": site}}, ensure_ascii=False)
    sql.execute(
        "INSERT INTO incident (id, target, probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            check.target,
            check.probe,
            subject,
            "no answer",
            began * S,
            (began + 57) * S,
            ended * S,
            ended * S + S,
        ),
    )
    for one in behind:
        sql.execute(
            "INSERT OR IGNORE INTO incident_event (incident, at_ns, kind, text, target, probe) "
            "VALUES (?, ?, 'hidden', '', ?, 'icmp')",
            (number, (began + 60) * S, one),
        )
    if acknowledged:
        sql.execute(
            "INSERT INTO incident_event (incident, at_ns, kind, text) VALUES (?, ?, 'acknowledged', '')",
            (number, (began + 57 + 240) * S),
        )


def _intervals(configuration: Configuration, database: Database, start: int, end: int, down: list[Down]) -> None:
    by: dict[str, list[Down]] = {}
    for one in down:
        by.setdefault(one.target, []).append(one)
    rows = []
    for target in configuration.inventory.targets.values():
        check, at = target.primary, start
        for one in sorted(by.get(target.id, ()), key=lambda one: one.start):
            begin, until = max(one.start, at), min(one.end, end)
            if until <= begin:
                continue
            if begin > at:
                rows.append((check.target, check.probe, "up", at * S, begin * S, begin * S, "", None, None, None, "{}"))
            cause = (one.cause.target, one.cause.probe) if one.cause else (None, None)
            rows.append(
                (check.target, check.probe, one.state, begin * S, until * S, begin * S + 57 * S, "no answer", *cause,
                 one.incident, '{"failures": 5, "span_s": 54.2}')
            )  # fmt: skip
            at = until
        if at < end:
            rows.append((check.target, check.probe, "up", at * S, end * S, end * S, "", None, None, None, "{}"))
        database.connection.execute("INSERT INTO watched VALUES (?, ?, ?)", (check.target, check.probe, start * S))
    database.connection.executemany(
        "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason, cause_target, "
        "cause_probe, incident, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
