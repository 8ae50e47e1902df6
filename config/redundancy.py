"""Whether sites have the lines that their access level asks for (Thông tư 06/2026/TT-BKHCN).

Level I: two lines at least, on two physical routes. Level II: one, or two where the security level is 4 or 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config.inventory import Inventory
from config.schema.things import Circuit, Site

_TOGETHER = frozenset({"ring", "building", "group"})
"""Kinds of shared risk that take all of a site's lines at once; two lines of one carrier are seen anyway."""


def lacking_lines(inventory: Inventory) -> Iterator[str]:
    """Say of each site with an access level what it lacks."""
    for site in inventory.sites.values():
        if site.access is None:
            continue
        lines = [line for line in inventory.circuits.values() if _leads_out(line, site, inventory.sites)]
        names = ", ".join(line.id for line in lines)
        needed = 2 if site.access == "I" or (site.security or 0) >= 4 else 1
        level = f"the site {site.id} is of access level {site.access}"
        level += f" with security level {site.security}" if site.access == "II" and needed == 2 else ""
        if len(lines) < needed:
            yield (
                f"{level} and has {len(lines)} of the {needed} lines it needs" + (f" ({names})" if names else "")
                + ": add the missing one to circuits, with a or b: " + site.id
            )  # fmt: skip
        elif site.access == "I":
            yield from (f"{level}, {why}" for why in _one_route(lines, inventory))


def _leads_out(line: Circuit, site: Site, sites: Mapping[str, Site]) -> bool:
    """Tell whether a line connects a site with the network, not with a site below it."""
    ends = {line.a, line.b}
    if site.id not in ends:
        return False
    other = next((end for end in (line.a, line.b) if end != site.id), None)
    seen: set[str] = set()
    while other is not None and other in sites and other not in seen:
        seen.add(other)
        other = sites[other].parent
        if other == site.id:
            return False
    return True


def _one_route(lines: list[Circuit], inventory: Inventory) -> Iterator[str]:
    names = ", ".join(line.id for line in lines)
    routes = {line.route for line in lines if line.route}
    carriers = {(line.carrier or "").casefold() for line in lines if not line.route}
    if len(routes) + len(carriers) < 2:
        if routes:
            yield f"and its lines ({names}) run on one route, {lines[0].route}: it needs two"
        else:
            whose = lines[0].carrier or "nobody's in the configuration"
            yield (
                f"and its lines ({names}) have one carrier, {whose}: where they run on two physical routes, give each "
                "its route"
            )  # fmt: skip
    for risk in inventory.risks.values():
        if risk.kind in _TOGETHER and all(line.id in risk.circuits for line in lines):
            yield f"and all its lines ({names}) are in the shared risk {risk.id} ({risk.kind}): they fail together"
