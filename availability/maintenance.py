"""Maintenance: when it is, what it covers, and what of it does not count.

Maintenance changes no measurement. It keeps people from being woken, and where it is agreed so it is taken out of the
period that an objective is kept over; overlapping maintenance is taken out once.
"""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from availability import recurrence
from availability.spans import Span, Spans, intersection, merged
from config import Inventory, Target
from storage.accounts import Maintenance

LONGEST_S = 366 * 86_400
"""One occurrence lasts no longer than this."""


def occurrences(work: Maintenance, start_ns: int, end_ns: int) -> list[Span]:
    """Return the occurrences that touch a period, as they were planned and not called off, in order."""
    lasts = work.end_ns - work.start_ns
    if work.rule:
        begins = recurrence.starts(work.rule, work.start_ns, start_ns - lasts + 1, end_ns, ZoneInfo(work.zone))
    else:
        begins = [work.start_ns]
    cut = work.cancelled_from_ns
    found = [(begin, begin + lasts if cut is None else min(begin + lasts, cut)) for begin in begins]
    return [(begin, end) for begin, end in found if begin < end and begin < end_ns and end > start_ns]


def covers(inventory: Inventory, kind: str, name: str, target: Target) -> bool:
    """Tell whether something includes a target.

    Parameters:
        inventory: what there is.
        kind: ``target``, ``site`` (with the sites below it), ``circuit``, ``carrier`` or ``system``.
        name: its id; of a carrier its name, capitals or not.
        target: asked about.
    """
    match kind:
        case "target":
            return target.id == name
        case "site":
            return name in sites_above(inventory, target.site)
        case "circuit":
            return target.circuit == name
        case "carrier":
            circuit = inventory.circuits.get(target.circuit or "")
            return circuit is not None and (circuit.carrier or "").casefold() == name.casefold()
        case _:
            return target.system == name


def includes(inventory: Inventory, kind: str, name: str, what: str) -> bool:
    """Tell whether something includes a target, or what was promised of ``KIND:NAME``: itself, or of a site below it.

    Parameters:
        inventory, kind, name: see `covers`.
        what: a target's id, or ``system:wan``, ``carrier:VNPT``, ….
    """
    target = inventory.targets.get(what)
    if target is not None:
        return covers(inventory, kind, name, target)
    about, _, thing = what.partition(":")
    if kind == about == "site":
        return name in sites_above(inventory, thing)
    return (kind, name.casefold()) == (about, thing.casefold())


def excluded(works: Iterable[Maintenance], start_ns: int, end_ns: int, kinds: Iterable[str]) -> Spans:
    """Return the time that does not count because of maintenance.

    Parameters:
        works: the maintenance on one target.
        start_ns, end_ns: the period.
        kinds: ``planned`` (written down before the occurrence began) and ``retroactive``: what the objective excludes.
    """
    wanted = frozenset(kinds)
    found: list[Span] = []
    for work in works:
        if work.excluded:
            found += [
                one for one in occurrences(work, start_ns, end_ns)
                if ("retroactive" if is_retroactive(work, one[0]) else "planned") in wanted
            ]  # fmt: skip
    return intersection(merged(found), ((start_ns, end_ns),))


def is_retroactive(work: Maintenance, start_ns: int) -> bool:
    """Tell whether an occurrence had begun before it was written down."""
    return start_ns < work.created_ns


def sites_above(inventory: Inventory, site: str | None) -> list[str]:
    """Return a site with all those above it."""
    found: list[str] = []
    while site is not None and site not in found:
        found.append(site)
        known = inventory.sites.get(site)
        site = known.parent if known else None
    return found
