"""Moves packets between the TUN devices and the simulator, in real time, on the event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import structlog

from lab.network.simulator import Work
from lab.network.system import Timer
from lab.network.tun import Tun
from lab.network.wheel import TICK_NS, Wheel

logger = structlog.get_logger(__name__)

BATCH = 64  # packets read before delayed ones have their turn


class Pump:
    """Reads packets in batches, keeps delayed ones in a timer wheel, writes what is due.

    Parameters:
        observer: where `Work` that is a packet goes.

    Attributes:
        refused: packets that the kernel would not take.
    """

    def __init__(self, observer: Tun) -> None:
        self.refused = 0
        self._fd = observer.fd
        self._wheel: Wheel[Work] = Wheel()
        self._timer = Timer()
        self._armed_ns: int | None = None
        self._now_ns = time.monotonic_ns()
        self._readers: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._timer.fd, self._expired)

    def read(self, tun: Tun, receive: Callable[[bytes, int], None]) -> None:
        """Hand each packet of a device to ``receive``, with its time, until `close`."""
        self._loop.add_reader(tun.fd, self._readable, tun.fd, tun.mtu + 64, receive)
        self._readers.append(tun.fd)

    def close(self) -> None:
        """Stop; what is under way is lost."""
        for fd in self._readers:
            self._loop.remove_reader(fd)
        self._loop.remove_reader(self._timer.fd)
        self._timer.close()

    def later(self, at_ns: int, work: Work) -> None:
        """Do some work at its time, or at once when that has come."""
        if at_ns - self._now_ns >= TICK_NS:
            self._wheel.add(at_ns, work)
            if self._armed_ns is None or at_ns < self._armed_ns:
                self._arm()
        elif isinstance(work, bytes):
            self.write(self._fd, work)
        else:
            self._do(work)

    def write(self, fd: int, raw: bytes) -> None:
        """Give a packet to the kernel."""
        try:
            os.write(fd, raw)
        except OSError:
            self.refused += 1

    def now(self) -> int:
        """Read the clock, for work that begins outside a packet's turn."""
        self._now_ns = time.monotonic_ns()
        return self._now_ns

    def _readable(self, fd: int, size: int, receive: Callable[[bytes, int], None]) -> None:
        for _ in range(BATCH):
            try:
                raw = os.read(fd, size)
            except BlockingIOError:
                break
            except OSError:
                logger.exception("the network device is gone")
                self._loop.remove_reader(fd)
                return
            try:
                receive(raw, self.now())
            except Exception:  # noqa: BLE001 no packet may stop the network
                logger.exception("packet not understood", packet=raw[:64].hex())
        self._expired()

    def _expired(self) -> None:
        now = self.now()
        if self._armed_ns is None or self._armed_ns > now:
            return
        self._timer.clear()
        fd = self._fd
        for work in self._wheel.due(now):
            if isinstance(work, bytes):
                self.write(fd, work)
            else:
                self._do(work)
        self._arm()

    def _do(self, work: Callable[[int], None]) -> None:
        try:
            work(self.now())
        except Exception:  # noqa: BLE001 one device's answer must not stop the others'
            logger.exception("delayed work failed")

    def _arm(self) -> None:
        self._armed_ns = self._wheel.next_ns
        if self._armed_ns is not None:
            self._timer.set(self._armed_ns)
