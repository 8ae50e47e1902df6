"""Mail servers and their mailbox, as aiosmtplib (which the daemon uses) and smtplib see them."""

from __future__ import annotations

import asyncio
import mailbox
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.clock import ManualClock
from lab.services import Limits, Mailbox
from lab.services import mailbox as box
from lab.services.sink import MOST_SENDERS, Greylist
from tests.support.lab_services import HOST, Opened, opened

NOW = 1_795_547_665_250_000_000


def mail(number: int = 1, to: str = "truc@example.vn") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Hải Đăng <haidang@example.vn>"
    message["To"] = to
    message["Subject"] = f"Mất kết nối: Lục Ngạn ({number})"
    message["Message-ID"] = f"<{number}@example.vn>"
    message.set_content("Trạm Lục Ngạn mất kết nối.\n.\n..hai chấm\n")
    return message


async def send(lab: Opened, message: EmailMessage | None = None, **options: Any) -> tuple[dict[str, object], str]:
    """Send a mail; gives refused recipients and the server's last word."""
    refused, said = await aiosmtplib.send(
        message or mail(), hostname=HOST, port=lab.port("smtp"), **{"start_tls": False, "timeout": 5, **options}
    )
    return dict(refused), said


async def test_a_mail_lies_in_the_mailbox_as_it_was_sent() -> None:
    async with opened("smtp", clock=ManualClock(NOW)) as lab:
        refused, said = await send(lab, mail(to="truc@example.vn, phó@example.vn".replace("ó", "o")))
        assert (refused, said) == ({}, "2.0.0 OK, kept")
        (letter,) = lab.services.mailbox().letters()
        assert (letter.arrived_ns, letter.sender) == (NOW, "haidang@example.vn")
        assert letter.recipients == ("truc@example.vn", "pho@example.vn")
        assert letter.subject == "Mất kết nối: Lục Ngạn (1)"
        assert letter.message_id == "<1@example.vn>"
        assert letter.text.splitlines() == ["Trạm Lục Ngạn mất kết nối.", ".", "..hai chấm"]
        (kept,) = mailbox.Maildir(lab.services.folder / "mail", create=False)
        assert kept["Message-ID"] == "<1@example.vn>"  # any mail program reads it
        assert kept.get_all("Delivered-To") == ["truc@example.vn", "pho@example.vn"]


async def test_letters_come_in_the_order_of_their_arrival_also_to_another_reader() -> None:
    clock = ManualClock(NOW)
    async with opened("smtp", clock=clock) as lab:
        other = Mailbox(lab.services.folder / "mail")
        for number in range(5):
            await send(lab, mail(number))
            clock.advance(0.001)
        assert [letter.message_id for letter in other.letters()] == [f"<{number}@example.vn>" for number in range(5)]


async def test_a_sender_unknown_so_far_has_to_come_again_later() -> None:
    clock = ManualClock(NOW)
    async with opened("smtp", clock=clock) as lab:
        lab.behave("smtp", greylist_s=60)
        for _ in range(2):
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
                await send(lab)
            assert [one.code for one in caught.value.recipients] == [451]
            clock.advance(29.9)
        clock.advance(0.3)
        assert (await send(lab))[0] == {}
        lab.behave("smtp", greylist_s=60)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(lab)
        lab.behave("smtp")
        await send(lab)
        assert len(lab.services.mailbox().letters()) == 2


async def test_one_recipient_is_refused_and_the_other_gets_the_mail() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", reject="Nobody@example.vn")
        refused, _ = await send(lab, mail(to="truc@example.vn, nobody@example.vn"))
        assert list(refused) == ["nobody@example.vn"]
        (letter,) = lab.services.mailbox().letters()
        assert letter.recipients == ("truc@example.vn",)


async def test_an_unavailable_server_says_421_for_a_greeting() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", unavailable=True)
        async with lab.connected("smtp") as (reader, _):
            assert await reader.read() == b"421 4.3.2 mail.lab.invalid is not available\r\n"
        lab.behave("smtp")
        await send(lab)


async def test_a_tarpit_is_slow_with_each_line_and_takes_the_mail() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", tarpit_s=0.05)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await send(lab)
        assert loop.time() - begun >= 6 * 0.05  # greeting, EHLO, MAIL, RCPT, DATA, end of data
        assert len(lab.services.mailbox().letters()) == 1


async def test_a_server_that_hangs_up_after_data_has_the_mail_though_the_sender_cannot_know() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", drop_after_data=True)
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(lab)
        assert [letter.message_id for letter in lab.services.mailbox().letters()] == ["<1@example.vn>"]


