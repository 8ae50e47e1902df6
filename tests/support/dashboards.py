"""What a dashboard's queries are tried on: points that our own daemon made, in real stores, asked as Grafana asks.

The daemon watches a small province of the lab for 72 minutes of simulated time, so its measurements are those of a real
run; services are probed for real on loopback. All of it goes through the real writer.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import config
from availability.periods import month_at
from collectors import load
from collectors.names import AddressBook
from collectors.plan import plan
from collectors.services import ServiceSettings, ServiceWatch
from config import Configuration
from haidang.clock import ManualClock, SystemClock
from haidang.model import Point
from haidang.rehearsal import Postbox, rehearse
from lab.province import RunningProvince, Shape, generate
from lab.province.configuration import write_configuration
from storage.accounts import Accounts, ForecastRow, Maintenance
from storage.database import Database
from storage.influx.store import InfluxStore
from storage.metrics import InfluxSettings, InMemoryStore
from tests.support.daemon import until
from tests.support.lab_services import opened
from tests.support.stores import Server

S = 10**9
LASTS_S = 72 * 60
CUT_S, MENDED_S = 30 * 60, 36 * 60
"""A line is cut and mended again: an incident."""
DATABASE = "haidang"


@dataclass(frozen=True)
class Recorded:
    """What the daemon measured, when, and of what."""

    points: Sequence[Point]
    start_s: int
    end_s: int
    configuration: Configuration


def record(folder: Path, start_s: int) -> Recorded:
    """Let the daemon watch a small province.

    Parameters:
        folder: of its configuration and data.
        start_s: when simulated time begins, UTC: more than an hour before now.
    """
    province = generate(Shape().scaled(0.01), 1)
    path = write_configuration(
        province, folder, services=False, settings={"probing": {"icmp": {"cadence": "30s", "echoes": 3}}}
    )
    clock = ManualClock(start_s * S)
    running = RunningProvince(province, clock, tell=lambda _unit, _event: None)
    store = InMemoryStore()
    configuration = config.load(path)
    _foretell(configuration, start_s)
    line = next(name for name, link in province.links.items() if link.system == "datanet")

    async def script(_postbox: Postbox) -> None:
        driving = asyncio.create_task(running.drive())
        await asyncio.sleep(CUT_S)
        running.cut(line)
        await asyncio.sleep(MENDED_S - CUT_S)
        running.mend(line)
        await asyncio.sleep(LASTS_S - MENDED_S)
        driving.cancel()

    rehearse(path, running.network, clock, script, store=lambda _settings, _clock: store)
    # What follows the calendar goes by this machine's clock, not by the simulated one: here it is asked for by hand.
    end_ns = (start_s + LASTS_S) * S
    store.add(load.points(asyncio.run(load.loads(configuration, store, end_ns)), end_ns - 60 * S))
    store.add(asyncio.run(_services(folder, (start_s + 1800) * S)))
    return Recorded(store.points, start_s, start_s + LASTS_S, configuration)


def _foretell(configuration: Configuration, start_s: int) -> None:
    """Put a forecast on record: a province that has only just come to life has too little history for one."""
    configuration.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(configuration.data_dir / "haidang.db", "haidang")
    month = month_at(start_s * S, configuration.timezone).name
    rows = [ForecastRow(system, system, month, 0.12, 900.0, 40) for system in configuration.inventory.systems]
    accounts = Accounts(database)
    accounts.foretold(start_s * S, rows)
    from_ns = (start_s + 40 * 60) * S
    work = Maintenance(
        0, "system", "cameras", from_ns, from_ns + 600 * S, "", "UTC", 1, "new <switch>", "an", start_s * S, None, ""
    )
    accounts.plan(work)
    database.close()


async def _services(folder: Path, at_ns: int) -> list[Point]:
    """Probe a page, a certificate and a conference room on loopback."""
    async with opened("sip", ("https", {"certificate": {"expires_in_days": 20}}), "http") as lab:
        path = folder / "services.yaml"
        path.write_text(
            "haidang: 1\nsystems: [{id: videoconf, name: HNTH}, {id: datacentre, name: TTTHDL}]\ntargets:\n"
            f"  - {{id: room, address: 127.0.0.1, system: videoconf, sip: {{port: {lab.port('sip')}}}}}\n"
            f"  - {{id: web, address: 127.0.0.1, system: datacentre, http: {{port: {lab.port('http')}}},"
            f" tls: {{port: {lab.port('https')}, trust: {lab.services.authority}}}}}\n",
            encoding="utf-8",
        )
        names, points = AddressBook(), list[Point]()
        names.want({"127.0.0.1"})
        for one in plan(config.load(path)):
            if not isinstance(one.settings, ServiceSettings):
                continue
            watch = ServiceWatch(
                one.check, one.address, one.settings, dict(one.tags), addresses=names, clock=SystemClock(),
                deliver=lambda _observation, found: points.extend(found),
            )  # fmt: skip
            watch.start(at_ns)
            async with asyncio.timeout(10):
                while watch.busy:  # noqa: ASYNC110 the watch has no end to wait for
                    await asyncio.sleep(0.01)
    return points


def write(server: Server, recorded: Recorded, spool: Path) -> None:
    """Carry everything into a store by the daemon's own writer, and wait until it is there."""

    async def carry() -> None:
        store = InfluxStore(InfluxSettings(spool, server.url, flush_s=0.01), SystemClock())
        running = asyncio.create_task(store.run())
        for start in range(0, len(recorded.points), 2000):
            store.add(recorded.points[start : start + 2000])
            async with asyncio.timeout(60):
                while (status := store.status()).buffered:  # noqa: ASYNC110 the store has no event to wait for
                    await asyncio.sleep(0.005)
        async with asyncio.timeout(60):
            while (status := store.status()).spooled or status.buffered:  # noqa: ASYNC110 as above
                await asyncio.sleep(0.01)
        assert (status.rejected, status.refused, status.last_error) == (0, 0, "")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close(3)

    asyncio.run(carry())


