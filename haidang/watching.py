"""The watches at work: made from plans, kept at their cadence, hurried when suspect, exchanged on a reload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from availability.health import HealthEngine
from availability.risks import OWN_ROUTE
from availability.rule import Rule
from collectors.backups import BackupPlan, BackupWatch
from collectors.cadence import Cadence
from collectors.names import AddressBook
from collectors.plan import CheckPlan
from collectors.quality import QualityPlan, QualityWatch
from collectors.services import ServiceSettings, ServiceWatch
from collectors.snmp import SnmpSettings, SnmpWatch
from collectors.toll import Toll, Tolls
from collectors.watches import (
    Deliver,
    DnsSettings,
    DnsWatch,
    HostWatch,
    PingSettings,
    PingWatch,
    TaskWatch,
    Unusable,
    UnusableWatch,
    Watch,
)
from haidang.clock import Clock
from haidang.model import CheckId, State
from probes.icmp import Pinger
from probes.meter import Meter
from probes.snmp import Library, SnmpEngine
from probes.snmp.neighbours import Neighbour

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new set of plans changed."""

    added: tuple[CheckId, ...]
    removed: tuple[CheckId, ...]
    changed: tuple[CheckId, ...]


def rule(plan: CheckPlan) -> Rule:
    """Put what a configuration says of confirmation into the words of the judges."""
    said = plan.confirmation
    return Rule(
        said.failures, said.span_s, said.clear_samples, said.clear_span_s,
        stale_s=max(60.0, 3 * plan.cadence_s + 10), settle_s=said.settle_s, flap_changes=said.flap_changes,
        flap_window_s=said.flap_window_s, brief_s=said.brief_s, loss_percent=said.loss_percent,
        delay_ms=None if said.delay_s is None else said.delay_s * 1000,
    )  # fmt: skip


def pressed(plan: CheckPlan, factor: float) -> CheckPlan:
    """Return a plan that probes so many times as often."""
    settings = plan.settings
    if isinstance(settings, PingSettings):  # its echoes are spread over its cadence
        settings = replace(settings, cadence_s=settings.cadence_s / factor)
    return replace(
        plan, cadence_s=plan.cadence_s / factor, fast_s=min(plan.fast_s, plan.cadence_s / factor), settings=settings
    )  # fmt: skip


