"""What share of a target's echoes was lost in a window, as burn rates of loss ask."""

from __future__ import annotations

import pytest

from availability.burn import burns
from collectors.losses import losses
from collectors.points import series
from haidang.model import Point
from storage.metrics import InMemoryStore

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOW = 1_790_000_100 * SECOND


def lossy(target: str, percent: float, start_ns: int, end_ns: int, store: InMemoryStore) -> None:
    line = series("ping", {"target": target})
    store.add([Point(line, at, {"percent_packet_loss": percent}) for at in range(start_ns, end_ns, MINUTE)])


async def test_a_line_that_loses_now_burns_in_the_short_windows_first() -> None:
    store = InMemoryStore()
    lossy("a", 0.0, NOW - 72 * HOUR, NOW - 2 * HOUR, store)
    lossy("a", 10.0, NOW - 2 * HOUR, NOW, store)
    lossy("well", 0.0, NOW - 72 * HOUR, NOW, store)
    found = await losses(store, NOW)
    assert list(found) == ["a"], "who lost nothing has no burn rate"
    assert found["a"](NOW - HOUR, NOW) == pytest.approx(0.1)
    assert found["a"](NOW - 4 * HOUR, NOW - 2 * HOUR - 10 * MINUTE) == 0
    assert found["a"](NOW - 6 * HOUR, NOW) == pytest.approx(0.1 * 2 / 6, rel=0.05)
    rates = {one.pair.name: one for one in burns(found["a"], NOW, 99.0)}
    assert rates["1h"].long_rate == pytest.approx(10)
    assert not rates["1h"].burning, "ten times is not fourteen times the rate"
    assert rates["3d"].long_rate == pytest.approx(10 * 2 / 72, rel=0.6)
    assert [one.pair.name for one in burns(found["a"], NOW, 99.5) if one.burning] == ["1h", "6h"]


async def test_loss_that_is_over_burns_no_more_and_unmeasured_time_is_no_loss() -> None:
    store = InMemoryStore()
    lossy("a", 50.0, NOW - 5 * HOUR, NOW - 3 * HOUR, store)  # and nothing since: not measured
    found = await losses(store, NOW)
    assert found["a"](NOW - HOUR, NOW) == 0
    assert found["a"](NOW - 6 * HOUR, NOW) == pytest.approx(0.5)
    assert not [one for one in burns(found["a"], NOW, 99.0) if one.pair.name != "3d" and one.burning]


async def test_without_any_ping_there_is_nothing() -> None:
    assert await losses(InMemoryStore(), NOW) == {}
