"""That it arrives: real servers with faults, contacts with several ways, and time that is given by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.gate import Gate
from alerting.policy import Policy
from alerting.world import Recipient
from haidang.clock import ManualClock
from tests.alerting.delivering import AN, BINH, CHI, S, down, hook, mail, sending, steps, until, up
from tests.alerting.province import START, Desk
from tests.support.http_sink import http_sink
from tests.support.mail import DROP, smtp_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    made = Desk(tmp_path, clock, policy=Policy(hold_s=0, storm_from=1000))
    made.world.readers = (AN,)
    yield made
    made.database.close()


async def test_who_is_refused_for_good_gets_it_by_the_next_way_at_once_and_nobody_else_does(
    desk: Desk, clock: ManualClock
) -> None:
    desk.world.readers = (AN, BINH, CHI)
    async with smtp_server() as server, http_sink() as sink:
        server.at_recipient = lambda who, _count: "550 5.1.1 no such user" if who == BINH.address else None
        async with sending(desk, {"mail": mail(clock, server.port), "hook": hook(sink, clock)}) as sender:
            down(desk)
            sender.wake()
            await desk.outbox.until(sent=3, failed=1)
    assert sorted(steps(desk)) == [("an", "mail", "opened"), ("binh", "hook", "opened"), ("chi", "mail", "opened")]
    assert clock.utc_ns() == START


async def test_when_the_first_way_is_silent_the_second_is_taken_within_five_minutes_and_order_is_kept(
    desk: Desk, clock: ManualClock
) -> None:
    async with smtp_server() as server, http_sink() as sink:
        server.at_recipient = lambda _who, _count: "451 4.7.1 greylisted"
        async with sending(desk, {"mail": mail(clock, server.port), "hook": hook(sink, clock)}) as sender:
            down(desk)
            sender.wake()
            await desk.outbox.attempted()
            up(desk)
            clock.advance(239)
            sender.wake()
            await desk.outbox.attempted()
            assert not sink.requests
            clock.advance(1)
            sender.wake()
            await until(lambda: len(sink.requests) == 2)
            server.at_recipient = lambda _who, _count: None
            await until(lambda: desk.outbox.counts() == {"sent": 4}, clock, sender)
    assert [("opened" in str(one.body), "resolved" in str(one.body)) for one in sink.requests] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert [mail_.message_id.split("-")[1] for mail_ in server.taken] == ["opened", "resolved"]


async def test_while_mail_is_dead_the_second_way_is_taken_at_once_and_mail_goes_on_by_itself(
    desk: Desk, clock: ManualClock
) -> None:
    async with smtp_server() as server, http_sink() as sink:
        away = server.port
    async with http_sink() as sink, sending(desk, {"mail": mail(clock, away), "hook": hook(sink, clock)}) as sender:
        for number in range(3):
            down(desk, number)
            sender.wake()
            await desk.outbox.attempted()
            clock.advance(5)
        await until(lambda: len(sink.requests) == 3)
        assert sender.dead() == ["mail"]
        down(desk, 3)
        sender.wake()
        await until(lambda: len(sink.requests) == 4)
        attempts = desk.sql.execute("SELECT attempts FROM notification WHERE channel = 'mail'").fetchall()
        assert attempts[-1] == (0,), "nothing is tried at a shut gate"
        # The server is away for half an hour; when it is back one try opens the way for all.
        for _ in range(6):
            clock.advance(300)
            sender.wake()
            await desk.outbox.attempted()
        async with smtp_server(port=away) as server:
            clock.advance(300)
            sender.wake()
            await desk.outbox.until(sent=8)
    assert len(server.taken) == 4
    assert max(Counter(one.message_id for one in server.taken).values()) == 1
    assert sender.dead() == []


@pytest.mark.parametrize("answer", ["451 4.7.1 greylisted", "421 4.3.2 shutting down", DROP])
async def test_every_step_of_many_incidents_arrives_whatever_the_server_does_first(
    desk: Desk, clock: ManualClock, answer: str
) -> None:
    desk.world.readers = (CHI, Recipient("dung", "dung@example.vn", "en"))
    async with smtp_server() as server, sending(desk, {"mail": mail(clock, server.port)}) as sender:
        if answer == DROP:
            server.at_data = lambda _id, count: DROP if count == 1 else None
        else:
            server.at_data = lambda _id, count: answer if count <= 2 else None
        for number in range(6):
            down(desk, number)
            up(desk, number)
        await until(lambda: desk.outbox.counts() == {"sent": 24}, clock, sender)
    assert desk.outbox.counts() == {"sent": 24}
    came = Counter(one.message_id for one in server.taken)
    assert len(came) == 24
    assert set(came.values()) == ({2} if answer == DROP else {1}), "twice only when it was dropped after the text"
    first: dict[tuple[str, str], str] = {}
    for one in server.taken:
        step = first.setdefault((one.recipient, str(one.parsed["X-Haidang-Incident"])), one.message_id.split("-")[1])
        assert step == "opened", "the recovery was read before the failure"


async def test_no_more_than_a_minutes_worth_goes_in_a_minute_and_all_of_it_in_the_end(
    desk: Desk, clock: ManualClock
) -> None:
    desk.world.readers = tuple(Recipient(f"r{number}", f"r{number}@example.vn") for number in range(25))
    async with (
        smtp_server() as server, sending(desk, {"mail": mail(clock, server.port)}, {"mail": 10}) as sender
    ):  # fmt: skip
        down(desk)
        for expected in (10, 20, 25):
            sender.wake()
            await desk.outbox.until(sent=expected, **({"waiting": 25 - expected} if expected < 25 else {}))
            clock.advance(60)


async def test_a_restart_puts_waiting_mail_back_at_once_but_within_the_limits(desk: Desk, clock: ManualClock) -> None:
    desk.world.readers = tuple(Recipient(f"r{number}", f"r{number}@example.vn") for number in range(12))
    down(desk)
    for row in desk.outbox.claim(desk.outbox.due(100)):
        desk.outbox.retry(row, clock.utc_ns() + 900 * S, "451 later")
    desk.outbox.try_now()
    async with (
        smtp_server() as server, sending(desk, {"mail": mail(clock, server.port)}, {"mail": 5}) as sender
    ):  # fmt: skip
        sender.wake()
        await desk.outbox.until(sent=5, waiting=7)


async def test_who_asks_to_wait_is_left_alone_for_so_long(desk: Desk, clock: ManualClock) -> None:
    desk.world.readers = (Recipient("an", "an", "vi", "hook"), Recipient("binh", "binh", "vi", "hook"))
    async with http_sink() as sink, sending(desk, {"hook": hook(sink, clock)}, {"hook": 1}) as sender:
        sink.answer = lambda number: "429 Slow\r\nRetry-After: 600" if number == 1 else "200 OK"
        down(desk)
        sender.wake()
        await desk.outbox.attempted()
        for _ in range(9):
            clock.advance(60)
            sender.wake()
            await asyncio.sleep(0.01)
        assert len(sink.requests) == 1
        clock.advance(61)
        sender.wake()
        await desk.outbox.attempted()
        clock.advance(60)
        sender.wake()
        await desk.outbox.until(sent=2)


async def test_a_mail_server_that_seems_dead_is_passed_over_while_another_lives(desk: Desk, clock: ManualClock) -> None:
    desk.world.readers = (CHI,)
    async with smtp_server() as gone:
        dead = gone.port
    async with smtp_server() as server:
        channel = mail(clock, dead, server.port)
        async with sending(desk, {"mail": channel}) as sender:
            for number in range(4):
                down(desk, number)
                sender.wake()
                await desk.outbox.until(sent=number + 1)
            assert [one.port for one in channel._in_order()] == [server.port]
            clock.advance(31)
            assert [one.port for one in channel._in_order()] == [dead, server.port]


def test_the_breaker_opens_after_three_failures_tries_one_and_waits_longer_each_time() -> None:
    gate, now = Gate(), 0
    for _ in range(3):
        assert gate.free(now) > 1
        gate.take(now)
        gate.failed(now)
    for wait_s in (30, 60, 120, 240, 300, 300):
        assert gate.dead
        assert gate.free(now) == 0
        assert gate.opens_ns(now) == now + wait_s * S
        now += wait_s * S
        assert gate.free(now) == 1
        gate.take(now)
        assert gate.free(now) == 0, "one try at a time"
        gate.failed(now)
    now += 300 * S
    gate.take(now)
    assert gate.passed()
    assert not gate.dead
    assert gate.free(now) > 1


def test_a_refusal_of_one_message_says_nothing_against_its_channel() -> None:
    gate = Gate()
    for _ in range(10):
        gate.take(0)
        gate.failed(0)
        gate.take(0)
        gate.passed()
    assert not gate.dead
