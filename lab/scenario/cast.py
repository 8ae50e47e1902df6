"""Who takes part: from the words of a scenario to the names of one province."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

from lab.province import Link, Province, Site, Unit
from lab.scenario.script import Pick, Scenario, ScenarioInvalid

Cast = Mapping[str, tuple[str, ...]]
"""Names of lines, sites or units, by the cast's name."""


def choose(scenario: Scenario, province: Province) -> dict[str, tuple[str, ...]]:
    """Find who plays in this province; the same seed finds the same.

    Raises:
        ScenarioInvalid: the province has nobody for a part.
    """
    routes = Counter(link.lower for link in province.links.values())
    chosen: dict[str, tuple[str, ...]] = {}

    def fits(pick: Pick, thing: Link | Site | Unit) -> bool:
        site, router, upper = _place(province, thing)
        above = chosen[pick.below][0] if pick.below else ""
        return (
            (pick.level is None or site.level == pick.level)
            and (pick.ups is None or bool(site.ups) == pick.ups)
            and (pick.routes is None or routes[router] == pick.routes)
            and (pick.carrier is None or getattr(thing, "carrier", None) == pick.carrier)
            and (pick.role is None or getattr(thing, "role", None) == pick.role)
            and (pick.service is None or pick.service in getattr(thing, "services", ()))
            and (pick.access is None or getattr(thing, "access", None) == pick.access)
            and (not above or above in upper)
        )

    for name, pick in scenario.cast.items():
        things: Mapping[str, Link | Site | Unit] = getattr(
            province, {"lines": "links", "sites": "sites", "units": "units"}[pick.of]
        )
        found = [key for key, thing in things.items() if fits(pick, thing)]
        if pick.share is not None:
            count = max(1, round(len(found) * pick.share / 100))
            drawn = random.Random(f"{province.seed}/{scenario.scenario}/{name}").sample(found, min(count, len(found)))
            found = [key for key in found if key in set(drawn)]
        found = found[pick.skip :][: pick.take]
        if not found:
            raise ScenarioInvalid(
                f"{scenario.scenario}: cast.{name}: nobody in this province fits; a larger --scale or another --seed "
                "may have one"
            )
        chosen[name] = tuple(found)
    return chosen


def _place(province: Province, thing: Link | Site | Unit) -> tuple[Site, str, tuple[str, ...]]:
    """Tell a thing's site, the router that stands for it, and what lies above it."""
    if isinstance(thing, Link):
        return province.sites[province.units[thing.lower].site], thing.lower, (thing.upper,)
    if isinstance(thing, Site):
        router = router_of(province, thing.id)
        return thing, router, province.units[router].parents
    return province.sites[thing.site], thing.place, thing.parents


def router_of(province: Province, site: str) -> str:
    """Name the router or switch through which a site is reached."""
    return next(unit.id for unit in province.units.values() if unit.site == site and unit.forwards)
