"""The availability of a system out of its members', by a formula that is declared and printed with every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
                return f"up while all {members} members are up"
            case Rule.ANY:
                return f"up while any of {members} members is up"
            case Rule.K_OF_N:
                return f"up while at least {self.k} of {members} members are up"
            case Rule.WEIGHTED:
                what = {"people": "people served", "sites": "sites", "capacity": "contracted Mbit/s"}[self.weight]
                return f"share of {what} that is up, over {members} members"
            case Rule.WORST_SITE:
                return f"the worst of {members} sites, each up while all of its targets are up"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a system.

    Parameters:
        name: a target's, a site's or a circuit's id.
        weight: in thousandths, so that sums stay exact.
        parts: timelines that must all be up for the member to be up.
    """

    name: str
    weight: int
    parts: tuple[Timeline, ...]

    def timeline(self) -> Timeline:
        """Put the parts together."""
        return all_of(self.parts)


def all_of(parts: Sequence[Timeline]) -> Timeline:
    """Return the timeline of something that is up while all its parts are."""
    return parts[0] if len(parts) == 1 else combined([(1, part) for part in parts], lambda up: int(up >= len(parts)))


def together(formula: Formula, members: Sequence[Member]) -> Timeline:
    """Put a system's members together; not for the worst site, whose members are judged one by one.

    Raises:
        ValueError: for the worst site, or without any member or weight.
    """
    total = sum(member.weight for member in members)
    if formula.rule is Rule.WORST_SITE or not members or (formula.rule is Rule.WEIGHTED and not total):
        raise ValueError(f"{formula.rule}: there is nothing to put together")
    timelines = [member.timeline() for member in members]
    if formula.rule is Rule.WEIGHTED:
        weighed = [(member.weight, timeline) for member, timeline in zip(members, timelines, strict=True)]
        return combined(weighed, lambda up: up / total)
    needed = {Rule.ALL: len(members), Rule.ANY: 1}.get(formula.rule, formula.k)
    return combined([(1, timeline) for timeline in timelines], lambda up: int(up >= needed))


def grouped(targets: Mapping[str, tuple[str, float, Timeline]]) -> list[Member]:
    """Group targets into members.

    Parameters:
        targets: by target: the member it belongs to (its site, its circuit), that member's weight, its own timeline.
    """
    parts: dict[str, list[Timeline]] = {}
    weights: dict[str, float] = {}
    for member, weight, timeline in targets.values():
        parts.setdefault(member, []).append(timeline)
        weights[member] = weight
    return [Member(name, round(weights[name] * 1000), tuple(timelines)) for name, timelines in parts.items()]
