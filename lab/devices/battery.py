"""A UPS battery that runs down on battery and charges on mains (for UPS-MIB, RFC 1628)."""

from __future__ import annotations

from lab.devices.model import Cells

_MINUTE_NS = 60_000_000_000


class Battery:
    """What is left in it, as straight lines between the changes.

    Parameters:
        cells: what it is made of.
        now_ns: since when; full and on mains.
    """

    __slots__ = ("_left_ns", "_since_ns", "cells", "charging", "discharging")

    def __init__(self, cells: Cells, now_ns: int) -> None:
        self.cells = cells
        self.charging = True
        self.discharging = False
        self._left_ns = self.full_ns
        self._since_ns = now_ns

    @property
    def full_ns(self) -> int:
        """The runtime of a full battery."""
        return self.cells.runtime_min * _MINUTE_NS

    @property
    def low_ns(self) -> int:
        """The runtime under which it is low."""
        return self.cells.low_min * _MINUTE_NS

    def left_ns(self, now_ns: int) -> int:
        """Tell how long it lasts, or would last, from now."""
        passed = max(0, now_ns - self._since_ns)
        if self.discharging:
            return max(0, self._left_ns - passed)
        if self.charging:
            return min(self.full_ns, self._left_ns + passed // self.cells.recharge_ratio)
        return self._left_ns

    def switch(self, *, charging: bool, discharging: bool, now_ns: int) -> None:
        """Charge it from the mains, take the load from it, or neither."""
        self._left_ns = self.left_ns(now_ns)
        self._since_ns = now_ns
        self.charging = charging
        self.discharging = discharging

    def percent(self, now_ns: int) -> int:
        """Tell upsEstimatedChargeRemaining."""
        return 100 * self.left_ns(now_ns) // self.full_ns

    def minutes(self, now_ns: int) -> int:
        """Tell upsEstimatedMinutesRemaining."""
        return self.left_ns(now_ns) // _MINUTE_NS

    def seconds_on_battery(self, now_ns: int) -> int:
        """Tell upsSecondsOnBattery: 0 on mains."""
        return max(0, now_ns - self._since_ns) // 1_000_000_000 if self.discharging else 0

    def status(self, now_ns: int) -> int:
        """Tell upsBatteryStatus: 2 normal, 3 low, 4 depleted."""
        left = self.left_ns(now_ns)
        if left == 0:
            return 4
        return 3 if left <= self.low_ns else 2
