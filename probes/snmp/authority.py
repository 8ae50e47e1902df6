"""The User-based Security Model, the side that answers: the authoritative engine (RFC 3414 §3.2, RFC 3412 §7.2).

The asking side is `probes.snmp.usm`; both are built on the same keys and the same BER.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NamedTuple

from probes.snmp import ber, message, oid, usm
from probes.snmp.ciphers import SALT_BYTES, PrivacyCipher
from probes.snmp.errors import BerError
from probes.snmp.keys import AUTHENTICATIONS, KeyRing, User
from probes.snmp.message import REPORT
from probes.snmp.usm import AUTH_FLAG, PRIV_FLAG, REPORTABLE, WINDOW_S

LAST_BOOT = 0x7FFFFFFF
SMALLEST_MESSAGE = 484  # RFC 3412 §6.3
_USM_STATS = oid.encode("1.3.6.1.6.3.15.1.1")
_UNSUPPORTED_LEVELS, _NOT_IN_TIME, _UNKNOWN_USERS, _UNKNOWN_ENGINES, _WRONG_DIGESTS, _DECRYPTION_ERRORS = (
    _USM_STATS + bytes((number, 0)) for number in range(1, 7)
)
UNKNOWN_CONTEXTS = oid.encode("1.3.6.1.6.3.12.1.5.0")


class Keys(NamedTuple):
    """A user on this engine."""

    level: int
    name: bytes
    hash: str
    mac_bytes: int
    auth_key: bytes
    cipher: PrivacyCipher | None


class Question(NamedTuple):
    """A request that got through the security model.

    Parameters:
        plain, start, end: where its PDU stands.
        context_engine, context: contextEngineID and contextName.
        largest: bytes the asker takes.
    """

    message_id: int
    flags: int
    keys: Keys
    plain: bytes
    start: int
    end: int
    context_engine: bytes
    context: bytes
    largest: int


class Engine(NamedTuple):
    """An engine at a moment: who it is and what its clock shows."""

    engine_id: bytes
    boots: int
    time: int


class Authority:
    """One engine's security: its users' keys and what it has counted.

    The receiver of informs is one, and so is each device of the lab.

    Parameters:
        engine_id: of the engine.
        users: who may ask.
        ring: derives keys; share it between engines, a password costs a hash over 1 MiB.
        any_context: take messages about contexts that are not ours: an inform speaks of its sender's (RFC 3413 §3.3).
    """

    def __init__(self, engine_id: bytes, users: Iterable[User], ring: KeyRing, *, any_context: bool = False) -> None:
        self.engine_id = engine_id
        self.counted: dict[bytes, int] = {}
        self._users = {user.name.encode(): user for user in users}
        self._ring = ring
        self._any_context = any_context
        self._keys: dict[bytes, Keys] = {}
        self._salt = 0

    def open(self, data: bytes, pos: int, end: int, engine: Engine) -> Question | bytes:
        """Take a message apart.

        Parameters:
            data: the datagram; ``pos`` and ``end`` as `message.open_message` gives them.
            engine: our clock.

        Returns:
            the request, or the report that answers it; empty when it asks for none.

        Raises:
            BerError: not well-formed, or decrypted with another key than it was encrypted with.
        """
        header = usm.read_header(data, pos, end)
        largest = _largest(data, pos, end)
        engine_id, boots, seconds, name, mac_start, mac_end, salt, scoped_at = usm.read_parameters(data, header)

        def refuse(reason: bytes, keys: Keys | None = None) -> bytes:
            return self._refuse(header, reason, engine, keys)

        if engine_id != self.engine_id:
            return refuse(_UNKNOWN_ENGINES)
        keys = self._user(name)
        if keys is None:
            return refuse(_UNKNOWN_USERS)
        level = header.flags & (AUTH_FLAG | PRIV_FLAG)
        if level == PRIV_FLAG:
            raise BerError("privacy without authentication")
        if level & ~keys.level:
            return refuse(_UNSUPPORTED_LEVELS)
        if level & AUTH_FLAG:
            if not _verify(data[: header.end], mac_start, mac_end, keys):
                return refuse(_WRONG_DIGESTS)
            if boots != engine.boots or boots == LAST_BOOT or abs(seconds - engine.time) > WINDOW_S:
                return refuse(_NOT_IN_TIME, keys)
        plain, pos, stop = data, scoped_at, header.end
        if level & PRIV_FLAG:
            start, stop = ber.read(data, scoped_at, header.end, ber.OCTET_STRING)
            if len(salt) != SALT_BYTES or keys.cipher is None:
                return refuse(_DECRYPTION_ERRORS)
            plain = keys.cipher.decrypt(data[start:stop], boots, seconds, salt)
            pos, stop = 0, len(plain)
        pos, stop = ber.read(plain, pos, stop, ber.SEQUENCE)
        context_engine, pos = ber.read_octets(plain, pos, stop)
        context, pos = ber.read_octets(plain, pos, stop)
        if not self._any_context and (context_engine != self.engine_id or context):
            return refuse(UNKNOWN_CONTEXTS, keys if level else None)
        return Question(header.message_id, level, keys, plain, pos, stop, context_engine, context, largest)

    def user(self, name: str) -> Keys | None:
        """Give a user's keys on this engine, for messages that it sends by itself."""
        return self._user(name.encode())

    def room(self, question: Question, largest: int) -> int:
        """Tell how many bytes the variables of an answer may take."""
        keys = question.keys
        around = 100 + 2 * len(self.engine_id) + len(keys.name) + keys.mac_bytes + len(question.context)
        return max(SMALLEST_MESSAGE, min(largest, question.largest)) - around

    def seal(
        self, message_id: int, flags: int, keys: Keys | None, pdu: bytes, engine: Engine, *,
        context_engine: bytes = b"", context: bytes = b"",
    ) -> bytes:  # fmt: skip
        """Make a message of ours, encrypted and signed as the flags say; about our own context if not told another."""
        scoped = ber.encode(
            ber.SEQUENCE,
            ber.encode(ber.OCTET_STRING, context_engine or self.engine_id)
            + ber.encode(ber.OCTET_STRING, context)
            + pdu,
        )
        salt = b""
        if flags & PRIV_FLAG and keys is not None and keys.cipher is not None:
            self._salt += 1  # the boots are in front of it: no salt comes twice, also after a restart
            salt = keys.cipher.salt(engine.boots, engine.boots << 32 | self._salt & 0xFFFFFFFF)
            scoped = ber.encode(ber.OCTET_STRING, keys.cipher.encrypt(scoped, engine.boots, engine.time, salt))
        signed = bool(flags & AUTH_FLAG) and keys is not None
        blank = bytes(keys.mac_bytes) if signed and keys is not None else b""
        tail = ber.encode(ber.OCTET_STRING, salt)
        parameters = ber.encode(
            ber.SEQUENCE,
            ber.encode(ber.OCTET_STRING, self.engine_id) + ber.encode_integer(engine.boots)
            + ber.encode_integer(engine.time) + ber.encode(ber.OCTET_STRING, keys.name if keys else b"")
            + ber.encode(ber.OCTET_STRING, blank) + tail,
        )  # fmt: skip
        numbers = ber.encode_integer(message_id) + ber.encode_integer(65_507)
        head = ber.encode(ber.SEQUENCE, numbers + b"\x04\x01" + bytes((flags,)) + b"\x02\x01\x03")
        whole = ber.encode(
            ber.SEQUENCE, b"\x02\x01\x03" + head + ber.encode(ber.OCTET_STRING, parameters) + scoped
        )  # fmt: skip
        if not signed or keys is None:
            return whole
        at = len(whole) - len(scoped) - len(tail)
        mac = hmac.digest(keys.auth_key, whole, keys.hash)[: keys.mac_bytes]
        return whole[: at - keys.mac_bytes] + mac + whole[at:]

    def _refuse(self, header: usm.Header, reason: bytes, engine: Engine, keys: Keys | None) -> bytes:
        """Count what is wrong and report it; only a report about time or context can be signed."""
        self.counted[reason] = self.counted.get(reason, 0) + 1
        if not header.flags & REPORTABLE:
            return b""
        pdu = message.encode_pdu(REPORT, 0, 0, 0, [(reason, ber.COUNTER32, self.counted[reason])])
        return self.seal(header.message_id, header.flags & AUTH_FLAG if keys else 0, keys, pdu, engine)

    def _user(self, name: bytes) -> Keys | None:
        keys = self._keys.get(name)
        if keys is None:
            user = self._users.get(name)
            if user is None:
                return None
            algorithm = AUTHENTICATIONS[user.auth] if user.auth else None
            keys = self._keys[name] = Keys(
                (AUTH_FLAG if user.auth else 0) | (PRIV_FLAG if user.priv else 0), name,
                algorithm.hash if algorithm else "", algorithm.mac_bytes if algorithm else 0,
                self._ring.authentication_key(user, self.engine_id) if user.auth else b"",
                self._ring.cipher(user, self.engine_id),
            )  # fmt: skip
        return keys


def _largest(data: bytes, pos: int, end: int) -> int:
    """Read msgMaxSize."""
    start, after = ber.read(data, pos, end, ber.SEQUENCE)
    _, start = ber.read_integer(data, start, after)
    return ber.read_integer(data, start, after)[0]


def _verify(data: bytes, mac_start: int, mac_end: int, keys: Keys) -> bool:
    if mac_end - mac_start != keys.mac_bytes:
        return False
    blank = data[:mac_start] + bytes(keys.mac_bytes) + data[mac_end:]
    mac = hmac.digest(keys.auth_key, blank, keys.hash)[: keys.mac_bytes]
    return hmac.compare_digest(mac, data[mac_start:mac_end])
