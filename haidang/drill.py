"""A drill: a scenario of the lab is played before the daemon, and the judge compares its records with the truth."""

from __future__ import annotations

import asyncio
import csv
import math
import os
import signal
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from alerting import records
from collectors.plan import RISK_KINDS
from config import Configuration, load
from haidang.clock import Clock, ManualClock, SystemClock
from haidang.model import CheckId, Interval, State
from haidang.rehearsal import Postbox, in_memory, rehearse
from haidang.ruling import is_rule
from haidang.selfwatch import is_own
from haidang.stages import LiveStage, SimulatedStage, WallClock
from lab.control import listen
from lab.network import isolate
from lab.network.system import die_with_parent
from lab.process import Lab
from lab.province import Province, RunningProvince
from lab.province.configuration import write_configuration
from lab.scenario import (
    Record,
    Scenario,
    Seen,
    Stage,
    Truth,
    Verdict,
    Witness,
    actions,
    choose,
    faults,
    judge,
    play,
)
from storage.database import open_reader
from storage.ledger import LedgerReader
from storage.metrics import open_store

logger = structlog.get_logger(__name__)

_AWAY = (State.DOWN, State.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Played:
    """What a drill leaves: the truth, and the judge's verdict on the daemon's records."""

    truth: Truth
    verdict: Verdict


def prepare(
    scenario: Scenario, province: Province, cast: Mapping[str, tuple[str, ...]], folder: Path, *, simulated: bool
) -> Path:  # fmt: skip
    """Write the daemon's configuration for a scenario.

    Parameters:
        simulated: only what the lab's engines can probe in simulated time.

    Returns:
        the main file.
    """
    path = write_configuration(province, folder, services=not simulated, settings=scenario.settings)
    wanted = {unit: columns for name, columns in scenario.targets.items() for unit in cast[name]}
    table = folder / "targets.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys([*rows[0], *(column for columns in wanted.values() for column in columns)]))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **wanted.get(row["id"], {})} for row in rows)
    return path


def rehearse_scenario(
    scenario: Scenario, province: Province, folder: Path, *, speed: float = math.inf, keep: bool = False
) -> Played:  # fmt: skip
    """Play a scenario in simulated time.

    Parameters:
        folder: where configuration and records go.
        speed: at most so many times as fast as real time.
        keep: whether measurements are written into the folder too, for reports and pages of it.

    Raises:
        ScenarioInvalid: nobody fits a part of it.
        ValueError: a step cannot be.
        ConfigurationInvalid: the scenario's settings are wrong.
    """
    cast = choose(scenario, province)
    path = prepare(scenario, province, cast, folder, simulated=True)
    clock = ManualClock(round(scenario.begins.timestamp()) * 10**9)
    running = RunningProvince(province, clock, tell=lambda _unit, _event: None)
    played: list[tuple[Truth, WallClock]] = []

    async def script(postbox: Postbox) -> None:
        stage = SimulatedStage(clock, postbox)
        played.append((await enact(scenario, running, cast, clock, stage), stage.wall))

    rehearse(path, running.network, clock, script, speed=speed, store=open_store if keep else in_memory)
    ((truth, wall),) = played
    return Played(truth, judge(scenario.scenario, truth, recorded(load(path), truth, wall)))


def run_live(scenario: Scenario, province: Province, folder: Path) -> Played:
    """Play a scenario in real time, with real packets and a daemon in a process of its own.

    This process moves into the lab's network for good.

    Parameters:
        folder: where configuration, records, mail and the daemon's log go.

    Raises:
        Unavailable: the lab's network cannot be had here.
        ControlError: a lab of the same name runs.
        ScenarioInvalid, ValueError, ConfigurationInvalid: as `rehearse_scenario`.
    """
    cast = choose(scenario, province)
    path = prepare(scenario, province, cast, folder, simulated=False)
    configuration = load(path)
    name = f"drill-{os.getpid()}"
    outside = listen(name)
    space = isolate()

    async def live() -> Truth:
        clock = SystemClock()
        lab = Lab(name, province, folder, clock)
        try:
            await lab.start(space, outside)
            async with watched(path, folder / "daemon.log"):
                return await enact(scenario, lab.running, cast, clock, LiveStage(lab))
        finally:
            await lab.close()

    truth = asyncio.run(live())
    return Played(truth, judge(scenario.scenario, truth, recorded(configuration, truth, WallClock())))


_STARTER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3, inheritable=True); "
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.executable, sys.argv[2:])"
)
"""Gives the daemon its pages' socket as systemd would (sd_listen_fds(3))."""


