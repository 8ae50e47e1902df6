"""The availability of a system out of its members', by a formula that is declared and printed with every figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from availability.timeline import Timeline, combined


class Rule(StrEnum):
    """When a system counts as up."""

    ALL = "all"
    ANY = "any"
    K_OF_N = "k-of-n"
    WEIGHTED = "weighted"
    WORST_SITE = "worst-site"


class Weight(StrEnum):
    """What a member weighs in a weighted system."""

    PEOPLE = "people"
    SITES = "sites"
    CAPACITY = "capacity"
    TARGETS = "targets"


@dataclass(frozen=True, slots=True)
class Formula:
    """How members make a system.

    Parameters:
        rule: which formula.
        k: for k of n: so many members have to be up.
        weight: for weighted: what a member weighs.
    """

    rule: Rule = Rule.ALL
    k: int = 1
    weight: Weight = Weight.SITES

    def words(self, members: int) -> str:
        """Write the formula as it is printed with a figure."""
        match self.rule:
            case Rule.ALL:
                return f"all of {members}: up while each member is up"
            case Rule.ANY:
                return f"any of {members}: up while one member is up"
            case Rule.K_OF_N:
                return f"{self.k} of {members}: up while at least {self.k} members are up"
            case Rule.WEIGHTED:
                what = {
                    "people": "people served", "sites": "sites", "capacity": "contracted Mbit/s", "targets": "targets",
                }[self.weight]  # fmt: skip
                return f"weighted, {members} members: the share of {what} that is up"
            case Rule.WORST_SITE:
                return f"worst of {members} sites, each up while all of its targets are up"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a system.

    Parameters:
        name: a target's, a site's or a circuit's id.
        weight: in thousandths, so that sums stay exact.
        timeline: how good it was; begins when it became a member.
    """

    name: str
    weight: int
    timeline: Timeline


def all_of(parts: Sequence[Timeline]) -> Timeline:
    """Return the timeline of something that is up while all its parts are."""
    return parts[0] if len(parts) == 1 else combined([(1, part) for part in parts], lambda up, there: int(up >= there))


def together(formula: Formula, members: Sequence[Member]) -> Timeline:
    """Put a system's members together.

    Raises:
        ValueError: for the worst site, whose members are judged one by one.
    """
    match formula.rule:
        case Rule.ALL:
            return all_of([member.timeline for member in members])
        case Rule.ANY:
            return _counted(members, lambda up, _: int(up >= 1))
        case Rule.K_OF_N:
            return _counted(members, lambda up, there: int(up >= min(formula.k, there)))
        case Rule.WEIGHTED:
            weighed = [(member.weight, member.timeline) for member in members]
            return combined(weighed, lambda up, there: up / there)
        case Rule.WORST_SITE:
            raise ValueError("the sites of a system by its worst one are not put together but compared")


def _counted(members: Sequence[Member], judge: Callable[[int, int], float]) -> Timeline:
    return combined([(1, member.timeline) for member in members], judge)


def grouped(targets: Iterable[tuple[str, float, Timeline]]) -> list[Member]:
    """Group targets into members.

    Parameters:
        targets: of each target the member it belongs to (its site, its circuit), that member's weight, its timeline.
    """
    parts: dict[str, list[Timeline]] = {}
    weights: dict[str, float] = {}
    for member, weight, timeline in targets:
        parts.setdefault(member, []).append(timeline)
        weights[member] = weight
    return [Member(name, round(weights[name] * 1000), all_of(timelines)) for name, timelines in parts.items()]
