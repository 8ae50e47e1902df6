"""Services at work: a check of each probe in `probes.kinds`, kept at its cadence, and the points that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collectors.names import AddressBook
from collectors.points import series, service_point
from collectors.watches import Deliver, TaskWatch
from haidang.clock import Clock
from haidang.model import CheckId, Observation, Status
from probes.attempt import BadSettings, Settings
from probes.http import HttpSettings
from probes.kinds import PROBES, probe


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a service is probed: by which probe, told what."""

    probe: str
    settings: Settings


class ServiceWatch(TaskWatch):
    """Probes a service."""

    def __init__(
        self, check: CheckId, name: str, settings: ServiceSettings, tags: Mapping[str, str], *, addresses: AddressBook,
        clock: Clock, deliver: Deliver,
    ) -> None:  # fmt: skip
        super().__init__(check, deliver)
        self._name = name
        self._settings = settings
        own = settings.settings
        more = {"server": own.url if isinstance(own, HttpSettings) and "://" in own.url else name}
        if own.port:
            more["port"] = str(own.port)
        self._series = series(PROBES[settings.probe].measurement, {**tags, "probe": settings.probe, **more})
        self._addresses = addresses
        self._clock = clock

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._ask(slot_ns))

    start_fast = start

    async def _ask(self, slot_ns: int) -> None:
        kind, target = self._settings.probe, self.check.target
        address = self._addresses.address(self._name)
        if address is None:
            reason = f"the name {self._name} has no address yet"
            self._deliver(Observation(target, kind, slot_ns, Status.UNKNOWN, reason, {}, 0.0), ())
            return
        try:
            observation = await probe(
                kind, self._clock, target, self._name, self._settings.settings, address=address, slot_ns=slot_ns
            )
        except BadSettings as error:
            observation = Observation(target, kind, slot_ns, Status.UNKNOWN, str(error), {}, 0.0)
        self._deliver(observation, (service_point(self._series, observation),))
