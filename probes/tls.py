"""TLS at any port, from the first byte or after STARTTLS: the handshake, the certificates, and versions too old."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions, chain, context, describe, why_refused
from probes.starttls import STARTTLS
from probes.stream import Stream, connect


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings(TlsOptions):
    """What is expected.

    Parameters:
        starttls: the protocol TLS begins in: ``smtp``, ``imap``, ``ldap``, ``postgres``; empty: from the first byte.
        weak_versions: also try whether the server still takes TLS 1.0 or 1.1, which is a warning (RFC 8996).
    """

    starttls: str = ""
    weak_versions: bool = False


PORTS: Mapping[str, int] = {"": 443, "smtp": 25, "imap": 143, "ldap": 389, "postgres": 5432}


async def secure(attempt: Attempt, stream: Stream, options: TlsOptions, host: str = "") -> ssl.SSLObject:
    """Begin TLS on a connection, as the phase ``tls``, and note version and certificates.

    Parameters:
        attempt: takes the fields and warnings.
        stream: connected.
        options: whom to expect and whom to trust.
        host: whom to expect where the options do not say; default: the attempt's host.

    Raises:
        Down: no TLS, or a certificate that is not the right one; the reason says why.
        OSError: the connection broke.
    """
    expected = options.server_name or host or attempt.host
    with attempt.phase("tls", "shaking hands for TLS"):
        try:
            tls = await stream.start_tls(context(options), expected)
        except ssl.SSLCertVerificationError as error:
            raise Refused(why_refused(error, None, expected), error) from error
    describe(attempt, tls, options.warn_days)
    return tls


class Refused(Down):
    """A certificate that is not taken; the connection is over.

    Parameters:
        reason: in words.
        error: OpenSSL's verdict.
    """

    def __init__(self, reason: str, error: ssl.SSLCertVerificationError) -> None:
        super().__init__(reason)
        self.error = error


async def tls(attempt: Attempt, settings: TlsSettings) -> None:
    """Shake hands, and look at the certificates also when they are not to be trusted.

    A certificate that is refused costs a second connection, without verification, to say what is wrong with it.
    """
    if settings.starttls not in PORTS:
        raise BadSettings(f"starttls is none of {', '.join(filter(None, PORTS))}: {shown(settings.starttls)}")
    expected = settings.server_name or attempt.host
    try:
        async with await _ready(attempt, settings) as stream:
            await secure(attempt, stream, settings)
    except Refused as refused:
        kept, attempt.warnings = dict(attempt.fields), []
        async with await _ready(attempt, settings) as stream:
            attempt.doing = "reading the certificate that was refused"
            seen = await stream.start_tls(context(settings, verify=False), expected)
        describe(attempt, seen, 0)
        attempt.fields.update(kept)  # the times are the first connection's
        own = chain(seen)
        raise Down(why_refused(refused.error, own[0] if own else None, expected)) from refused
    if settings.weak_versions:
        await _try_weak(attempt, settings, expected)


async def _ready(attempt: Attempt, settings: TlsSettings) -> Stream:
    """Connect, and say what has to be said before TLS."""
    stream = await connect(attempt, settings.port or PORTS[settings.starttls])
    if settings.starttls:
        try:
            with attempt.phase("starttls", f"asking for TLS in {settings.starttls.upper()}"):
                await STARTTLS[settings.starttls](stream)
        except BaseException:
            stream.close()
            raise
    return stream


async def _try_weak(attempt: Attempt, settings: TlsSettings, expected: str) -> None:
    kept = dict(attempt.fields)
    attempt.doing = "trying TLS 1.1"
    version = ""
    try:
        async with await _ready(attempt, settings) as stream:
            seen = await stream.start_tls(context(settings, verify=False, weak=True), expected)
            version = seen.version() or ""
    except (Down, OSError):
        pass  # that is how it should be
    attempt.fields.clear()
    attempt.fields.update(kept, weak_versions=bool(version))
    if version:
        attempt.warnings.append(f"it still takes {version.replace('v', ' ')}, which is not safe (RFC 8996)")
