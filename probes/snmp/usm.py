"""The User-based Security Model, the side that asks: seal a request, open an answer, keep an engine's time.

RFC 3412 (message), RFC 3414 (USM), RFC 7860 (SHA-2); the ciphers are in `probes.snmp.ciphers`. The side that is asked
is `probes.snmp.authority`.
"""

from __future__ import annotations

import hmac
import random
import time
from typing import NamedTuple

from probes.snmp import ber, message, oid
from probes.snmp.ciphers import SALT_BYTES, PrivacyCipher
from probes.snmp.errors import BerError
from probes.snmp.keys import AUTHENTICATIONS, KeyRing, User
from probes.snmp.message import Pdu

AUTH_FLAG, PRIV_FLAG, REPORTABLE = 1, 2, 4
WINDOW_S = 150  # RFC 3414 §2.2.3
_LAST_BOOT = 0x7FFFFFFF  # an engine that counted so far never is in time again
_USM_STATS = bytes.fromhex("2b060106030f0101")  # 1.3.6.1.6.3.15.1.1
_MPD_STATS = bytes.fromhex("2b060106030b0201")  # 1.3.6.1.6.3.11.2.1
_TARGET_STATS = bytes.fromhex("2b060106030c01")  # 1.3.6.1.6.3.12.1
NOT_IN_TIME = _USM_STATS + b"\x02\x00"
UNKNOWN_ENGINE = _USM_STATS + b"\x04\x00"
_REPORTS = {
    _USM_STATS
    + b"\x01\x00": "unsupported security level for user {user} (the agent's user has other algorithms or none)",
    NOT_IN_TIME: "the agent says that our time is outside its window, also after setting it anew",
    _USM_STATS + b"\x03\x00": "wrong user: the agent knows no user {user}",
    UNKNOWN_ENGINE: "the agent does not accept its own engine ID",
    _USM_STATS + b"\x05\x00": "wrong password or authentication algorithm for user {user}",
    _USM_STATS + b"\x06\x00": "wrong privacy password or algorithm for user {user}",
    _MPD_STATS + b"\x01\x00": "the agent does not know the security model USM",
    _MPD_STATS + b"\x02\x00": "the agent calls our message invalid",
    _MPD_STATS + b"\x03\x00": "the agent has no handler for our request",
    _TARGET_STATS + b"\x04\x00": "context {context!r} is not available on the agent",
    _TARGET_STATS + b"\x05\x00": "wrong context: the agent knows no context {context!r}",
}


def report_reason(name: bytes, user: User) -> str:
    """Put a report's OID into words."""
    words = _REPORTS.get(name)
    if words is None:
        return f"the agent reports {oid.decode(name)}"
    return words.format(user=repr(user.name), context=user.context)


class Claims(NamedTuple):
    """What a message says about the engine that sent it; proven only when ``authentic``."""

    engine_id: bytes
    boots: int
    time: int
    authentic: bool


class Header(NamedTuple):
    """The front of a v3 message: enough to find the request it answers."""

    message_id: int
    flags: int
    start: int
    end: int


def read_header(data: bytes, pos: int, end: int) -> Header:
    """Read ``msgGlobalData`` (RFC 3412 §6); ``start`` is where the security parameters begin.

    Raises:
        BerError: not a v3 message of the User-based Security Model.
    """
    start, after = ber.read(data, pos, end, ber.SEQUENCE)
    message_id, start = ber.read_integer(data, start, after)
    _, start = ber.read_integer(data, start, after)
    flags, start = ber.read_octets(data, start, after)
    model, start = ber.read_integer(data, start, after)
    if len(flags) != 1 or model != 3:
        raise BerError("not a message of the User-based Security Model")
    return Header(message_id, flags[0], after, end)


class Parameters(NamedTuple):
    """The security parameters of a message (RFC 3414 §2.4): who vouches for it, its clock, who asks, and the proofs.

    Parameters:
        mac_start, mac_end: where msgAuthenticationParameters stand in the message.
        after: where what is secured begins.
    """

    engine_id: bytes
    boots: int
    time: int
    user: bytes
    mac_start: int
    mac_end: int
    salt: bytes
    after: int


