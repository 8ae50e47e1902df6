"""Digest authentication as cameras do it: MD5, with or without qop (RFC 2617 §3, RFC 2326 §D)."""

from __future__ import annotations

import hashlib
import hmac
import urllib.request
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may enter.

    Parameters:
        realm, username, password: the three that a client's answer is made of.
        nonce: drawn anew for each service.
    """

    realm: str
    username: str
    password: str
    nonce: str

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return f'Digest realm="{self.realm}", nonce="{self.nonce}", algorithm=MD5, qop="auth"'

    def opens(self, method: str, target: str, authorization: str) -> bool:
        """Tell whether a client knows the password.

        Parameters:
            method, target: of its request.
            authorization: the value of its Authorization; anything.
        """
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "digest":
            return False
        said: dict[str, str] = {}
        for item in urllib.request.parse_http_list(rest):
            name, _, value = item.partition("=")
            said[name.strip().lower()] = value.strip().strip('"')
        if (said.get("username"), said.get("nonce"), said.get("uri")) != (self.username, self.nonce, target):
            return False
        secret = _md5(f"{self.username}:{self.realm}:{self.password}")
        asked = _md5(f"{method}:{target}")
        middle = self.nonce
        if "qop" in said:
            middle = ":".join((self.nonce, said.get("nc", ""), said.get("cnonce", ""), said["qop"]))
        wanted = _md5(f"{secret}:{middle}:{asked}")
        return hmac.compare_digest(wanted.encode(), said.get("response", "").lower().encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
