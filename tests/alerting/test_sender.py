from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alerting import records
from alerting.channels.base import Channel, Message, Refused, Retryable
from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.policy import Policy
from alerting.sender import Patience, Sender
from alerting.world import Recipient
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import AN, BINH, HUB, START, Desk
from tests.support.mail import DROP, HANG, SmtpServer, smtp_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    made = Desk(tmp_path, clock, policy=Policy(hold_s=0, storm_from=100))
    made.world.readers = (AN,)
    yield made
    made.database.close()


def mail(server: SmtpServer, port: int | None = None) -> Channel:
    way = MailServer("127.0.0.1", port or server.port, Security.NONE, timeout_s=5, data_timeout_s=5)
    return MailChannel(MailSettings("haidang@example.vn", (way,)))


@asynccontextmanager
async def sending(desk: Desk, channel: Channel, patience: Patience | None = None) -> AsyncIterator[Sender]:
    sender = Sender(desk.outbox, desk.clock, {"mail": channel}, patience or Patience(grace_s=0), lambda: 0.0)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def once(answer: str, times: int = 1) -> Callable[[str, int], str | None]:
    return lambda _what, count: answer if count <= times else None


async def test_one_failure_and_one_recovery_are_two_mails_in_one_thread(desk: Desk) -> None:
    async with smtp_server() as server, sending(desk, mail(server)) as sender:
        desk.becomes(State.DOWN, reason="no reply to 5 echoes")
        sender.wake()
        await desk.outbox.until(sent=1)
        desk.becomes(State.UP)
        sender.wake()
        await desk.outbox.until(sent=2)
    opened, resolved = server.taken
    assert "MẤT KẾT NỐI: Trạm hub" in opened.parsed["Subject"]
    assert "ĐÃ KHÔI PHỤC: Trạm hub" in resolved.parsed["Subject"]
    assert resolved.parsed["In-Reply-To"] == resolved.parsed["References"] == opened.message_id
    assert opened.message_id != resolved.message_id


@pytest.mark.parametrize("answer", ["451 4.7.1 greylisted", "421 4.3.2 shutting down"])
async def test_a_server_that_says_later_gets_it_later_exactly_once(desk: Desk, clock: ManualClock, answer: str) -> None:
    async with smtp_server() as server, sending(desk, mail(server)) as sender:
        server.at_recipient = once(answer, times=2)
        desk.becomes(State.DOWN)
        for wait_s in (5, 15):
            sender.wake()
            await desk.outbox.attempted()
            assert desk.outbox.next_ns() == clock.utc_ns() + wait_s * 10**9
            clock.advance(wait_s)
        sender.wake()
        await desk.outbox.until(sent=1)
    assert len(server.taken) == 1


async def test_a_mail_whose_acknowledgement_was_lost_comes_twice_with_the_same_id_and_bytes(
    desk: Desk, clock: ManualClock
) -> None:
    async with smtp_server() as server, sending(desk, mail(server)) as sender:
        server.at_data = once(DROP)
        desk.becomes(State.DOWN)
        sender.wake()
        await server.count(1)
        await desk.outbox.attempted()
        clock.advance(5)
        sender.wake()
        await desk.outbox.until(sent=1)
    first, second = server.taken
    assert first == second


async def test_one_refused_recipient_of_three_costs_the_others_nothing(desk: Desk) -> None:
    chi = Recipient("chi", "chi@example.vn")
    desk.world.readers = (AN, BINH, chi)
    async with smtp_server() as server, sending(desk, mail(server)) as sender:
        server.at_recipient = lambda who, _count: "550 5.1.1 no such user" if who == BINH.address else None
        desk.becomes(State.DOWN)
        sender.wake()
        await desk.outbox.until(sent=2, failed=1)
        desk.becomes(State.UP)
        sender.wake()
        await desk.outbox.until(sent=4, failed=2)
    assert sorted(mail.recipient for mail in server.taken) == [AN.address] * 2 + [chi.address] * 2
    failed = [delivery for delivery in records.deliveries(desk.sql, 1) if delivery.state == "failed"]
    assert ["550 5.1.1 no such user" in delivery.error for delivery in failed] == [True, True]


async def test_a_recipient_that_hangs_delays_nobody_else(desk: Desk) -> None:
    desk.world.readers = (AN, BINH)
    async with smtp_server() as server, sending(desk, mail(server)) as sender:
        server.at_recipient = lambda who, _count: HANG if who == AN.address else None
        for number in range(5):
            desk.becomes(State.DOWN, CheckId(f"station-{number}", "icmp"))
        sender.wake()
        await server.count(5, timeout_s=4)
        assert {mail.recipient for mail in server.taken} == {BINH.address}


