"""Addresses of targets that are configured by name. A dead resolver must not stop a probe: the last address is kept."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import structlog

from probes.threads import in_thread

logger = structlog.get_logger(__name__)


class AddressBook:
    """Resolves host names in the background.

    Parameters:
        timeout_s: how long one name may take.
        at_once: how many are looked up at a time.
    """

    def __init__(self, timeout_s: float = 10.0, at_once: int = 8) -> None:
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._addresses: dict[str, str] = {}
        self._wanted: set[str] = set()

    def want(self, names: set[str]) -> None:
        """Set the names to keep; addresses of others are dropped."""
        self._wanted = {name for name in names if not is_address(name)}
        kept = {name: self._addresses[name] for name in self._wanted & self._addresses.keys()}
        self._addresses = {**{name: name for name in names - self._wanted}, **kept}

    def address(self, name: str) -> str | None:
        """Return the address to probe: a numeric one as it is, a name's last known one, ``None`` before the first."""
        return self._addresses.get(name)

    async def refresh(self) -> None:
        """Look every name up once, several at a time; failures keep what is known."""
        gate = asyncio.Semaphore(self._at_once)

        async def one(name: str) -> None:
            async with gate:
                await self._look_up(name)

        await asyncio.gather(*(one(name) for name in sorted(self._wanted)))

    async def _look_up(self, name: str) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await in_thread(
                    lambda: socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM), f"look up {name}"
                )  # fmt: skip
        except (OSError, TimeoutError, UnicodeError) as error:
            known = self._addresses.get(name)
            logger.warning("name not resolved", name=name, kept=known, reason=str(error) or "no answer in time")
            return
        address = str(found[0][4][0])
        if self._addresses.get(name) not in (None, address):
            logger.info("name resolves to another address", name=name, address=address)
        self._addresses[name] = address


def is_address(text: str) -> bool:
    """Tell a numeric address (with ``%interface`` where link-local) from a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
