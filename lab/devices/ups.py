"""A UPS: what it does by itself when the mains fails, until its battery is empty (RFC 1628)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.devices import traps
from lab.devices.battery import Battery
from lab.devices.model import Cells

if TYPE_CHECKING:
    from lab.devices.state import State

_AGAIN_NS = 60_000_000_000  # upsTrapOnBattery is resent each minute


class Ups:
    """Battery and alarms of a device.

    Parameters:
        cells: the battery.
        now_ns: since when it stands there, charged and on mains.
    """

    def __init__(self, cells: Cells, now_ns: int) -> None:
        self.battery = Battery(cells, now_ns)
        self.alarms: dict[bytes, int] = {}
        self.bad_inputs = 0  # upsInputLineBads
        self._spell = 0  # on battery or not: timers of an older one are void

    def feed(self, state: State, at_ns: int, *, mains: bool, discharging: bool) -> None:
        """Change to mains, to battery, or to neither: empty or switched off."""
        self._spell += 1
        self.battery.switch(charging=mains, discharging=discharging, now_ns=at_ns)
        if discharging:
            self.bad_inputs += 1
            self.raise_alarms(state, at_ns)
            self._run_down(state, at_ns)
            return
        for alarm in list(self.alarms):
            del self.alarms[alarm]
            state.tell(traps.ups_alarm(alarm, added=False), at_ns)

    def raise_alarms(self, state: State, at_ns: int) -> None:
        """Enter what is wrong now into the alarm table; also after a restart, which empties it."""
        if self.battery.discharging:
            self._raise(state, traps.ALARM_ON_BATTERY, at_ns)
            if self.battery.status(at_ns) != 2:
                self._raise(state, traps.ALARM_LOW_BATTERY, at_ns)

    def _raise(self, state: State, alarm: bytes, at_ns: int) -> None:
        if state.alive and alarm not in self.alarms:
            self.alarms[alarm] = state.ticks(at_ns)
            state.tell(traps.ups_alarm(alarm, added=True), at_ns)

    def _run_down(self, state: State, at_ns: int) -> None:
        spell = self._spell
        battery = self.battery

        def remind(now_ns: int) -> None:
            if spell == self._spell:
                state.tell(traps.on_battery(state, now_ns), now_ns)
                state.schedule.add(now_ns + _AGAIN_NS, remind)

        def low(now_ns: int) -> None:
            if spell == self._spell:
                self.raise_alarms(state, now_ns)

        def empty(now_ns: int) -> None:
            if spell == self._spell:
                state.cut(now_ns)

        remind(at_ns)
        left_ns = battery.left_ns(at_ns)
        state.schedule.add(at_ns + max(0, left_ns - battery.low_ns), low)
        state.schedule.add(at_ns + left_ns, empty)
