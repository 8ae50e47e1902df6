"""How voice and video would fare on the way to a target, burst by burst: the figures, and every round trip kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from collectors.names import AddressBook
from collectors.points import series
from collectors.watches import Deliver, TaskWatch
from haidang.clock import Clock
from haidang.model import CheckId, FieldValue, Observation, Point, Sample, Series, Status
from probes.icmp import Burst, IcmpUnavailable, Pinger
from probes.quality import CODE_POINTS, QualitySettings, measure


@dataclass(frozen=True, slots=True)
class QualityPlan:
    """How a target's quality is measured.

    Parameters:
        cadence_s: seconds between rounds.
        marks: how each burst of a round is marked, names of `probes.quality.CODE_POINTS`.
        burst: how each is sent and heard; its own mark is not looked at.
        min_mos: worse is degraded.
    """

    cadence_s: float
    marks: tuple[str, ...]
    burst: QualitySettings
    min_mos: float


class QualityWatch(TaskWatch):
    """Sends the bursts of a target, one after the other.

    Makes the measurement ``quality`` (one point for a burst) and ``smoke`` (one point for each echo, at the time it was
    sent): what a smoke picture is drawn from. A lost echo has ``lost`` 1 and no time.
    """

    def __init__(
        self, check: CheckId, name: str, plan: QualityPlan, tags: Mapping[str, str], *, engine: Pinger,
        addresses: AddressBook, clock: Clock, deliver: Deliver,
    ) -> None:  # fmt: skip
        super().__init__(check, deliver)
        self._name = name
        self._plan = plan
        self._lines = {
            mark: tuple(series(what, {**tags, "dscp": mark}) for what in ("quality", "smoke")) for mark in plan.marks
        }
        self._engine = engine
        self._addresses = addresses
        self._clock = clock

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._measure(slot_ns))

    start_fast = start

    async def _measure(self, slot_ns: int) -> None:
        address = self._addresses.address(self._name)
        if address is None:
            self._unknown(slot_ns, f"the name {self._name} has no address yet")
            return
        points: list[Point] = []
        fields: dict[str, FieldValue] = {}
        found: list[Observation] = []
        bad: list[str] = []
        for mark in self._plan.marks:
            settings = replace(self._plan.burst, dscp=CODE_POINTS[mark])
            try:
                seen, burst = await measure(self._engine, self._clock, address, settings)
            except IcmpUnavailable as error:
                self._unknown(slot_ns, error.reason)
                return
            except (ValueError, OSError) as error:
                self._unknown(slot_ns, str(error))
                return
            found.append(seen)
            fields |= {f"{mark}_{key}": value for key, value in seen.fields.items()}
            line, smoke = self._lines[mark]
            if seen.status is not Status.UNKNOWN:
                points.append(Point(line, slot_ns, _rounded(seen.fields)))
                points += self._smoke(smoke, burst)
            mos = seen.fields.get("mos")
            if isinstance(mos, float) and mos < self._plan.min_mos:
                loss, delay = seen.fields.get("loss_percent", 0.0), seen.fields["mouth_to_ear_ms"]
                bad.append(f"{mark}: MOS {mos:.2f} below {self._plan.min_mos:g} ({loss:.1f} % lost, {delay:.0f} ms)")
        self._deliver(self._observation(slot_ns, found, fields, "; ".join(bad)), points)

    def _smoke(self, line: Series, burst: Burst) -> list[Point]:
        """Keep every echo; one that we may have lost ourselves says nothing and is left out."""
        to_utc = self._clock.utc_ns() - self._clock.monotonic_ns()
        return [
            Point(line, sent + to_utc, {"rtt_ms": round(rtt / 1e6, 3), "lost": 0} if rtt >= 0 else {"lost": 1})
            for sent, rtt in zip(burst.sent_ns, burst.rtts_ns, strict=False)
            if sent and (rtt >= 0 or not burst.blind)
        ]

    def _observation(
        self, slot_ns: int, found: list[Observation], fields: dict[str, FieldValue], warning: str
    ) -> Observation:
        """Put the bursts of a round together: answered if one was, each round is one sample."""
        best = min(found, key=lambda one: (Status.UP, Status.DOWN, Status.UNKNOWN).index(one.status))
        answered = best.status is Status.UP
        samples = () if best.status is Status.UNKNOWN else (Sample(self._clock.utc_ns(), answered),)
        return Observation(
            self.check.target, "quality", slot_ns, best.status, warning if answered else best.reason, fields,
            sum(one.duration_ms for one in found), samples, no_route=best.no_route,
            warning=warning if answered else "",
        )  # fmt: skip

    def _unknown(self, slot_ns: int, reason: str) -> None:
        self._deliver(Observation(self.check.target, "quality", slot_ns, Status.UNKNOWN, reason, {}, 0.0), ())


def _rounded(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in fields.items()}
