"""Every step arrives, in order and by the second way in time, whatever is wrong with the server of the first."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.channels.webhook import WebhookChannel, WebhookSettings
from alerting.policy import Policy
from alerting.sender import Sender
from alerting.world import Recipient
from haidang.clock import ManualClock
from tests.alerting.delivering import AN, S, down, hook, mail, sending, until, up
from tests.alerting.province import START, Desk
from tests.support.certificates import Authority
from tests.support.http_sink import DROP, HANG, http_sink
from tests.support.mail import Certificate, drip, smtp_server

WITHIN_S = 300
"""The second way is taken within five minutes, whatever the first does."""
FIRST_BY_HOOK = Recipient("an", "an", "vi", "hook", (("mail", "an@example.vn"),))


@dataclass
class Certificates:
    """The right one, and the wrong ones."""

    authority: Path
    folder: Path

    def of(self, name: str) -> Certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem")
        return Certificate(self.authority, context)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    authority.issue("right.pem", "127.0.0.1")
    authority.issue("expired.pem", "127.0.0.1", days=-1)
    authority.issue("wrong-name.pem", "mail.example.org")
    authority.issue("self-signed.pem", "127.0.0.1", self_signed=True)
    return Certificates(authority.file, folder)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    made = Desk(tmp_path, clock, policy=Policy(hold_s=0, storm_from=1000))
    made.world.readers = (AN,)
    yield made
    made.database.close()


@asynccontextmanager
async def bad_certificate(certificates: Certificates, name: str, way: Security) -> AsyncIterator[int]:
    async with smtp_server(certificates.of(name), implicit_tls=way is Security.TLS) as server:
        yield server.port


@asynccontextmanager
async def clear_text(_certificates: Certificates, _name: str, _way: Security) -> AsyncIterator[int]:
    async with smtp_server() as server:
        yield server.port


@asynccontextmanager
async def garbage_for_a_handshake(_certificates: Certificates, _name: str, _way: Security) -> AsyncIterator[int]:
    """Offers STARTTLS, says "go ahead", and then speaks something else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org\r\n")
        await reader.readline()
        writer.write(b"250-mail.example.org\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n")
        await reader.read(1)
        writer.write(b"\x00" * 64)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


Fault = Callable[[Certificates, str, Security], AbstractAsyncContextManager[int]]


@pytest.mark.parametrize(
    ("fault", "name", "way", "says"),
    [
        *(
            (bad_certificate, name, way, f"certificate is not trusted ({said}")
            for name, said in [
                ("expired", "certificate has expired"), ("wrong-name", "IP address mismatch"),
                ("self-signed", "self-signed certificate"),
            ]
            for way in (Security.STARTTLS, Security.TLS)
        ),
        (clear_text, "", Security.STARTTLS, "does not offer STARTTLS"),
        (clear_text, "", Security.TLS, "WRONG_VERSION_NUMBER"),
        (garbage_for_a_handshake, "", Security.STARTTLS, "greeting"),
    ],
)  # fmt: skip
async def test_mail_that_cannot_be_encrypted_goes_the_second_way_and_follows_when_that_is_mended(
    desk: Desk, clock: ManualClock, certificates: Certificates, fault: Fault, name: str, way: Security, says: str
) -> None:
    async with fault(certificates, name, way) as port, http_sink() as sink:
        server = MailServer("127.0.0.1", port, way, trust=certificates.authority, timeout_s=5, data_timeout_s=5)
        ours = MailChannel(MailSettings("haidang@example.vn", (server,)), clock=clock)
        async with sending(desk, {"mail": ours, "hook": hook(sink, clock)}) as sender:
            down(desk)
            sender.wake()
            await desk.outbox.attempted()
            assert says in errors(desk)
            up(desk)
            await in_time(lambda: len(sink.requests) == 2, clock, sender)
    assert in_order([str(one.body) for one in sink.requests])
    async with (
        smtp_server(certificates.of("right"), implicit_tls=way is Security.TLS, port=port) as mended,
        sending(desk, {"mail": ours}) as sender,
    ):
        await until(lambda: desk.outbox.counts() == {"sent": 4}, clock, sender)
    assert [one.message_id.split("-")[1] for one in mended.taken] == ["opened", "resolved"]


