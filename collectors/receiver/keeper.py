"""The daemon's side of the receiver: keeps its process alive, tells it what to take, and checks what it hands over."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from collectors.receiver.event import LARGEST_MESSAGE, Event, EventRefused, decode
from collectors.receiver.settings import Listening, ReceiverSettings
from collectors.receiver.sockets import CannotListen, Opened, open_all
from haidang.clock import Clock

logger = structlog.get_logger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 300.0
"""A process that lived so long did not end because of how it was started: the pause is short again."""
END_S = 1.0
_BATCH = 64
_SAID_BYTES = 2_000
_BOOTS_FROM_NS = 1_577_836_800 * 10**9  # 2020-01-01


class Keeper:
    """Keeps one receiver process.

    Parameters:
        clock: measures how long it lived.
        take: gets every event, on the event loop.
    """

    def __init__(self, clock: Clock, take: Callable[[Event], None]) -> None:
        self._clock = clock
        self._take = take
        self._listening = Listening()
        self._settings = ReceiverSettings()
        self._sources: list[str] = []
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._boots = 1
        self.restarts = 0
        self.refused = 0
        self.counted: dict[str, int] = {}

    @property
    def process_id(self) -> int | None:
        """The process at work; ``None`` when there is none."""
        return self._process.pid if self._process else None

    def use(self, listening: Listening, settings: ReceiverSettings, sources: Sequence[str]) -> None:
        """Listen so, and take this, from now on. Equal words change nothing; another place starts the process anew."""
        wanted = sorted(set(sources))
        moved = listening != self._listening
        if not moved and settings == self._settings and wanted == self._sources:
            return
        self._listening, self._settings, self._sources = listening, settings, wanted
        if moved:
            self._changed.set()
        else:
            self._tell()

    async def run(self) -> None:
        """Keep the process until cancelled; without anything to listen on, wait."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._changed.clear()
            if not self._listening:
                await self._changed.wait()
                continue
            began_ns = self._clock.monotonic_ns()
            try:
                opened = open_all(self._listening)
            except CannotListen as error:
                logger.error(  # noqa: TRY400 all is said
                    "traps and logs cannot be received", reason=error.reason, cure=error.cure, again_in_s=pause_s
                )
            else:
                try:
                    ended = await self._live(opened)
                finally:
                    opened.close()
                if not ended:
                    pause_s = FIRST_PAUSE_S
                    continue
                self.restarts += 1
                logger.error("the receiver process ended, started again", reason=ended, again_in_s=pause_s)
            if self._clock.monotonic_ns() - began_ns > STEADY_S * 1e9:
                pause_s = FIRST_PAUSE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _live(self, opened: Opened) -> str:
        """Run a process until it ends or shall listen elsewhere; returns why it ended, empty when we ended it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        groups = (opened.traps, opened.syslog_udp, opened.syslog_tcp)
        words = [",".join(str(sock.fileno()) for sock in group) or "-" for group in groups]
        loop = asyncio.get_running_loop()
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "collectors.receiver", str(theirs.fileno()), *words,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(), *(sock.fileno() for sock in opened.all())), env={"LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except OSError as error:
            ours.close()
            return f"cannot be started: {error}"
        finally:
            theirs.close()
        # seconds since a day in 2020: grows with every start and needs no file
        self._boots = max(1, min((self._clock.utc_ns() - _BOOTS_FROM_NS) // 10**9, 0x7FFFFFFE))
        loop.add_reader(ours.fileno(), self._read, ours)
        self._tell()
        said = asyncio.create_task(_last_words(process))
        moved = asyncio.create_task(self._changed.wait())
        end = asyncio.create_task(process.wait())
        try:
            await asyncio.wait((moved, end), return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                return ""
            return f"status {end.result()}: {await said}".strip(": ")
        finally:
            loop.remove_reader(ours.fileno())
            ours.close()
            moved.cancel()
            self._process = None
            await _put_down(process, said, end)

    def _tell(self) -> None:
        """Say what to take; a process that does not read it in time gets no more than one such line too many."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(replace(self._settings, boots=self._boots).line(self._sources))

    def _read(self, ours: socket.socket) -> None:
        """Take what the process hands over, up to a batch; it may be anything."""
        for _ in range(_BATCH):
            try:
                message = ours.recv(LARGEST_MESSAGE + 1)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                asyncio.get_running_loop().remove_reader(ours.fileno())
                return
            if message.startswith(b'{"counters"'):
                self._count(message)
                continue
            try:
                event = decode(message)
            except EventRefused as error:
                self.refused += 1
                logger.debug("the receiver handed over what is no event", reason=str(error))
                continue
            self._take(event)

    def _count(self, message: bytes) -> None:
        try:
            counters = json.loads(message)["counters"]
            self.counted = {str(name)[:40]: int(count) for name, count in list(counters.items())[:20]}
        except (ValueError, KeyError, TypeError, AttributeError):
            self.refused += 1


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Read what it writes to standard error; keeps the end of it, where a traceback says what it is about."""
    kept = b""
    while process.stderr is not None and (chunk := await process.stderr.read(4_096)):
        kept = (kept + chunk)[-_SAID_BYTES:]
    lines = kept.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _put_down(process: asyncio.subprocess.Process, said: asyncio.Task[str], end: asyncio.Task[int]) -> None:
    """End a process: it ends by itself when its input does, and is killed when it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await end
    finally:
        if process.returncode is None:
            process.kill()
    await process.wait()
    await said  # up to the end of the pipe: it is closed then
