"""The control socket, in one process: requests, refusals, who may ask, what is left when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import control
from lab.control import ControlClient, ControlError, ControlServer, listen, running
from lab.network import Network


def network() -> Network:
    made = Network()
    made.add_place("centre", "10.0.0.1")
    made.add_place("district-1", "10.1.0.1")
    made.add_line("line-1", "centre", "district-1")
    made.add_host("10.1.0.9", "district-1")
    return made


@pytest.fixture
async def lab() -> AsyncIterator[tuple[str, Network]]:
    """A control server that runs; gives its name and network."""
    name = f"test-{secrets.token_hex(4)}"
    made = network()
    server = ControlServer(made, {"greet": lambda request: {"greeting": f"hello {request['name']}"}})
    await server.start(listen(name))
    yield name, made
    server.close()


async def ask(lab_name: str, do: str, **words: object) -> dict[str, Any]:
    def work() -> dict[str, Any]:
        with ControlClient(lab_name) as client:
            return client.ask(do, **words)

    return await asyncio.to_thread(work)


async def test_lines_and_addresses_are_broken_set_and_mended(lab: tuple[str, Network]) -> None:
    name, made = lab
    assert await ask(name, "break", line="line-1", answer="host-unreachable") == {"ok": True}
    assert made.line("line-1").outage
    assert made.line("line-1").answer == "host-unreachable"
    found = await ask(name, "status")
    assert found["status"]["conditions"] == {"line-1": {"outage": True}}
    await ask(name, "mend", line="line-1")
    assert not made.line("line-1").outage
    answer = await ask(name, "set", line="10.1.0.9", conditions={"loss_percent": 5})
    assert answer["conditions"]["loss_percent"] == 5
    assert made.host("10.1.0.9").access.conditions.loss_percent == 5
    found = await ask(name, "status")
    assert found["status"]["conditions"] == {"10.1.0.9": {"outage": False, "loss_percent": 5}}
    await ask(name, "reset", line="10.1.0.9")
    assert made.host("10.1.0.9").access.conditions.loss_percent == 0
    assert (await ask(name, "lines"))["lines"] == {"line-1": ["centre", "district-1"]}
    assert (await ask(name, "greet", name="Lan"))["greeting"] == "hello Lan"


@pytest.mark.parametrize(
    ("do", "words", "expected"),
    [
        ("break", {"line": "line-2"}, r"no line or address 'line-2' \(did you mean line-1\?\)"),
        ("break", {}, "no line or address 'None'"),
        ("break", {"line": "line-1", "answer": "loud"}, "'loud' is not a valid Answer"),
        ("set", {"line": "line-1"}, "set needs conditions"),
        ("set", {"line": "line-1", "conditions": {"delay": 3}}, "a line has no delay; it has bucket_bytes"),
        (
            "set",
            {"line": "line-1", "conditions": {"delay_ms": -3}},
            "delay_ms must be a number from 0 to 60000, not -3",
        ),
        ("explode", {}, "do must be one of break, greet, lines, mend, reset, set, status, not 'explode'"),
    ],
)
async def test_a_wrong_request_is_refused_in_words(
    lab: tuple[str, Network], do: str, words: dict[str, object], expected: str
) -> None:
    with pytest.raises(ControlError, match=expected):
        await ask(lab[0], do, **words)
    assert not lab[1].line("line-1").outage


@given(st.one_of(st.binary(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
def test_whatever_is_written_to_the_socket_is_answered(line: bytes | str) -> None:
    answer = ControlServer(network()).answer(line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line)
    assert answer["ok"] is False
    assert answer["error"]
    assert ControlServer(network()).answer(b"[" * 60_000)["ok"] is False


async def test_a_line_without_an_end_closes_the_connection_and_no_other(lab: tuple[str, Network]) -> None:
    reader, writer = await asyncio.open_unix_connection(f"\0{control.PREFIX}{lab[0]}")
    writer.write(b"x" * (2 * control.LONGEST_LINE))
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert (await ask(lab[0], "status"))["ok"] is True


async def test_a_running_lab_is_listed_with_its_process_and_its_name_is_taken(lab: tuple[str, Network]) -> None:
    name, _ = lab
    assert name in running()
    with pytest.raises(ControlError, match="runs already"):
        listen(name)

    def pid() -> int:
        with ControlClient(name) as client:
            return client.pid

    assert await asyncio.to_thread(pid) == os.getpid()


async def test_after_the_end_there_is_nothing_to_reach() -> None:
    name = f"test-{secrets.token_hex(4)}"
    server = ControlServer(network())
    await server.start(listen(name))
    server.close()
    await asyncio.sleep(0)
    assert name not in running()
    with pytest.raises(ControlError, match="no lab named"):
        ControlClient(name)


async def test_other_users_are_refused_by_both_ends(lab: tuple[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(control, "_peer", lambda _: (1, os.geteuid() + 4711))
        with pytest.raises(ControlError, match="belongs to another user"):
            ControlClient(lab[0])
        reader, writer = await asyncio.open_unix_connection(f"\0{control.PREFIX}{lab[0]}")
        writer.write(b'{"do": "break", "line": "line-1"}\n')
        assert b"belongs to another user" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
    assert not lab[1].line("line-1").outage


async def test_a_lab_that_ends_in_the_middle_is_said_so() -> None:
    name = f"test-{secrets.token_hex(4)}"
    listener = listen(name)
    listener.setblocking(True)

    def serve() -> None:
        accepted, _ = listener.accept()
        accepted.recv(100)
        accepted.close()

    def work() -> None:
        with ControlClient(name) as client, pytest.raises(ControlError, match=r"lab has ended|does not answer"):
            client.ask("status")

    await asyncio.gather(asyncio.to_thread(serve), asyncio.to_thread(work))
    listener.close()


def test_the_socket_has_no_file() -> None:
    name = f"test-{secrets.token_hex(4)}"
    with listen(name) as sock:
        assert sock.getsockname() == f"\0{control.PREFIX}{name}".encode()
        assert sock.family == socket.AF_UNIX
