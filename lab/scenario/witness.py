"""The witness: which units truly could not be reached, and when. It asks the lab itself, not the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from haidang.clock import Clock
from lab.province import RunningProvince

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch in which a unit could not be reached, times in the watch's UTC nanoseconds."""

    unit: str
    start_ns: int
    end_ns: int


class Witness:
    """Looks whenever something may have changed.

    Parameters:
        running: the province.
        clock: stamps what is seen, monotonic; turned into UTC by the offset at the start, so that a step of the wall
            clock does not tear an outage apart.
    """

    def __init__(self, running: RunningProvince, clock: Clock) -> None:
        self._running = running
        self._clock = clock
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        self._hosts = {
            unit.id: running.network.host(unit.addresses[0]) for unit in running.province.units.values()
        }  # fmt: skip
        self._since: dict[str, int] = {}
        self._outages: list[Outage] = []
        self._seen = -1

    def now_ns(self) -> int:
        """Tell the time as the witness counts it."""
        return self._clock.monotonic_ns() + self._offset_ns

    def look(self) -> None:
        """Note who cannot be reached now."""
        topology = self._running.network.topology
        monotonic_ns = self._clock.monotonic_ns()
        version = topology.version(monotonic_ns)
        if version == self._seen:
            return
        now_ns = monotonic_ns + self._offset_ns
        for unit, host in self._hosts.items():
            if topology.route(host, monotonic_ns).broken >= 0:
                self._since.setdefault(unit, now_ns)
            elif unit in self._since:
                self._outages.append(Outage(unit, self._since.pop(unit), now_ns))
        self._seen = version

    async def watch(self) -> None:
        """Look again and again until cancelled; call `look` as well right after each change that matters."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def outages(self) -> Iterator[Outage]:
        """Give what was seen, what still lasts up to now."""
        yield from self._outages
        now_ns = self.now_ns()
        for unit, since_ns in self._since.items():
            yield Outage(unit, since_ns, now_ns)
