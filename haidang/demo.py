"""The demonstration: a province, the daemon before it, and a district that is cut off and comes back."""

from __future__ import annotations

import asyncio
import csv
import os
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from config import load
from haidang.clock import SystemClock
from haidang.drill import watched
from lab.control import listen
from lab.network import Space, isolate, missing
from lab.process import Lab
from lab.province import Province
from lab.province.configuration import write_configuration
from storage.database import DatabaseError, open_reader
from storage.ledger import LedgerReader

CUT_S, MEND_S = 60.0, 240.0
LOOK_S, TELL_S = 1.0, 20.0
LOOPBACK = "127.0.0.0/8"
PAGES = "127.0.0.1"
PORT = 8080
"""Of the pages, where it is free; else the system chooses."""

Say = Callable[[str], None]


def demonstrate(province: Province, folder: Path, lasts_s: float, say: Say) -> None:
    """Show it until the time is over or Ctrl-C.

    Parameters:
        province: to watch.
        folder: for everything; the caller takes it away.
        lasts_s: seconds.
        say: prints a line.
    """
    why = missing()
    if why is not None:
        say(f"The lab's network cannot be had here: {why.what}. The cure: {why.cure}.")
        say(f"Until then {len(province.units)} addresses of {LOOPBACK} stand for the province; none of them can fail.")
        say(f"The pages, to look at: http://{PAGES}:{PORT}/ (unless something else listens there)")
        work = _Show(_on_loopback(province, folder), None, say).run(lasts_s)
    else:
        name = f"demo-{os.getpid()}"
        outside = listen(name)
        pages = _pages()  # of this network: the daemon serves them from within the lab's
        space = isolate()
        config = write_configuration(
            province, folder, ipv6=Path("/proc/net/if_inet6").exists(), settings={"web": {"public": True}}
        )
        say(f"A province of {len(province.sites)} sites, {len(province.units)} devices and services, and the daemon.")
        say(f"Look in from another terminal: haidang lab exec --name {name} haidang status --config {config}")
        say(f"The pages, to look at: http://{PAGES}:{pages.getsockname()[1]}/")
        work = _in_lab(name, province, space, outside, pages, config, lasts_s, say)
    with suppress(KeyboardInterrupt):
        asyncio.run(work)
    say("The demonstration is over; nothing is left behind.")


def _pages() -> socket.socket:
    """Listen for browsers."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((PAGES, PORT))
    except OSError:
        sock.bind((PAGES, 0))
    sock.listen()
    return sock


async def _in_lab(
    name: str, province: Province, space: Space, outside: socket.socket, pages: socket.socket, config: Path,
    lasts_s: float, say: Say,
) -> None:  # fmt: skip
    lab = Lab(name, province, config.parent, SystemClock())
    try:
        await lab.start(space, outside)
        await _Show(config, lab, say, pages).run(lasts_s)
    finally:
        await lab.close()


class _Show:
    """What is told while the daemon watches.

    Parameters:
        config: the daemon's.
        lab: what can be broken; ``None`` when nothing can.
        say: prints a line.
        pages: the daemon's pages are served here; at its own port when ``None``.
    """

    def __init__(self, config: Path, lab: Lab | None, say: Say, pages: socket.socket | None = None) -> None:
        self._pages = pages
        self._config = config
        self._configuration = load(config)
        self._lab = lab
        self._say = say
        self._told = 0

    async def run(self, lasts_s: float) -> None:
        """Tell what happens, for a while."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        plan = self._plan()
        next_s = TELL_S
        async with watched(self._config, self._config.parent / "daemon.log", self._pages) as daemon:
            while (passed := loop.time() - began) < lasts_s:
                while plan and plan[0][0] <= passed:
                    plan.pop(0)[1]()
                self._tell_mail()
                if passed >= next_s:
                    next_s += TELL_S
                    self._tell_states(passed)
                if daemon.returncode is not None:
                    self._say(f"The daemon ended with {daemon.returncode}; its log:")
                    self._say((self._config.parent / "daemon.log").read_text("utf-8", "replace")[-2000:])
                    return
                await asyncio.sleep(LOOK_S)

    def _plan(self) -> list[tuple[float, Callable[[], None]]]:
        if self._lab is None:
            return []
        running = self._lab.running
        hub = next(unit for unit in running.province.units.values() if unit.role == "hub-router")
        lines = [link.id for link in running.province.links.values() if link.lower == hub.id]

        def cut() -> None:
            self._say(f"*** both lines of {hub.vi} are cut: {', '.join(lines)}")
            for line in lines:
                running.cut(line)

        def mend() -> None:
            self._say(f"*** the lines of {hub.vi} are whole again; Ctrl-C ends the demonstration")
            for line in lines:
                running.mend(line)

        return [(CUT_S, cut), (MEND_S, mend)]

    def _tell_mail(self) -> None:
        if self._lab is None:
            return
        letters = self._lab.mailbox.letters()
        for letter in letters[self._told :]:
            self._say(f"    mail to {', '.join(letter.recipients)}: {letter.subject}")
        self._told = len(letters)

    def _tell_states(self, passed: float) -> None:
        try:
            with closing(open_reader(self._configuration.data_dir / "haidang.db")) as sql:
                states = Counter(interval.state.value for interval in LedgerReader(sql).running())
        except DatabaseError:
            return
        words = ", ".join(f"{count} {state}" for state, count in states.most_common())
        self._say(f"{passed:4.0f} s: checks: {words or 'none yet'}")


def _on_loopback(province: Province, folder: Path) -> Path:
    """Write a configuration in which each address of the province is one of this machine's own, and only pinged."""
    config = write_configuration(
        province, folder, ipv6=False, services=False,
        settings={"probing": {"allow": [LOOPBACK]}, "web": {"public": True}},
    )  # fmt: skip
    table = folder / "targets.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", encoding="utf-8", newline="") as file:
        names = [name for name in rows[0] if name != "snmp"]
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {**row, "address": "127" + row["address"].removeprefix("10"), "probes": "icmp"} for row in rows
        )
    return config
