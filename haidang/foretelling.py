"""Forecasts of a configuration's promises: what is at risk this period, since when, how fast, and how likely.

A target is foretold from the history of its class (targets of one role); a system, a carrier or whatever else is put
together of several from its own, with its lost share of time where its formula weighs. The history is the last
`HISTORY_DAYS` at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from availability import spans
from availability.books import Account, Books
from availability.burn import Burn, burns, lost_at_ns
from availability.forecast import DAY_S, Forecaster, Outage, Record
from availability.maintenance import covers
from availability.objectives import Figures
from availability.periods import Period
from availability.promises import Promise, promises
from availability.spans import Spans
from availability.timeline import DOWN, Timeline, added_up
from collectors.losses import BadShare
from config import Configuration, Target
from haidang.model import State
from storage.accounts import ForecastRow
from storage.database import open_reader

HISTORY_DAYS = 730
FLAPS = 2
"""So many outages in the long window make it flapping: one plain outage has the budget clock."""

KEPT_FROM = 0.01
"""What is less likely of a single target is not kept: ten thousand noughts a day would fill the ledger's disk."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """One promise's outlook.

    Parameters:
        promise: which.
        target: the target's id when it is one target's; else what it is about.
        period: up to whose end.
        figures: as it stands.
        miss: probability that the objective is missed; ``None``: too little history to say.
        pooled: outages that was learnt from.
        down_s: how long the outage that runs has lasted; ``None`` when none does.
        lost_at_ns: when the objective is lost if that stays so; ``None``: not in this period.
        burning: the burn rates that are too high, where many short outages make them.
        lossy: the burn rates that are too high of the share of echoes that a target loses.
        cost_s: what maintenance that is only thought of takes of the budget.
    """

    promise: Promise
    target: str
    period: Period
    figures: Figures
    miss: float | None
    pooled: int
    down_s: float | None
    lost_at_ns: int | None
    burning: tuple[Burn, ...]
    cost_s: float = 0.0
    lossy: tuple[Burn, ...] = ()

    def row(self) -> ForecastRow | None:
        """Return it as it is kept; ``None`` for one that says nothing, or nearly nothing of a single target."""
        left_s = self.figures.budget_left_s
        if self.miss is None or left_s is None or (self.promise.kind == "target" and self.miss < KEPT_FROM):
            return None
        return ForecastRow(self.promise.id, self.target, self.period.name, self.miss, left_s, self.pooled)


def rows_now(configuration: Configuration, now_ns: int) -> list[ForecastRow]:
    """Make the day's forecasts through a connection of their own, as a thread beside the daemon's loop needs it.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        foretelling = Foretelling(configuration, Books(configuration, sql, now_ns, now_ns), now_ns)
        found = [*foretelling.promises(), *foretelling.targets()]
    return [row for one in found if (row := one.row()) is not None]


@dataclass(frozen=True, slots=True)
class Cost:
    """What planned work would take of a promise's budget if it counted.

    Parameters:
        promise, period: which.
        left_s: of the budget before it, seconds.
        costs_s: what it takes.
        miss, miss_after: probability of missing the objective without and with it; ``None``: too little history.
    """

    promise: Promise
    period: Period
    left_s: float
    costs_s: float
    miss: float | None
    miss_after: float | None

    @property
    def affordable(self) -> bool:
        """Whether the budget has room for it."""
        return self.left_s >= self.costs_s


