"""What a province is made of: sites, lines, units, and the power feeders under them. Pure data."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.province.shape import Shape

PORTS = {"http": 80, "https": 443, "dns": 53, "smtp": 25, "ntp": 123, "sip": 5060, "rtsp": 554}
"""The usual port of each kind of service."""
NO_OPTIONS: Mapping[str, object] = {}


class Offer(NamedTuple):
    """A service on an address, as ``lab.services.Service`` takes it: ``Service(*offer)``.

    Parameters:
        kind: one of `PORTS`.
        address, port: where it listens.
        options: as the kind's server understands them.
    """

    kind: str
    address: str
    port: int
    options: Mapping[str, object] = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Site:
    """A place with people, a feeder and perhaps a UPS.

    Parameters:
        id, name: ``luc-ngan``, ``Lục Ngạn``.
        level: ``province``, ``district``, ``monitoring`` or ``commune``.
        parent: the site above; ``None`` for the centre.
        latitude, longitude: degrees, north and east positive.
        people: who work there or depend on it.
        feeder: the power feeder it hangs on, one of `Province.feeders`.
        ups: the UPS units that carry the whole site while one of them has charge left; empty for none.
    """

    id: str
    name: str
    level: str
    parent: str | None
    latitude: float
    longitude: float
    people: int
    feeder: str
    ups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A line between two routers: leased from a carrier, or a cable of our own within a building.

    Parameters:
        id: how scenarios call it.
        upper, lower: units; the upper one is nearer to the centre.
        carrier, contract, mbit: who leases it out, the contract's number, its Mbit/s; empty and 0 for a cable.
        system: the system it serves.
        delay_ms, jitter_ms: of a round trip over it.
        cost: of several ways packets take the cheapest.
        upper_port, lower_port: ifIndex of the routers' ports it ends in; 0 where nobody looks.
        end: the carrier's termination unit before the lower router, where a site has more than one line: by it a lost
            line is told from a lost router.
    """

    id: str
    upper: str
    lower: str
    carrier: str = ""
    contract: str = ""
    mbit: int = 0
    system: str = ""
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    cost: int = 1
    upper_port: int = 0
    lower_port: int = 0
    end: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A device or service with an address: what is probed.

    Parameters:
        id: how scenarios and the configuration call it.
        vi, en: its names.
        kind: device class, a key of `lab.devices.CLASSES`; empty for a carrier's termination unit, which lives from
            the carrier's own supply and only forwards.
        role: what it is for, e.g. ``hub-router``, ``circuit-end``, ``room``, ``service``.
        site, system: where it stands and what it belongs to.
        addresses: the first is the one that is probed; at most one of each family.
        place: the router it hangs on; its own id for one that forwards packets itself.
        parents: the units it is reached through; any of several suffices.
        circuit: the leased line that ends here; a router with a single line is its end itself.
        ports: bits per second of its leased lines, for a router.
        access: how it is polled: ``v2c``, ``v3``, or empty for not at all.
        runtime_min: of a UPS.
        services: the kinds of service it gives, on all its addresses, each at its usual port.
    """

    id: str
    vi: str
    en: str
    kind: str
    role: str
    site: str
    system: str
    addresses: tuple[str, ...]
    place: str
    parents: tuple[str, ...] = ()
    circuit: str = ""
    ports: tuple[int, ...] = ()
    access: str = ""
    runtime_min: int = 0
    services: tuple[str, ...] = ()

    @property
    def offers(self) -> Iterator[Offer]:
        """Its services, one for each of its addresses."""
        return (Offer(kind, address, PORTS[kind]) for kind in self.services for address in self.addresses)

    @property
    def forwards(self) -> bool:
        """It is a router: what lies behind it dies with it."""
        return self.place == self.id

    @property
    def is_device(self) -> bool:
        """It is a machine of ours, with an agent, that needs the site's current."""
        return bool(self.kind)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the province's agents are asked. Lab secrets: they guard nothing.

    Parameters:
        community: of v2c.
        user, auth_password, priv_password: of v3, with SHA-256 and AES-128.
    """

    community: str
    user: str
    auth_password: str = field(repr=False)
    priv_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Province:
    """All of it, by id and in a fixed order: centre, districts, communes."""

    shape: Shape
    seed: int
    credentials: Credentials
    sites: Mapping[str, Site]
    links: Mapping[str, Link]
    units: Mapping[str, Unit]
    feeders: Mapping[str, tuple[str, ...]]

    def offers(self, kinds: Container[str] = PORTS) -> Iterator[Offer]:
        """Give the services of all units that are of some kinds."""
        return (offer for unit in self.units.values() for offer in unit.offers if offer.kind in kinds)
