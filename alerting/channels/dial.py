"""Connecting to a server by name while names may not resolve: the addresses known from before are kept."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import structlog

logger = structlog.get_logger(__name__)

_Address = tuple[int, tuple[Any, ...]]


class Dialler:
    """Opens TCP connections.

    When the resolver is dead, many messages wait for the same names: each name is asked for once at a time, so that
    stuck look-ups do not use up the threads other parts of the daemon resolve in.

    Parameters:
        resolve_s: how long a look-up may take before the addresses known from before are used.
    """

    def __init__(self, resolve_s: float = 5.0) -> None:
        self._resolve_s = resolve_s
        self._known: dict[tuple[str, int], list[_Address]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[list[_Address]]] = {}

    async def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to the first address that answers, IPv6 and IPv4 in the resolver's order.

        Parameters:
            timeout_s: for each address.

        Raises:
            OSError: no address is known, or none answers; the text names them.
        """
        addresses = await self._addresses(host, port)
        errors = []
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.get_running_loop().sock_connect(sock, address)
            except TimeoutError:
                sock.close()
                errors.append(f"{address[0]}: no answer within {timeout_s:g} s")
            except OSError as error:
                sock.close()
                reason = os.strerror(error.errno) if error.errno else str(error)
                errors.append(f"{address[0]}: {reason.lower()}")
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise OSError(", ".join(errors))

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        key = (host, port)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(_look_up(host, port))
            asking.add_done_callback(lambda task: self._answered(key, task))
        try:
            # Shielded: another message may wait for the same answer; what comes too late serves the next attempt.
            async with asyncio.timeout(self._resolve_s):
                return await asyncio.shield(asking)
        except (OSError, TimeoutError, UnicodeError) as error:
            known = self._known.get(key)
            if known is None:
                raise OSError(f"the name cannot be resolved ({error or 'no answer'})") from error
            logger.warning("name not resolved, last known addresses used", name=host)
            return known

    def _answered(self, key: tuple[str, int], task: asyncio.Task[list[_Address]]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled() and task.exception() is None:
            self._known[key] = task.result()


async def _look_up(host: str, port: int) -> list[_Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]
