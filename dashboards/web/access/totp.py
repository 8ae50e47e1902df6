"""Time-based one-time codes (RFC 6238 over RFC 4226), as every authenticator application works them out."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
"""RFC 4226 section 4, R6: as long as the hash."""
DRIFT = 1
"""Steps before and after this one whose codes are taken, for slow hands and clocks (RFC 6238 section 5.2)."""


def new_secret() -> bytes:
    """Return a fresh secret."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step (RFC 4226 section 5.3 with SHA-1, which is all that most applications know).

    Parameters:
        step: whole times of `STEP_S` since 1970.
    """
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    start = mac[-1] & 15
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, code: str, at_ns: int, after: int) -> int | None:
    """Return which step a code is of; ``None`` when it is of none that may be used now.

    Parameters:
        at_ns: now, UTC nanoseconds.
        after: the last step that was used: a code is taken once (RFC 6238 section 5.2).
    """
    now = at_ns // (STEP_S * 10**9)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        same = hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace"))
        if same and step > after:
            found = step
    return found


def as_text(secret: bytes) -> str:
    """Write a secret in groups of four, to be typed where nothing can read the picture."""
    text = base64.b32encode(secret).decode("ascii")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(secret: bytes, issuer: str, name: str) -> str:
    """Return what the picture says (the ``otpauth`` scheme of Google Authenticator's key URI format)."""
    key = base64.b32encode(secret).decode("ascii")
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?secret={key}&issuer={quote(issuer)}"
