"""Rules at work: the configuration in their words, what begins and ends under them as incidents."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import structlog

from alerting.incidents import Incidents
from alerting.rules import Change, Rule, RuleEngine
from config import Configuration
from config.schema.probed import RoleRule
from haidang.clock import Clock
from haidang.model import CheckId, Point, Series, State, Transition
from haidang.show import span
from storage.database import Database

logger = structlog.get_logger(__name__)

MARK = "rule:"
MOST_WAITING = 10_000
_LABELS = ("ifName", "sensor", "path", "device", "interface", "url", "circuit", "direction")
"""Tags that tell one series of a target from another."""


def rules(configuration: Configuration) -> list[Rule]:
    """Make the rules of a configuration: those written under alerting, then what targets have by their roles."""
    written = [
        Rule(
            one.id, one.measurement, one.field, tuple((tag.tag, tag.value) for tag in one.where), one.above, one.below,
            one.absent_s, one.clear, one.for_s, one.clear_for_s,
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


def check_of(rule: Rule, series: Series) -> CheckId | None:
    """Name what a rule finds in a series; ``None`` for a series of no target."""
    tags = dict(series.tags)
    target = tags.get("target")
    if target is None:
        return None
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
        self._engine = RuleEngine(self._fired_before)
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; what is no longer asked for is closed."""
        self._engine.use(rules(configuration))
        known = {rule.id for rule in configuration.alerting.rules}
        targets = configuration.inventory.targets
        of_roles = {(target.id, name) for target in targets.values() for name in target.rules}
        gone = [
            check for check in self._incidents.open_checks()
            if is_rule(check) and (check.target not in targets or not (
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

    def tick(self) -> None:
        """Let time pass: what does not come any more, what had to wait. Call it every second."""
        self._waiting += self._engine.tick(self._clock.utc_ns())
        if self._waiting:
            self._write()

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
            logger.error("what rules found could not be written, tried again", error=str(error))  # noqa: TRY400 all is said
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
        state, was = (State.DOWN, State.UP) if change.firing else (State.UP, State.DOWN)
        now_ns = self._clock.utc_ns()
        self._incidents.on_transition(
            Transition(check, state, was, min(change.at_ns, now_ns), now_ns, words(change, now_ns))
        )
        logger.info("rule", check=str(check), firing=change.firing, value=change.value)


def words(change: Change, now_ns: int) -> str:
    """Say why a rule fires, or that it does not any more."""
    rule, lasting = change.rule, span((now_ns - change.at_ns) / 1e9)
    label = (check_of(rule, change.series) or CheckId("", "")).probe.partition(":")[2].partition(":")[2]
    what = f"{label} {rule.field}".strip()
    if change.value is None:
        return f"{what}: nothing came for {lasting}"
    if not change.firing:
        return f"{what} is {change.value:g}"
    beyond = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
    return f"{what} is {change.value:g}, {beyond} for {lasting}"
