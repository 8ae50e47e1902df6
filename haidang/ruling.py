"""Rules at work: the configuration in their words, what begins and ends under them as incidents.

Three kinds, one language: measurements as they pass, budgets as `haidang.budgeting` reckons them (a measurement like
any other), and states, which last until the next one.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import structlog

from alerting import records
from alerting.incidents import Incidents
from alerting.rules import GONE_UNKNOWN_NS, STATE, Change, Rule, RuleEngine, StateEngine
from alerting.world import Step
from availability.promises import promises
from collectors.points import series
from config import Configuration
from config.schema.probed import RoleRule
from config.schema.rules import MetricRule
from haidang.clock import Clock
from haidang.model import CheckId, Point, Series, State, Transition
from haidang.show import span
from storage.database import Database
from storage.ledger import LedgerReader

logger = structlog.get_logger(__name__)

MARK = "rule:"
MOST_WAITING = 10_000
BUDGET = "budget"
BUDGETS = {
    "clock": "clock_s", "burn": "burn", "slow-burn": "slow_burn", "miss": "miss_percent", "left": "left_percent",
}  # fmt: skip
"""The fields of the measurement `BUDGET`, by their names in the configuration."""
_LABELS = ("ifName", "sensor", "path", "device", "interface", "url", "circuit", "direction", "probe", "objective")
"""Tags that tell one series of a target from another."""


def rules(configuration: Configuration) -> list[Rule]:
    """Make the rules of a configuration: those written under alerting, then what targets have by their roles."""
    written = [
        Rule(
            one.id, *_about(one), tuple((tag.tag, tag.value) for tag in one.where),
            0.0 if one.state else one.above, one.below, one.absent_s, one.clear, one.for_s, one.clear_for_s,
        )
        for one in configuration.alerting.rules
    ]  # fmt: skip
    return [*written, *_of_roles(configuration)]


def _of_roles(configuration: Configuration) -> Iterator[Rule]:
    """Make one rule of all targets that have the same: a rule for each of thousands would cost a look each."""
    alike: dict[tuple[str, RoleRule], list[str]] = {}
    for target in configuration.inventory.targets.values():
        for name, rule in target.rules.items():
            alike.setdefault((name, rule), []).append(target.id)
    for (name, one), targets in alike.items():
        yield Rule(
            name, one.measurement or "", one.field or "", tuple((tag.tag, tag.value) for tag in one.where), one.above,
            one.below, one.absent_s, one.clear, one.for_s, one.clear_for_s, frozenset(targets),
        )  # fmt: skip


def _about(one: MetricRule) -> tuple[str, str]:
    if one.state is not None:
        return STATE, one.state
    return (BUDGET, BUDGETS[one.budget]) if one.budget is not None else (one.measurement or "", one.field or "")


def line_of(configuration: Configuration, check: CheckId) -> Series | None:
    """Name the states of a check as a series, with the tags that rules choose by; ``None``: of no target."""
    target = configuration.inventory.targets.get(check.target)
    if target is None:
        return None
    tags = {
        "target": target.id, "probe": check.probe, "role": target.role, "site": target.site or "",
        "system": target.system or "", "circuit": target.circuit or "",
    }  # fmt: skip
    return series(STATE, tags)


def check_of(rule: Rule, series: Series) -> CheckId | None:
    """Name what a rule finds in a series: of a target, or of what else was promised; ``None`` for any other."""
    tags = dict(series.tags)
    target = tags.get("target")
    if target is None and series.measurement == BUDGET:
        target = f"{tags['kind']}:{tags['name']}"
    if target is None:
        return None
    if series.measurement == STATE:
        return CheckId(target, f"{MARK}{rule.id}:{tags['probe']}")
    label = " ".join(tags[tag] for tag in _LABELS if tag in tags)
    return CheckId(target, f"{MARK}{rule.id}" + (f":{label}" if label else ""))


def is_rule(check: CheckId) -> bool:
    """Whether a check is what a rule found."""
    return check.probe.startswith(MARK)


class Ruling:
    """Evaluates points as they pass, and opens and resolves the incidents of rules.

    Parameters:
        configuration: with the rules; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
        incidents: are told.
        told: called when that may have put messages into the outbox.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, incidents: Incidents,
        told: Callable[[], None],
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._incidents = incidents
        self._told = told
        self._firing: dict[CheckId, set[Series]] = defaultdict(set)
        self._waiting: list[Change] = []
        self._before = {check for check in incidents.open_checks() if is_rule(check)}
        self._engine = RuleEngine(self._fired_before, self._blind)
        self._states = StateEngine(self._fired_before)
        self._began_ns = clock.utc_ns()
        self._seeded = False
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; what is no longer asked for is closed."""
        self._configuration = configuration
        self._engine.use(rules(configuration))
        known = {rule.id for rule in configuration.alerting.rules}
        targets = configuration.inventory.targets
        about = {*targets, *(f"{one.kind}:{one.name}" for one in promises(configuration))}
        self._states.use(rules(configuration), lambda check: check.target in about)
        self._seeded = self._states.idle
        of_roles = {(target.id, name) for target in targets.values() for name in target.rules}
        gone = [
            check for check in self._incidents.open_checks()
            if is_rule(check) and (check.target not in about or not (
                (name := check.probe.split(":")[1]) in known or (check.target, name) in of_roles
            ))
        ]  # fmt: skip
        for check in gone:
            self._firing.pop(check, None)
        if gone:
            self._incidents.forget(gone)

    def take(self, points: Sequence[Point]) -> None:
        """Take points in, on their way to the store."""
        changes = self._engine.take(points)
        if changes:
            self._waiting += changes[: MOST_WAITING - len(self._waiting)]
            self._write()

    def changed(self, transitions: Iterable[Transition]) -> None:
        """Take in what checks have become."""
        if self._states.idle:
            return
        for one in transitions:
            line = line_of(self._configuration, one.check)
            if line is not None:
                self._states.take(
                    one.check, line, one.state, one.at_ns, flapping=one.flapping, cause=one.cause
                )  # fmt: skip

    def _seed(self) -> None:
        """Take in the states on record that began before anybody told of them; the time without a daemon is none."""
        for one in LedgerReader(self._database.connection).running():
            line = line_of(self._configuration, one.check)
            if line is not None and one.state is not State.UP:
                since_ns = max(one.start_ns, self._began_ns) if one.state is State.UNKNOWN else one.start_ns
                self._states.take(one.check, line, one.state, since_ns, cause=one.cause)
        self._seeded = True

    def tick(self) -> None:
        """Let time pass: what lasts, what does not come any more, what had to wait. Call it every second."""
        now_ns = self._clock.utc_ns()
        if not self._seeded:
            self._seed()
        self._waiting += self._engine.tick(now_ns) + self._states.tick(now_ns)
        if self._waiting:
            self._write()
        if now_ns - self._began_ns >= GONE_UNKNOWN_NS and self._before:
            self._give_up(now_ns)

    def clock_stepped(self, before_ns: int, after_ns: int) -> None:
        """Move every time with the wall clock."""
        by_ns = after_ns - before_ns
        self._engine.clock_stepped(by_ns)
        self._states.clock_stepped(by_ns)
        self._began_ns += by_ns

    def _give_up(self, now_ns: int) -> None:
        """Close what fired before this run and has not been measured since."""
        gone = [one for one in self._before & self._incidents.open_checks() if one not in self._firing]
        self._before.clear()
        if gone:
            self._incidents.forget(gone, Step.UNMEASURED, f"not measured for {span((now_ns - self._began_ns) / 1e9)}")
            self._told()

    def _blind(self, series: Series) -> bool:
        """Tell whether the target of a series fails, so that it is no wonder that nothing is measured."""
        target = self._configuration.inventory.targets.get(dict(series.tags).get("target", ""))
        return target is not None and records.covering(self._database.connection, target.primary) is not None

    def _fired_before(self, rule: Rule, series: Series) -> bool:
        check = check_of(rule, series)
        if check is None or check not in self._before:
            return False
        self._firing[check].add(series)
        return True

    def _write(self) -> None:
        """Write what changed as incidents; in maintenance a beginning waits, and ends unheard of."""
        waiting, later = self._waiting, []
        try:
            with self._database.transaction():
                for change in waiting:
                    check = check_of(change.rule, change.series)
                    if check is None:
                        continue
                    if change.firing and self._incidents.quiet(check):
                        later.append(change)
                        continue
                    held = [one for one in later if one.rule == change.rule and one.series == change.series]
                    if held:
                        later.remove(held[0])
                        continue
                    self._change(check, change)
        except sqlite3.Error as error:
            logger.debug("what rules found could not be written, tried again", error=str(error))
            return
        self._waiting = later
        if len(later) < len(waiting):
            self._told()

    def _change(self, check: CheckId, change: Change) -> None:
        firing = self._firing[check]
        if change.firing:
            firing.add(change.series)
            if len(firing) > 1:
                return
        else:
            firing.discard(change.series)
            if firing:
                return
            del self._firing[check]
        if change.lost:
            self._incidents.forget([check], Step.UNMEASURED, words(change, self._clock.utc_ns()))
            logger.info("rule", check=str(check), firing=False, value=None)
            return
        state, was = (State.DOWN, State.UP) if change.firing else (State.UP, State.DOWN)
        now_ns = self._clock.utc_ns()
        self._incidents.on_transition(
            Transition(check, state, was, min(change.at_ns, now_ns), now_ns, words(change, now_ns), change.cause)
        )
        logger.info("rule", check=str(check), firing=change.firing, value=change.value)


_TROUBLE: dict[float, str] = {1: "in a state of warning", 2: "in a critical state"}
"""What a sensor's field ``trouble`` says."""


