"""Current: the mains of each site, the UPS behind it, and what happens when both have nothing left."""

from __future__ import annotations

from collections.abc import Callable

from lab.devices import Device, Power
from lab.province.nouns import Province, Site, Unit


class Supply:
    """The power of all sites.

    Parameters:
        province: whose.
        device: gives a unit's device.
    """

    def __init__(self, province: Province, device: Callable[[Unit], Device]) -> None:
        self._province = province
        self._device = device
        self._failed: set[str] = set()
        self._dark: set[str] = set()
        self._units: dict[str, list[Unit]] = {}
        for unit in province.units.values():
            if unit.is_device:
                self._units.setdefault(unit.site, []).append(unit)

    def off(self, site: Site, now_ns: int) -> None:
        """Take the mains away; a site with a UPS goes on until its battery is empty."""
        if site.id in self._failed:
            return
        self._failed.add(site.id)
        batteries = [battery for battery in self._batteries(site) if battery.state.power is not Power.OFF]
        for battery in batteries:
            battery.power(Power.BATTERY, now_ns)
        if not batteries:
            self._darken(site.id, now_ns)

    def on(self, site: Site, now_ns: int) -> None:
        """Give the mains back; what has lost its current boots."""
        if site.id not in self._failed:
            return
        self._failed.discard(site.id)
        self._dark.discard(site.id)
        for unit in self._units.get(site.id, ()):
            self._device(unit).power(Power.MAINS, now_ns)

    def watch(self, unit: Unit, at_ns: int) -> None:
        """Look whether a unit was the last UPS that kept its site alive; call it after each change of a UPS."""
        site = self._province.sites[unit.site]
        if unit.id not in site.ups or site.id not in self._failed or site.id in self._dark:
            return
        if all(battery.state.power is Power.OFF for battery in self._batteries(site)):
            self._darken(site.id, at_ns)

    def state(self, site: str) -> str:
        """Tell where a site's current comes from: ``mains``, ``battery`` or ``off``."""
        if site in self._dark:
            return Power.OFF.value
        return (Power.BATTERY if site in self._failed else Power.MAINS).value

    def troubled(self) -> dict[str, str]:
        """Give the sites that are not on mains, and what they are on."""
        return {site: self.state(site) for site in sorted(self._failed)}

    def _batteries(self, site: Site) -> list[Device]:
        return [self._device(self._province.units[name]) for name in site.ups]

    def _darken(self, site: str, at_ns: int) -> None:
        self._dark.add(site)
        for unit in self._units.get(site, ()):
            self._device(unit).power(Power.OFF, at_ns)
