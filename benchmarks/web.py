"""Pages of a large configuration: how long they take, what open walls cost, and whether a flood delays the probes.

    .venv/bin/python -m benchmarks.web [--targets 10000] [--sites 250] [--seconds 20] [--only-walls]

Runs a real daemon that pings 127.0.0.0/8 with a month of history, and asks it over HTTP; with Chromium also the first
paint. One target comes and goes all the time, so that walls have something to fetch. The default province is
``--targets 1300 --sites 230``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support import history
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon

PASSWORD = "a long sentence"
DAY_S = 86_400
FLIP_S = 10.0


def configure(folder: Path, targets: int, sites: int, flipping: int) -> Path:
    """Write a province of sites, in five systems, and its month.

    Parameters:
        flipping: port of the name server that comes and goes.
    """
    lines = ["haidang: 1", "data_dir: ./data", "logging: {format: json}", 'web: {listen: "127.0.0.1:0"}']
    lines += ["probing: {icmp: {cadence: 10s, echoes: 1}}", "systems:"]
    lines += [f"  - {{id: s{number}, name: System {number}, objective: 99.5}}" for number in range(5)]
    lines += ["sites:", "  - {id: centre, level: province, latitude: 21.3, longitude: 106.4}"]
    rng = random.Random(1)
    lines += [
        f"  - {{id: site{number}, name: Xã {number}, level: commune, parent: centre, "
        f"latitude: {21.1 + rng.random() * 0.4:.4f}, longitude: {105.9 + rng.random():.4f}}}"
        for number in range(sites)
    ]
    quick = "{failures: 2, span: 1s, clear_samples: 1, clear_span: 1s, flap_changes: 60}"
    dns = f"{{port: {flipping}, cadence: 1s, timeout: 500ms}}"
    lines += [
        "targets:",
        f"  - {{id: flip, address: 127.0.0.1, site: site0, system: s0, probes: [dns], dns: {dns},",
        f"     confirmation: {quick}}}",
    ]
    (folder / "haidang.yaml").write_text("\n".join([*lines, "inventory: [targets.csv]"]) + "\n", encoding="utf-8")
    rows = [
        f"t{number},127.{1 + number // 60000}.{number // 250 % 240}.{1 + number % 250},"
        f"site{number % sites},s{number % 5}"
        for number in range(targets)
    ]
    (folder / "targets.csv").write_text("id,address,site,system\n" + "\n".join(rows) + "\n", encoding="utf-8")
    now = int(time.time())
    outages = [
        (f"t{rng.randrange(targets)}", start, start + rng.randrange(60, 1800))
        for start in range(now - 20 * DAY_S, now - DAY_S, max(60, 20 * DAY_S // targets))
    ]
    apart: dict[str, history.Down] = {}
    for one in outages:
        apart.setdefault(one[0], one)
    history.write(
        folder / "data", [f"t{number}" for number in range(targets)], now - 23 * DAY_S, now - 5, apart.values()
    )
    return folder / "haidang.yaml"


def timed(client: httpx2.Client, idle: float, name: str, work: Callable[[], httpx2.Response], rounds: int = 30) -> None:
    """Print the median and the longest of some requests, and the daemon's processor time for one.

    Parameters:
        idle: share of a core that the daemon takes with nobody looking.
    """
    took = []
    began_all, cpu = time.monotonic(), counted(client)[0]
    for _ in range(rounds):
        began = time.perf_counter()
        answer = work()
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{name}: {answer.status_code}")
    mine = (counted(client)[0] - cpu - idle * (time.monotonic() - began_all)) / rounds * 1000
    shown = f"{statistics.median(took):.1f} | {max(took):.1f} | {mine:.0f}"
    print(f"| {name} | {len(answer.content) / 1000:.0f} kB | {shown} |")


def counted(client: httpx2.Client) -> tuple[float, list[tuple[float, float]]]:
    """Return processor seconds, and the histogram of lateness."""
    families = {one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)}
    (cpu,) = (one.value for one in families["process_cpu_seconds"].samples)
    late = families["haidang_probe_lateness_seconds"].samples
    return cpu, [(float(one.labels["le"]), one.value) for one in late if "le" in one.labels]


def p99(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> str:
    """Return the bound under which 99 % of the probes were started."""
    grown = [(bound, count - earlier[1]) for (bound, count), earlier in zip(after, before, strict=True)]
    total = grown[-1][1]
    bound = next(bound for bound, count in grown if count >= 0.99 * total)
    return f"{total:.0f} probes, 99 % within {bound * 1000:.0f} ms"


def during(client: httpx2.Client, seconds: float, what: str) -> float:
    """Print what a stretch of time cost; returns percent of a core."""
    cpu, late = counted(client)
    began = time.monotonic()
    time.sleep(seconds)
    cpu_after, late_after = counted(client)
    share = (cpu_after - cpu) / (time.monotonic() - began) * 100
    print(f"{what}: {share:.1f} % of a core, {p99(late, late_after)}")
    return share


def walls(base: str, cookies: dict[str, str], stop: threading.Event, fetched: list[int]) -> None:
    """Be an open wall: hear of changes, fetch what changed."""
    with httpx2.Client(base_url=base, cookies=cookies, timeout=30) as client, contextlib.suppress(httpx2.HTTPError):
        tag, version = "", ""
        with client.stream("GET", "/events") as events:
            for line in events.iter_lines():
                if stop.is_set():
                    return
                found = re.search(r'"version": (\d+)', line)
                if found and found[1] != version:
                    version = found[1]
                    answer = client.get("/part/wall", headers={"if-none-match": tag})
                    fetched[0] += 1
                    tag = answer.headers.get("etag", tag)


def flip(server: Answerer) -> None:
    """Let a name server come and go."""
    while True:
        time.sleep(FLIP_S)
        server.on = not server.on


def flood(base: str, stop: threading.Event, sent: list[int]) -> None:
    """Ask as fast as it goes, on a new connection each time, half of it for nothing."""
    parts = httpx2.URL(base)
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection((parts.host, parts.port or 0), 2) as sock:
            sock.settimeout(2)
            for _ in range(20):
                sock.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
                if not sock.recv(65_536):
                    break
                sent[0] += 1


def paint(base: str, cookies: dict[str, str]) -> None:
    """Print when Chromium paints the wall for the first time, and what it fetched."""
    program = shutil.which("chromium")
    if program is None:
        print("first paint: not measured, apt-get install chromium")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 only where Chromium is

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        context = browser.new_context(base_url=base, viewport={"width": 1920, "height": 1080})
        context.add_cookies([{"name": name, "value": value, "url": base} for name, value in cookies.items()])
        took, size = [], 0
        for _ in range(5):
            page = context.new_page()
            page.goto("/")
            page.wait_for_timeout(500)
            took.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            size = page.evaluate(
                "[performance.getEntriesByType('navigation')[0], ...performance.getEntriesByType('resource')]"
                ".reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
            )
            page.close()
        print(
            f"wall in Chromium: first paint {statistics.median(took):.0f} ms (median of 5), "
            f"{size / 1000:.0f} kB with all it needs"
        )
        browser.close()


def watched(client: httpx2.Client, base: str, cookies: dict[str, str], seconds: float) -> None:
    """Print what 20 open walls cost, in turn with none, so that what else the machine does shows."""
    fetched = [0]
    for _ in range(3):
        during(client, seconds, "nobody looks")
        stop = threading.Event()
        threads = [threading.Thread(target=walls, args=(base, cookies, stop, fetched), daemon=True) for _ in range(20)]
        for one in threads:
            one.start()
        time.sleep(3)
        fetched[0] = 0
        during(client, seconds, "20 open walls")
        print(f"  each fetched {fetched[0] / 20:.1f} times; load {os.getloadavg()[0]:.1f}")
        stop.set()
        time.sleep(7)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--sites", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only-walls", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Answerer()
        threading.Thread(target=flip, args=(server,), daemon=True).start()
        config = configure(folder, asked.targets, asked.sites, server.port)
        with Daemon(config) as daemon:
            base = daemon.wait_for("pages are served", 60)["address"]
            said = "nobody can sign in yet: open this link once, within a day, and choose a name and a password"
            link = daemon.wait_for(said)["link"]
            client = httpx2.Client(base_url=base, headers={"origin": base}, timeout=60)
            client.post(link, data={"name": "an", "password": PASSWORD, "again": PASSWORD})
            cookies = dict(client.cookies)
            print(f"{asked.targets} targets; load {os.getloadavg()[0]:.1f}; waiting until all are measured")
            time.sleep(45)
            if asked.only_walls:
                paint(base, cookies)
                watched(client, base, cookies, asked.seconds)
                daemon.end()
                return
            idle = during(client, asked.seconds, "nobody looks") / 100
            print("| page | size | median ms | longest ms | CPU ms |\n|---|---|---|---|---|")
            for what, path in (
                ("wall", "/"),
                ("device", "/target/t77"),
                ("site", "/site/site7"),
                ("system of a fifth of all", "/system/s1"),
                ("incidents", "/incidents?all=1"),
                ("inventory", "/search"),
                ("search by name", "/part/search?q=xa%2012"),
                ("search by address", "/part/search?q=127.1.3.7"),
                ("API: a page of targets", "/api/v1/targets"),
                ("API: systems", "/api/v1/systems"),
                ("metrics", "/metrics"),
            ):
                timed(client, idle, what, lambda path=path: client.get(path))  # type: ignore[misc]
            # A month with a past, also on the first of one.
            month = time.strftime("%Y-%m", time.gmtime(time.time() - 10 * DAY_S))
            for what in ("calendar of a fifth of all, first", "calendar of a fifth of all, again within 30 s"):
                systems = iter(range(5))
                timed(client, idle, what, lambda: client.get(f"/calendar?of=system:s{next(systems)}&month={month}"), 5)  # noqa: B023 used at once
            paint(base, cookies)
            watched(client, base, cookies, asked.seconds)
            sent = [0]
            stop = threading.Event()
            threads = [threading.Thread(target=flood, args=(base, stop, sent), daemon=True) for _ in range(32)]
            for one in threads:
                one.start()
            during(client, asked.seconds, "a flood on 32 connections")
            stop.set()
            time.sleep(3)
            during(client, asked.seconds, "nobody looks")
            print(f"the flood was answered {sent[0] / asked.seconds:.0f} times a second; load {os.getloadavg()[0]:.1f}")
            client.close()
            daemon.end()


if __name__ == "__main__":
    main()
