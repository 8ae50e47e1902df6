from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from alerting.channels.base import DeliveryError, Message, Misconfigured, Refused, Retryable
from alerting.channels.dial import Dialler
from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from tests.alerting.province import START
from tests.support.mail import DROP, HANG, Certificate, SmtpServer, make_certificate, smtp_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("authority"))


def message(address: str = "an@example.vn", text: str = "Mất kết nối\n") -> Message:
    payload = {"subject": "Mất kết nối", "text": text, "html": "<p>Mất kết nối</p>"}
    return Message(1, 12, "opened", "an", "mail", address, "vi", "<12-opened-an-0a@example.vn>", payload, START, 1)


def clear(server: SmtpServer, **options: Any) -> MailServer:
    return MailServer("127.0.0.1", server.port, Security.NONE, **options)


def channel(*servers: MailServer) -> MailChannel:
    return MailChannel(MailSettings("haidang@example.vn", servers))


async def refusal(*servers: MailServer, address: str = "an@example.vn") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel(*servers).send(message(address))
    return caught.value


@pytest.mark.parametrize("implicit", [False, True])
async def test_mail_goes_encrypted_with_a_login_to_a_server_whose_certificate_is_trusted(
    certificate: Certificate, implicit: bool
) -> None:
    async with smtp_server(certificate, implicit_tls=implicit, auth=not implicit) as server:
        way = Security.TLS if implicit else Security.STARTTLS
        login = {} if implicit else {"username": "haidang", "password": "right"}
        await channel(
            MailServer("127.0.0.1", server.port, way, trust=certificate.authority, **login)  # type: ignore[arg-type]
        ).send(message())
        assert server.logins == ([] if implicit else [("haidang", "right")])
    (mail,) = server.taken
    assert (mail.sender, mail.recipient) == ("haidang@example.vn", "an@example.vn")
    assert mail.parsed["Subject"] == "Mất kết nối"


async def test_lines_that_look_like_smtp_arrive_as_text() -> None:
    async with smtp_server() as server:
        await channel(clear(server)).send(message(text="a\n.\nMAIL FROM:<e@e>\n..b\n"))
    (mail,) = server.taken
    part = mail.parsed.get_body(("plain",))
    assert part is not None
    assert part.get_content().replace("\r\n", "\n") == "a\n.\nMAIL FROM:<e@e>\n..b\n"


async def test_ipv6_and_names_work_as_servers(certificate: Certificate) -> None:
    async with smtp_server(certificate, host="::1") as server:
        await channel(MailServer("::1", server.port, trust=certificate.authority)).send(message())
    async with smtp_server(certificate) as other:
        await channel(MailServer("localhost", other.port, trust=certificate.authority)).send(message())
    assert len(server.taken) == len(other.taken) == 1


async def test_a_server_without_starttls_gets_nothing_and_the_operator_is_told() -> None:
    async with smtp_server() as server:
        error = await refusal(MailServer("127.0.0.1", server.port))
    assert isinstance(error, Misconfigured)
    assert "does not offer STARTTLS; nothing is sent in clear" in str(error)
    assert server.taken == []


@pytest.mark.parametrize("way", [Security.STARTTLS, Security.TLS])
async def test_a_certificate_nobody_vouches_for_is_not_trusted_unless_told_so(
    certificate: Certificate, way: Security
) -> None:
    async with smtp_server(certificate, implicit_tls=way is Security.TLS) as server:
        error = await refusal(MailServer("127.0.0.1", server.port, way))
        assert isinstance(error, Misconfigured)
        assert "certificate is not trusted" in str(error)
        assert server.taken == []
        await channel(MailServer("127.0.0.1", server.port, way, verify=False)).send(message())
    assert len(server.taken) == 1


async def test_speaking_tls_to_a_server_that_does_not_is_tried_again() -> None:
    async with smtp_server() as server:
        error = await refusal(MailServer("127.0.0.1", server.port, Security.TLS))
    assert isinstance(error, Retryable)


async def test_a_wrong_password_is_the_operators_business(certificate: Certificate) -> None:
    async with smtp_server(certificate, auth=True) as server:
        ours = MailServer("127.0.0.1", server.port, trust=certificate.authority, username="haidang", password="wrong")
        error = await refusal(ours)
        assert isinstance(error, Misconfigured)
        assert "check username and password" in str(error)
        assert "wrong" not in str(error) + repr(ours)
        without = await refusal(MailServer("127.0.0.1", server.port, trust=certificate.authority))
        assert isinstance(without, Misconfigured)
        assert "wants a login" in str(without)


