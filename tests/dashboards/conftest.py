"""A real daemon with pages, and somebody who is signed in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue
from threading import Thread
from zoneinfo import ZoneInfo

import httpx2
import pytest

from probes.snmp import ber
from probes.snmp.ber import Value
from reports.archive import sums
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon, ask, until
from tests.support.openid import CLIENT, SECRET, OpenidProvider
from tests.support.peers import free_port
from tests.support.snmp_agent import Agent, interfaces, serving

HOSTILE = "<script>alert('x')</script>\"&{{7*7}}"
PASSWORD = "một câu dài dễ nhớ"


@dataclass
class Site:
    """A daemon that serves pages."""

    base: str
    link: str
    config: Path
    daemon: Daemon
    server: Answerer
    openid: OpenidProvider


def write(
    folder: Path, port: int, web: str = '{listen: "127.0.0.1:0", status_page: [wan]}', url: str = "",
    agent: int | None = None,
) -> Path:  # fmt: skip
    """Write a configuration.

    Parameters:
        port: of the name server.
        web: the section.
        url: where the pages are reached.
        agent: port of an SNMP agent of the first target, which then is a conference room as well.
    """
    path = folder / "haidang.yaml"
    hostile = HOSTILE.replace('"', '\\"')
    polled = meetings = ""
    if agent is not None:
        polled = (
            ", probes: [icmp, snmp, quality], "
            f"snmp: {{credential: all, port: {agent}, cadence: 2s, budget: 2s, timeout: 1s}}, "
            "quality: {cadence: 10s, count: 20, interval: 10ms, timeout: 200ms, min_mos: 1}"
        )
        (folder / "community").write_text("public", encoding="utf-8")
        (folder / "community").chmod(0o600)
        begins = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(minutes=2)
        event = (
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", "UID:daily@example.vn", "SUMMARY:Giao ban",
            f"DTSTART;TZID=Asia/Ho_Chi_Minh:{begins + timedelta(days=1):%Y%m%dT%H%M%S}", "DURATION:PT1H",
            "LOCATION:hall", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT", "END:VCALENDAR", "",
        )  # fmt: skip
        (folder / "office.ics").write_text("\r\n".join(event), encoding="utf-8")
        meetings = f"""\
credentials: [{{id: all, version: 2c, community: {{file: community}}}}]
conferences:
  before: [10m]
  burst: 1s
  calendars: [{{id: office, file: office.ics, rooms: {{hall: [loop]}}}}]
  meetings: [{{id: floods, name: "{hostile}", start: "{begins:%Y-%m-%dT%H:%M}", rooms: [loop]}}]
"""
    path.write_text(
        f"""\
haidang: 1
data_dir: ./data
logging: {{format: json}}
web: {web}
probing: {{icmp: {{cadence: 2s, echoes: 5, timeout: 500ms}}}}
confirmation: {{failures: 2, span: 1s, clear_samples: 1, clear_span: 1s, flap_changes: 60}}
{meetings}alerting:
  commands: [{{id: quietly, argv: [/bin/true]}}]
  incidents: {{reopen: 0s}}
  {f"url: {url}" if url else ""}
contacts:
  - {{id: an, name: "{hostile}", ways: [{{channel: quietly, address: x}}]}}
  - {{id: binh, name: Trần Thị Bình, ways: [{{channel: quietly, address: x}}]}}
rotas:
  - {{id: duty, name: Trực mạng, layers: [{{people: [an, binh], from: "2026-01-05T08:00"}}]}}
systems:
  - {{id: wan, name: {{vi: Mạng WAN, en: WAN}}, objective: 99.9}}
  - {{id: inner, name: Nội bộ}}
sites:
  - {{id: centre, name: "{hostile}", level: province, latitude: 21.2, longitude: 106.1, address: "{hostile}"}}
  - {{id: hub, name: Lục Ngạn, level: district, parent: centre, latitude: 21.3, longitude: 106.5}}
circuits:
  - {{id: line, name: "{hostile}", carrier: "{hostile}", contract: "{hostile}", a: centre, b: hub, mbps: 9}}
