"""A province while it is being made: collects sites, lines and units, and names and numbers them."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

from lab.province.names import Names, slug
from lab.province.nouns import Credentials, Link, Province, Site, Unit
from lab.province.shape import Shape

_KM_PER_DEGREE = 111.2
_MS_PER_KM = 0.03  # there and back: light in fibre needs 0.01, leased lines take detours
_BACKBONE_MS, _ACCESS_MS = (0.8, 1.6), (2.0, 4.5)  # in the carrier's equipment
_JITTER = (0.06, 0.12)  # of the delay
_ACCESS_PORT_BPS = 100_000_000  # a hub's ports towards communes are Fast Ethernet whatever is leased


class Draft:
    """Everything made so far.

    Parameters:
        shape: the province's numbers.
        seed: of all that is drawn.
        names: to call things by.
    """

    def __init__(self, shape: Shape, seed: int, names: Names) -> None:
        self.shape = shape
        self.names = names
        self.rng = random.Random(f"{seed}/province")
        self._seed = seed
        self._sites: dict[str, Site] = {}
        self._links: dict[str, Link] = {}
        self._units: dict[str, Unit] = {}
        self._feeders: dict[str, list[str]] = {}
        self._ports: dict[str, list[int]] = {}
        self._contracts: Counter[str] = Counter()
        self._numbers: Counter[tuple[str, str]] = Counter()

    def add_site(self, site: Site) -> None:
        """Add a site, and it to its feeder."""
        self._sites[site.id] = site
        self._feeders.setdefault(site.feeder, []).append(site.id)

    def cable(self, upper: str, lower: str) -> None:
        """Join two units in one building."""
        self._links[f"{lower}-cable"] = Link(f"{lower}-cable", upper, lower, delay_ms=0.4, jitter_ms=0.04)

    def lease(
        self, upper: tuple[str, str], lower: tuple[str, str], carrier: int, mbit: int, system: str, *, cost: int = 1,
        end: str = "",
    ) -> Link:  # fmt: skip
        """Lease a line between two routers.

        Parameters:
            upper, lower: site and router at each end.
            carrier: which of the shape's, counted round.
            mbit: contracted.
            cost: of the way over it, for a spare one.
            end: address of the carrier's termination unit at the lower end, if it has one.
        """
        name = self.shape.carriers[carrier % len(self.shape.carriers)]
        self._contracts[name] += 1
        backbone = system == "wan"
        delay = self._km(upper[0], lower[0]) * _MS_PER_KM
        delay += self.rng.uniform(*(_BACKBONE_MS if backbone else _ACCESS_MS))
        jitter = delay * self.rng.uniform(*_JITTER)
        bps = mbit * 1_000_000
        line = f"{slug(name)}-{lower[0]}"
        link = Link(
            line, upper[1], lower[1], name, f"{self._contracts[name]:03d}/2026/{name}", mbit,
            system, round(delay, 2), round(jitter, 2), cost,
            self._port(upper[1], bps if backbone else _ACCESS_PORT_BPS), self._port(lower[1], bps),
            f"{line}-end" if end else "",
        )  # fmt: skip
        self._links[line] = link
        if end:
            self.add_unit(link.end, "", "circuit-end", lower[0], system, (end,), parents=(upper[1],), circuit=line)
        return link

    def add_unit(
        self, name: str, kind: str, role: str, site: str, system: str, addresses: tuple[str, ...], *, place: str = "",
        parents: tuple[str, ...] = (), circuit: str = "", access: str = "",
        runtime_min: int = 0, services: tuple[str, ...] = (), called: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Add a unit; without a place it is a router itself.

        Parameters:
            called: its names by language; without them it is called after its role.
        """
        self._numbers[site, role] += 1
        carrier = self._links[circuit].carrier if circuit else ""
        gaps = {"site": self._sites[site].name, "number": self._numbers[site, role], "carrier": carrier}
        words = called or {language: text.format(**gaps) for language, text in self.names.roles[role].items()}
        self._units[name] = Unit(
            name, words["vi"], words["en"], kind, role, site, system, addresses, place or name, parents, circuit, (),
            access, runtime_min, services,
        )  # fmt: skip

    def province(self) -> Province:
        """Give what has been made."""
        rng = random.Random(f"{self._seed}/credentials")
        community, auth, priv = (f"{rng.getrandbits(80):020x}" for _ in range(3))
        return Province(
            self.shape, self._seed, Credentials(f"lab-{community[:8]}", "haidang", auth, priv), self._sites,
            self._links,
            {name: replace(unit, ports=tuple(self._ports.get(name, ()))) for name, unit in self._units.items()},
            {feeder: tuple(sites) for feeder, sites in self._feeders.items()},
        )  # fmt: skip

    def _port(self, router: str, bps: int) -> int:
        """Take the next port of a router; gives its ifIndex."""
        ports = self._ports.setdefault(router, [])
        ports.append(bps)
        return len(ports)

    def _km(self, one: str, other: str) -> float:
        here, there = self._sites[one], self._sites[other]
        north = here.latitude - there.latitude
        east = (here.longitude - there.longitude) * math.cos(math.radians(here.latitude))
        return math.hypot(north, east) * _KM_PER_DEGREE
