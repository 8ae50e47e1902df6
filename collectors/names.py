"""Addresses of targets that are configured by name. A dead resolver must not stop a probe: the last address is kept."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import structlog

logger = structlog.get_logger(__name__)


class AddressBook:
    """Resolves host names in the background.

    Parameters:
        timeout_s: how long one name may take.
    """

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._addresses: dict[str, str] = {}
        self._wanted: set[str] = set()

    def want(self, names: set[str]) -> None:
        """Set the names to keep; addresses of others are dropped."""
        self._wanted = {name for name in names if not is_address(name)}
        self._addresses = {name: self._addresses[name] for name in self._wanted & self._addresses.keys()}

    def address(self, name: str) -> str | None:
        """Return the address to probe: a numeric one as it is, a name's last known one, ``None`` before the first."""
        return name if is_address(name) else self._addresses.get(name)

    async def refresh(self) -> None:
        """Look every name up once; failures keep what is known."""
        for name in sorted(self._wanted):
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._timeout_s):
                    found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
            except (OSError, TimeoutError, UnicodeError) as error:
                logger.warning("name not resolved", name=name, kept=self._addresses.get(name), reason=str(error))
                continue
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
