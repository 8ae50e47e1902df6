"""The pages as people see them: pictures of every page at the sizes they are looked at, before the lab's province.

    .venv/bin/python -m benchmarks.screens OUT [--scale 0.2] [--language vi] [--docs]

A whole stage: a province in a network of its own, the daemon before it with real probes, a month of outages and a week
of measurements written beforehand (made up), a hub that is cut while the pictures are taken. Needs root and Chromium.
With ``--docs`` only the pictures of the manual are written, as WebP.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import math
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from collectors.load import loads
from collectors.load import points as load_points
from config import Configuration, load
from haidang.clock import SystemClock
from haidang.conferences import sheets
from haidang.conferences.verdict import Reason, Verdict
from haidang.drill import watched
from haidang.model import Point, Series
from lab.control import listen
from lab.network import isolate
from lab.process import Lab
from lab.province import Province, Shape, generate
from lab.province.configuration import write_configuration
from storage.database import Database, open_reader
from storage.metrics import EmbeddedSettings, open_store
from tests.support import history
from tests.support.daemon import until
from tests.support.parts import require

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
S = 10**9
DAY_S = 86_400
PASSWORD = "một câu dài dễ nhớ"
SIZES = {"phone": (390, 844), "laptop": (1366, 768), "wall": (1920, 1080)}
LARGE = (3840, 2160)
QUALITY = 15
GALLERY = """\
# Every page in pictures

Written by `.venv/bin/python -m benchmarks.screens docs/images --docs`: a small province of the lab, the daemon before
it, both lines of Lục Ngạn cut. The outages of the month and the week of measurements are made up.

