"""Devices that log: the two forms by the examples of their standards, and both transports on loopback."""

from __future__ import annotations

import asyncio
import datetime
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.clock import ManualClock
from lab.services import Severity, SyslogSource, Writer
from lab.services.syslog import LONGEST

HOST = "127.0.0.1"
OCTOBER = 1_065_910_455_003_000_000  # 2003-10-11T22:14:15.003Z, of the example in RFC 5424 §6.5
FORM = re.compile(
    rb"<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} [!-~]{1,48} - - - \xef\xbb\xbf([^\r\n]*)",
    re.DOTALL,
)


def test_the_forms_are_those_of_the_standards() -> None:
    new = Writer("mymachine.example.com", program="su", facility=4)
    assert new.write(OCTOBER, Severity.CRITICAL, "'su root' failed").decode() == (
        "<34>1 2003-10-11T22:14:15.003000Z mymachine.example.com su - - - \ufeff'su root' failed"
    )
    old = Writer("mymachine", form="3164", program="su", facility=4)
    assert (
        old.write(OCTOBER, Severity.CRITICAL, "'su root' failed")
        == b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed"
    )
    hanoi = Writer("sw-1", form="3164", zone=datetime.timezone(datetime.timedelta(hours=7)))
    assert hanoi.write(OCTOBER, Severity.ERROR, "x").startswith(b"<187>Oct 12 05:14:15 sw-1 lab: ")
    assert old.write(OCTOBER - 10 * 86_400 * 10**9, Severity.ERROR, "x").startswith(b"<35>Oct  1 ")


@given(
    st.text(max_size=3_000), st.sampled_from(Severity), st.integers(0, 23), st.integers(0, 4_000_000_000_000_000_000)
)
def test_any_text_is_one_line_of_a_bounded_length(text: str, severity: Severity, facility: int, at_ns: int) -> None:
    message = Writer("sw-1", facility=facility).write(at_ns, severity, text)
    assert len(message) <= LONGEST
    found = FORM.fullmatch(message)
    assert found is not None
    assert int(found[1]) == facility * 8 + severity
    kept = found[2].decode()  # no character is cut in half
    assert " ".join(text.splitlines()).encode("utf-8", "replace").decode().startswith(kept)


@pytest.mark.parametrize(
    "words", [{"hostname": "a b"}, {"hostname": ""}, {"program": "x" * 49}, {"facility": 24}, {"form": "5425"}]
)
def test_a_name_that_would_break_the_form_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be 1 to 48 printable|form is 5424 or 3164"):
        Writer(**{"hostname": "sw-1", **words})


@asynccontextmanager
async def receiving(kind: socket.SocketKind) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.setblocking(False)
        yield sock


async def test_over_udp_each_message_is_a_datagram() -> None:
    loop = asyncio.get_running_loop()
    async with receiving(socket.SOCK_DGRAM) as sock:
        clock = ManualClock(OCTOBER)
        async with SyslogSource(Writer("sw-1"), "127.0.0.9", sock.getsockname(), clock=clock) as source:
            assert await source.send(Severity.WARNING, "cổng 7 hỏng")
            data, sender = await loop.sock_recvfrom(sock, 4096)
            assert (sender[0], data.decode()) == (
                "127.0.0.9", "<188>1 2003-10-11T22:14:15.003000Z sw-1 lab - - - \ufeffcổng 7 hỏng",
            )  # fmt: skip
            assert (source.sent, source.failed) == (1, 0)


async def test_over_tcp_messages_have_their_length_and_a_receiver_that_restarts_gets_the_next() -> None:
    loop = asyncio.get_running_loop()
    writer = Writer("sw-1", form="3164")
    async with (
        receiving(socket.SOCK_STREAM) as sock,
        SyslogSource(writer, HOST, sock.getsockname(), transport="tcp") as source,
    ):
        for _ in range(2):
            assert await source.send(Severity.WARNING, "một")
            assert await source.send(Severity.WARNING, "hai")
            accepted, _ = await loop.sock_accept(sock)
            with accepted:
                data = b""
                while data.count(b"lab: ") < 2 or not data.endswith(b"hai"):
                    data += await asyncio.wait_for(loop.sock_recv(accepted, 4096), 5)
            for text in ("một", "hai"):
                length, _, data = data.partition(b" ")
                message, data = data[: int(length)], data[int(length) :]
                assert message.decode().endswith(f"sw-1 lab: {text}")
            assert data == b""
        assert (source.sent, source.failed) == (4, 0)


async def test_nobody_there_is_counted_and_does_not_raise() -> None:
    async with receiving(socket.SOCK_DGRAM) as sock:
        nowhere = sock.getsockname()
        async with SyslogSource(Writer("sw-1"), HOST, nowhere, transport="tcp") as source:
            assert not await source.send(Severity.WARNING, "x")
            assert (source.sent, source.failed) == (0, 1)