@asynccontextmanager
async def watched(
    config: Path, log: Path, pages: socket.socket | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a daemon in this network, in a process of its own that is ended at the end.

    Parameters:
        log: where its log goes.
        pages: a listening socket, perhaps of another network, to serve its pages on.
    """
    command = [sys.executable, "-P", "-m", "haidang", "run", "--config", str(config)]
    passed = () if pages is None else (pages.fileno(),)
    if passed:
        command = [sys.executable, "-P", "-c", _STARTER, str(*passed), *command]
    with log.open("wb") as sink:
        daemon = await asyncio.create_subprocess_exec(
            *command, stdout=sink, stderr=sink, pass_fds=passed,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )  # fmt: skip
    try:
        yield daemon
    finally:
        if daemon.returncode is None:
            daemon.terminate()
        await daemon.wait()


async def enact(
    scenario: Scenario, running: RunningProvince, cast: Mapping[str, tuple[str, ...]], clock: Clock,
    stage: Stage,
) -> Truth:  # fmt: skip
    """Let a scenario happen and watch what is true meanwhile."""
    province = running.province
    driving = asyncio.create_task(running.drive())
    witness = Witness(running, clock)
    try:
        await asyncio.sleep(scenario.warm_up)
        watching = asyncio.create_task(witness.watch())
        start_ns = witness.now_ns()
        script = actions(scenario, cast, province.seed)
        await play(running, script, scenario.lasts, clock, stage)
        witness.look()
        watching.cancel()
    finally:
        driving.cancel()
    return Truth(
        start_ns, witness.now_ns(), tuple(faults(scenario, province, cast, start_ns)), tuple(witness.outages()),
        {unit.id: unit.system for unit in province.units.values()},
    ).refined()  # fmt: skip


def recorded(configuration: Configuration, truth: Truth, wall: WallClock) -> Record:
    """Read what the daemon put on record of a scenario.

    Parameters:
        configuration: the daemon's.
        truth: of the scenario; what began before it does not count.
        wall: what the daemon's clock did.
    """
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        found = [
            _seen(sql, incident, wall)
            for incident in reversed(records.incidents(sql, resolved=True, limit=1_000_000))
            if wall.true_ns(incident.opened_ns) >= truth.start_ns
            and incident.merged_into is None
            and not is_own(incident.check)  # what ails the daemon itself is not in the scenario's truth
        ]
        reader = LedgerReader(sql)
        down: dict[str, float] = {}
        degraded: set[str] = set()
        for name, target in configuration.inventory.targets.items():
            degraded |= {
                str(check)
                for check in (CheckId(name, probe) for probe in target.probes)
                for interval in reader.between(check, 0, 2**62)
                if interval.state is State.DEGRADED and _until(interval, truth, wall) > truth.start_ns
            }
            away_ns = 0
            for interval in reader.between(target.primary, 0, 2**62):
                start_ns = max(wall.true_ns(interval.start_ns), truth.start_ns)
                end_ns = _until(interval, truth, wall)
                if end_ns > start_ns and interval.state in _AWAY:
                    away_ns += min(end_ns, truth.end_ns) - start_ns
            if away_ns > 0:
                down[name] = away_ns / 1e9
        per_person = Counter(
            contact
            for (contact,) in sql.execute(
                "SELECT contact FROM notification WHERE state = 'sent' AND created_ns >= ?", (truth.start_ns,)
            )
        )
    return Record(tuple(found), down, frozenset(degraded), max(per_person.values(), default=0))


def _named(check: CheckId) -> str:
    """Name a check as the judge does: which series of a target a rule is about is no matter."""
    return str(CheckId(check.target, ":".join(check.probe.split(":")[:2])) if is_rule(check) else check)


def _until(interval: Interval, truth: Truth, wall: WallClock) -> int:
    return truth.end_ns if interval.end_ns is None else wall.true_ns(interval.end_ns)


def _seen(sql: sqlite3.Connection, incident: records.Incident, wall: WallClock) -> Seen:
    sent = Counter(one.contact for one in records.deliveries(sql, incident.number) if one.state == "sent")
    checks: list[CheckId] = [incident.check]
    if incident.check.probe in RISK_KINDS or incident.check == records.STORM:
        checks += records.members(sql, incident.number)
    else:
        checks += [child.check for child in records.children(sql, incident.number)]
    opened_ns = incident.opened_ns
    if incident.check == records.STORM:  # its first ones were told before it was one
        heard = [child.opened_ns for child in records.children(sql, incident.number) if child.told_ns is not None]
        opened_ns = min([opened_ns, *heard])
    return Seen(
        incident.number, tuple(map(_named, checks)), wall.true_ns(incident.started_ns),
        wall.true_ns(opened_ns),
        None if incident.ended_ns is None else wall.true_ns(incident.ended_ns), max(sent.values(), default=0),
    )  # fmt: skip
