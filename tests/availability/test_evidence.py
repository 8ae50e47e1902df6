"""Power or line, by what devices said before they went away."""

from __future__ import annotations

import pytest

from availability.evidence import Evidence, Kind, Said, power_or_line

S = 1_000_000_000
HOUR = 3600


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        ((), Kind.UNSURE),
        (((Said.DYING_GASP, -1),), Kind.POWER),
        (((Said.DYING_GASP, 3),), Kind.POWER),
        (((Said.DYING_GASP, 60),), Kind.UNSURE),
        (((Said.DYING_GASP, -2 * HOUR),), Kind.UNSURE),
        (((Said.ON_BATTERY, -HOUR),), Kind.POWER),
        (((Said.ON_BATTERY, -HOUR), (Said.ON_MAINS, -600)), Kind.UNSURE),
        (((Said.ON_BATTERY, -100 * HOUR),), Kind.UNSURE),
        (((Said.LINK_DOWN, 1),), Kind.UNSURE),
        (((Said.LINK_DOWN, 1), (Said.ON_MAINS, -60)), Kind.LINE),
        (((Said.LINK_DOWN, 1), (Said.ON_MAINS, -60), (Said.ON_BATTERY, -30)), Kind.POWER),
    ],
)
def test_a_failure_is_put_down_to_power_line_or_neither(heard: tuple[tuple[Said, int], ...], kind: Kind) -> None:
    since = 1_700_000_000 * S
    told = [Evidence(said, since + second * S) for said, second in heard]
    assert power_or_line(since, told) is kind
    assert power_or_line(since, told[::-1]) is kind, "in any order"
