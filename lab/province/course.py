"""What happens in a province by itself: planned commands, boots, batteries, traps, each at its moment and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import structlog

from lab.devices import Event, Sink
from lab.network import Network
from lab.province.agenda import Agenda
from lab.province.fleet import Fleet
from lab.province.nouns import Province, Unit
from lab.province.supply import Supply

logger = structlog.get_logger(__name__)

RETRY_NS = 1_000_000_000
"""When a device is looked after again that failed: later than now, or it would stop the others after all."""
TURN = 200
"""Moments that are worked off before others on the event loop have their turn."""


class Course:
    """The course of things.

    Parameters:
        province: whose.
        network: in which units that have no current go dark.
        now_ns: tells the lab's time, UTC ns.
        sinks: where traps go.
        tell: takes each trap, and the unit that sends it.

    Attributes:
        fleet: the devices.
        supply: their current.
        dark: the units that are off or booting.
    """

    def __init__(
        self, province: Province, network: Network, now_ns: Callable[[], int], sinks: Sequence[Sink],
        tell: Callable[[Unit, Event], None],
    ) -> None:  # fmt: skip
        self._province = province
        self._network = network
        self._now_ns = now_ns
        self._tell = tell
        self._woken = asyncio.Event()
        self._agenda = Agenda(self._woken.set)
        self.fleet = Fleet(province, now_ns(), sinks, self._agenda.add)
        self.supply = Supply(province, self.fleet.device)
        self.dark: set[str] = set()

    @property
    def next_ns(self) -> int | None:
        """When the next thing happens."""
        return self._agenda.next_ns

    def expect(self, unit: Unit) -> None:
        """Note what a unit's device has to do next, after something came to it from outside."""
        next_ns = self.fleet.device(unit).next_ns
        if next_ns is not None:
            self._agenda.add(unit.id, next_ns)

    def advance(self, most: int | None = None) -> bool:
        """Let everything happen that is due by now.

        Parameters:
            most: moments to work off at most; any number if not given.

        Returns:
            whether something is left to do.
        """
        now_ns = self._now_ns()
        done = 0
        while done != most and (found := self._agenda.take(now_ns)) is not None:
            self._happen(found[1], found[0])
            done += 1
        next_ns = self.next_ns
        return next_ns is not None and next_ns <= now_ns

    async def drive(self) -> None:
        """Let things happen as their time comes, until cancelled."""
        while True:
            self._woken.clear()
            if self.advance(TURN):
                await asyncio.sleep(0)
                continue
            next_ns = self.next_ns
            wait_s = None if next_ns is None else max(0, next_ns - self._now_ns()) / 1e9
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def _happen(self, units: Iterable[str], at_ns: int) -> None:
        """Let a moment pass for some units: what they still have to tell leaves before any of them goes dark."""
        met = []
        for name in units:
            unit = self._province.units[name]
            device = self.fleet.device(unit)
            try:
                for event in device.events(at_ns):
                    self._tell(unit, event)
            except Exception:  # noqa: BLE001 one device's mistake must not stop the province
                logger.exception("device failed", unit=name)
                self._agenda.add(name, self._now_ns() + RETRY_NS)
            else:
                met.append((unit, device))
        for unit, device in met:
            self._switch(unit, on=device.alive)
            self.supply.watch(unit, at_ns)
            next_ns = device.next_ns
            if next_ns is not None:
                self._agenda.add(unit.id, max(next_ns, at_ns + 1))

    def _switch(self, unit: Unit, *, on: bool) -> None:
        if (unit.id not in self.dark) == on:
            return
        (self.dark.discard if on else self.dark.add)(unit.id)
        if unit.forwards:
            self._network.switch(unit.id, on=on)
        else:
            for address in unit.addresses:
                self._network.switch_host(address, on=on)
