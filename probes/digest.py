"""A client's side of Digest authentication (RFC 7616, and RFC 2617 as cameras still have it)."""

from __future__ import annotations

import hashlib
import secrets
import urllib.request
from collections.abc import Iterable

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_LONGEST = 4096


def answer(
    challenges: Iterable[str], method: str, uri: str, username: str, password: str, cnonce: str = ""
) -> str | None:  # fmt: skip
    """Make the value of Authorization that answers one of the challenges, the first that can be answered.

    Parameters:
        challenges: values of WWW-Authenticate; hostile.
        method, uri: of the request.
        username, password: of the account.
        cnonce: our own nonce; drawn when empty.

    Returns:
        ``None`` when none of them is a Digest of a kind known here.
    """
    for challenge in challenges:
        scheme, _, rest = challenge[:_LONGEST].strip().partition(" ")
        if scheme.lower() != "digest":
            continue
        said: dict[str, str] = {}
        for item in urllib.request.parse_http_list(rest):
            name, _, value = item.partition("=")
            said[name.strip().lower()] = _unquoted(value.strip())
        algorithm = said.get("algorithm", "MD5")
        plain = algorithm.upper().removesuffix("-SESS")
        if plain not in _HASHES or "nonce" not in said:
            continue
        qops = said.get("qop", "").replace(" ", "").split(",")
        if qops != [""] and "auth" not in qops:
            continue
        return _value(said, algorithm, plain, "auth" in qops, method, uri, username, password, cnonce)
    return None


def _value(
    said: dict[str, str], algorithm: str, plain: str, qop: bool, method: str, uri: str, username: str, password: str,
    cnonce: str,
) -> str:  # fmt: skip
    def hashed(text: str) -> str:
        return hashlib.new(_HASHES[plain], text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()

    realm, nonce = said.get("realm", ""), said["nonce"]
    cnonce = cnonce or secrets.token_hex(8)
    secret = hashed(f"{username}:{realm}:{password}")
    if algorithm.upper().endswith("-SESS"):
        secret = hashed(f"{secret}:{nonce}:{cnonce}")
    asked = hashed(f"{method}:{uri}")
    middle = f"{nonce}:00000001:{cnonce}:auth" if qop else nonce
    parts = [
        ("username", username), ("realm", realm), ("nonce", nonce), ("uri", uri),
        ("response", hashed(f"{secret}:{middle}:{asked}")),
    ]  # fmt: skip
    if "opaque" in said:
        parts.append(("opaque", said["opaque"]))
    text = ", ".join(f"{name}={_quoted(value)}" for name, value in parts)
    if "algorithm" in said:
        text += f", algorithm={algorithm}"
    if qop:
        text += f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    elif algorithm.upper().endswith("-SESS"):
        text += f', cnonce="{cnonce}"'
    return f"Digest {text}"


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def _quoted(value: str) -> str:
    clean = "".join(char for char in value if char.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
