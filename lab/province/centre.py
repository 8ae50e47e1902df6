"""The province's centre: the data centre with its devices and services, and the core routers all lines end at."""

from __future__ import annotations

from lab.province import plan
from lab.province.draft import Draft
from lab.province.nouns import Site
from lab.province.shape import FEWEST_DEVICES

CENTRE = "province"
CORE_SWITCH = "dc-switch-1"
CORE_ROUTERS = ("core-router-1", "core-router-2")
_RUNTIME_MIN = 120
_PEOPLE = 1_200
_IPV6_EACH = 4  # every fourth server and service is watched by its IPv6 address


def build_centre(draft: Draft) -> None:
    """Add the centre's site, devices and services."""
    extra = draft.shape.devices - FEWEST_DEVICES
    few = extra // 30
    switches, firewalls, units, sensors, control = extra // 10, 1 + few, 1 + few, 1 + few, 1 + extra // 100
    servers = draft.shape.devices - len(CORE_ROUTERS) - 1 - switches - firewalls - units - sensors - control
    here = draft.names.centre
    draft.add_site(Site(
        CENTRE, here.name, "province", None, here.latitude, here.longitude, _PEOPLE, f"{CENTRE}-feeder-1",
        _ups_names(units),
    ))  # fmt: skip
    devices = _Devices(draft)
    devices.add(CORE_SWITCH, "switch", "core-switch", system="datacentre", router=True, parent="")
    for name in CORE_ROUTERS:
        devices.add(name, "router", "core-router", system="wan", router=True, access="v3")
        draft.cable(CORE_SWITCH, name)
    access = []
    for number in range(2, switches + 2):
        access.append(f"dc-switch-{number}")
        devices.add(access[-1], "switch", "server-switch", router=True)
        draft.cable(CORE_SWITCH, access[-1])
    for role, kind, count in (("firewall", "firewall", firewalls), ("environment", "environment", sensors)):
        for number in range(1, count + 1):
            devices.add(f"dc-{role}-{number}", kind, role, access="v3" if role == "firewall" else "v2c")
    for name in _ups_names(units):
        devices.add(name, "ups", "ups", runtime_min=_RUNTIME_MIN)
    for number in range(1, control + 1):
        devices.add(f"mcu-{number}", "videoconf", "mcu", system="videoconf", services=("sip",))
    for number in range(1, servers + 1):
        switch = access[number % len(access)] if access else CORE_SWITCH
        devices.add(
            f"dc-server-{number}", "server", "server", parent=switch, access="v3", ipv6=number % _IPV6_EACH == 0
        )
    _add_services(draft)


def _ups_names(count: int) -> tuple[str, ...]:
    """Name the data centre's UPS units."""
    return tuple(f"dc-ups-{number}" for number in range(1, count + 1))


def both(address: str, *, ipv6_first: bool = False) -> tuple[str, ...]:
    """Give an IPv4 address with its IPv6 companion."""
    pair = (address, plan.ipv6(address))
    return pair[::-1] if ipv6_first else pair


class _Devices:
    """Adds devices and counts their addresses."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._count = 0

    def add(
        self, name: str, kind: str, role: str, *, system: str = "datacentre", parent: str = CORE_SWITCH,
        router: bool = False, access: str = "v2c", runtime_min: int = 0, services: tuple[str, ...] = (),
        ipv6: bool = False,
    ) -> None:  # fmt: skip
        """Add a device behind its parent."""
        address = plan.centre(plan.DEVICES, self._count)
        self._count += 1
        self._draft.add_unit(
            name, kind, role, CENTRE, system, both(address, ipv6_first=ipv6) if router or ipv6 else (address,),
            place="" if router else parent, parents=(parent,) if parent else (), access=access,
            runtime_min=runtime_min, services=services,
        )  # fmt: skip


def _add_services(draft: Draft) -> None:
    rows = draft.names.services
    for number in range(draft.shape.services):
        row, again = rows[number % len(rows)], number // len(rows)
        tail = f"-{again + 1}" if again else ""
        address = plan.centre(plan.SERVICES, number)
        draft.add_unit(
            f"{row['id']}{tail}", "server", "service", CENTRE, row.get("system", "datacentre"),
            both(address, ipv6_first=True) if number % _IPV6_EACH == _IPV6_EACH - 1 else (address,),
            place=CORE_SWITCH, parents=(CORE_SWITCH,), services=(row["kind"],),
            called={language: f"{row[language]}{tail.replace('-', ' ')}" for language in ("vi", "en")},
        )  # fmt: skip
