"""Whether a room can take part: go, watch or no-go, with every reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from config.schema.conferences import Conferences
from haidang.model import FieldValue, Observation, Status


class Verdict(StrEnum):
    """From the best to the worst."""

    GO = "go"
    WATCH = "watch"
    NO_GO = "no-go"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a key of the catalogue's ``reasons`` and its gaps."""

    verdict: Verdict
    key: str
    gaps: Mapping[str, str] = field(default_factory=dict)


def reasons(line: Observation, signalling: Sequence[Observation], path: str, limits: Conferences) -> list[Reason]:
    """Judge what trying a room has found; nothing to say is *go*.

    Parameters:
        line: the burst, as `probes.quality.quality` gives it.
        signalling: the room's SIP, H.323 …
        path: where the way to it ends, in words; empty when it was not followed.
        limits: from where on what is bad.
    """
    found = []
    alive = any(one.status is Status.UP for one in signalling)
    for one in signalling:
        if one.status is Status.DOWN:
            found.append(Reason(Verdict.NO_GO, "signalling", {"probe": one.probe.upper(), "reason": one.reason}))
        elif one.status is Status.UNKNOWN:
            found.append(Reason(Verdict.WATCH, "untried", {"reason": one.reason}))
        elif one.warning:
            found.append(Reason(Verdict.WATCH, "warning", {"reason": one.warning}))
    if line.status is Status.UNKNOWN:
        found.append(Reason(Verdict.WATCH, "untried", {"reason": line.reason}))
    elif line.status is Status.DOWN and alive:
        found.append(Reason(Verdict.WATCH, "no_echo"))
    elif line.status is Status.DOWN:
        found.append(Reason(Verdict.NO_GO, "unreachable", {"reason": path or line.reason}))
    else:
        found += line_reasons(line.fields, limits)
    return sorted(found, key=lambda one: tuple(Verdict).index(one.verdict), reverse=True)


def worst(found: Sequence[Reason]) -> Verdict:
    """Return the verdict that reasons come to."""
    return max((one.verdict for one in found), key=tuple(Verdict).index, default=Verdict.GO)


def line_reasons(fields: Mapping[str, FieldValue], limits: Conferences) -> list[Reason]:
    """Judge what was measured of a line, by the names that bursts use; what is not there is not judged."""
    found = []
    loss, mos = float(fields.get("loss_percent", 0)), float(fields.get("mos", 5))
    delay_ms = float(fields.get("delay_ms", 0))
    if loss >= limits.watch_loss:
        level = Verdict.NO_GO if loss >= limits.no_go_loss else Verdict.WATCH
        found.append(Reason(level, "loss", {"loss": f"{loss:.1f}"}))
    if mos < limits.watch_mos:
        level = Verdict.NO_GO if mos < limits.no_go_mos else Verdict.WATCH
        found.append(Reason(level, "mos", {"mos": f"{mos:.1f}"}))
    if delay_ms >= 1000 * limits.watch_delay_s:
        found.append(Reason(Verdict.WATCH, "delay", {"delay": f"{delay_ms:.0f}"}))
    return found
