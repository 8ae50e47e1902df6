"""Mail servers: SMTP (RFC 5321) and IMAP (RFC 3501) up to where a letter or a password would follow."""

from __future__ import annotations

from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.stream import Stream, connect
from probes.tls import secure
from probes.words import MOST_LINES, reply


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings(TlsOptions):
    """How a mail server is spoken to.

    Parameters:
        security: ``none``; ``starttls``: it must offer it, and the certificate is checked; ``tls``: from the first
            byte (ports 465 and 993); ``offered``: STARTTLS where it is offered, without checking the certificate.
        hello: the name we give ourselves to an SMTP server.
    """

    security: str = "none"
    hello: str = "monitor.invalid"


SECURITIES = ("none", "offered", "starttls", "tls")


async def smtp(attempt: Attempt, settings: MailSettings) -> None:
    """Read the greeting, say EHLO, begin TLS where asked for, and take leave."""
    port = settings.port or (465 if settings.security == "tls" else 25)
    async with await _connected(attempt, settings, port) as stream:
        with attempt.phase("banner", "waiting for the greeting"):
            greeting = await reply(stream, "220", "greeting")
        attempt.fields["banner"] = shown(greeting[0])
        offers = await _hello(attempt, stream, settings)
        offered = any(words.upper().strip() == "STARTTLS" for words in offers)
        attempt.fields["starttls"] = offered
        if _wants_tls(settings, offered=offered):
            with attempt.phase("starttls", "asking for TLS"):
                await stream.write(b"STARTTLS\r\n")
                await reply(stream, "220", "answer to STARTTLS")
            await _begin(attempt, stream, settings)
            await _hello(attempt, stream, settings)
        await stream.write(b"QUIT\r\n")


async def _hello(attempt: Attempt, stream: Stream, settings: MailSettings) -> list[str]:
    if not settings.hello.isascii() or not settings.hello.isprintable() or " " in settings.hello:
        raise BadSettings(f"hello must be a name, not {shown(settings.hello)}")
    with attempt.phase("ehlo", "waiting for the answer to EHLO"):
        await stream.write(f"EHLO {settings.hello}\r\n".encode())
        return await reply(stream, "250", "answer to EHLO")


async def imap(attempt: Attempt, settings: MailSettings) -> None:
    """Read the greeting, ask for capabilities, begin TLS where asked for, and take leave."""
    port = settings.port or (993 if settings.security == "tls" else 143)
    async with await _connected(attempt, settings, port) as stream:
        with attempt.phase("banner", "waiting for the greeting"):
            greeting = await stream.line()
        if not greeting.startswith(("* OK", "* PREAUTH")):
            bye = greeting.startswith("* BYE")
            raise Down(f"{'it refuses us' if bye else 'its greeting is none of IMAP'}: {shown(greeting)}")
        attempt.fields["banner"] = shown(greeting[2:])
        with attempt.phase("capability", "waiting for its capabilities"):
            lines = await _imap_command(stream, "a1", "CAPABILITY")
        offered = any("STARTTLS" in line.upper().split() for line in lines)
        attempt.fields["starttls"] = offered
        if _wants_tls(settings, offered=offered):
            with attempt.phase("starttls", "asking for TLS"):
                await _imap_command(stream, "a2", "STARTTLS")
            await _begin(attempt, stream, settings)
            await _imap_command(stream, "a3", "CAPABILITY")
        await stream.write(b"a4 LOGOUT\r\n")


async def _imap_command(stream: Stream, tag: str, command: str) -> list[str]:
    await stream.write(f"{tag} {command}\r\n".encode())
    lines: list[str] = []
    while len(lines) < MOST_LINES:
        line = await stream.line()
        if line.startswith(f"{tag} "):
            if not line[len(tag) + 1 :].upper().startswith("OK"):
                raise Down(f"it refuses {command}: {shown(line)}")
            return lines
        if not line.startswith("* "):
            raise Down(f"its answer to {command} is none of IMAP: {shown(line)}")
        lines.append(line[2:])
    raise Down(f"its answer to {command} has more than {MOST_LINES} lines")


async def _connected(attempt: Attempt, settings: MailSettings, port: int) -> Stream:
    if settings.security not in SECURITIES:
        raise BadSettings(f"security is none of {', '.join(SECURITIES)}: {shown(settings.security)}")
    stream = await connect(attempt, port)
    if settings.security == "tls":
        try:
            await secure(attempt, stream, settings)
        except BaseException:
            stream.close()
            raise
    return stream


def _wants_tls(settings: MailSettings, *, offered: bool) -> bool:
    if settings.security == "starttls" and not offered:
        raise Down("it does not offer STARTTLS")
    return settings.security == "starttls" or (settings.security == "offered" and offered)


async def _begin(attempt: Attempt, stream: Stream, settings: MailSettings) -> None:
    if settings.security == "offered":
        settings = MailSettings(security="offered", verify=False, warn_days=settings.warn_days)
    await secure(attempt, stream, settings)
