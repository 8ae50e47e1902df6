"""Evaluates rules as points pass: a point that no rule is about costs one look into a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alerting.rules.rule import NS, Rule, Watch
from haidang.model import CheckId, Point, Series

MOST_SERIES = 200_000
"""Series remembered; more are not watched, and counted."""


@dataclass(frozen=True, slots=True)
class Change:
    """A rule begins or ceases to fire for a series.

    Parameters:
        rule, series: which.
        firing: whether it begins.
        at_ns: since when it has truly been so, UTC nanoseconds.
        value: the value that made it certain; ``None`` when there was none.
        cause: what is behind it; when an incident of that is open, it is told there.
        lost: it ends because no value comes any more; whether it is over nobody knows.
    """

    rule: Rule
    series: Series
    firing: bool
    at_ns: int
    value: float | None
    cause: CheckId | None = None
    lost: bool = False


class RuleEngine:
    """Holds every watched series.

    Parameters:
        fired_before: asked once of each series: whether a rule was firing for it before this run began.
        blind: asked of a series that fires and has stopped: whether no wonder, because its target fails.
    """

    def __init__(
        self, fired_before: Callable[[Rule, Series], bool] = lambda _rule, _series: False,
        blind: Callable[[Series], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._fired_before = fired_before
        self._blind = blind
        self._lit: dict[tuple[Rule, Series], Watch] = {}
        """Those that fire: they are looked at each second, and are few."""
        self._rules: dict[str, list[Rule]] = {}
        self._watches: dict[Series, tuple[Watch, ...]] = {}
        self.left_out = 0
        """Series that are not watched: more than are remembered."""

    def use(self, rules: Sequence[Rule]) -> None:
        """Go by these rules from now on; of a rule that stays as it is nothing is forgotten."""
        self._rules = {}
        for rule in rules:
            self._rules.setdefault(rule.measurement, []).append(rule)
        known = self._watches
        self._watches = {}
        for series, watches in known.items():
            kept = {watch.rule: watch for watch in watches}
            fresh = tuple(kept.get(rule) or Watch(rule, series) for rule in self._about(series))
            if fresh:
                self._watches[series] = fresh
        self._lit = {key: one for key, one in self._lit.items() if one in self._watches.get(key[1], ())}

    def take(self, points: Iterable[Point]) -> list[Change]:
        """Take points in; return what begins or ends with them."""
        changes: list[Change] = []
        for point in points:
            if point.series.measurement not in self._rules:
                continue
            for watch in self._watch(point.series):
                value = point.fields.get(watch.rule.field)
                if isinstance(value, str) or value is None or value != value:  # noqa: PLR0124 not a number
                    continue
                since_ns = watch.step(float(value), point.time_ns)
                if since_ns is not None:
                    self._turn(watch)
                    changes.append(Change(watch.rule, watch.series, watch.firing, since_ns, float(value)))
        return changes

    def tick(self, now_ns: int) -> list[Change]:
        """Notice what does not come any more; call it every few seconds."""
        return self._gone(now_ns) + self._absent(now_ns)

    def _gone(self, now_ns: int) -> list[Change]:
        """Give up what fires and is not measured any more; while its target fails that proves nothing."""
        changes = []
        for watch in [one for one in self._lit.values() if one.gone(now_ns)]:
            if watch.excused(now_ns, blind=self._blind(watch.series)):
                continue
            self._turn(watch)
            changes.append(Change(watch.rule, watch.series, False, watch.last_ns, None, lost=True))
        return changes

    def _absent(self, now_ns: int) -> list[Change]:
        if not any(rule.absent_s is not None for rules in self._rules.values() for rule in rules):
            return []
        changes: list[Change] = []
        for watches in self._watches.values():
            for watch in watches:
                absent_s = watch.rule.absent_s
                if absent_s is None or watch.firing or not watch.last_ns:
                    continue
                if now_ns - watch.last_ns >= absent_s * NS:
                    self._turn(watch)
                    changes.append(Change(watch.rule, watch.series, True, watch.last_ns, None))
        return changes

    def clock_stepped(self, by_ns: int) -> None:
        """Move every time with the wall clock: a step is no silence, and a step back makes nothing deaf."""
        for watches in self._watches.values():
            for watch in watches:
                watch.clock_stepped(by_ns)

    def _turn(self, watch: Watch) -> None:
        watch.turn()
        if watch.firing:
            self._lit[watch.rule, watch.series] = watch
        else:
            self._lit.pop((watch.rule, watch.series), None)

    def _watch(self, series: Series) -> tuple[Watch, ...]:
        watches = self._watches.get(series)
        if watches is None:
            if len(self._watches) >= MOST_SERIES:
                self.left_out += 1
                return ()
            watches = self._watches[series] = tuple(Watch(rule, series) for rule in self._about(series))
            for watch in watches:
                if self._fired_before(watch.rule, series):
                    self._turn(watch)
        return watches

    def _about(self, series: Series) -> list[Rule]:
        return [rule for rule in self._rules.get(series.measurement, ()) if rule.covers(series)]
