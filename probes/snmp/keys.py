"""Keys of the User-based Security Model: from a password to the bytes that sign and encrypt (RFC 3414, 3826, 7860)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from probes.snmp.ciphers import Aes, Des, PrivacyCipher

SHORTEST_PASSWORD = 8  # RFC 3414 §11.2; agents refuse shorter ones, so a typing error shows up here
_EXPANSION = 1 << 20
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Authentication:
    """A hash and how many bytes of its HMAC a message carries."""

    hash: str
    mac_bytes: int


@dataclass(frozen=True, slots=True)
class Privacy:
    """A cipher: its key's length, and how a shorter localised key is stretched to it."""

    key_bytes: int
    extension: Literal["blumenthal", "cisco"] = "blumenthal"
    cipher: type[Aes | Des] = Aes


AUTHENTICATIONS = {
    "MD5": Authentication("md5", 12),
    "SHA": Authentication("sha1", 12),
    "SHA-224": Authentication("sha224", 16),
    "SHA-256": Authentication("sha256", 24),
    "SHA-384": Authentication("sha384", 32),
    "SHA-512": Authentication("sha512", 48),
}
PRIVACIES = {
    "AES": Privacy(16),
    "AES-192": Privacy(24),
    "AES-256": Privacy(32),
    "AES-192-C": Privacy(24, "cisco"),
    "AES-256-C": Privacy(32, "cisco"),
    "DES": Privacy(16, cipher=Des),
    "3DES": Privacy(32, "cisco", Des),
}
_ALIASES = {"SHA1": "SHA", "SHA-1": "SHA", "AES128": "AES", "AES-128": "AES", "3DES-EDE": "3DES"}


def _known(name: str, table: dict[str, Authentication] | dict[str, Privacy], what: str) -> str:
    wanted = name.upper()
    wanted = _ALIASES.get(wanted, wanted)
    for known in table:
        if known.replace("-", "") == wanted.replace("-", ""):
            return known
    raise ValueError(f"{name!r} is not {what}; one of {', '.join(table)}")


@dataclass(frozen=True, slots=True)
class User:
    """An SNMPv3 user: the security level follows from what is given.

    Parameters:
        name: user name, at most 32 bytes.
        auth: hash, one of `AUTHENTICATIONS`; ``None`` for noAuthNoPriv.
        auth_password: at least 8 characters.
        priv: cipher, one of `PRIVACIES`; needs ``auth``. ``-C`` stretches the key as Cisco does.
        priv_password: at least 8 characters; the authentication password when empty.
        context: context name.
        context_engine_id: whose context; empty for the agent's own, else that of a device behind it (a proxy).

    Raises:
        ValueError: unknown algorithm, privacy without authentication, a short password.
    """

    name: str
    auth: str | None = None
    auth_password: str = field(default="", repr=False)
    priv: str | None = None
    priv_password: str = field(default="", repr=False)
    context: str = ""
    context_engine_id: bytes = b""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.encode()) <= 32:
            raise ValueError("an SNMPv3 user name has 1 to 32 bytes")
        if self.priv is not None and self.auth is None:
            raise ValueError("SNMPv3 privacy needs authentication too")
        if self.context_engine_id and not 5 <= len(self.context_engine_id) <= 32:
            raise ValueError("an SNMP engine ID has 5 to 32 bytes (RFC 3411)")
        if self.auth is not None:
            object.__setattr__(self, "auth", _known(self.auth, AUTHENTICATIONS, "an authentication algorithm"))
            self._check_password(self.auth_password, "authentication")
        if self.priv is not None:
            object.__setattr__(self, "priv", _known(self.priv, PRIVACIES, "a privacy algorithm"))
            if not self.priv_password:
                object.__setattr__(self, "priv_password", self.auth_password)
            self._check_password(self.priv_password, "privacy")

    @staticmethod
    def _check_password(password: str, what: str) -> None:
        if len(password.encode()) < SHORTEST_PASSWORD:
            raise ValueError(f"the {what} password must have at least {SHORTEST_PASSWORD} characters (RFC 3414)")


class KeyRing:
    """Derives keys and remembers them: a password costs a hash over 1 MiB, once, however many devices share it."""

    def __init__(self) -> None:
        self._masters: dict[tuple[str, bytes], bytes] = {}
        self._localised: dict[tuple[str, bytes, bytes], bytes] = {}

    def authentication_key(self, user: User, engine_id: bytes) -> bytes:
        """Make the key that signs messages to an engine (RFC 3414 A.2)."""
        assert user.auth is not None  # noqa: S101 the callers ask only when it is set
        return self._localise(AUTHENTICATIONS[user.auth].hash, user.auth_password.encode(), engine_id)

    def privacy_key(self, user: User, engine_id: bytes) -> bytes:
        """Make the key that encrypts messages to an engine.

        A hash shorter than the cipher's key is stretched: by hashing what there is (net-snmp and most vendors,
        draft-blumenthal-aes-usm-04 §3.1.2.1), or by using it as the next password (Cisco,
        draft-reeder-snmpv3-usm-3desede-00 §2.1).
        """
        assert user.auth is not None  # noqa: S101 the callers ask only when both are set
        assert user.priv is not None  # noqa: S101
        name, privacy = AUTHENTICATIONS[user.auth].hash, PRIVACIES[user.priv]
        last = key = self._localise(name, user.priv_password.encode(), engine_id)
        while len(key) < privacy.key_bytes:
            if privacy.extension == "cisco":
                last = self._localise(name, last, engine_id)
                key += last
            else:
                key += hashlib.new(name, key).digest()
        return key[: privacy.key_bytes]

    def cipher(self, user: User, engine_id: bytes) -> PrivacyCipher | None:
        """Make what encrypts messages to an engine; ``None`` for a user without privacy."""
        return PRIVACIES[user.priv].cipher(self.privacy_key(user, engine_id)) if user.priv else None

    def _localise(self, name: str, password: bytes, engine_id: bytes) -> bytes:
        at = (name, password, engine_id)
        key = self._localised.get(at)
        if key is None:
            master = self._master(name, password)
            if len(self._localised) > _MOST_KEYS:  # engine IDs come from the network and must not fill the memory
                self._localised.clear()
            key = self._localised[at] = hashlib.new(name, master + engine_id + master).digest()
        return key

    def _master(self, name: str, password: bytes) -> bytes:
        master = self._masters.get((name, password))
        if master is None:
            if len(self._masters) > _MOST_KEYS:
                self._masters.clear()
            repeated = password * (_EXPANSION // len(password) + 1)
            master = self._masters[name, password] = hashlib.new(name, repeated[:_EXPANSION]).digest()
        return master
