"""A port of one device: whether its line is up, and what it has counted."""

from __future__ import annotations

from lab.devices.model import Port
from lab.devices.traffic import Flow


class PortState:
    """What differs between a port of this device and the same port of another.

    Made when somebody first asks for it: the counters are integrals, so nothing is missed until then.

    Parameters:
        port: what it is.
        phase: which noise it has.
        since_ms: when its counters began.
    """

    __slots__ = ("admin_up", "changed_ns", "cleared_ns", "factor", "line_up", "port", "powered", "received", "sent")

    def __init__(self, port: Port, phase: int, since_ms: int) -> None:
        self.port = port
        self.line_up = port.connected
        self.admin_up = True
        self.powered = True
        self.factor = 1.0
        self.changed_ns = 0
        self.cleared_ns = 0
        self.received = Flow(port.pattern, phase, 0, port.speed_bps, since_ms)
        self.sent = Flow(port.pattern, phase + 1_733, 0, port.speed_bps, since_ms)
        self._run(since_ms)

    @property
    def up(self) -> bool:
        """Whether ifOperStatus is up."""
        return self.line_up and self.admin_up

    def turn(self, status: str, at_ns: int) -> bool:
        """Bring the line ``up`` or ``down``, or ``shut`` the port as an administrator does (``up`` opens it again).

        Returns:
            whether ifOperStatus changed.
        """
        before = self.up
        if status == "shut":
            self.admin_up = False
        else:
            self.line_up = status == "up"
            self.admin_up = self.admin_up or self.line_up
        if self.up == before:
            return False
        self.changed_ns = at_ns
        self._run(at_ns // 1_000_000)
        return True

    def load(self, factor: float, at_ns: int) -> None:
        """Multiply the port's usual traffic from now on; never more than its line carries."""
        self.factor = factor
        self._run(at_ns // 1_000_000)

    def halt(self, at_ns: int) -> None:
        """Stop counting: the device has no power."""
        self.powered = False
        self._run(at_ns // 1_000_000)

    def restart(self, at_ns: int) -> None:
        """Begin at 0 after a reboot."""
        self.changed_ns = self.cleared_ns = 0
        self.powered = True
        self._run(at_ns // 1_000_000)
        for flow in (self.received, self.sent):
            flow.clear(at_ns // 1_000_000)

    def clear(self, at_ns: int) -> None:
        """Begin at 0 without a reboot: what ifCounterDiscontinuityTime is there to tell (RFC 2863)."""
        self.cleared_ns = at_ns
        for flow in (self.received, self.sent):
            flow.clear(at_ns // 1_000_000)

    def _run(self, at_ms: int) -> None:
        port = self.port
        share = self.factor if self.up and self.powered else 0.0
        self.received.run(int(port.speed_bps * port.load_in * share), at_ms)
        self.sent.run(int(port.speed_bps * port.load_out * share), at_ms)