@pytest.mark.parametrize(
    ("greeting", "drops", "stage"),
    [
        (b"", b"220-patience", "connecting"),
        (b"", b"220-patience\r\n", "connecting"),
        (b"220 mail.example.org\r\n", b"250-X\r\n", "greeting"),
        (b"220 mail.example.org\r\n250 hello\r\n", b"2", "envelope"),
    ],
)
async def test_a_tarpit_that_drips_is_left_in_time_and_holds_up_nobody(
    desk: Desk, clock: ManualClock, greeting: bytes, drops: bytes, stage: str
) -> None:
    async with drip(greeting, drops) as port, http_sink() as sink:
        server = MailServer("127.0.0.1", port, Security.NONE, timeout_s=0.6, data_timeout_s=0.6)
        ours = MailChannel(MailSettings("haidang@example.vn", (server,)), clock=clock)
        async with sending(desk, {"mail": ours, "hook": hook(sink, clock)}) as sender:
            down(desk)
            sender.wake()
            await desk.outbox.attempted()
            assert f"{stage} took longer than 0.6 s" in errors(desk)
            up(desk)
            await in_time(lambda: len(sink.requests) == 2, clock, sender)
    assert in_order([str(one.body) for one in sink.requests])
    async with smtp_server(port=port) as mended, sending(desk, {"mail": ours}) as sender:
        await until(lambda: desk.outbox.counts() == {"sent": 4}, clock, sender)
    assert [one.message_id.split("-")[1] for one in mended.taken] == ["opened", "resolved"]


async def test_forty_people_whose_mail_hangs_do_not_keep_the_others_waiting(desk: Desk, clock: ManualClock) -> None:
    slow = tuple(Recipient(f"r{number}", f"r{number}@example.vn") for number in range(40))
    desk.world.readers = (*slow, Recipient("binh", "binh", "en", "hook"))
    async with drip(b"", b"220-patience\r\n") as port, http_sink() as sink:
        server = MailServer("127.0.0.1", port, Security.NONE, timeout_s=60)
        ours = MailChannel(MailSettings("haidang@example.vn", (server,)), clock=clock)
        async with sending(desk, {"mail": ours, "hook": hook(sink, clock)}) as sender:
            down(desk)
            sender.wake()
            await until(lambda: len(sink.requests) == 1)
            assert desk.outbox.counts() == {"waiting": 24, "sending": 16, "sent": 1}


@pytest.mark.parametrize(
    ("answer", "encrypted"),
    [
        ("500 Oops", False), ("503 Busy\r\nRetry-After: 3600", False), ("429 Slow\r\nRetry-After: 3600", False),
        ("429 Slow", False), ("404 Where", False), (HANG, False), (DROP, False), ("200 OK", True),
    ],
)  # fmt: skip
async def test_a_web_service_in_trouble_is_passed_over_in_time_and_has_the_whole_story_in_the_end(
    desk: Desk, clock: ManualClock, certificates: Certificates, answer: str, encrypted: bool
) -> None:
    desk.world.readers = (FIRST_BY_HOOK,)
    wrong = certificates.of("self-signed").context if encrypted else None
    right = certificates.of("right").context if encrypted else None
    async with smtp_server() as server:
        async with http_sink(wrong) as sink:
            sink.answer = lambda _number: answer
            settings = WebhookSettings(sink.url, timeout_s=0.5, trust=certificates.authority)
            ours = WebhookChannel(settings, clock)
            async with sending(desk, {"mail": mail(clock, server.port), "hook": ours}) as sender:
                down(desk)
                sender.wake()
                await desk.outbox.attempted()
                up(desk)
                await in_time(lambda: len(server.taken) == 2, clock, sender)
        tried = list(sink.requests)
        async with http_sink(right, port=sink.port) as mended, sending(desk, {"hook": ours}) as sender:
            await until(lambda: desk.outbox.counts() == {"sent": 4}, clock, sender)
    assert [one.message_id.split("-")[1] for one in server.taken] == ["opened", "resolved"]
    assert in_order([str(one.body) for one in mended.requests])
    keys = [one.headers["idempotency-key"] for one in mended.requests]
    assert len(set(keys)) == 2
    assert {one.headers["idempotency-key"] for one in tried} <= {keys[0]}, "the recovery went before the failure"
    assert max(Counter(one.body for one in mended.requests).values()) == 1


def errors(desk: Desk) -> str:
    return str(desk.sql.execute("SELECT group_concat(last_error) FROM notification").fetchone()[0])


def in_order(bodies: list[str]) -> bool:
    return [("-opened-" in one, "-resolved-" in one) for one in bodies] == [(True, False), (False, True)]


async def in_time(fine: Callable[[], bool], clock: ManualClock, sender: Sender) -> None:
    """Let time go on in steps of ten seconds until it is so; not later than five minutes after the first step."""
    for _ in range(WITHIN_S // 10):
        sender.wake()
        with suppress(TimeoutError):
            await until(fine, within_s=0.05)
            return
        clock.advance(10)
    # Fifteen seconds of real time for what has just become due.
    assert clock.utc_ns() <= START + WITHIN_S * S
    sender.wake()
    await until(fine)