def read_parameters(data: bytes, header: Header) -> Parameters:
    """Read the security parameters.

    Raises:
        BerError: not well-formed, or a number out of range.
    """
    start, after = ber.read(data, header.start, header.end, ber.OCTET_STRING)
    pos, end = ber.read(data, start, after, ber.SEQUENCE)
    engine_id, pos = ber.read_octets(data, pos, end)
    boots, pos = ber.read_integer(data, pos, end)
    seconds, pos = ber.read_integer(data, pos, end)
    user, pos = ber.read_octets(data, pos, end)
    mac_start, mac_end = ber.read(data, pos, end, ber.OCTET_STRING)
    salt, _ = ber.read_octets(data, mac_end, end)
    if not (0 <= boots <= _LAST_BOOT and 0 <= seconds <= _LAST_BOOT and len(engine_id) <= 32):
        raise BerError("engine ID, boots or time out of range")
    return Parameters(engine_id, boots, seconds, user, mac_start, mac_end, salt, after)


class Security:
    """What is known of one agent's engine, for one user.

    Parameters:
        user: who asks.
        keys: derives keys, shared by all sessions.
    """

    def __init__(self, user: User, keys: KeyRing) -> None:
        self.user = user
        self.engine_id = b""
        self.boots = 0
        self._keys = keys
        self._time_began = 0.0
        self._salt = random.getrandbits(63)
        self._user = ber.encode(ber.OCTET_STRING, user.name.encode())
        self._flags = (AUTH_FLAG if user.auth else 0) | (PRIV_FLAG if user.priv else 0)
        self._hash, self._mac_bytes = "", 0
        if user.auth:
            algorithm = AUTHENTICATIONS[user.auth]
            self._hash, self._mac_bytes = algorithm.hash, algorithm.mac_bytes
        self._auth_key = b""
        self._cipher: PrivacyCipher | None = None
        self._engine = b""
        self._scope = b""

    def adopt(self, claims: Claims) -> None:
        """Take another engine: its identity, and its time as a hint until an authentic message says it."""
        self.engine_id = claims.engine_id
        self._engine = ber.encode(ber.OCTET_STRING, claims.engine_id)
        context_engine = self.user.context_engine_id or claims.engine_id
        self._scope = ber.encode(ber.OCTET_STRING, context_engine) + ber.encode(
            ber.OCTET_STRING, self.user.context.encode()
        )
        if self.user.auth:
            self._auth_key = self._keys.authentication_key(self.user, claims.engine_id)
        self._cipher = self._keys.cipher(self.user, claims.engine_id)
        self.set_time(claims)

    def set_time(self, claims: Claims) -> None:
        """Set our idea of the engine's clock."""
        self.boots = claims.boots
        self._time_began = time.monotonic() - claims.time

    def engine_time(self) -> int:
        """Tell the engine's clock now: seconds since its boot."""
        return max(0, min(int(time.monotonic() - self._time_began), _LAST_BOOT))

    def discovery(self, message_id: int, pdu: bytes) -> bytes:
        """Make the message that asks an unknown engine for its identity (RFC 3414 §4)."""
        parameters = ber.encode(ber.SEQUENCE, b"\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00")
        return ber.encode(
            ber.SEQUENCE,
            _global_data(message_id, REPORTABLE)
            + ber.encode(ber.OCTET_STRING, parameters)
            + ber.encode(ber.SEQUENCE, b"\x04\x00\x04\x00" + pdu),
        )

    def seal(self, message_id: int, pdu: bytes) -> bytes:
        """Make a message: encrypted, then signed, as the user's level asks."""
        now = self.engine_time()
        scoped = ber.encode(ber.SEQUENCE, self._scope + pdu)
        salt = b""
        if self._cipher is not None:
            self._salt += 1
            salt = self._cipher.salt(self.boots, self._salt)
            scoped = ber.encode(ber.OCTET_STRING, self._cipher.encrypt(scoped, self.boots, now, salt))
        mac = bytes(self._mac_bytes)
        tail = ber.encode(ber.OCTET_STRING, salt)
        parameters = ber.encode(
            ber.SEQUENCE,
            self._engine + ber.encode_integer(self.boots) + ber.encode_integer(now) + self._user
            + ber.encode(ber.OCTET_STRING, mac) + tail,
        )  # fmt: skip
        whole = ber.encode(
            ber.SEQUENCE,
            _global_data(message_id, self._flags | REPORTABLE) + ber.encode(ber.OCTET_STRING, parameters) + scoped,
        )
        if not mac:
            return whole
        end = len(whole) - len(scoped) - len(tail)
        signed = hmac.digest(self._auth_key, whole, self._hash)[: self._mac_bytes]
        return whole[: end - self._mac_bytes] + signed + whole[end:]

    def open(self, data: bytes, header: Header, tag: int = message.RESPONSE) -> tuple[Pdu, Claims] | None:
        """Open an answer, or a message of another kind that its sender vouches for: a trap.

        Nothing unauthenticated counts from a user with authentication, but reports: an agent cannot sign what it
        cannot read. A report about time must be signed like any answer (RFC 3414 §3.2.7).

        Returns:
            the PDU and what it claims about its engine; ``None`` when it must not be believed.

        Raises:
            BerError: not well-formed.
        """
        engine_id, boots, seconds, _, mac_start, mac_end, salt, after = read_parameters(data, header)
        authentic = bool(header.flags & AUTH_FLAG)
        if authentic:
            same_engine = engine_id == self.engine_id and bool(engine_id)
            if not (same_engine and self._verify(data[: header.end], mac_start, mac_end)):
                return None
        claims = Claims(engine_id, boots, seconds, authentic)
        pdu = self._open_scoped(data, header, after, claims, salt)
        if pdu is None or not self._believable(pdu, tag, header.flags, claims):
            return None
        return pdu, claims

    def _verify(self, data: bytes, mac_start: int, mac_end: int) -> bool:
        length = mac_end - mac_start
        if not self._auth_key or length != self._mac_bytes:
            return False
        blank = data[:mac_start] + bytes(length) + data[mac_end:]
        return hmac.compare_digest(hmac.digest(self._auth_key, blank, self._hash)[:length], data[mac_start:mac_end])

    def _open_scoped(self, data: bytes, header: Header, pos: int, claims: Claims, salt: bytes) -> Pdu | None:
        end = header.end
        if header.flags & PRIV_FLAG:
            if not claims.authentic or self._cipher is None or len(salt) != SALT_BYTES:
                return None
            start, stop = ber.read(data, pos, end, ber.OCTET_STRING)
            data = self._cipher.decrypt(data[start:stop], claims.boots, claims.time, salt)
            pos, end = 0, len(data)
        pos, end = ber.read(data, pos, end, ber.SEQUENCE)
        _, pos = ber.read_octets(data, pos, end)
        _, pos = ber.read_octets(data, pos, end)
        return message.read_head(data, pos, end).pdu(data)

    def _believable(self, pdu: Pdu, tag: int, flags: int, claims: Claims) -> bool:
        if pdu.tag == message.REPORT:
            if not pdu.varbinds:
                return False
            return claims.authentic or not self.user.auth or pdu.varbinds[0][0] != NOT_IN_TIME
        if pdu.tag != tag or flags & 3 != self._flags or claims.engine_id != self.engine_id:
            return False
        return not self.user.auth or self._in_time(claims)

    def _in_time(self, claims: Claims) -> bool:
        """Check an authentic answer's time, and follow the engine's clock (RFC 3414 §3.2.7 b)."""
        now = self.engine_time()
        if claims.boots == _LAST_BOOT or claims.boots < self.boots:
            return False
        if claims.boots > self.boots or claims.time > now:
            self.set_time(claims)
            return True
        return claims.time >= now - WINDOW_S


def _global_data(message_id: int, flags: int) -> bytes:
    """Encode version and ``msgGlobalData``: we take answers up to 65,507 bytes."""
    return (
        b"\x02\x01\x03\x30\x11\x02\x04" + message_id.to_bytes(4, "big") + b"\x02\x03\x00\xff\xe3\x04\x01"
        + bytes((flags,)) + b"\x02\x01\x03"
    )  # fmt: skip
