"""When a failure counts, when a recovery does, and what is worse than well without being down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """How one check is judged. What the defaults cost and bring is measured in docs/availability.md.

    Parameters:
        failures: consecutive failed samples needed, and
        span_s: seconds they must be spread over; both, so that one moment's loss is no outage.
        clear_samples, clear_span_s: the same for good samples after an outage; lost ones in between do not count
            against it unless they are as many in a row as make a failure: a lossy line is up.
        stale_s: seconds without any certain sample after which the state is unknown.
        settle_s: after its parent is back, how long a hidden check may take to come back itself (a site that boots)
            before it counts as failed on its own.
        flap_changes, flap_window_s: so many changes between up and down in so many seconds are flapping; it ends when
            no more than a quarter of them is left in the window.
        brief_s: a run of ``failures`` samples over at least this long is too short to be told, but counts toward
            flapping; while the check flaps it is what confirms.
        loss_percent: from which loss on the check is degraded; 0: never.
        delay_ms: from which median round-trip time on it is degraded; ``None``: from its own usual one.
    """

    failures: int = 5
    span_s: float = 54.0
    clear_samples: int = 3
    clear_span_s: float = 30.0
    stale_s: float = 60.0
    settle_s: float = 300.0
    flap_changes: int = 4
    flap_window_s: float = 3600.0
    brief_s: float = 20.0
    loss_percent: float = 5.0
    delay_ms: float | None = None