def get(url: str, **query: str | list[str]) -> Any:
    """Ask a store.

    Raises:
        AssertionError: it answers with an error; says which.
    """
    data = urllib.parse.urlencode(query, doseq=True).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error.code} {error.read().decode()[:500]} to {query}") from None


def chosen(text: str, document: dict[str, Any]) -> str:
    """Put the variables' first choices in, as Grafana does: ``allValue``, or one quoted for an expression."""
    for variable in document["templating"]["list"]:
        [value] = variable["current"]["value"]
        pattern = variable["allValue"] if value == "$__all" else re.escape(value)
        text = text.replace(f"${{{variable['name']}:regex}}", pattern).replace(f"${variable['name']}", pattern)
    return text


def influx_rows(server: Server, statement: str, recorded: Recorded, interval: str) -> list[list[Any]]:
    """Run an InfluxQL query of a panel; returns rows that hold a value."""
    span = f"time >= {recorded.start_s}s AND time <= {recorded.end_s}s"
    text = statement.replace("$timeFilter", span).replace("$__interval", interval).replace("$interval", interval)
    answer = get(f"{server.url}/query", db=DATABASE, q=text)
    assert "error" not in answer["results"][0], (answer, text)
    return [
        row for one in answer["results"][0].get("series", []) for row in one["values"]
        if any(cell is not None for cell in row[1:])
    ]  # fmt: skip


def victoria_rows(server: Server, target: dict[str, Any], text: str, recorded: Recorded, interval: str) -> list[Any]:
    """Run a MetricsQL query of a panel; returns the lines that it gives."""
    width = int(interval.rstrip("s"))
    text = text.replace("$__range", f"{recorded.end_s - recorded.start_s}s")
    text = text.replace("$__rate_interval", f"{max(4 * 60, width + 60)}s").replace("$__interval", f"{width}s")
    if target["instant"]:
        answer = get(f"{server.url}/api/v1/query", query=text, time=str(recorded.end_s))
    else:
        answer = get(
            f"{server.url}/api/v1/query_range", query=text, start=str(recorded.start_s),
            end=str(recorded.end_s + width), step=str(width),
        )  # fmt: skip
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def settled(server: Server, recorded: Recorded) -> None:
    """Wait until a VictoriaMetrics finds everything that was written: it shows new names after a second or two."""
    wanted = len(
        {
            (point.series, name)
            for point in recorded.points
            for name, value in point.fields.items()
            if not isinstance(value, str)
        }
    )
    with urllib.request.urlopen(f"{server.url}/internal/force_flush", timeout=30) as answer:
        answer.read()

    def all_there() -> bool:
        text = f'count(last_over_time({{db="{DATABASE}"}}[3d]))'
        found = get(f"{server.url}/api/v1/query", query=text, time=str(recorded.end_s), nocache="1")["data"]["result"]
        return bool(found) and int(found[0]["value"][1]) >= wanted

    until(all_there, 30, f"{wanted} series in VictoriaMetrics")
