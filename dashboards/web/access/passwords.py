"""Passwords: argon2id (RFC 9106), one at a time and off the loop, so that many tries slow nothing else down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from probes.threads import in_thread

SHORTEST, LONGEST = 10, 200
MOST_WAITING = 8

_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)  # RFC 9106 section 4, second choice, one lane
_NOBODY = _HASHER.hash("nobody has this password")


class Busy(Exception):
    """Too many passwords wait already."""


class Passwords:
    """Hashes and verifies."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the encoded hash.

        Raises:
            Busy: too many wait.
        """
        return await self._alone(lambda: _HASHER.hash(password))

    async def fits(self, known: str | None, password: str) -> bool:
        """Tell whether a password is the one; takes as long when there is no such user.

        Raises:
            Busy: too many wait.
        """

        def verify() -> str:
            try:
                _HASHER.verify(known or _NOBODY, password)
            except (VerificationError, InvalidHashError):
                return ""
            return "fits" if known else ""

        return bool(await self._alone(verify))

    async def _alone(self, work: Callable[[], str]) -> str:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._one:
                return await in_thread(work, "password")
        finally:
            self._waiting -= 1