def costs(
    configuration: Configuration, foretelling: Foretelling, kind: str, name: str, start_ns: int, end_ns: int,
    now_ns: int,
) -> list[Cost]:  # fmt: skip
    """Say what planned work would cost each promise it touches.

    Parameters:
        kind, name: what it is on, as with maintenance.
        start_ns, end_ns: when, UTC nanoseconds.

    Raises:
        ValueError: it is not to come, there is no target on it, or it lies wholly after the periods that run now:
            it would cost them nothing, and say so of the wrong month.
    """
    if not now_ns <= start_ns < end_ns:
        raise ValueError("what-if is about work to come: it begins after now and ends after it begins")
    inventory = configuration.inventory
    hit = [target for target in inventory.targets.values() if covers(inventory, kind, name, target)]
    if not hit:
        raise ValueError(f"there is no target on {kind}:{name}")
    found, later = [], 0
    for promise in promises(configuration):
        if not any(covers(inventory, promise.kind, promise.name, target) for target in hit):
            continue
        if start_ns >= promise.period_at(now_ns, configuration.timezone).end_ns > now_ns:
            later += 1
            continue
        before, after = foretelling.promise(promise), foretelling.promise(promise, ((start_ns, end_ns),))
        if before is not None and after is not None:
            left_s = before.figures.budget_left_s or 0.0
            found.append(Cost(promise, before.period, left_s, after.cost_s, before.miss, after.miss))
    if later and not found:
        raise ValueError(
            "this lies after the period that runs now: ask again in the month it is in, when its budget runs"
        )
    return found


