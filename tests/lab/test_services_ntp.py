"""Time servers, as a client of RFC 5905 sees them."""

from __future__ import annotations

import struct

import pytest

from haidang.clock import ManualClock
from tests.support.lab_services import ask_datagram, opened

NOW_S = 1_795_547_665.25
NOW = 1_795_547_665_250_000_000
SENT = 0x0123_4567_89AB_CDEF


def request(version: int = 4, mode: int = 3) -> bytes:
    return struct.pack(">BBbb11I", version << 3 | mode, 0, 6, -20, *[0] * 9, SENT >> 32, SENT & 0xFFFFFFFF)


def moment(data: bytes, at: int) -> float:
    """Read a timestamp; gives UTC seconds."""
    seconds, fraction = struct.unpack_from(">II", data, at)
    return float(seconds - 2_208_988_800 + fraction / 2**32)


@pytest.mark.parametrize("version", [1, 3, 4])
async def test_a_client_is_told_the_labs_time(version: int) -> None:
    clock = ManualClock(NOW)
    async with opened("ntp", clock=clock) as lab:
        answer = await ask_datagram(lab.port("ntp"), request(version))
        assert len(answer) == 48
        assert (answer[0] >> 6, answer[0] >> 3 & 7, answer[0] & 7) == (0, version, 4)  # no warning, a server's
        assert (answer[1], answer[2]) == (2, 6)
        assert int.from_bytes(answer[24:32], "big") == SENT
        assert (moment(answer, 32), moment(answer, 40)) == (NOW_S, NOW_S)
        assert moment(answer, 16) == NOW_S - 16
        clock.step(7200)
        assert moment(await ask_datagram(lab.port("ntp"), request()), 40) == NOW_S + 7200


async def test_its_clock_is_as_wrong_as_told() -> None:
    async with opened(("ntp", {"stratum": 1}), clock=ManualClock(NOW)) as lab:
        lab.behave("ntp", offset_s=-7200.5)
        answer = await ask_datagram(lab.port("ntp"), request())
        assert moment(answer, 40) == NOW_S - 7200.5
        assert (answer[1], answer[12:16]) == (1, b"LAB\0")
        lab.behave("ntp", stratum=16)
        answer = await ask_datagram(lab.port("ntp"), request())
        assert (answer[0] >> 6, answer[1], answer[12:16]) == (3, 0, b"INIT")
        lab.behave("ntp", stratum=5, delay_s=0.1)
        answer = await ask_datagram(lab.port("ntp"), request())
        assert answer[1] == 5
        assert moment(answer, 40) - moment(answer, 32) == pytest.approx(0.1, abs=1e-6)


async def test_after_february_2036_seconds_begin_at_0_again() -> None:
    async with opened("ntp", clock=ManualClock((2_085_978_496 + 5) * 1_000_000_000)) as lab:
        answer = await ask_datagram(lab.port("ntp"), request())
        assert struct.unpack_from(">I", answer, 40) == (5,)


@pytest.mark.parametrize("data", [b"\x23", b"\x23" * 47, request(0), request(5), request(mode=7), request(mode=4)])
async def test_what_is_no_clients_question_is_not_answered(data: bytes) -> None:
    async with opened("ntp") as lab:
        with pytest.raises(TimeoutError):
            await ask_datagram(lab.port("ntp"), data, 0.1)
        assert lab.count("ntp", "malformed") == 1


async def test_a_silent_one_says_nothing_and_one_that_is_away_refuses() -> None:
    async with opened("ntp") as lab:
        lab.behave("ntp", silent=True)
        with pytest.raises(TimeoutError):
            await ask_datagram(lab.port("ntp"), request(), 0.1)
        lab.behave("ntp", away=True)
        with pytest.raises(ConnectionRefusedError):
            await ask_datagram(lab.port("ntp"), request())