def told(rule: Rule) -> str:
    """Say in words when a rule fires and when that is over."""
    lasting = f" for {span(rule.for_s)}" if rule.for_s else ""
    quiet = f" for {span(rule.clear_for_s)}" if rule.clear_for_s else ""
    if rule.measurement == STATE:
        return f"fires when a check is {rule.field}{lasting}; over when it is not{quiet}"
    what = f"{rule.measurement} {rule.field}"
    if rule.absent_s is not None:
        return f"fires when {what} does not come for {span(rule.absent_s)}; over when it comes"
    side, back = ("above", "at most") if rule.above is not None else ("below", "at least")
    bound = rule.above if rule.above is not None else rule.below
    clear = bound if rule.clear is None else rule.clear
    return f"fires when {what} is {side} {bound:.10g}{lasting}; over when it is {back} {clear:.10g}{quiet}"


def words(change: Change, now_ns: int) -> str:
    """Say why a rule fires, or that it does not any more."""
    rule, lasting = change.rule, span((now_ns - change.at_ns) / 1e9)
    if rule.measurement == STATE:
        name = dict(change.series.tags)["probe"]
        return f"{name} is {rule.field} for {lasting}" if change.firing else f"{name} is no longer {rule.field}"
    if rule.measurement == BUDGET and change.value is not None:
        return _budget_words(rule.field, change.value)
    label = (check_of(rule, change.series) or CheckId("", "")).probe.partition(":")[2].partition(":")[2]
    what = label if label and rule.field == "value" else f"{label} {rule.field}".strip()
    if change.lost:
        return f"{what}: no value any more for {lasting}; whether it is over is not known"
    if change.value is None:
        return f"{what}: nothing came for {lasting}"
    unit = dict(change.series.tags).get("unit", "") if rule.field == "value" else ""
    value = f"{change.value:.10g} {unit if unit != 'state' else ''}".strip()
    if not change.firing:
        return f"{what} is {value}"
    since = f" for {lasting}" if now_ns - change.at_ns >= 10**9 else ""
    if rule.field == "trouble" and change.value in _TROUBLE:
        return f"{label or 'the device'} is {_TROUBLE[change.value]}{since}"
    beyond = f"above {rule.above:.10g}" if rule.above is not None else f"below {rule.below:.10g}"
    return f"{what} is {value}, {beyond}{since}"


def _budget_words(field: str, value: float) -> str:
    match field:
        case "clock_s":
            return f"the objective is lost in {span(value)} if what is down stays down"
        case "burn" | "slow_burn":
            return f"the budget burns {value:.1f} times as fast as is told"
        case "miss_percent":
            return f"the objective is missed with a probability of {value:.0f} %"
    return f"{value:.1f} % of the budget is left"
