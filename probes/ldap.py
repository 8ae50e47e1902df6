"""LDAP (RFC 4511): an anonymous bind, in clear, after StartTLS or over TLS."""

from __future__ import annotations

from dataclasses import dataclass

from probes import ber, starttls
from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.stream import connect
from probes.tls import secure

_BIND = ber.tlv(0x60, ber.tlv(0x02, b"\x03") + ber.tlv(0x04, b"") + ber.tlv(0x80, b""))
_BIND_RESPONSE = 0x61
_NOT_ANONYMOUSLY = frozenset({8, 13, 48, 53})
"""strongerAuthRequired, confidentialityRequired, inappropriateAuthentication, unwillingToPerform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings(TlsOptions):
    """How a directory is spoken to.

    Parameters:
        security: ``none``, ``starttls``, or ``tls`` (port 636).
        anonymous: whether an anonymous bind must be taken; without, a refusal by policy is *up* as well.
    """

    security: str = "none"
    anonymous: bool = False


async def ldap(attempt: Attempt, settings: LdapSettings) -> None:
    """Bind without a name; that the directory answers by its rules is enough, unless told otherwise."""
    if settings.security not in ("none", "starttls", "tls"):
        raise BadSettings(f"security is none of none, starttls, tls: {shown(settings.security)}")
    async with await connect(attempt, settings.port or (636 if settings.security == "tls" else 389)) as stream:
        if settings.security == "starttls":
            with attempt.phase("starttls", "asking for TLS"):
                await starttls.ldap(stream)
        if settings.security != "none":
            await secure(attempt, stream, settings)
        with attempt.phase("bind", "waiting for the answer to the bind"):
            await stream.write(ber.tlv(0x30, ber.tlv(0x02, b"\x02") + _BIND))
            kind, code, words = ber.ldap_result(await ber.read(stream))
        attempt.fields["result_code"] = code
        if kind != _BIND_RESPONSE:
            raise Down("its answer to a bind is none")
        if code != 0 and (settings.anonymous or code not in _NOT_ANONYMOUSLY):
            raise Down(f"it refuses an anonymous bind: code {code} {shown(words)}".rstrip())
        await stream.write(ber.tlv(0x30, ber.tlv(0x02, b"\x03") + b"\x42\x00"))