| page | telephone 390×844 | laptop 1366×768 | wall 1920×1080 |
|---|---|---|---|"""
FIRST = "The first sign-in: [welcome](images/welcome-laptop.webp). Of long pages the first screen and a half is shown."

FIRST_S = 100.0
"""How long the daemon looks first, so that the names of its series are known: a history is then written under them."""
HUB = "luc-ngan-router"
ROOM = "luc-ngan-room-1"
PEOPLE = (("an", "Nguyễn Văn An"), ("binh", "Trần Thị Bình"), ("cuong", "Lê Quốc Cường"), ("dung", "Phạm Thùy Dung"))


def settings(province: Province, now: datetime) -> dict[str, Any]:
    """Return what the configuration has beside the province: people, rotas, meetings, a public page."""
    rooms = [unit.id for unit in province.units.values() if unit.role == "room"]
    last_monday = now - timedelta(days=now.weekday() + 28)
    soon = now.replace(minute=now.minute // 5 * 5) + timedelta(minutes=55)
    return {
        "web": {"status_page": ["wan", "datanet", "videoconf", "platforms"]},
        "contacts": [
            {"id": "oncall", "name": "Trực ban", "email": "oncall@lab.example"},
            *({"id": who, "name": name, "email": f"{who}@lab.example"} for who, name in PEOPLE),
        ],
        "rotas": [
            {"id": "network", "name": {"vi": "Trực mạng", "en": "Network"}, "layers": [
                {"people": ["an", "binh", "cuong"], "from": "2026-01-05T08:00", "turn": "1d"}]},
            {"id": "datacentre", "name": {"vi": "Trực trung tâm dữ liệu", "en": "Data centre"}, "layers": [
                {"people": ["dung", "binh"], "from": "2026-01-05T08:00", "turn": "7d"}]},
        ],
        "conferences": {
            "burst": "10s",
            "meetings": [
                {"id": "giao-ban", "name": {"vi": "Giao ban tuần", "en": "Weekly briefing"},
                 "start": f"{last_monday:%Y-%m-%d}T08:00", "lasting": "2h", "every": "FREQ=WEEKLY;BYDAY=MO",
                 "rooms": rooms[:12]},
                {"id": "mua-lu", "name": {"vi": "Họp trực tuyến ứng phó mưa lũ", "en": "Flood response"},
                 "start": f"{soon:%Y-%m-%dT%H:%M}", "lasting": "90m", "rooms": rooms[:8]},
            ],
        },
    }  # fmt: skip


def write_past(province: Province, data: Path, now_s: int) -> None:
    """Write a month of outages."""
    rng = random.Random(7)
    start = datetime.fromtimestamp(now_s, ZONE).replace(day=1, hour=0, minute=0, second=0) - timedelta(days=31)
    start_s = int(start.timestamp())
    outages: list[history.Down] = []
    for unit in province.units.values():
        at = start_s + rng.expovariate(1 / (150 * DAY_S))
        while at < now_s - 6 * 3600:
            lasts = min(4 * 3600, 60 + rng.lognormvariate(5.2, 1.1))
            outages.append((unit.id, int(at), int(min(at + lasts, now_s - 3600))))
            at += lasts + rng.expovariate(1 / (150 * DAY_S))
    for days in (3, 11):  # a storm: a district without power
        at_s = now_s - days * DAY_S
        outages += [
            (unit.id, at_s + rng.randrange(90), at_s + 2400 + rng.randrange(600))
            for unit in province.units.values() if unit.site.startswith("hiep-hoa") and unit.role in ("router", "room")
        ]  # fmt: skip
    history.write(data, list(province.units), start_s, now_s - 120, _apart(outages))


def _apart(outages: list[history.Down]) -> Iterator[history.Down]:
    until: dict[str, int] = {}
    for one in sorted(outages, key=lambda row: row[1]):
        if one[1] > until.get(one[0], 0):
            until[one[0]] = one[2] + 60
            yield one


def write_sheets(data: Path, meetings: list[dict[str, Any]], now_s: int) -> None:
    """Write what was found of the rooms before the meetings of the last weeks."""
    rng = random.Random(3)
    database = Database(data / "haidang.db", "haidang")
    weekly = meetings[0]
    first = datetime.fromisoformat(weekly["start"]).replace(tzinfo=ZONE)
    with database.transaction() as sql:
        for week in range(6):
            start_s = int((first + timedelta(days=7 * week)).timestamp())
            if start_s > now_s:
                break
            for before_s in (3600, 900):
                rooms = []
                for name in weekly["rooms"]:
                    loss = 0.0 if rng.random() < 0.8 else round(rng.uniform(0.4, 7), 1)
                    mos = round(4.35 - loss * 0.25 - rng.random() * 0.1, 2)
                    verdict = Verdict.GO if loss < 1 else Verdict.WATCH if loss < 5 else Verdict.NO_GO
                    why = () if verdict is Verdict.GO else (Reason(verdict, "loss", {"loss": f"{loss}"}),)
                    figures = {"mos": mos, "loss_percent": loss, "delay_ms": round(rng.uniform(3, 9), 1),
                               "pdv_p95_ms": round(rng.uniform(0.2, 2), 2)}  # fmt: skip
                    rooms.append(sheets.Room(name, verdict, why, figures))
                sheets.keep(sql, sheets.Sheet(
                    "giao-ban", start_s * S, (start_s + 7200) * S, "readiness", before_s, (start_s - before_s + 15) * S,
                    tuple(rooms)))  # fmt: skip
    database.close()


def _day(at_s: float) -> float:
    """Return how busy an hour is, 0 to 1: office hours of a weekday."""
    at = datetime.fromtimestamp(at_s, ZONE)
    hour = at.hour + at.minute / 60
    busy = math.exp(-((hour - 9.5) ** 2) / 5) + math.exp(-((hour - 15) ** 2) / 6)
    return (0.12 + 0.88 * min(1.0, busy)) * (0.35 if at.weekday() >= 5 else 1.0)


async def write_measurements(
    configuration: Configuration, capacities: Mapping[tuple[str, str], float], now_s: int
) -> None:
    """Write a week of measurements under the names of the series that a first look has made."""
    path = configuration.data_dir / "metrics.db"
    rng = random.Random(5)
    with closing(open_reader(path)) as sql:
        known = [
            (measurement, json.loads(tags)) for measurement, tags in sql.execute("SELECT measurement, tags FROM series")
        ]
    wanted = ("core-router-1", HUB, ROOM, "luc-ngan-chu-router", "luc-ngan-ups", "mcu-1")
    store = open_store(EmbeddedSettings(path), SystemClock())
    for measurement, tags in known:
        if tags.get("target") not in wanted or measurement not in ("ping", "interface", "quality"):
            continue
        line = Series(measurement, tuple(sorted(tags.items())))
        base = 0.9 + 3 * rng.random()
        most = next((bps for (target, alias), bps in capacities.items()
                     if target == tags["target"] and alias in tags.get("ifAlias", "").split()), 40e6)  # fmt: skip
        share = rng.uniform(0.35, 0.97)
        points = []
        for at_s in range(now_s - 7 * DAY_S + 14_400, now_s - 180, 300):
            busy = _day(at_s) * rng.uniform(0.85, 1.1)
            points.append(Point(line, at_s * S, _fields(measurement, base, busy, most * share, rng)))
        store.add(points)
        await store.flush()
    await store.tidy()
    store.add(load_points(await loads(configuration, store, now_s * S), now_s * S))
    await store.flush()
    await store.close(60)


def _fields(measurement: str, base: float, busy: float, most: float, rng: random.Random) -> dict[str, float]:
    if measurement == "interface":
        return {"in_bps": most * busy, "out_bps": most * busy * rng.uniform(0.2, 0.5)}
    queue = base * 0.6 * busy * rng.random()
    loss = 20.0 if rng.random() < 0.004 + 0.02 * busy**6 else 0.0
    if measurement == "ping":
        return {
            "minimum_response_ms": base, "percentile50_ms": base + queue, "percentile95_ms": base + 2.1 * queue,
            "maximum_response_ms": base + queue * rng.uniform(2.2, 5), "percent_packet_loss": loss,
        }  # fmt: skip
    return {
        "mos": 4.36 - 0.06 * loss - 0.1 * busy * rng.random(), "loss_percent": loss / 4,
        "delay_ms": base / 2 + queue, "pdv_p95_ms": 0.2 + queue / 2,
    }  # fmt: skip


async def stage(folder: Path, pages: socket.socket, scale: float) -> None:
    """Be the stage: say ``ready``, then obey lines on the standard input until it ends."""
    province = generate(Shape().scaled(scale), 1)
    name = f"screens-{os.getpid()}"
    outside = listen(name)
    space = isolate()
    now = datetime.now(ZONE)
    said = settings(province, now)
    config = write_configuration(province, folder, ipv6=socket.has_ipv6, settings=said)
    data = folder / "data"
    write_past(province, data, int(now.timestamp()))
    write_sheets(data, said["conferences"]["meetings"], int(now.timestamp()))
    lab = Lab(name, province, folder, SystemClock())
    try:
        await lab.start(space, outside)
        async with watched(config, folder / "first.log", pages):
            await asyncio.sleep(FIRST_S)
        capacities: dict[tuple[str, str], float] = {
            (end, link.id): link.mbit * 1e6
            for link in province.links.values() if link.carrier for end in (link.upper, link.lower)
        }  # fmt: skip
        await write_measurements(load(config), capacities, int(time.time()))
        async with watched(config, folder / "daemon.log", pages):
            print("ready", flush=True)
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                for link in province.links.values():
                    if link.lower == HUB and line.strip() in ("cut", "mend"):
                        getattr(lab.running, line.strip())(link.id)
                print("done", flush=True)
    finally:
        await lab.close()


class Stage:
    """The stage as its own process.

    Parameters:
        folder: for everything of it.
        scale: of the province.
    """

    def __init__(self, folder: Path, scale: float) -> None:
        self.folder = folder
        sock = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{sock.getsockname()[1]}"
        words = [
            sys.executable,
            "-m",
            "benchmarks.screens",
            str(folder),
            "--stage",
            str(sock.fileno()),
            "--scale",
            str(scale),
        ]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[sock.fileno()],
        )  # fmt: skip
        self._hear("ready")

    def do(self, what: str) -> None:
        """Have something done."""
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        self._hear("done")

    def end(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def link(self) -> str:
        """Return the link of the first run, for this address."""
        log = self.folder / "daemon.log"
        found = until(lambda: re.findall(r"/welcome/[\w-]+", log.read_text("utf-8")), 60, "the link of the first run")
        return str(self.base + found[-1])

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise SystemExit("the stage ended early")


class Camera:
    """Takes the pictures.

    Parameters:
        browser: Chromium.
        base: of the pages.
        out: where pictures go.
        ending: ``png`` or ``webp``.
    """

    def __init__(self, browser: Any, base: str, out: Path, ending: str) -> None:
        self._browser, self._base, self._out, self._ending = browser, base, out, ending
        self.cookies: list[Any] = []

    @contextmanager
    def tab(self, size: tuple[int, int], language: str, scheme: str = "dark") -> Iterator[Any]:
        """Open a tab."""
        context = self._browser.new_context(
            base_url=self._base, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
            reduced_motion="reduce", locale="vi-VN" if language == "vi" else "en-GB", timezone_id=str(ZONE),
        )  # fmt: skip
        context.add_cookies([*self.cookies, {"name": "lang", "value": language, "url": self._base}])
        page = context.new_page()
        page.on("console", lambda said: print("console:", said.text) if said.type in ("error", "warning") else None)
        yield page
        context.close()

    def take(self, page: Any, name: str, *, whole: bool = True) -> None:
        """Take a picture of a tab; says what does not fit."""
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if wide > seen:
            print(f"{name}: {wide} px wide in a window of {seen}")
        path = self._out / f"{name}.{self._ending}"
        if self._ending == "png":
            page.screenshot(path=path, full_page=whole)
            return
        session = page.context.new_cdp_session(page)
        asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": whole}
        if whole:
            most = (2.5 if seen == SIZES["phone"][0] else 1.5) * page.evaluate("innerHeight")
            high = min(page.evaluate("document.documentElement.scrollHeight"), most)
            asked["clip"] = {"x": 0, "y": 0, "width": seen, "height": high, "scale": 1}
        path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))


def paths(base: Any) -> dict[str, str]:
    """Return every page by the name of its picture; ``base`` answers what is there."""
    from_, until_ = (f"{datetime.now(ZONE) + timedelta(hours=hours):%Y-%m-%dT%H:%M}" for hours in (3, 4))
    oldest = min((one["number"] for one in base("/api/v1/incidents") or ()), default=1)
    return {
        "incidents": "/incidents?all=1", "incident": f"/incident/{oldest}",
        "device": f"/target/{HUB}?range=30h", "device-core": "/target/core-router-1?range=10d",
        "room": f"/target/{ROOM}", "ups": "/target/luc-ngan-ups",
        "site": "/site/luc-ngan", "circuit": "/circuit/viettel-luc-ngan", "system": "/system/datanet",
        "conferences": "/conferences",
        "calendar": "/calendar", "calendar-target": f"/calendar?of=target:{HUB}", "forecast": "/forecast",
        "afford": f"/forecast?kind=site&name=luc-ngan&start={from_}&end={until_}",
        "maintenance": "/maintenance", "oncall": "/oncall", "reports": "/reports", "inventory": "/search",
        "search": "/search?q=luc+ngan", "self": "/self", "account": "/account",
        "status": "/status", "missing": "/nothing",
    }  # fmt: skip


def main() -> None:
    """Set the stage and take the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--language", default="vi")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--stay", action="store_true", help="keep the stage until Enter is pressed")
    parser.add_argument("--stage", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage is not None:
        asyncio.run(stage(asked.out, socket.socket(fileno=asked.stage), asked.scale))
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 only where Chromium is

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        played = Stage(Path(folder), asked.scale)
        browser = play.chromium.launch(
            executable_path=require("chromium", "chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )  # fmt: skip
        camera = Camera(browser, played.base, asked.out, "webp" if asked.docs else "png")
        (asked.out / "address").write_text(f"{played.base}\n{folder}\n")
        known = shoot(camera, played, asked.language)
        if asked.docs:
            (asked.out.parent / "screens.md").write_text(gallery(known), encoding="utf-8")
        if asked.stay:
            input("the stage stays; Enter ends it")
        browser.close()
        played.end()


def gallery(known: Mapping[str, str]) -> str:
    """Return the manual's page of all pictures."""
    lines = [GALLERY]
    walls = {"wall-calm": "/ (all is well)", "wall-alert": "/ (a hub is cut)"}
    for name, path in {**walls, **known, "login": "/login"}.items():
        shown = path if "(" in path else path.partition("?")[0]
        lines.append(f"| {shown} | " + " | ".join(f"[{name}](images/{name}-{size}.webp)" for size in SIZES) + " |")
    large = ", ".join(f"[{name}](images/{name}-large.webp)" for name in walls)
    lines += ["", f"The wall at 3840×2160: {large}. By day: [wall](images/wall-light.webp).", FIRST]
    return "\n".join(lines) + "\n"


def shoot(camera: Camera, played: Stage, language: str) -> dict[str, str]:
    """Take all pictures; returns the pages by the names of their pictures."""
    with camera.tab(SIZES["laptop"], language) as page:
        page.goto(played.link())
        camera.take(page, "welcome-laptop")
        page.fill("[name=name]", "an")
        page.fill("[name=password]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.click("main button")
        page.wait_for_selector(".board")
        camera.cookies = [one for one in page.context.cookies() if one["name"] == "haidang"]
        page.wait_for_timeout(60_000)  # until everything was measured

    def every(name: str) -> None:
        for size, pixels in {**SIZES, "large": LARGE}.items():
            with camera.tab(pixels, language) as page:
                page.goto("/")
                page.wait_for_timeout(300)
                camera.take(page, f"{name}-{size}", whole=size == "phone")

    every("wall-calm")
    with camera.tab(SIZES["laptop"], language, "light") as page:
        page.goto("/")
        camera.take(page, "wall-light")
    played.do("cut")
    with camera.tab(SIZES["laptop"], language) as page:
        page.goto("/")
        page.wait_for_selector(".board.alert", timeout=120_000)
        page.wait_for_timeout(15_000)
        known = paths(lambda path: page.evaluate("async (path) => (await (await fetch(path)).json()).items", path))
    every("wall-alert")
    for size, pixels in SIZES.items():
        with camera.tab(pixels, language, "light" if size == "wall" else "dark") as page:
            for name, path in known.items():
                page.goto(path)
                camera.take(page, f"{name}-{size}")
            page.context.clear_cookies(name="haidang")
            page.goto("/login")
            camera.take(page, f"login-{size}")
    played.do("mend")
    return known


if __name__ == "__main__":
    main()
