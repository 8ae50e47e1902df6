"""The receiver process. The daemon starts it; by hand it is of no use.

usage: python -P -m collectors.receiver EVENTS TRAPS SYSLOG_UDP SYSLOG_TCP

Four words of file descriptors it inherits: where events go, and what it listens on (with commas, ``-`` for none). What
to take comes line by line through standard input; its end is ours. Every second it says what it has counted.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import socket
import struct
import sys
from collections import deque
from dataclasses import asdict

from collectors.receiver.catalogue import Catalogue
from collectors.receiver.intake import LARGEST_PACKET, Intake
from collectors.receiver.settings import ReceiverSettings
from collectors.receiver.streams import Streams, plain
from haidang.clock import SystemClock

_BATCH = 64
_MOST_WAITING = 4_000  # some 2 MB: seconds of a storm while the daemon is busy
_LONGEST_LINE = 64 * 2**20
_NOBODY = 65_534
_MEMORY = 512 * 2**20
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CLEAR_ALL = 38, 47, 4  # prctl(2)
_CAPABILITY_VERSION = 0x20080522  # capset(2)


def confine() -> None:
    """Give up what is not needed: rights, new processes, writing files, memory without end."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, _MEMORY),
    ):  # fmt: skip
        resource.setrlimit(kind, (most, most))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    kernel = ctypes.CDLL(None, use_errno=True)
    nothing = (struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24))  # effective, permitted, inheritable: none
    for failed in (
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        kernel.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0),
        kernel.capset(*nothing),
    ):
        if failed:
            raise OSError(ctypes.get_errno(), "the receiver cannot give its rights away")


class Receiver:
    """Reads the sockets and hands on what the intake makes of it.

    Parameters:
        events: takes one event a message.
        catalogue: what things mean.
    """

    def __init__(self, events: socket.socket, catalogue: Catalogue) -> None:
        self._events = events
        self._waiting: deque[bytes] = deque()
        self.intake = Intake(ReceiverSettings(), catalogue, SystemClock(), self._hand)
        self.sources: frozenset[str] = frozenset()
        self.streams = Streams(self._welcome, self.intake.log)

    def told(self, line: bytes) -> None:
        """Take a line of the daemon."""
        settings, sources = ReceiverSettings.read(line)
        self.sources = frozenset(sources)
        self.intake.use(settings, self.sources)

    def read_traps(self, sock: socket.socket) -> None:
        """Take what came, up to a batch, and send receipts."""
        for _ in range(_BATCH):
            try:
                data, address = sock.recvfrom(LARGEST_PACKET + 1)
            except OSError:
                return
            reply = self.intake.trap(data, plain(address[0]))
            if reply:
                try:
                    sock.sendto(reply, address)
                except OSError:
                    continue  # the sender asks again

    def read_logs(self, sock: socket.socket) -> None:
        """Take what came, up to a batch."""
        for _ in range(_BATCH):
            try:
                data, address = sock.recvfrom(LARGEST_PACKET + 1)
            except OSError:
                return
            self.intake.log(data, plain(address[0]))

    def say_counters(self) -> None:
        """Tell the daemon what was counted."""
        counted = {**asdict(self.intake.counters), "connections_refused": self.streams.refused}
        self._hand(json.dumps({"counters": counted}).encode())

    def _welcome(self, source: str) -> bool:
        return source in self.sources

    def _hand(self, message: bytes) -> bool:
        """Give a message to the daemon, after those that wait because it is busy; False when too many do."""
        waiting = self._waiting
        if not waiting:
            try:
                self._events.send(message)
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._events.fileno(), self._flush)
            else:
                return True
        if len(waiting) >= _MOST_WAITING:
            return False
        waiting.append(message)
        return True

    def _flush(self) -> None:
        waiting = self._waiting
        while waiting:
            try:
                self._events.send(waiting[0])
            except BlockingIOError:
                return
            waiting.popleft()
        asyncio.get_running_loop().remove_writer(self._events.fileno())


async def receive(
    events: int, traps: list[int], syslog_udp: list[int], syslog_tcp: list[int], catalogue: Catalogue
) -> None:
    """Live until standard input ends or the daemon no longer takes events."""
    loop = asyncio.get_running_loop()
    channel = socket.socket(fileno=events)
    channel.setblocking(False)
    receiver = Receiver(channel, catalogue)
    orders = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    receiver.told(await orders.readuntil(b"\n"))
    for descriptors, read in ((traps, receiver.read_traps), (syslog_udp, receiver.read_logs)):
        for descriptor in descriptors:
            sock = socket.socket(fileno=descriptor)
            loop.add_reader(descriptor, read, sock)
    servers = [
        await asyncio.start_server(receiver.streams.serve, sock=socket.socket(fileno=descriptor), limit=LARGEST_PACKET)
        for descriptor in syslog_tcp
    ]

    async def count() -> None:
        while True:
            receiver.say_counters()
            await asyncio.sleep(1)

    counting = asyncio.create_task(count())
    try:
        while line := await orders.readline():
            receiver.told(line)
    finally:
        counting.cancel()
        for server in servers:
            server.close()


def main(words: list[str]) -> None:
    """Enter here."""
    events, *lists = words
    traps, syslog_udp, syslog_tcp = ([int(one) for one in group.split(",")] if group != "-" else [] for group in lists)
    catalogue = Catalogue.ours()  # before the files of the program may be out of reach
    confine()
    asyncio.run(receive(int(events), traps, syslog_udp, syslog_tcp, catalogue))


if __name__ == "__main__":
    main(sys.argv[1:])