class Watching:
    """Every check's watch.

    Parameters:
        clock, cadence, health, addresses: shared with the daemon.
        deliver: takes the observations.
        icmp, snmp: the engines; closed with it.
        profiles: of devices that are polled by SNMP.
        tolls: what each kind of probe costs is counted there.
    """

    def __init__(
        self, clock: Clock, cadence: Cadence, health: HealthEngine, addresses: AddressBook, deliver: Deliver,
        *, icmp: Pinger, snmp: SnmpEngine, profiles: Library, tolls: Tolls | None = None,
    ) -> None:  # fmt: skip
        self._tolls = tolls or Tolls(Meter())
        self._clock = clock
        self._cadence = cadence
        self._health = health
        self._addresses = addresses
        self._deliver = deliver
        self.icmp = icmp
        self.snmp = snmp
        self._profiles = profiles
        self._at_work: dict[CheckId, tuple[CheckPlan, Watch]] = {}
        self._steady: dict[CheckId, CheckPlan] = {}
        self._pressed: frozenset[str] = frozenset()
        self._factor = 1.0
        self._hurried: set[CheckId] = set()
        self._of_target: dict[str, list[CheckId]] = {}
        self.risks: frozenset[CheckId] = frozenset()

    def apply(
        self, plans: Iterable[CheckPlan], risks: Mapping[CheckId, Sequence[CheckId]],
        last_known: Mapping[CheckId, State] | None = None,
    ) -> Changes:  # fmt: skip
        """Watch exactly these checks from now on. What did not change goes on undisturbed, in the middle of a burst.

        Parameters:
            plans: every check there shall be.
            risks: which of them share what.
            last_known: states from before the daemon stopped.
        """
        self._steady = {plan.check: plan for plan in plans}
        wanted = {check: self._now(plan) for check, plan in self._steady.items()}
        removed = tuple(check for check in self._at_work if check not in wanted)
        changed = tuple(check for check, (plan, _) in self._at_work.items() if wanted.get(check, plan) != plan)
        added = tuple(check for check in wanted if check not in self._at_work)
        for check in removed:
            self._end(check)
        self._health.forget(removed)
        self._addresses.want({plan.address for plan in wanted.values() if plan.address})
        for check in (*changed, *added):
            self._begin(wanted[check], (last_known or {}).get(check))
        self._of_target = {}
        for check in self._at_work:
            self._of_target.setdefault(check.target, []).append(check)
        self._health.connect(
            {check: plan.parents for check, plan in wanted.items()},
            {check: plan.needs for check, plan in wanted.items()},
        )
        own = [check for check, plan in wanted.items() if isinstance(plan.settings, PingSettings)]
        risks = {**risks, OWN_ROUTE: own}
        down = [group for group, state in (last_known or {}).items() if state is State.DOWN and group in risks]
        self._health.share(risks, down)
        gone = tuple(group for group in self.risks if group not in risks)
        self.risks = frozenset(risks)
        return Changes(added, (*removed, *gone), changed)

    def press(self, targets: frozenset[str], factor: float) -> None:
        """Probe some targets more often from now on, and no others.

        Parameters:
            targets: with all their checks.
            factor: so many times as often as planned.
        """
        self._pressed, self._factor = targets, factor
        for check, plan in self._steady.items():
            now = self._now(plan)
            if self._at_work[check][0] != now:
                self._begin(now)

    def hurry(self, check: CheckId, fast: bool) -> None:
        """Probe a check fast from now on, or at its own cadence again."""
        known = self._at_work.get(check)
        if known is None:
            return
        if fast:
            self._hurried.add(check)
            self._cadence.hurry(str(check), known[0].fast_s)
        else:
            self._hurried.discard(check)
            self._cadence.hurry(str(check), None)

    def use(self, profiles: Library) -> None:
        """Read devices by other profiles from now on."""
        self._profiles = profiles
        for _, watch in self._at_work.values():
            if isinstance(watch, SnmpWatch):
                watch.use(profiles)

    def look(self, target: str) -> bool:
        """Probe a target now, with all its probes, beside their cadence: it told something by itself.

        Returns:
            False when a probe that began before is still at it: what it tells may be older, look again.
        """
        now_ns = self._clock.utc_ns()
        fresh = True
        for check in self._of_target.get(target, ()):
            watch = self._at_work[check][1]
            if isinstance(watch, PingWatch):
                watch.start_fast(now_ns)
            elif isinstance(watch, TaskWatch) and watch.busy:
                fresh = False
            else:
                watch.start(now_ns)
        return fresh

    def skipped(self) -> int:
        """Count the slots that were left out because the last probe was still at work."""
        return self._tolls.skipped

    def tolls(self) -> tuple[Toll, ...]:
        """Say what each kind of probe costs, the dearest first."""
        return self._tolls.told(Counter(check.probe for check in self._at_work))

    def turn_over(self) -> None:
        """Begin a minute in which the latest start is looked for anew."""
        self._tolls.turn_over()

    def drops(self) -> int:
        """Count the answers that were lost in our own receive buffers."""
        return self.icmp.drops() + self.snmp.drops()

    def dropped_rates(self) -> int:
        """Count the rates that could not be made of two readings: restarts, wraps, more than the line can carry."""
        return sum(watch.dropped_rates for _, watch in self._at_work.values() if isinstance(watch, SnmpWatch))

    def neighbours(self, target: str) -> tuple[Neighbour, ...]:
        """Say who was at the other end of a device's ports when they were last read."""
        watches = (self._at_work[check][1] for check in self._of_target.get(target, ()))
        return next((watch.neighbours for watch in watches if isinstance(watch, SnmpWatch)), ())

    def plans(self) -> dict[CheckId, CheckPlan]:
        """Return what is watched."""
        return {check: plan for check, (plan, _) in self._at_work.items()}

    def close(self) -> None:
        """Stop everything at once."""
        for check in tuple(self._at_work):
            self._end(check)
        self.icmp.close()
        self.snmp.close()

    def _run(self, check: CheckId, slot_ns: int) -> None:
        watch = self._at_work[check][1]
        self._tolls.started(check.probe, max(0, self._clock.utc_ns() - slot_ns))
        self._tolls.meter.run(check.probe, watch.start_fast if check in self._hurried else watch.start, slot_ns)

    def _now(self, plan: CheckPlan) -> CheckPlan:
        return pressed(plan, self._factor) if plan.check.target in self._pressed else plan

    def _begin(self, plan: CheckPlan, last_known: State | None = None) -> None:
        """Begin to watch by a plan, in the place of the one that was."""
        check = plan.check
        if check in self._at_work:
            self._at_work[check][1].stop()
        self._health.watch(check, rule(plan), last_known)
        watch = self._make(plan)
        if isinstance(watch, TaskWatch):
            watch.tolls = self._tolls
        self._at_work[check] = (plan, watch)
        self._cadence.add(str(check), plan.cadence_s, lambda slot: self._run(check, slot))
        if check in self._hurried:
            self._cadence.hurry(str(check), plan.fast_s)

    def _end(self, check: CheckId) -> None:
        self._at_work.pop(check)[1].stop()
        self._cadence.remove(str(check))
        self._hurried.discard(check)

    def _make(self, plan: CheckPlan) -> Watch:
        settings, tags = plan.settings, dict(plan.tags)
        if isinstance(settings, PingSettings):
            return PingWatch(
                plan.check, plan.address, settings, tags, engine=self.icmp, addresses=self._addresses,
                clock=self._clock, deliver=self._deliver,
            )  # fmt: skip
        if isinstance(settings, SnmpSettings):
            return SnmpWatch(
                plan.check, plan.address, settings, tags, engine=self.snmp, addresses=self._addresses,
                clock=self._clock, deliver=self._deliver, profiles=self._profiles,
            )  # fmt: skip
        if isinstance(settings, QualityPlan):
            return QualityWatch(
                plan.check, plan.address, settings, tags, engine=self.icmp, addresses=self._addresses,
                clock=self._clock, deliver=self._deliver,
            )  # fmt: skip
        if isinstance(settings, BackupPlan):
            return BackupWatch(plan.check, settings, tags, clock=self._clock, deliver=self._deliver)
        if isinstance(settings, DnsSettings):
            return DnsWatch(
                plan.check, plan.address, settings, tags, addresses=self._addresses, clock=self._clock,
                deliver=self._deliver,
            )  # fmt: skip
        if isinstance(settings, ServiceSettings):
            return ServiceWatch(
                plan.check, plan.address, settings, tags, addresses=self._addresses, clock=self._clock,
                deliver=self._deliver,
            )  # fmt: skip
        if isinstance(settings, Unusable):
            logger.error("check cannot be probed", check=str(plan.check), reason=settings.reason)
            return UnusableWatch(plan.check, settings, self._deliver)
        return HostWatch(plan.check, settings, tags, clock=self._clock, deliver=self._deliver)
