"""What each kind of probe costs us: checks, slots kept and left out, lateness, processor time."""

from __future__ import annotations

from dataclasses import dataclass

from probes.meter import Meter


@dataclass(frozen=True, slots=True)
class Toll:
    """What one kind of probe has cost since the start.

    Parameters:
        probe: the kind.
        checks: that are watched now.
        slots: that were started.
        skipped: slots left out because the probe before was still at work.
        late_s: how late they were started, all together.
        worst_late_ms: the latest in this minute and the one before it.
        cpu_s: processor time of the event loop's thread, with the judging and storing of what came back.
    """

    probe: str
    checks: int
    slots: int
    skipped: int
    late_s: float
    worst_late_ms: float
    cpu_s: float


class Tolls:
    """Keeps count.

    Parameters:
        meter: who knows the processor time.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self._slots: dict[str, int] = {}
        self._late_ns: dict[str, int] = {}
        self._worst_ns: dict[str, int] = {}
        self._worst_before_ns: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def started(self, probe: str, late_ns: int) -> None:
        """Count a slot that is started so late."""
        self._slots[probe] = self._slots.get(probe, 0) + 1
        self._late_ns[probe] = self._late_ns.get(probe, 0) + late_ns
        if late_ns > self._worst_ns.get(probe, 0):
            self._worst_ns[probe] = late_ns

    def left_out(self, probe: str) -> None:
        """Count a slot that was left out."""
        self._skipped[probe] = self._skipped.get(probe, 0) + 1

    @property
    def skipped(self) -> int:
        """Slots left out since the start, of all probes."""
        return sum(self._skipped.values())

    def turn_over(self) -> None:
        """Begin a minute."""
        self._worst_before_ns, self._worst_ns = self._worst_ns, {}

    def told(self, checks: dict[str, int]) -> tuple[Toll, ...]:
        """Say what each kind has cost, the dearest first.

        Parameters:
            checks: how many of each kind are watched now.
        """
        found = [
            Toll(
                probe, checks.get(probe, 0), self._slots.get(probe, 0), self._skipped.get(probe, 0),
                self._late_ns.get(probe, 0) / 1e9,
                max(self._worst_ns.get(probe, 0), self._worst_before_ns.get(probe, 0)) / 1e6,
                self.meter.spent_ns.get(probe, 0) / 1e9,
            ) for probe in sorted({*checks, *self._slots})
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda toll: -toll.cpu_s))
