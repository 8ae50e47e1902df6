"""The province's devices: made when first needed, of models and keys they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lab.devices import CLASSES, EVERYTHING, Access, Device, Grant, Model, Sink
from lab.devices.classes import router, ups_unit
from lab.province.nouns import Province, Unit
from probes.snmp.keys import KeyRing, User


class Fleet:
    """All devices of a province.

    A device that nobody has asked or commanded yet costs nothing: what it is at any later time follows from its seed.

    Parameters:
        province: whose.
        began_ns: when the world begins, UTC ns.
        sinks: where traps go; a device sends to those of its own address family.
        planned: told which unit is due and when.
    """

    def __init__(
        self, province: Province, began_ns: int, sinks: Sequence[Sink], planned: Callable[[str, int], None]
    ) -> None:  # fmt: skip
        self._province = province
        self._began_ns = began_ns
        self._sinks = sinks
        self._planned = planned
        self._ring = KeyRing()
        self._models: dict[object, Model] = {}
        self._devices: dict[str, Device] = {}
        credentials = province.credentials
        user = User(
            credentials.user, "SHA-256", credentials.auth_password, "AES-128", credentials.priv_password
        )  # fmt: skip
        self._access = {
            "": Access(communities={}),
            "v2c": Access(communities={credentials.community: EVERYTHING}),
            "v3": Access(communities={}, grants=(Grant(user),)),
        }
        self._aliases: dict[str, dict[int, str]] = {}
        for link in province.links.values():
            for unit, port in ((link.upper, link.upper_port), (link.lower, link.lower_port)):
                if port:
                    self._aliases.setdefault(unit, {})[port] = f"{link.id} {link.contract}"

    def __len__(self) -> int:
        return len(self._devices)

    def device(self, unit: Unit) -> Device:
        """Give a unit's device."""
        found = self._devices.get(unit.id)
        if found is None:
            found = self._devices[unit.id] = self._make(unit)
        return found

    def _make(self, unit: Unit) -> Device:
        address = unit.addresses[0]
        v6 = ":" in address
        return Device(
            self._model(unit), unit.id, now_ns=self._began_ns, seed=self._province.seed,
            location=self._province.sites[unit.site].name, contact="haidang lab", aliases=self._aliases.get(unit.id),
            address=None if v6 else address, access=self._access[unit.access],
            sinks=[sink for sink in self._sinks if (":" in sink.address) == v6], ring=self._ring,
            planned=partial(self._planned, unit.id),
        )  # fmt: skip

    def _model(self, unit: Unit) -> Model:
        key = (unit.kind, unit.ports, unit.runtime_min)
        model = self._models.get(key)
        if model is None:
            if unit.kind == "router" and unit.ports:
                model = router(unit.ports)
            elif unit.kind == "ups":
                model = ups_unit(unit.runtime_min)
            else:
                model = CLASSES[unit.kind]()
            self._models[key] = model
        return model