async def test_a_login_the_server_does_not_want_is_the_operators_business() -> None:
    async with smtp_server() as server:
        assert isinstance(await refusal(clear(server, username="haidang", password="right")), Misconfigured)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 4.7.1 greylisted, come back later", Retryable),
        ("421 4.3.2 shutting down", Retryable),
        ("550 5.1.1 no such user", Refused),
        ("554 5.7.1 relaying denied", Misconfigured),
        (DROP, Retryable),
    ],
)
async def test_what_a_server_says_of_a_recipient_decides_what_happens(answer: str, kind: type[DeliveryError]) -> None:
    async with smtp_server() as server:
        server.at_recipient = lambda _recipient, _count: answer
        error = await refusal(clear(server))
    assert type(error) is kind
    assert server.taken == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("451 4.3.0 try again", Retryable), ("554 5.6.0 looks like spam", Refused), (DROP, Retryable)],
)
async def test_what_a_server_says_of_the_text_decides_what_happens(answer: str, kind: type[DeliveryError]) -> None:
    async with smtp_server() as server:
        server.at_data = lambda _message_id, _count: answer
        assert type(await refusal(clear(server))) is kind


@pytest.mark.parametrize("stage", ["envelope", "text"])
async def test_a_tarpit_is_left_in_time(stage: str) -> None:
    async with smtp_server() as server:
        if stage == "envelope":
            server.at_recipient = lambda _recipient, _count: HANG
        else:
            server.at_data = lambda _message_id, _count: HANG
        error = await refusal(clear(server, timeout_s=0.3, data_timeout_s=0.3))
    assert type(error) is Retryable
    assert f"{stage} took longer than 0.3 s" in str(error)


async def test_a_server_that_accepts_and_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await refusal(MailServer("127.0.0.1", silent.getsockname()[1], timeout_s=0.3))
    assert type(error) is Retryable


async def test_a_server_that_talks_nonsense_is_an_error_like_any_other() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\x00" * 100_000 + b"\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        error = await refusal(MailServer("127.0.0.1", server.sockets[0].getsockname()[1], timeout_s=2))
    assert type(error) is Retryable
    assert len(str(error)) < 400


async def test_the_next_server_takes_it_when_the_first_is_away_or_in_trouble() -> None:
    async with smtp_server() as first, smtp_server() as second:
        first.at_recipient = lambda _recipient, _count: "451 4.3.0 trouble"
        away = MailServer("127.0.0.1", closed_port(), Security.NONE)
        await channel(away, clear(first), clear(second)).send(message())
    assert (len(first.taken), len(second.taken)) == (0, 1)


async def test_when_no_server_takes_it_every_reason_is_told_and_it_is_tried_again() -> None:
    async with smtp_server() as server:
        away = MailServer("127.0.0.1", closed_port(), Security.NONE)
        error = await refusal(away, MailServer("127.0.0.1", server.port))
    assert type(error) is Retryable
    assert "connection refused" in str(error)
    assert "STARTTLS" in str(error)


async def test_a_recipient_that_is_refused_is_not_offered_to_the_next_server() -> None:
    async with smtp_server() as first, smtp_server() as second:
        first.at_recipient = lambda _recipient, _count: "550 5.1.1 no such user"
        assert type(await refusal(clear(first), clear(second))) is Refused
    assert second.taken == []


async def test_an_address_that_is_none_is_refused_without_asking_anybody() -> None:
    assert type(await refusal(address="an@example.vn\r\nBcc: evil@example.com")) is Refused
    assert type(await refusal(MailServer("127.0.0.1", 1, trust=Path("/nowhere")))) is not Refused


async def test_an_address_beyond_ascii_is_sent_to_a_server_that_knows_them() -> None:
    async with smtp_server() as server:
        await channel(clear(server)).send(message("trực.ban@example.vn"))
    assert server.taken[0].recipient == "trực.ban@example.vn"


async def test_when_names_do_not_resolve_the_last_known_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    dialler = Dialler(resolve_s=0.2)
    async with smtp_server() as server:
        settings = MailSettings("haidang@example.vn", (MailServer("localhost", server.port, Security.NONE),))
        ours = MailChannel(settings, dialler)
        await ours.send(message())
        asked = asyncio.Event()

        async def dead(*_args: object, **_options: object) -> None:
            asked.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", dead)
        await ours.send(message())
        assert asked.is_set()
        assert len(server.taken) == 2
        with pytest.raises(Retryable, match="cannot be resolved"):
            await MailChannel(
                MailSettings("h@example.vn", (MailServer("mail.example.vn", 25, Security.NONE),)), dialler
            ).send(message())
    for task in dialler._asking.values():
        task.cancel()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