targets:
  - {{id: loop, name: "{hostile}", address: 127.0.0.1, site: centre,
     system: wan, notes: "{hostile}", circuit: line{polled}}}
  - id: names
    name: {{vi: Máy chủ tên miền, en: Name server}}
    address: 127.0.0.1
    site: hub
    system: wan
    probes: [dns]
    dns: {{port: {port}, cadence: 1s, timeout: 500ms}}
""",
        encoding="utf-8",
    )
    return path


@contextmanager
def talking() -> Iterator[int]:
    """Let a device with a port on the circuit and the name server beside it answer; returns its UDP port."""
    mib = interfaces(1)
    lldp = "1.0.8802.1.1.2.1"
    mib["1.3.6.1.2.1.31.1.1.1.18.1"] = (ber.OCTET_STRING, b"to hub: line")
    mib[f"{lldp}.3.7.1.3.1"] = (ber.OCTET_STRING, b"Gi1/0/1")
    for number, name in ((1, b"NAMES.example.vn"), (2, HOSTILE.encode())):
        cells: dict[int, tuple[int, Value]] = {
            4: (ber.INTEGER, 7), 5: (ber.OCTET_STRING, b"x"), 6: (ber.INTEGER, 5), 7: (ber.OCTET_STRING, b"Te1/1"),
            9: (ber.OCTET_STRING, name),
        }  # fmt: skip
        mib |= {f"{lldp}.4.1.1.{column}.0.1.{number}": cell for column, cell in cells.items()}
    ready: Queue[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def serve() -> None:
        over = asyncio.Event()
        async with serving(Agent(mib)) as agent:
            ready.put((agent.port, asyncio.get_running_loop(), over))
            await over.wait()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    port, loop, over = ready.get(timeout=10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


def keep_report(data: Path) -> None:
    """Keep a revision as `reports.archive` does, with one file beside it that is not of the archive."""
    folder = data / "reports" / "2026-10" / "revision-1"
    folder.mkdir(parents=True)
    files = {"report-2026-10-vi.pdf": b"%PDF-1.7 ...", "report-2026-10.json": b"{}"}
    for name, text in files.items():
        (folder / name).write_bytes(text)
    (folder / "SHA256SUMS").write_bytes(sums(files))
    (folder / "secret.txt").write_text("not of the archive", encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("web")
    server, openid, port = Answerer(), OpenidProvider(), free_port()
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    (folder / "secret").chmod(0o600)
    oidc = (
        f"{{issuer: '{openid.issuer}', client_id: {CLIENT}, client_secret: {{file: secret}}, name: Tài khoản tỉnh, "
        "viewers: [nhìn], operators: [/vận hành], admins: [quản trị], session: 1h}"
    )
    web = f'{{listen: "127.0.0.1:{port}", status_page: [wan], oidc: {oidc}}}'
    with talking() as agent, Daemon(write(folder, server.port, web, f"http://127.0.0.1:{port}", agent)) as daemon:
        config = daemon.config
        base = daemon.wait_for("pages are served")["address"]
        link = daemon.wait_for(
            "nobody can sign in yet: open this link once, within a day, and choose a name and a password"
        )["link"]
        until(
            lambda: all(
                check["state"] == "up"
                for one in ask(config, "status", "--all")["targets"]
                for check in one["checks"]
                if check["probe"] in ("icmp", "dns")
            ),
            30,
            "both targets are up",
        )
        keep_report(folder / "data")
        yield Site(base, link, config, daemon, server, openid)
        assert daemon.end() == 0
    server.close()
    openid.close()


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator[httpx2.Client]:
    """Somebody who is signed in as an administrator, by the link of the first run."""
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as client:
        done = client.post(site.link, data={"name": "an", "password": PASSWORD, "again": PASSWORD})
        assert done.status_code == 303
        yield client


def form_of(client: httpx2.Client, path: str) -> str:
    """Return what a form of a page has to send along."""
    found = re.search(r'name="form" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]
