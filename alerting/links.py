"""Links by which somebody acknowledges from within a message: signed, for one contact and one thing, for a while.

A token is ``base64url(payload).base64url(HMAC-SHA256(key, payload))``. Whoever has it can do what it names and nothing
else, and only until it expires; the key never leaves the data directory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

KEY_FILE = "links.key"
_KEY_BYTES = 32
_LONGEST = 300


class LinkInvalid(ValueError):
    """A token is none of ours, was changed, or is too old; the words are for the one who opened it."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a token allows.

    Parameters:
        kind: ``incident`` or ``drill``.
        number: of it.
        contact: who acknowledges.
        expires_s: until when, UTC seconds since 1970.
    """

    kind: Literal["incident", "drill"]
    number: int
    contact: str
    expires_s: int


def sign(key: bytes, link: Link) -> str:
    """Return the token of a link; letters, digits and ``.-_`` only."""
    payload = f"1:{link.kind}:{link.number}:{link.expires_s}:{link.contact}".encode()
    return f"{_write(payload)}.{_write(_mac(key, payload))}"


def verify(key: bytes, token: str, now_s: float) -> Link:
    """Read a token.

    Parameters:
        key: as `key_of` gives it.
        token: as it came, from anybody.
        now_s: UTC seconds since 1970.

    Raises:
        LinkInvalid: it is not ours, was changed, or is too old.
    """
    if len(token) > _LONGEST or token.count(".") != 1 or not token.isascii():
        raise LinkInvalid("this is no link of ours")
    try:
        payload, mac = map(_read, token.split("."))
    except (binascii.Error, ValueError):
        raise LinkInvalid("this is no link of ours") from None
    if not hmac.compare_digest(mac, _mac(key, payload)):
        raise LinkInvalid("this link was changed, or the key it was signed with is gone")
    _, kind, number, expires_s, contact = payload.decode().split(":", 4)  # ours, and whole: it was signed
    link = Link("drill" if kind == "drill" else "incident", int(number), contact, int(expires_s))
    if now_s >= link.expires_s:
        raise LinkInvalid("this link is too old")
    return link


def key_of(folder: Path) -> bytes:
    """Return the key of a data directory; made when there is none. Taking the file away voids every link.

    Raises:
        OSError: it can be neither read nor made, or is damaged.
    """
    path = folder / KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        fresh = folder / f".{KEY_FILE}.{os.getpid()}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)  # whole or not at all
        key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(f"{path}: has {len(key)} bytes instead of {_KEY_BYTES}; take it away, a new one is made")
    return key


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.new(key, b"haidang link\0" + payload, hashlib.sha256).digest()


def _write(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _write(data) != text:  # one token has one spelling
        raise ValueError
    return data
