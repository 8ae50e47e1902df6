"""A district: its hub at the ends of two carriers' lines, the communes behind it, the cameras' monitoring centre."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lab.province import plan
from lab.province.centre import CENTRE, CORE_ROUTERS, both
from lab.province.draft import Draft
from lab.province.names import District, slug
from lab.province.nouns import Site

_SITES_PER_FEEDER = 6
_HUB_MBIT, _COMMUNE_MBIT = (500, 1000), (20, 50, 50, 100)
_DISTRICT_RUNTIME_MIN, _COMMUNE_RUNTIME_MIN = 40, 20
_SPARE_COST = 5


class Hub:
    """One district while it is built.

    Parameters:
        draft: of the province.
        number: from 1, as in the address plan.
        place: its name and coordinates.

    Attributes:
        site, router: its office and the hub router there.
        offices: of its communes: site, router and number in the address plan.
    """

    def __init__(self, draft: Draft, number: int, place: District) -> None:
        self.number = number
        self.place = place
        self.site = slug(place.name)
        self.router = f"{self.site}-router"
        self.offices: list[tuple[str, str, int]] = []
        self._draft = draft
        self._ends = 0
        self._rooms: Counter[int] = Counter()
        draft.add_site(Site(
            self.site, place.name, "district", CENTRE, place.latitude, place.longitude, draft.rng.randint(250, 600),
            f"{self.site}-feeder-1", (f"{self.site}-ups",),
        ))  # fmt: skip
        mbit = draft.rng.choice(_HUB_MBIT)
        lines = [
            draft.lease(
                (CENTRE, core), (self.site, self.router), number + index, mbit, "wan", cost=1 + index, end=self._end()
            )
            for index, core in enumerate(CORE_ROUTERS)
        ]
        draft.add_unit(
            self.router, "router", "hub-router", self.site, "wan", both(plan.office(number, 0, plan.ROUTER)),
            parents=tuple(line.end for line in lines), access="v3",
        )  # fmt: skip
        draft.add_unit(
            f"{self.site}-switch", "switch", "switch", self.site, "wan", (plan.office(number, 0, plan.SWITCH),),
            place=self.router, parents=(self.router,), access="v2c",
        )  # fmt: skip
        self._add_ups(self.site, self.router, "wan", plan.office(number, 0, plan.UPS), _DISTRICT_RUNTIME_MIN)

    def add_monitoring(self, cameras: int) -> None:
        """Add the monitoring centre and the cameras behind it."""
        draft = self._draft
        site, system = f"{self.site}-cameras", "cameras"
        switch = f"{site}-switch"
        draft.add_site(Site(
            site, draft.names.monitoring.format(name=self.place.name), "monitoring", self.site,
            round(self.place.latitude + 0.004, 4), round(self.place.longitude + 0.004, 4), 12,
            f"{self.site}-feeder-1", (f"{site}-ups",),
        ))  # fmt: skip
        draft.cable(self.router, switch)
        draft.add_unit(
            switch, "switch", "switch", site, system, (plan.office(self.number, 0, plan.MONITORING),),
            parents=(self.router,), access="v2c",
        )  # fmt: skip
        address = plan.office(self.number, 0, plan.MONITORING_UPS)
        self._add_ups(site, switch, system, address, _DISTRICT_RUNTIME_MIN)
        for number in range(cameras):
            draft.add_unit(
                f"{self.site}-camera-{number + 1}", "camera", "camera", site, system,
                (plan.camera(self.number, number),), place=switch, parents=(switch,), services=("rtsp",),
            )  # fmt: skip

    def add_communes(self, names: Sequence[str], neighbour: Hub) -> None:
        """Add the communes; a second line of theirs leads to the neighbour's hub."""
        for number, name in enumerate(names, 1):
            self._add_commune(number, name, neighbour)

    def add_room(self, number: int) -> None:
        """Add a conference room at the district's office (0) or a commune's."""
        site, router = (self.site, self.router) if number == 0 else self.offices[number - 1][:2]
        count = self._rooms[number]
        self._rooms[number] += 1
        if count >= plan.MOST_ROOMS:
            raise ValueError(f"the address plan has room for {plan.MOST_ROOMS} conference rooms at {site}")
        self._draft.add_unit(
            f"{site}-room-{count + 1}", "videoconf", "room", site, "videoconf",
            (plan.office(self.number, number, plan.ROOMS + count),), place=router, parents=(router,), access="v2c",
            services=("sip",),
        )  # fmt: skip

    def _add_commune(self, number: int, name: str, neighbour: Hub) -> None:
        draft, rng = self._draft, self._draft.rng
        site = f"{self.site}-{slug(name)}"
        router = f"{site}-router"
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.02, 0.09)
        has_ups = rng.random() * 100 < draft.shape.ups_percent
        dual = rng.random() * 100 < draft.shape.dual_percent and neighbour is not self
        draft.add_site(Site(
            site, name, "commune", self.site, round(self.place.latitude + far * math.sin(angle), 4),
            round(self.place.longitude + far * math.cos(angle), 4), rng.randint(4_000, 14_000),
            f"{self.site}-feeder-{2 + (number - 1) // _SITES_PER_FEEDER}", (f"{site}-ups",) if has_ups else (),
        ))  # fmt: skip
        mbit, carrier = rng.choice(_COMMUNE_MBIT), rng.randrange(len(draft.shape.carriers))
        office = (site, router)
        near, far_hub = (self.site, self.router), (neighbour.site, neighbour.router)
        if dual:
            lines = [
                draft.lease(near, office, carrier, mbit, "datanet", end=self._end()),
                draft.lease(far_hub, office, carrier + 1, mbit, "datanet", cost=_SPARE_COST, end=self._end()),
            ]
        else:
            lines = [draft.lease(near, office, carrier, mbit, "datanet")]
        draft.add_unit(
            router, "router", "router", site, "datanet", both(plan.office(self.number, number, plan.ROUTER)),
            parents=tuple(line.end or line.upper for line in lines), access="v3", circuit="" if dual else lines[0].id,
        )  # fmt: skip
        if has_ups:
            self._add_ups(site, router, "datanet", plan.office(self.number, number, plan.UPS), _COMMUNE_RUNTIME_MIN)
        self.offices.append((site, router, number))

    def _add_ups(self, site: str, place: str, system: str, address: str, runtime_min: int) -> None:
        self._draft.add_unit(
            f"{site}-ups", "ups", "ups", site, system, (address,), place=place, parents=(place,), access="v2c",
            runtime_min=runtime_min,
        )  # fmt: skip

    def _end(self) -> str:
        self._ends += 1
        return plan.line_end(self.number, self._ends - 1)
