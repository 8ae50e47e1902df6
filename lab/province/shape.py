"""How large a province is: the few numbers everything else follows from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lab.province.names import slug

FEWEST_DEVICES = 8
"""Two core routers and one of each other kind a data centre has."""
FEWEST_SERVICES = 5
"""Mail, names, web with and without TLS, time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a province; the defaults are those of Bắc Giang's shape.

    Parameters:
        districts, communes: offices of each level. Each district has one camera monitoring centre.
        rooms: conference rooms: the centre's and the districts' first, then communes'.
        cameras: shared out among the monitoring centres.
        devices: of the data centre, core routers and switches included; at least `FEWEST_DEVICES`.
        services: of the data centre; at least `FEWEST_SERVICES`.
        carriers: who leases lines out; two at least, for access level I has two physical routes.
        dual_percent: share of the communes with a second line, to the next district's hub.
        ups_percent: share of the communes with a UPS; the centre, districts and monitoring centres all have one.

    Raises:
        ValueError: a number is too small, or larger than the address plan has room for.
    """

    districts: int = 10
    communes: int = 209
    rooms: int = 60
    cameras: int = 789
    devices: int = 40
    services: int = 12
    carriers: tuple[str, ...] = ("VNPT", "Viettel", "FPT")
    dual_percent: float = 10.0
    ups_percent: float = 33.0

    def __post_init__(self) -> None:
        """Check every number."""
        ranges = {
            "districts": (1, 200), "communes": (1, 20_000), "rooms": (1, 20_000), "cameras": (1, 400_000),
            "devices": (FEWEST_DEVICES, 2_000), "services": (FEWEST_SERVICES, 2_000), "dual_percent": (0, 100),
            "ups_percent": (0, 100),
        }  # fmt: skip
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"a province has {least} to {most} {name.replace('_', ' ')}, not {value!r}")
        if self.communes < self.districts:
            raise ValueError(f"{self.districts} districts with {self.communes} communes: each needs one at least")
        known = {slug(carrier) for carrier in self.carriers} - {""}
        if len(known) < max(2, len(self.carriers)):
            raise ValueError(f"two routes by two carriers need two carriers at least, each once, not {self.carriers!r}")

    def scaled(self, factor: float) -> Shape:
        """Give a province so many times as large, with one of each kind at least; the carriers stay.

        Raises:
            ValueError: the factor is not positive, or the result is larger than the address plan has room for.
        """
        if not factor > 0:
            raise ValueError(f"a scale is a number above 0, such as 0.1 or 10, not {factor!r}")
        least = {"devices": FEWEST_DEVICES, "services": FEWEST_SERVICES}
        counts = ("districts", "communes", "rooms", "cameras", "devices", "services")
        larger = {name: max(least.get(name, 1), round(getattr(self, name) * factor)) for name in counts}
        return dataclasses.replace(self, **{**larger, "communes": max(larger["communes"], larger["districts"])})