async def test_a_silent_server_and_one_that_is_away() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", silent=True)
        with pytest.raises(aiosmtplib.SMTPConnectTimeoutError):
            await send(lab, timeout=0.2)
        lab.behave("smtp", away=True)
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await send(lab)
        lab.behave("smtp")
        await send(lab)


@pytest.mark.parametrize(("security", "how"), [("starttls", {"start_tls": True}), ("tls", {"use_tls": True})])
async def test_tls_is_that_of_the_labs_authority(security: str, how: dict[str, Any]) -> None:
    async with opened(("smtp", {"security": security})) as lab:
        trusted = ssl.create_default_context(cafile=str(lab.services.authority))
        assert (await send(lab, **how, tls_context=trusted))[0] == {}
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError), match="CERTIFICATE_VERIFY_FAILED"):
            await send(lab, **how)
        assert len(lab.services.mailbox().letters()) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"away": True}, aiosmtplib.SMTPServerDisconnected), ({"silent": True}, aiosmtplib.SMTPReadTimeoutError)],
)
async def test_a_fault_in_the_middle_of_a_conversation_is_felt_at_once(
    fault: dict[str, object], error: type[Exception]
) -> None:
    async with opened("smtp") as lab:
        client = aiosmtplib.SMTP(hostname=HOST, port=lab.port("smtp"), timeout=0.5, start_tls=False)
        await client.connect()
        lab.behave("smtp", **fault)
        with pytest.raises(error):
            await client.noop()
        client.close()


async def test_a_mail_too_long_is_refused_and_so_is_one_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened("smtp", limits=Limits(mail_bytes=2_000)) as lab:

        def work(body: str) -> int:
            with smtplib.SMTP(HOST, lab.port("smtp"), timeout=5) as client:
                client.helo()  # without EHLO it does not know the limit
                client.mail("a@example.vn")
                client.rcpt("b@example.vn")
                return client.data(body)[0]

        assert await asyncio.to_thread(work, "x\r\n" * 1_000) == 552
        assert await asyncio.to_thread(work, "x\r\n" * 100) == 250
        monkeypatch.setattr(box, "MOST_LETTERS", 1)
        assert await asyncio.to_thread(work, "x\r\n" * 100) == 452
        assert len(lab.services.mailbox().letters()) == 1


@given(st.binary(max_size=400), st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))
def test_whatever_is_kept_can_be_read_again(source: bytes, sender: str, recipients: list[str]) -> None:
    head = box.frame(NOW, sender, recipients)
    source = b"Delivered-To: not ours\n" + source
    letter = box.read(head + source)
    assert (letter.arrived_ns, letter.source) == (NOW, source)
    assert len(letter.recipients) == len(recipients)


HOSTILE = [
    b"Subject: =?nonsense?b?AAAA?=\r\n\r\nx",
    b"Subject: =?utf-8?b?A?=\r\n\r\nx",
    b"Subject: \xff\xfe\r\nMessage-ID: <\r\n\r\nx",
    b"Content-Type: text/plain; charset=\"nonsense\"\r\n\r\n\xff",
    b"Content-Type: text/plain; charset*=x'y'z\r\n\r\nx",
    b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>--a--",
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
    b"Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=00=D8",
]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE)
def test_a_hostile_mail_is_read_all_the_same(source: bytes, tmp_path: Path) -> None:
    made = mailbox.Maildir(tmp_path / "mail")
    made.add(box.frame(NOW, "a", ["b"]) + source)
    made.add(b"X-Lab-Arrived: soon\nno mail of ours")
    strange, letter = Mailbox(tmp_path / "mail").letters()
    assert strange.arrived_ns == 0
    assert letter.source == source
    assert isinstance(letter.text, str)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=30), st.integers(0, 10))
def test_greylisting_is_that_of_a_slow_model(tries: list[tuple[str, int]], wait_s: int) -> None:
    greylist, now, firsts = Greylist(wait_s), 0, dict[str, int]()
    for sender, later in tries:
        now += later
        firsts.setdefault(sender, now)
        assert greylist.must_wait(sender, now * 1_000_000_000) == (now < firsts[sender] + wait_s)


def test_the_greylist_forgets_the_oldest_when_there_are_too_many() -> None:
    greylist = Greylist(1)
    for number in range(MOST_SENDERS + 1):
        greylist.must_wait(str(number), 0)
    assert not greylist.must_wait("1", 2_000_000_000)
    assert greylist.must_wait("0", 2_000_000_000)
