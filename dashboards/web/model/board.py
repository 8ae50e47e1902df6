"""The board: every check's state now, kept in memory and told of each change in the moment it is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from availability.check import FAILED
from config import Configuration, Inventory, Target
from haidang.model import CheckId, Interval, State, Transition

SEVERITY = (State.DOWN, State.UNREACHABLE, State.DEGRADED, State.UNKNOWN, State.MAINTENANCE, State.UP)
"""From what is to be seen first to what is well."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a check (or a target by its checks) is in; ``since_ns`` is ``None`` before the first verdict."""

    state: State
    since_ns: int | None = None
    reason: str = ""
    cause: CheckId | None = None


NOTHING_YET = Now(State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class SiteNow:
    """How a site is.

    Parameters:
        state: down or unreachable when none of the ways into it is there; degraded when something of it is not well.
        bad: how many of its targets are not well.
        targets: how many it has.
    """

    state: State
    bad: int
    targets: int


class Board:
    """States now. What changes is worked out when it changes, so that a page over ten thousand targets costs nothing.

    Parameters:
        configuration: what there is; exchanged on a reload.

    Attributes:
        version: moves with each change.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.version = 0
        self._now: dict[CheckId, Now] = {}
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self.inventory: Inventory = configuration.inventory
        self._at_site: dict[str, list[Target]] = {}
        self._of_system: dict[str, list[Target]] = {}
        for target in self.inventory.targets.values():
            self._at_site.setdefault(target.site or "", []).append(target)
            self._of_system.setdefault(target.system or "", []).append(target)
        self._anew()

    def _anew(self) -> None:
        self._targets = {one.id: self._by_checks(one) for one in self.inventory.targets.values()}
        self._counts: Counter[State] = Counter(now.state for now in self._targets.values())
        self._system_counts = {
            system: Counter(self._targets[one.id].state for one in members)
            for system, members in self._of_system.items()
        }
        self._sites: dict[str, SiteNow] = {}
        self.version += 1

    def load(self, running: Iterable[Interval]) -> None:
        """Take everything from the ledger: at the start, and after a step of the clock has moved its times."""
        self._now = {one.check: Now(one.state, one.start_ns, one.reason, one.cause) for one in running}
        self._anew()

    def take(self, transitions: Iterable[Transition]) -> None:
        """Take in what has just been written."""
        for one in transitions:
            self._now[one.check] = Now(one.state, one.at_ns, one.reason, one.cause)
            target = self.inventory.targets.get(one.check.target)
            if target is not None:
                self._retake(target)
        self.version += 1

    def _retake(self, target: Target) -> None:
        before, after = self._targets[target.id], self._by_checks(target)
        self._targets[target.id] = after
        for counter in (self._counts, self._system_counts[target.system or ""]):
            counter[before.state] -= 1
            counter[after.state] += 1
        self._sites.pop(target.site or "", None)

    def check(self, check: CheckId) -> Now:
        """Return the state of a check."""
        return self._now.get(check, NOTHING_YET)

    def target(self, target: Target) -> Now:
        """Return the state of a target: its primary check's, degraded when that is up and another one failed."""
        return self._targets[target.id]

    def _by_checks(self, target: Target) -> Now:
        first = self.check(target.primary)
        if first.state is State.UP and len(target.probes) > 1:
            for probe in target.probes:
                other = self.check(CheckId(target.id, probe))
                if other.state in FAILED:
                    return Now(State.DEGRADED, other.since_ns, other.reason, other.cause)
        return first

    def at_site(self, site: str) -> list[Target]:
        """Return the targets of a site, in the order of the configuration."""
        return self._at_site.get(site, [])

    def of_system(self, system: str) -> list[Target]:
        """Return the targets of a system, in the order of the configuration."""
        return self._of_system.get(system, [])

    def counts(self, system: str | None = None) -> Mapping[State, int]:
        """Count targets by state: a system's, or all there are."""
        return self._counts if system is None else self._system_counts.get(system, {})

    def site(self, site: str) -> SiteNow:
        """Return how a site is, by the targets there."""
        known = self._sites.get(site)
        if known is None:
            known = self._sites[site] = self._site(site)
        return known

    def _site(self, site: str) -> SiteNow:
        targets = self.at_site(site)
        if not targets:
            return SiteNow(State.UNKNOWN, 0, 0)
        states = [self.target(one).state for one in targets]
        here = {one.id for one in targets}
        ways = [
            state for one, state in zip(targets, states, strict=True)
            if not (here & {*one.parents, *one.needs})
        ]  # fmt: skip
        bad = sum(state not in (State.UP, State.UNKNOWN) for state in states)
        if ways and all(state in FAILED for state in ways):
            return SiteNow(State.DOWN if State.DOWN in ways else State.UNREACHABLE, bad, len(states))
        if bad:
            return SiteNow(State.DEGRADED, bad, len(states))
        if all(state is State.UNKNOWN for state in states):
            return SiteNow(State.UNKNOWN, 0, len(states))
        return SiteNow(State.UP, 0, len(states))


def worst(counts: Mapping[State, int]) -> State:
    """Return the state that is to be seen first."""
    return next((state for state in SEVERITY if counts.get(state)), State.UNKNOWN)
