"""For tests of delivery: contacts with several ways, a sender that runs, and time that is given by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from alerting.channels.base import Channel
from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.channels.webhook import WebhookChannel, WebhookSettings
from alerting.sender import Patience, Sender
from alerting.world import Recipient
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import Desk
from tests.support.http_sink import Sink

AN = Recipient("an", "an@example.vn", "vi", "mail", (("hook", "an"),))
BINH = Recipient("binh", "binh@example.vn", "en", "mail", (("hook", "binh"),))
CHI = Recipient("chi", "chi@example.vn", "vi")
S = 10**9


@asynccontextmanager
async def sending(
    desk: Desk, channels: Mapping[str, Channel], pace: Mapping[str, int] | None = None
) -> AsyncIterator[Sender]:
    sender = Sender(desk.outbox, desk.clock, channels, Patience(grace_s=0), lambda: 0.0, pace)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def mail(clock: ManualClock, *ports: int) -> MailChannel:
    servers = tuple(MailServer("127.0.0.1", port, Security.NONE, timeout_s=5, data_timeout_s=5) for port in ports)
    return MailChannel(MailSettings("haidang@example.vn", servers), clock=clock)


def hook(sink: Sink, clock: ManualClock) -> WebhookChannel:
    return WebhookChannel(WebhookSettings(sink.url), clock)


def steps(desk: Desk, state: str = "sent") -> list[tuple[str, str, str]]:
    return desk.sql.execute(
        "SELECT contact, channel, step FROM notification WHERE state = ? ORDER BY id", (state,)
    ).fetchall()


def down(desk: Desk, number: int = 0) -> None:
    desk.becomes(State.DOWN, CheckId(f"station-{number}", "icmp"))
    desk.incidents.tick()


def up(desk: Desk, number: int = 0) -> None:
    desk.becomes(State.UP, CheckId(f"station-{number}", "icmp"))
    desk.incidents.tick()


async def until(
    fine: Callable[[], bool], clock: ManualClock | None = None, sender: Sender | None = None, within_s: float = 15
) -> None:
    """Wait for something; with a clock, five minutes of its time pass again and again meanwhile."""
    async with asyncio.timeout(within_s):
        while not fine():
            if clock is not None and sender is not None:
                clock.advance(300)
                sender.wake()
            await asyncio.sleep(0.01)
