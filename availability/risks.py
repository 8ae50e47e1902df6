"""Shared-risk groups: what several checks have in common beside their parents, such as a carrier or a power feeder.

A group is a node of its own: it is down while checks that failed together because of it are. The idea of explaining a
set of failures by the risk group that covers it best is Kompella et al., "IP Fault Localization via Risk Modeling",
NSDI 2005.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from availability.check import WORKING, Check
from haidang.model import CheckId, FieldValue, State, Transition

TOGETHER_NS = 60_000_000_000
"""Failures that begin within this time of each other began together."""
FEWEST = 3
"""Fewer failures at once are a coincidence."""
SHARE = 0.5
"""A group explains its failures when at least this share of those members fails that could be seen to."""

AGAIN_NS = 1_000_000_000
"""A group that is not the reason is not asked again before: in a storm thousands of verdicts would each count it."""


OWN_ROUTE = CheckId("haidang", "route")
"""Our own way out: the group of everything that this machine has no route to."""


class RiskGroup:
    """One group: its members, and those that are down because of it."""

    __slots__ = ("asked_ns", "down_ns", "failed", "id", "members")

    def __init__(self, name: CheckId, members: Sequence[Check]) -> None:
        self.id = name
        self.members = tuple(members)
        self.failed: set[CheckId] = set()
        self.down_ns: int | None = None
        self.asked_ns = 0  # when it was last found not to be the reason

    def takes(self, check: Check) -> bool:
        """Whether the failure of a member belongs to the group's running one."""
        return self.down_ns is not None and (self.id == OWN_ROUTE or check.bad_since_ns <= self.down_ns + TOGETHER_NS)

    def hits(self, check: Check) -> tuple[list[Check], int]:
        """Return the members that began to fail together with one, and how many members there are to see."""
        around: list[Check] = []
        seen = 0
        ours = self.id == OWN_ROUTE
        for member in self.members:
            if not ours and (member.state is State.UNREACHABLE or member.away_above(lambda one: one.failing)):
                continue  # a parent explains it
            failing = (member.bad_count > 1 or member.failed) and (not ours or member.no_route)
            seen += failing or member.state in WORKING
            if failing and abs(member.failing_since_ns - check.bad_since_ns) <= TOGETHER_NS:
                around.append(member)
        return around, seen


class SharedRisks:
    """All groups, and which failures they explain."""

    def __init__(self) -> None:
        self._groups: dict[CheckId, RiskGroup] = {}
        self._recent: deque[tuple[int, CheckId]] = deque(maxlen=256)

    def use(self, groups: Sequence[RiskGroup], down: Sequence[CheckId] = ()) -> None:
        """Know these groups from now on; what is known of the running failures stays.

        Parameters:
            groups: all of them.
            down: those that were down before the daemon stopped.
        """
        for group in groups:
            for member in group.members:
                member.risks = ()
        for group in groups:
            before = self._groups.get(group.id)
            ids = {member.id for member in group.members}
            if before is not None:
                group.down_ns, group.failed = before.down_ns, before.failed & ids
            elif group.id in down:
                # Of our own way out nothing is known before each member was reached, or failed by itself.
                group.failed = {one.id for one in group.members if one.failed or group.id == OWN_ROUTE}
                group.down_ns = 0
            for member in group.members:
                member.risks = (*member.risks, group.id)
        self._groups = {group.id: group for group in groups}

    def explain(self, check: Check, now_ns: int) -> tuple[CheckId | None, list[Transition]]:
        """Say which group a check's own failure comes of.

        Returns:
            the group, or ``None``; and the group's transition when it is found to have failed just now.
        """
        groups = [self._groups[name] for name in check.risks if name != OWN_ROUTE or check.no_route]
        for group in groups:
            if group.takes(check):
                group.failed.add(check.id)
                return group.id, []
        best: tuple[float, int, RiskGroup, list[Check]] | None = None
        for group in groups:
            if 0 <= now_ns - group.asked_ns < AGAIN_NS:
                continue
            around, seen = group.hits(check)
            if len(around) < FEWEST or len(around) < SHARE * seen:
                group.asked_ns = now_ns
                continue
            rank = (len(around) / seen, -len(group.members))
            if best is None or rank > best[:2]:
                best = (*rank, group, around)
        if best is None:
            return None, []
        share, _, group, around = best
        since_ns = min(member.failing_since_ns or check.bad_since_ns for member in around)
        group.down_ns = since_ns
        group.failed.add(check.id)
        why = "have no route from this machine" if group.id == OWN_ROUTE else "that share it fail at once"
        reason = f"{len(around)} of {len(group.members)} {why}"
        evidence: dict[str, FieldValue] = {
            "members": len(group.members),
            "failing": len(around),
            "share": round(share, 3),
        }
        members = tuple(sorted(member.id for member in around))
        down = Transition(
            group.id, State.DOWN, None, since_ns, now_ns, reason, None, evidence, members=members
        )  # fmt: skip
        return group.id, [down]

    def down(self, group: CheckId) -> bool:
        """Tell whether a group has failed."""
        return group in self._groups and self._groups[group].down_ns is not None

    def together(self, check: Check) -> int:
        """Note a failure that nothing explains; return how many others like it began within the same time."""
        near = sum(abs(at_ns - check.bad_since_ns) <= TOGETHER_NS for at_ns, other in self._recent if other != check.id)
        self._recent.append((check.bad_since_ns, check.id))
        return near

    def back(
        self, check: Check, at_ns: int, now_ns: int, groups: Sequence[CheckId] | None = None
    ) -> list[Transition]:  # fmt: skip
        """Take a member out of the failure of its groups, or of some; with the last one a group is up again."""
        out: list[Transition] = []
        for name in check.risks if groups is None else groups:
            if name not in check.risks:
                continue
            group = self._groups[name]
            if check.id in group.failed:
                group.failed.discard(check.id)
                out += self._end(group, at_ns, now_ns)
        return out

    def tick(self, now_ns: int) -> list[Transition]:
        """End the failure of groups whose members are all gone from the configuration."""
        return [one for group in self._groups.values() for one in self._end(group, now_ns, now_ns)]

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        self._recent = deque(((at_ns + delta_ns, check) for at_ns, check in self._recent), maxlen=256)
        for group in self._groups.values():
            if group.down_ns:
                group.down_ns += delta_ns

    @staticmethod
    def _end(group: RiskGroup, at_ns: int, now_ns: int) -> list[Transition]:
        if group.down_ns is None or group.failed:
            return []
        group.down_ns = None
        return [Transition(group.id, State.UP, State.DOWN, at_ns, now_ns, "all that failed because of it are back")]
