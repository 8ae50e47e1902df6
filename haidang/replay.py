"""History through today's rules: recorded observations, or outages that are known, judged again as the daemon would.

Everything from health to outbox is the daemon's own, on a database that is thrown away, in the history's time. Nothing
is probed and nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alerting import records
from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from availability.books import Books
from availability.dependencies import judge
from availability.health import HealthEngine
from availability.objectives import Verdict
from availability.promises import promises
from availability.spans import Span, merged
from availability.timeline import DOWN
from collectors.plan import plan, shared_risks
from config import Configuration, Target
from haidang.clock import ManualClock
from haidang.handling import policy
from haidang.history import Happened
from haidang.model import Observation, Sample, Status
from haidang.pipeline import Pipeline
from haidang.watching import rule
from haidang.ways import mail_domain
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from storage.metrics import InMemoryStore

S = 10**9
STEP_NS = 2 * S
"""Between two samples of a target while something happens: the pace of the default pings."""
BEFORE_NS = 10 * S


@dataclass(frozen=True, slots=True)
class Alarm:
    """One incident that today's rules make of the history; times in UTC nanoseconds."""

    target: str
    started_ns: int
    confirmed_ns: int
    ended_ns: int | None
    hidden: tuple[str, ...]
    messages: int


@dataclass(frozen=True, slots=True)
class Miss:
    """An objective that today's rules find missed by this history, of a whole calendar period's budget."""

    objective: str
    period: str
    down_s: float
    budget_s: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay.

    Parameters:
        start_ns, end_ns: of the history.
        alarms: the incidents, in order.
        down: by target, when it was down or unreachable by today's rules.
        misses: the objectives that were missed.
    """

    start_ns: int
    end_ns: int
    alarms: tuple[Alarm, ...]
    down: dict[str, tuple[Span, ...]]
    misses: tuple[Miss, ...]


def replay(configuration: Configuration, happened: Happened) -> Replayed:
    """Judge a history again.

    Parameters:
        configuration: today's rules and topology.
        happened: what was observed; or, when that is not recorded, which outages there were: then every target is
            sampled while something changes.

    Raises:
        ValueError: the history names nothing that is configured.
    """
    known = configuration.inventory.targets.keys()
    named = {one.target for one in happened.observations} | {one.target for one in happened.outages}
    if not named & known:
        raise ValueError("the history names no target of this configuration")
    with TemporaryDirectory(prefix="haidang-replay-") as folder:
        return asyncio.run(_Stage(configuration, happened, Path(folder)).play())


class _Stage:
    """The rooms from health to outbox, in the history's time."""

    def __init__(self, configuration: Configuration, happened: Happened, folder: Path) -> None:
        self._configuration = configuration
        self._happened = happened
        self._start_ns, self._end_ns = happened.bounds(_margin_ns(configuration))
        self._clock = ManualClock(self._start_ns)
        self._database = Database(folder / "haidang.db", "haidang")
        self._database.connection.execute("PRAGMA synchronous=OFF")  # thrown away anyway
        self._ledger = Ledger(self._database)
        world = ConfiguredWorld(configuration, LedgerReader(self._database.connection))
        outbox = Outbox(self._database, self._clock, mail_domain(configuration))
        notifier = Notifier(outbox, world, configuration.timezone)
        incidents = Incidents(self._database, self._clock, world, notifier, policy(configuration))
        health = HealthEngine(judge, lambda _check, _fast: None)
        self._primaries = {name: target.primary for name, target in configuration.inventory.targets.items()}
        first = set(self._primaries.values())
        plans = [one for one in plan(configuration) if happened.observations or one.check in first]
        for one in plans:
            health.watch(one.check, rule(one))
        health.connect({one.check: one.parents for one in plans}, {one.check: one.needs for one in plans})
        health.share(shared_risks(configuration), ())
        self._pipeline = Pipeline(
            self._clock, self._database, health, self._ledger, incidents, InMemoryStore(), lambda: None,
            self._ledger.clock_stepped,
        )  # fmt: skip

    async def play(self) -> Replayed:
        """Play the history and tell what came of it."""
        try:
            self._ledger.begin(self._start_ns, "replay")
            for observation in self._happened.observations or self._sampled():
                self._move_to(observation.slot_ns)
                self._pipeline.deliver(observation, ())
            self._move_to(self._end_ns)
            self._pipeline.tick()
            self._pipeline.write_all()
            return Replayed(
                self._start_ns, self._end_ns, tuple(self._alarms()), self._down(), tuple(self._misses())
            )  # fmt: skip
        finally:
            self._database.close()

    def _move_to(self, at_ns: int) -> None:
        ahead_ns = at_ns - self._clock.utc_ns()
        if ahead_ns > 0:
            self._clock.advance(ahead_ns / S)
            # Where nothing was sampled on purpose, silence is not blindness: time passes for the judges step by step.
            if self._happened.observations or ahead_ns <= STEP_NS:
                self._pipeline.tick()

    def _sampled(self) -> Iterator[Observation]:
        """Sample every target while something begins or ends, as a prober would have."""
        margin_ns = _margin_ns(self._configuration)
        edges = {edge for one in self._happened.outages for edge in (one.start_ns, one.end_ns)}
        windows = merged([(edge - BEFORE_NS, edge + margin_ns) for edge in edges])
        down = {name: self._happened.down(name) for name in self._primaries}
        targets = self._configuration.inventory.targets
        for start_ns, end_ns in windows:
            for at_ns in range(start_ns, end_ns, STEP_NS):
                away = _away(down, targets, at_ns)
                for name, check in self._primaries.items():
                    ok = name not in away
                    status = Status.UP if ok else Status.DOWN
                    yield Observation(
                        name,
                        check.probe,
                        at_ns,
                        status,
                        "" if ok else "as in the history",
                        {},
                        0.0,
                        (Sample(at_ns, ok),),
                    )

    def _alarms(self) -> Iterator[Alarm]:
        sql = self._database.connection
        for incident in reversed(records.incidents(sql, resolved=True, limit=1_000_000)):
            yield Alarm(
                incident.check.target, incident.started_ns, incident.opened_ns, incident.ended_ns,
                tuple(member.target for member in records.members(sql, incident.number)),
                len(records.deliveries(sql, incident.number)),
            )  # fmt: skip

    def _misses(self) -> Iterator[Miss]:
        books = Books(self._configuration, self._database.connection, self._end_ns, self._end_ns)
        for promise in promises(self._configuration):
            # A rolling period ends where it is asked for: it is looked at once, at the history's end.
            at_ns = self._end_ns if promise.period.endswith("d") else self._start_ns
            while at_ns <= self._end_ns:
                period = promise.period_at(at_ns, self._configuration.timezone)
                account = books.of_promise(promise, period)
                if account is not None and account.figures.verdict is Verdict.MISSED:
                    figures = account.figures
                    yield Miss(promise.id, period.name, figures.down_s, figures.budget_s or 0.0)
                at_ns = period.end_ns + (1 if promise.period.endswith("d") else 0)

    def _down(self) -> dict[str, tuple[Span, ...]]:
        reader = LedgerReader(self._database.connection)
        return {
            name: merged(
                (one.start_ns, self._end_ns if one.end_ns is None else one.end_ns)
                for one in reader.between(check, self._start_ns, self._end_ns)
                if one.state in DOWN
            )
            for name, check in self._primaries.items()
        }


def _away(down: dict[str, tuple[Span, ...]], targets: Mapping[str, Target], at_ns: int) -> set[str]:
    """Return what does not answer: what is down itself, and what has no way left or lacks what it needs."""
    away = {name for name, spans in down.items() if any(start <= at_ns < end for start, end in spans)}
    while True:
        more = {
            name
            for name, one in targets.items()
            if name not in away and ((one.parents and away.issuperset(one.parents)) or away.intersection(one.needs))
        }  # fmt: skip
        if not more:
            return away
        away |= more


def _margin_ns(configuration: Configuration) -> int:
    """Return for how long after a change every verdict on it has been given: confirmation, parents, clearing."""
    rules = [target.confirmation for target in configuration.inventory.targets.values()]
    return round((max(max(one.span_s, one.clear_span_s) for one in rules) + 120) * S)


def noticed(truth: Iterable[Span], found: Sequence[Span]) -> int:
    """Count the true outages that a finding touches."""
    return sum(any(start < until and begin < end for begin, until in found) for start, end in truth)
