"""The receiver as a process: confined, restarted, told through its pipe, and not believed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from collectors.receiver import Event, Keeper, Listening, ReceiverSettings
from collectors.receiver.sockets import CannotListen, open_all
from haidang.clock import SystemClock
from probes.snmp import User
from tests.collectors.test_receiver_intake import trap
from tests.support.snmp_agent_real import free_port

HERE = "127.0.0.1"
SECRET = "authpass-of-the-test"


class Kept:
    """A keeper at work, and what it was handed."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.keeper = Keeper(SystemClock(), self.events.put_nowait)
        self.port = free_port()

    def use(self, *, sources: tuple[str, ...] = (HERE,), tcp: bool = False, **settings: object) -> None:
        here = ((HERE, self.port),)
        listening = Listening(traps=here, syslog_tcp=here if tcp else ())
        self.keeper.use(listening, ReceiverSettings(**settings), sources)  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(data, (HERE, self.port))

    async def next(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 20)

    async def until(self, look: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not look():  # noqa: ASYNC110 what is looked at is another process
                await asyncio.sleep(0.02)

    async def works(self) -> None:
        """Wait until the process says that it counts: the sockets are open and read."""
        await self.until(lambda: bool(self.keeper.counted))

    async def process(self) -> int:
        await self.until(lambda: self.keeper.process_id is not None)
        return self.keeper.process_id or 0


@asynccontextmanager
async def keeping() -> AsyncIterator[Kept]:
    kept = Kept()
    task = asyncio.create_task(kept.keeper.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait([task])


def proc(process: int, file: str) -> str:
    return Path(f"/proc/{process}/{file}").read_text()


def files(process: int) -> list[str]:
    return [str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()]


def status(process: int, word: str) -> list[str]:
    lines = proc(process, "status").splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{word}:"))


async def test_traps_come_through_and_the_process_has_no_rights_no_secrets_in_sight_and_few_files() -> None:
    async with keeping() as kept:
        kept.use(users=(User("u", "SHA-256", SECRET),))
        await kept.works()
        kept.send(trap())
        event = await kept.next()
        assert (event.source, event.kind, event.name) == (HERE, "trap", "linkDown")
        process = await kept.process()
        for file in ("cmdline", "environ"):
            assert SECRET not in proc(process, file)
        assert "HOME=" not in proc(process, "environ")
        assert status(process, "NoNewPrivs") == ["1"]
        assert status(process, "CapEff") == ["0000000000000000"] or os.geteuid() != 0
        if os.geteuid() == 0:
            assert status(process, "Uid") == ["65534"] * 4
        assert not [name for name in files(process) if name.startswith("/") and name != "/dev/null"]


async def test_a_process_that_is_killed_comes_back_and_what_was_sent_meanwhile_is_not_lost() -> None:
    async with keeping() as kept:
        kept.use()
        await kept.works()
        kept.send(trap())
        await kept.next()
        os.kill(await kept.process(), signal.SIGKILL)
        await kept.until(lambda: kept.keeper.restarts == 1)
        await kept.process()
        kept.send(trap("1.3.6.1.6.3.1.1.5.4"))
        assert (await kept.next()).name == "linkUp"


async def test_sources_change_without_a_new_process() -> None:
    async with keeping() as kept:
        kept.use(sources=("192.0.2.1",))
        await kept.works()
        kept.send(trap())
        await kept.until(lambda: kept.keeper.counted.get("strangers") == 1)
        process = await kept.process()
        kept.use(sources=(HERE,))

        def heard() -> bool:
            kept.send(trap())
            return not kept.events.empty()

        await kept.until(heard)
        assert await kept.process() == process


async def test_log_streams_are_read_in_both_framings_and_what_fits_neither_is_cut() -> None:
    async with keeping() as kept:
        kept.use(tcp=True)
        await kept.works()
        _, writer = await asyncio.open_connection(HERE, kept.port)
        writer.write(b"22 <27>first: with length<27>second: with a line\r\n<27>third: cut by the end")
        writer.write_eof()
        texts = [(await kept.next()).text for _ in range(3)]
        assert texts == ["with length", "with a line", "cut by the end"]
        writer.close()
        for bad in (b"99999 <27>x", b"<27>" + b"x" * 20_000 + b"\n"):
            reader, writer = await asyncio.open_connection(HERE, kept.port)
            writer.write(bad)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        await kept.until(lambda: kept.keeper.counted.get("connections_refused") == 2)


async def test_what_the_process_hands_over_is_checked() -> None:
    kept = Kept()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    for message in (b"{}", b"\xff" * 9_000, b'{"counters": 5}', b'{"counters": {"a": "x"}}', b'{"counters": {"a": 3}}'):
        theirs.send(message)
    kept.keeper._read(ours)
    assert kept.events.empty()
    assert (kept.keeper.refused, kept.keeper.counted) == (4, {"a": 3})
    ours.close()
    theirs.close()


def test_a_port_in_use_is_told_with_its_cure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        port = sock.getsockname()[1]
        with pytest.raises(CannotListen, match=f"udp 127.0.0.1 port {port}: address already in use; nothing if it is"):
            open_all(Listening(traps=((HERE, port),)))
