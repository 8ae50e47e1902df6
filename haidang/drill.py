"""A drill: a scenario of the lab is played before the daemon, and the judge compares its records with the truth."""

from __future__ import annotations

import asyncio
import csv
import math
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from alerting import records
from collectors.plan import primary
from config import Configuration, load
from haidang.clock import Clock, ManualClock
from haidang.model import CheckId, State
from haidang.rehearsal import Postbox, rehearse
from lab.province import Province, RunningProvince, Shape, generate
from lab.province.configuration import write_configuration
from lab.scenario import (
    Record,
    Scenario,
    Seen,
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

logger = structlog.get_logger(__name__)

BEGIN_NS = 1_794_276_000 * 10**9
"""When simulated time begins: Tuesday 10 November 2026, 09:00 in Hanoi; no month end is near."""
_AWAY = (State.DOWN, State.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Played:
    """What a drill leaves: the truth, and the judge's verdict on the daemon's records."""

    truth: Truth
    verdict: Verdict


class SimulatedStage:
    """See `lab.scenario.play.Stage`; remembers how the wall clock was moved, so that records can be put right.

    Parameters:
        clock: simulated time.
        postbox: takes the mail.
    """

    def __init__(self, clock: ManualClock, postbox: Postbox) -> None:
        self._clock = clock
        self._postbox = postbox
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        self._steps: list[tuple[int, int]] = [(0, 0)]

    def mail(self, state: str) -> None:
        """See `lab.scenario.play.Stage.mail`."""
        self._postbox.away = state == "away"
        self._postbox.greylist_s = 300.0 if state == "greylist" else 0.0

    def step_clock(self, seconds: float) -> None:
        """See `lab.scenario.play.Stage.step_clock`."""
        self._clock.step(seconds)
        moved_ns = self._steps[-1][1] + round(seconds * 1e9)
        self._steps.append((self._clock.monotonic_ns() + self._offset_ns, moved_ns))

    def true_ns(self, at_ns: int) -> int:
        """Tell what time it truly was when the daemon's clock showed ``at_ns``."""
        for (since_ns, moved_ns), (until_ns, _) in zip(self._steps, [*self._steps[1:], (math.inf, 0)], strict=True):
            if since_ns <= at_ns - moved_ns < until_ns:
                return at_ns - moved_ns
        return at_ns - self._steps[-1][1]


def prepare(
    scenario: Scenario, province: Province, cast: Mapping[str, tuple[str, ...]], folder: Path, *, simulated: bool
) -> Path:  # fmt: skip
    """Write the daemon's configuration for a scenario.

    Parameters:
        simulated: only what the lab's engines can probe in simulated time.

    Returns:
        the main file.
    """
    path = write_configuration(province, folder, settings=scenario.settings)
    wanted = {unit: columns for name, columns in scenario.targets.items() for unit in cast[name]}
    table = folder / "targets.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys([*rows[0], *(column for columns in wanted.values() for column in columns)]))
    if simulated:
        names.remove("dns.name")
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **wanted.get(row["id"], {})} for row in rows)
    return path


def simulate(scenario: Scenario, folder: Path, *, scale: float, seed: int, speed: float = math.inf) -> Played:
    """Play a scenario in simulated time.

    Parameters:
        folder: where configuration and records go.
        scale, seed: of the province.
        speed: at most so many times as fast as real time.

    Raises:
        ScenarioInvalid: nobody fits a part of it.
        ValueError: a step or the scale cannot be.
        ConfigurationInvalid: the scenario's settings are wrong.
    """
    province = generate(Shape().scaled(scale), seed)
    cast = choose(scenario, province)
    path = prepare(scenario, province, cast, folder, simulated=True)
    clock = ManualClock(BEGIN_NS)
    running = RunningProvince(province, clock, tell=lambda _unit, _event: None)
    stage: SimulatedStage | None = None
    truth: Truth | None = None

    async def script(postbox: Postbox) -> None:
        nonlocal stage, truth
        stage = SimulatedStage(clock, postbox)
        truth = await enact(scenario, running, cast, clock, stage)

    rehearse(path, running.network, clock, script, speed=speed)
    if truth is None or stage is None:
        raise RuntimeError("the daemon ended before the scenario")
    record = recorded(load(path), truth, stage)
    return Played(truth, judge(scenario.scenario, truth, record))


async def enact(
    scenario: Scenario, running: RunningProvince, cast: Mapping[str, tuple[str, ...]], clock: Clock,
    stage: SimulatedStage,
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


def recorded(configuration: Configuration, truth: Truth, stage: SimulatedStage) -> Record:
    """Read what the daemon put on record of a scenario.

    Parameters:
        configuration: the daemon's.
        truth: of the scenario; what began before it does not count.
        stage: puts the daemon's times right.
    """
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        found = [
            _seen(sql, incident, stage)
            for incident in reversed(records.incidents(sql, resolved=True, limit=1_000_000))
            if stage.true_ns(incident.opened_ns) >= truth.start_ns
        ]
        reader = LedgerReader(sql)
        down: dict[str, float] = {}
        degraded = set()
        for name, target in configuration.inventory.targets.items():
            away_ns = 0
            for interval in reader.between(primary(target), 0, 2**62):
                start_ns = max(stage.true_ns(interval.start_ns), truth.start_ns)
                end_ns = truth.end_ns if interval.end_ns is None else stage.true_ns(interval.end_ns)
                if end_ns > start_ns and interval.state in _AWAY:
                    away_ns += min(end_ns, truth.end_ns) - start_ns
                if end_ns > start_ns and interval.state is State.DEGRADED:
                    degraded.add(name)
            if away_ns > 0:
                down[name] = away_ns / 1e9
        per_person = Counter(
            contact
            for (contact,) in sql.execute(
                "SELECT contact FROM notification WHERE state = 'sent' AND created_ns >= ?", (truth.start_ns,)
            )
        )
    return Record(tuple(found), down, frozenset(degraded), max(per_person.values(), default=0))


def _seen(sql: sqlite3.Connection, incident: records.Incident, stage: SimulatedStage) -> Seen:
    sent = Counter(one.contact for one in records.deliveries(sql, incident.number) if one.state == "sent")
    checks: list[CheckId] = [incident.check]
    return Seen(
        incident.number, tuple(map(str, checks)), stage.true_ns(incident.started_ns),
        stage.true_ns(incident.opened_ns),
        None if incident.ended_ns is None else stage.true_ns(incident.ended_ns), max(sent.values(), default=0),
    )  # fmt: skip
