"""A question over UDP: sent again as the protocol says, everything that is not the answer passed over."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from probes.attempt import Attempt
from probes.stream import mark

T = TypeVar("T")


async def ask(
    attempt: Attempt, port: int, question: Callable[[str, int], bytes], accept: Callable[[bytes], T | None],
    again_s: Iterable[float] = (1.0,), field: str = "answer",
) -> T:  # fmt: skip
    """Ask until there is an answer, or the attempt's deadline ends it.

    Parameters:
        attempt: whom; its field ``FIELD_ms`` is the time from the last question sent to the answer.
        port: UDP.
        question: makes each datagram, given our own address and port.
        accept: reads an answer; ``None`` when it is none to this question.
        again_s: seconds until it is asked again, the last one for ever.
        field: the phase's name.

    Raises:
        ConnectionRefusedError: nobody listens at the port.
        Down: as ``accept`` raises it.
    """
    where = f"port {port}" if attempt.address == attempt.host else f"{attempt.address} port {port}"
    attempt.doing = f"waiting for an answer from {where}"
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        mark(sock, attempt.dscp)
        sock.connect(
            socket.getaddrinfo(attempt.address, port, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4]
        )
        waits = list(again_s)
        passed_over = tries = 0
        for wait in itertools.chain(waits, itertools.repeat(waits[-1])):
            tries += 1
            began = time.perf_counter()
            sock.send(question(*sock.getsockname()[:2]))
            try:
                async with asyncio.timeout(wait):
                    while True:
                        data = await loop.sock_recv(sock, 65_536)
                        found = accept(data)
                        if found is not None:
                            attempt.fields[f"{field}_ms"] = (time.perf_counter() - began) * 1e3
                            attempt.fields["tries"] = tries
                            return found
                        passed_over += 1
                        attempt.doing = f"passing over {passed_over} datagrams that are no answer"
                        await asyncio.sleep(0)  # a flood must not keep the deadline from being noticed
            except TimeoutError:
                continue
    raise AssertionError("unreachable")  # pragma: no cover
