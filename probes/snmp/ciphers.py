"""Ciphers of the User-based Security Model: AES-CFB (RFC 3826), and DES-CBC and 3DES-CBC.

DES has long been broken; it is here because old UPS cards and switches speak nothing else.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CBC

from probes.snmp.errors import BerError

SALT_BYTES = 8  # of every cipher here: what msgPrivacyParameters holds
_BLOCK = 8


class PrivacyCipher(Protocol):
    """A key at work.

    ``boots`` and ``seconds`` are those of the message, ``salt`` is its msgPrivacyParameters.
    """

    def salt(self, boots: int, count: int) -> bytes:
        """Make the salt of the message number ``count``: never twice the same with one key."""
        ...

    def encrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """Encrypt a scoped PDU."""
        ...

    def decrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """Decrypt one.

        Raises:
            BerError: its length cannot be.
        """
        ...


class Aes:
    """AES in CFB-128 mode (RFC 3826 §3.1).

    Parameters:
        key: 16, 24 or 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.AES(key)

    def salt(self, boots: int, count: int) -> bytes:  # noqa: ARG002 the boots are in the vector already
        """See `PrivacyCipher.salt`."""
        return (count & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")

    def encrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """See `PrivacyCipher.encrypt`."""
        context = self._cipher(boots, seconds, salt).encryptor()
        return context.update(text) + context.finalize()

    def decrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """See `PrivacyCipher.decrypt`."""
        context = self._cipher(boots, seconds, salt).decryptor()
        return context.update(text) + context.finalize()

    def _cipher(self, boots: int, seconds: int, salt: bytes) -> Cipher[CFB]:
        vector = (boots & 0xFFFFFFFF).to_bytes(4, "big") + (seconds & 0xFFFFFFFF).to_bytes(4, "big") + salt
        return Cipher(self._key, CFB(vector))


class Des:
    """DES or 3DES in CBC mode (RFC 3414 §8.1.1, draft-reeder-snmpv3-usm-3desede-00 §5.1.1).

    Parameters:
        key: 16 bytes for DES, 32 for 3DES; the last 8 are no key but hide the salt.
    """

    def __init__(self, key: bytes) -> None:
        secret = key[:-8] if len(key) > 16 else key[:8] * 3  # three times the same key is DES itself
        self._key = TripleDES(secret)
        self._mask = int.from_bytes(key[-8:], "big")

    def salt(self, boots: int, count: int) -> bytes:
        """See `PrivacyCipher.salt`."""
        return (boots << 32 & 0xFFFFFFFF00000000 | count & 0xFFFFFFFF).to_bytes(8, "big")

    def encrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:  # noqa: ARG002 the salt has it all
        """See `PrivacyCipher.encrypt`."""
        context = self._cipher(salt).encryptor()
        return context.update(text + bytes(-len(text) % _BLOCK)) + context.finalize()

    def decrypt(self, text: bytes, boots: int, seconds: int, salt: bytes) -> bytes:  # noqa: ARG002 the salt has it all
        """See `PrivacyCipher.decrypt`."""
        if len(text) % _BLOCK:
            raise BerError(f"{len(text)} bytes are no whole blocks of DES")
        context = self._cipher(salt).decryptor()
        return context.update(text) + context.finalize()

    def _cipher(self, salt: bytes) -> Cipher[CBC]:
        return Cipher(self._key, CBC((int.from_bytes(salt, "big") ^ self._mask).to_bytes(8, "big")))
