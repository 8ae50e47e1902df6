"""How incidents are handled: what belongs together, and when people hear of it. Configured under ``alerting``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerting.severity import RULES, Impact, Rules, Severity, severity
from haidang.model import CheckId

NS = 10**9
OURSELVES = {
    "space": Severity.MAJOR, "channel": Severity.MAJOR, "route": Severity.MAJOR, "lag": Severity.MINOR,
    "store": Severity.MINOR, "calendar": Severity.MINOR,
}  # fmt: skip
"""How bad at least is what is wrong with ourselves: it takes nothing from people yet, and makes us blind or dumb."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers behind the steps; durations in seconds.

    Parameters:
        hold_s: a first message waits so long for what else fails, so that one message can tell of all of it.
        storm_from, storm_window_s: so many incidents begun within so long are told as one that grows.
        slow_storm_from, slow_storm_window_s: the same of a storm that comes slowly: so many that have something in
            common, within so long, see `alerting.storms`.
        together_s: failures that began within so long of each other began together.
        reopen_s: what fails again within so long of its end is the same incident.
        settle_s: what lasts so long after the incident it was merged into is over is told of by itself.
        grow_s: the pause before the first message that a storm has grown, and before each further one.
        remind_s: "still down" so long after the first message; after the last of them, daily.
        remind_from, remind_to: the hours in which people are reminded of what is not critical.
        zone: whose hours they are.
        severities: how bad is how bad.
        least: how bad at least is what a rule finds, by the rule's id, or by ``target/id`` for a rule of its role.
    """

    hold_s: float = 2.0
    storm_from: int = 3
    storm_window_s: float = 60.0
    slow_storm_from: int = 4
    slow_storm_window_s: float = 1800.0
    together_s: float = 60.0
    reopen_s: float = 600.0
    settle_s: float = 300.0
    grow_s: tuple[float, float] = (60.0, 600.0)
    remind_s: Sequence[float] = (3600.0, 4 * 3600.0)
    remind_from: time = time(7, 0)
    remind_to: time = time(21, 0)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))
    severities: Rules = RULES
    least: Mapping[str, Severity] = field(default_factory=dict)

    def judge(self, check: CheckId, impact: Impact, members: Iterable[CheckId] = ()) -> Severity:
        """Say how bad it is that a check fails; what rules found of it, and of what it hides, counts as they say."""
        level, _ = severity(impact, self.severities)
        if check.target == "haidang" and check.probe != "storm":
            return max(level, OURSELVES.get(check.probe.partition(":")[0], Severity.WARNING), key=lambda one: one.rank)
        found = [(one.target, one.probe.split(":")[1]) for one in (check, *members) if one.probe.startswith("rule:")]
        least = (self.least.get(f"{target}/{name}", self.least.get(name, level)) for target, name in found)
        return max([level, *least], key=lambda one: one.rank)

    def remind_at(self, told_ns: int, now_ns: int, level: Severity) -> int:
        """Return when people are to be reminded next.

        Parameters:
            told_ns: when they were first told, UTC nanoseconds.
            now_ns: the time; the answer lies after it.
            level: of a critical incident people are reminded at any hour.
        """
        planned = [told_ns + round(after * NS) for after in self.remind_s]
        day = 86_400 * NS
        last = planned[-1] if planned else told_ns
        at_ns = next((one for one in planned if one > now_ns), last + day * max(1, -((last - now_ns - 1) // day)))
        return at_ns if level is Severity.CRITICAL else self._in_hours(at_ns)

    def _in_hours(self, at_ns: int) -> int:
        local = datetime.fromtimestamp(at_ns // NS, self.zone)
        start, end = (datetime.combine(local.date(), hour, self.zone) for hour in (self.remind_from, self.remind_to))
        if start >= end or start <= local <= end:
            return at_ns
        if local > end:
            start += timedelta(days=1)  # wall-clock arithmetic: the same hour of the next day
        return int(start.timestamp()) * NS