class Foretelling:
    """Foretells from the books.

    Parameters:
        configuration: what was promised.
        books: what is on record.
        now_ns: UTC nanoseconds.
        draws: how often the rest of a period is lived through; 400 leave an error of at most 0.025 (one sigma).
        losses: what targets lose, where it is known.
    """

    def __init__(
        self, configuration: Configuration, books: Books, now_ns: int, draws: int = 400,
        losses: Mapping[str, BadShare] | None = None,
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._books = books
        self._now_ns = now_ns
        self._draws = draws
        self._losses = losses or {}
        self._past = Period("", now_ns - round(HISTORY_DAYS * DAY_S * 1e9), now_ns)
        self._classes: dict[str, Forecaster] = {}

    def targets(self, system: str | None = None) -> Iterable[Foretold]:
        """Foretell every target of a system that has an objective of each month."""
        inventory = self._configuration.inventory
        for target in inventory.targets.values():
            owner = inventory.systems.get(target.system or "")
            if owner is None or owner.objective is None or system not in (None, owner.id):
                continue
            promise = Promise(owner.id, "target", target.id, owner.objective)
            period = promise.period_at(self._now_ns, self._configuration.timezone)
            account = self._books.of_target(target, period, promise)
            yield self._outlook(promise, target.id, period, account, self._class_of(target), cost_s=0.0)

    def promises(self, system: str | None = None) -> Iterable[Foretold]:
        """Foretell everything that was promised."""
        for promise in promises(self._configuration):
            if system is None or (promise.kind, promise.name) == ("system", system):
                found = self.promise(promise)
                if found is not None:
                    yield found

    def promise(self, promise: Promise, without: Spans = ()) -> Foretold | None:
        """Foretell one promise.

        Parameters:
            promise: which.
            without: time to come in which it will all be down: maintenance that is only thought of.
        """
        period = promise.period_at(self._now_ns, self._configuration.timezone)
        account = self._books.of_promise(promise, period)
        if account is None:
            return None
        cost_s = spans.total(spans.intersection(account.counted, without)) / 1e9
        past = self._books.of_promise(promise, self._past)
        learnt = _alone(past, self._now_ns) if past else Forecaster(Record(0, (), {"": 0.0}, {}))
        return self._outlook(promise, promise.name, period, account, learnt, cost_s)

    def _outlook(
        self, promise: Promise, target: str, period: Period, account: Account, learnt: Forecaster, cost_s: float
    ) -> Foretold:
        figures = account.figures
        ahead = spans.intersection(account.counted, spans.merged([(self._now_ns, period.end_ns)]))
        down_s = _running_s(account.timeline, self._now_ns)
        left_s = (figures.budget_left_s or 0.0) - cost_s
        name = target if promise.kind == "target" else ""
        ahead_s = spans.total(ahead) / 1e9
        miss = 1.0 if left_s < 0 else None
        if miss is None and learnt.knows_enough:
            miss = learnt.miss(name, left_s, ahead_s, down_s, self._draws)
        return Foretold(
            promise, target, period, figures, miss, learnt.pooled, down_s,
            lost_at_ns(figures, account.counted, self._now_ns) if down_s is not None else None,
            _flapping(account, self._now_ns, promise.percent), cost_s, self._lossy(promise, target),
        )  # fmt: skip

    def _lossy(self, promise: Promise, target: str) -> tuple[Burn, ...]:
        share = self._losses.get(target) if promise.kind == "target" else None
        if share is None:
            return ()
        return tuple(burn for burn in burns(share, self._now_ns, promise.percent) if burn.burning)

    def _class_of(self, target: Target) -> Forecaster:
        if target.role not in self._classes:
            inventory = self._configuration.inventory
            members = [one for one in inventory.targets.values() if one.role == target.role]
            exposure_s: dict[str, float] = {}
            groups: dict[str, set[str]] = {}
            outages: list[Outage] = []
            for member in members:
                account = self._books.of_target(member, self._past, Promise("", "target", member.id, 0))
                exposure_s[member.id] = account.figures.up_s + account.figures.down_s
                for one in self._outages(member, account.counted):
                    outages.append(one)
                    if one.group:
                        groups.setdefault(one.group, set()).add(member.id)
            record = Record(
                self._now_ns / 1e9, outages, exposure_s, {name: frozenset(found) for name, found in groups.items()}
            )
            self._classes[target.role] = Forecaster(record)
        return self._classes[target.role]

    def _outages(self, target: Target, counted: Spans) -> Iterable[Outage]:
        """Yield a target's outages; what is hidden behind something else has that for its common cause."""
        for one in self._books.intervals(target.primary, self._past.start_ns, self._past.end_ns):
            if one.state in DOWN and spans.intersection(counted, ((one.start_ns, one.end_ns or self._now_ns),)):
                end_ns = one.end_ns if one.end_ns is not None and one.end_ns < self._now_ns else None
                group = one.cause.target if one.state is State.UNREACHABLE and one.cause else ""
                yield Outage(target.id, one.start_ns / 1e9, None if end_ns is None else end_ns / 1e9, group)


def _alone(account: Account, now_ns: int) -> Forecaster:
    """Learn from a whole's own history; a weighed outage is as long as the share of time that it cost."""
    outages: list[Outage] = []
    cost = 0.0
    start_ns: int | None = None
    for piece in account.timeline:
        if piece.low >= 1 and start_ns is not None:
            outages.append(Outage("", start_ns / 1e9, start_ns / 1e9 + cost / 1e9))
            start_ns, cost = None, 0.0
        if piece.high < 1:
            inside = spans.intersection(account.counted, ((piece.start_ns, piece.end_ns),))
            if inside and start_ns is None:
                start_ns = piece.start_ns
            cost += (1 - piece.high) * spans.total(inside)
    if start_ns is not None:
        outages.append(Outage("", start_ns / 1e9, None))
    exposure_s = account.figures.up_s + account.figures.down_s
    return Forecaster(Record(now_ns / 1e9, outages, {"": exposure_s}, {}))


def _running_s(timeline: Timeline, now_ns: int) -> float | None:
    """Return how long the outage has lasted that runs now, in seconds of full downtime; ``None`` when none does."""
    if not timeline or timeline[-1].high >= 1 or timeline[-1].end_ns < now_ns:
        return None
    cost = 0.0
    for piece in reversed(timeline):
        if piece.low >= 1:
            break
        cost += (1 - piece.high) * (piece.end_ns - piece.start_ns)
    return cost / 1e9


def _flapping(account: Account, now_ns: int, percent: float) -> tuple[Burn, ...]:
    def bad_share(start_ns: int, end_ns: int) -> float:
        sums = added_up(account.timeline, spans.intersection(account.counted, ((start_ns, end_ns),)))
        known = sums.up_ns + sums.down_ns
        return sums.down_ns / known if known else 0.0

    found = []
    for burn in burns(bad_share, now_ns, percent):
        window = spans.intersection(account.counted, ((now_ns - burn.pair.long_ns, now_ns),))
        if burn.burning and added_up(account.timeline, window).outages >= FLAPS:
            found.append(burn)
    return tuple(found)
