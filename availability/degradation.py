"""What makes a check that answers worse than well: lost packets, slow answers, one of its ways gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from availability.check import Check
from haidang.model import CheckId, Observation


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not as it should be.

    Parameters:
        kind: ``loss``, ``delay``, ``route`` or ``warning``.
        words: for a person, with the figures.
        since_ns: when it began.
        cause: for a lost way: the check that failed.
    """

    kind: str
    words: str
    since_ns: int
    cause: CheckId | None = None


def measure(check: Check, observation: Observation) -> None:
    """Feed the tests of a check with an observation of it while it is up."""
    rule = check.rule
    for sample in observation.samples:
        check.loss.take(sample.at_ns, ok=sample.ok, percent=rule.loss_percent)
    _heed(check, observation)
    rtt_ms = observation.fields.get("rtt_median_ms")
    if isinstance(rtt_ms, float | int) and len(observation.samples) > 1:  # a single echo's time proves nothing
        check.delay.take(observation.samples[-1].at_ns, float(rtt_ms), rule.delay_ms)


def _heed(check: Check, observation: Observation) -> None:
    """Take up what the probe itself warns of, and let it go, each when two in a row say so: a limit would flutter."""
    at_ns = observation.samples[-1].at_ns
    if bool(observation.warning) == bool(check.warning):
        check.turning_ns = 0
        check.warning = observation.warning
    elif not check.turning_ns:
        check.turning_ns = at_ns
    else:
        check.warning, check.warned_ns, check.turning_ns = observation.warning, check.turning_ns, 0


def troubles(check: Check) -> Sequence[Trouble]:
    """Return what is wrong with a check that is up, the gravest first."""
    found: list[Trouble] = []
    lost = [parent for parent in check.parents if parent.failed]
    if lost and len(check.parents) > 1:
        names = ", ".join(parent.id.target for parent in lost)
        words = f"{len(lost)} of {len(check.parents)} ways to it lost: {names}"
        first = min(lost, key=lambda parent: parent.failed_since_ns)
        found.append(Trouble("route", words, first.failed_since_ns, first.id))
    if check.warning:
        found.append(Trouble("warning", check.warning, check.warned_ns))
    if check.loss.lossy:
        words = f"it loses {check.loss.percent:.0f} % of the packets"
        found.append(Trouble("loss", words, check.loss.since_ns))
    if check.delay.slow:
        usual = "" if check.delay.usual_ms is None else f", usual are {check.delay.usual_ms:.0f} ms"
        words = f"answers take {check.delay.rtt_ms:.0f} ms, the limit is {check.delay.limit_ms:.0f} ms{usual}"
        found.append(Trouble("delay", words, check.delay.since_ns))
    return found


def well_since_ns(check: Check) -> int:
    """Return when the last of a check's troubles ended."""
    ends = {
        "loss": check.loss.since_ns,
        "delay": check.delay.since_ns,
        "warning": check.warned_ns,
        "route": max((parent.changed_ns for parent in check.parents), default=0),
    }
    return max(check.changed_ns, *(ends[kind] for kind in check.troubles))