async def test_a_server_that_was_away_gets_everything_in_order_when_it_is_back(desk: Desk, clock: ManualClock) -> None:
    async with smtp_server() as server:
        port = server.port
    async with sending(desk, mail(server, port)) as sender:
        desk.becomes(State.DOWN)
        for wait_s in (5, 15, 45, 120, 300, 900, 900):
            sender.wake()
            await desk.outbox.attempted()
            clock.advance(wait_s)
        desk.becomes(State.UP)
        async with smtp_server(port=port) as back:
            sender.wake()
            await desk.outbox.until(sent=2)
            assert ["KHÔI PHỤC" in mail.parsed["Subject"] for mail in back.taken] == [False, True]


async def test_what_was_in_flight_at_the_last_end_is_sent_at_the_start(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    (lost,) = desk.outbox.claim(desk.outbox.due(10))
    async with smtp_server() as server, sending(desk, mail(server)):
        await desk.outbox.until(sent=1)
    assert [mail.message_id for mail in server.taken] == [lost.message_id]


class Scripted:
    """A channel that does what the test says."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[str] = []

    async def send(self, message: Message) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.sent.append(message.message_id)


async def test_after_two_days_and_enough_attempts_it_is_given_up(desk: Desk, clock: ManualClock) -> None:
    channel = Scripted(*[Retryable("away")] * 400)
    async with sending(desk, channel) as sender:
        desk.becomes(State.DOWN)
        for _ in range(400):
            sender.wake()
            await desk.outbox.attempted()
            if desk.outbox.counts() == {"failed": 1}:
                break
            clock.advance(900)
    (delivery,) = records.deliveries(desk.sql, 1)
    assert delivery.error == "given up after 48 h: away"
    assert delivery.attempts == 194


async def test_a_clock_that_jumps_by_a_year_gives_nothing_up(desk: Desk, clock: ManualClock) -> None:
    channel = Scripted(Retryable("away"), Retryable("away"))
    async with sending(desk, channel) as sender:
        desk.becomes(State.DOWN)
        for jump in (365 * 86400, -700 * 86400):
            sender.wake()
            await desk.outbox.attempted()
            clock.step(jump)
        sender.wake()
        await desk.outbox.until(sent=1)


async def test_a_channel_that_is_not_configured_is_waited_for(desk: Desk, clock: ManualClock) -> None:
    channel = Scripted()
    async with sending(desk, channel) as sender:
        sender.use({})
        desk.becomes(State.DOWN)
        sender.wake()
        await desk.outbox.attempted()
        (delivery,) = records.deliveries(desk.sql, 1)
        assert delivery.error == 'no channel "mail" is configured'
        assert delivery.next_ns == START + 120 * 10**9
        clock.advance(120)
        sender.use({"mail": channel})
        await desk.outbox.until(sent=1)


async def test_a_channel_that_breaks_its_contract_is_survived(desk: Desk, clock: ManualClock) -> None:
    channel = Scripted(ZeroDivisionError("oops"), Refused("no"))
    async with sending(desk, channel) as sender:
        desk.becomes(State.DOWN)
        sender.wake()
        await desk.outbox.attempted()
        clock.advance(5)
        sender.wake()
        await desk.outbox.until(failed=1)


async def test_when_the_disk_refuses_the_outcome_the_mail_is_not_sent_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Scripted()
    finish = desk.outbox._finish
    full = [True]

    def refuse(message: Message, state: str, error: str) -> None:
        if full:
            full.clear()
            raise sqlite3.OperationalError("database or disk is full")
        finish(message, state, error)

    monkeypatch.setattr(desk.outbox, "_finish", refuse)
    async with sending(desk, channel) as sender:
        desk.becomes(State.DOWN, HUB)
        sender.wake()
        await desk.outbox.until(sent=1)
    assert len(channel.sent) == 1


async def test_an_orderly_end_lets_a_mail_under_way_arrive(desk: Desk) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    class Slow:
        async def send(self, message: Message) -> None:
            begun.set()
            await go.wait()

    sender = Sender(desk.outbox, desk.clock, {"mail": Slow()}, Patience(grace_s=5))
    desk.becomes(State.DOWN)
    task = asyncio.create_task(sender.run())
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    asyncio.get_running_loop().call_soon(go.set)
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert desk.outbox.counts() == {"sent": 1}
