"""The daemon's control socket: who may ask, and what happens to those who ask wrongly."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from haidang.control import LONGEST_LINE, MOST_CLIENTS, NAME, ControlError, ControlServer, Refused, ask


def _double(request: Mapping[str, Any]) -> Mapping[str, Any]:
    if request.get("number") == 13:
        raise ValueError("not that number")
    if request.get("number") == 14:
        raise sqlite3.OperationalError("database or disk is full")
    return {"twice": request["number"] * 2}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    """A server in a folder whose path is longer than a socket's address."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    made = ControlServer(folder, {"double": _double})
    await made.start()
    yield made
    made.close()
    assert list(folder.iterdir()) == []


def folder(path: Path) -> Path:
    return path / ("long" * 30)


async def asked(path: Path, do: str, **words: object) -> dict[str, Any]:
    return await asyncio.to_thread(ask, folder(path), do, words)


async def test_a_request_is_answered_and_only_the_owner_may_open_the_socket(
    server: ControlServer, tmp_path: Path
) -> None:
    assert await asked(tmp_path, "double", number=21) == {"ok": True, "twice": 42}
    mode = (folder(tmp_path) / NAME).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("do", "words", "needed"),
    [
        ("double", {"number": 13}, "not that number"),
        ("nonsense", {}, "do must be one of double"),
    ],
)
async def test_a_wrong_request_is_refused_with_words(
    server: ControlServer, tmp_path: Path, do: str, words: dict[str, object], needed: str
) -> None:
    with pytest.raises(Refused, match=needed):
        await asked(tmp_path, do, **words)


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ({"number": 14}, "nothing was changed: database or disk is full; haidang doctor says what to do"),
        ({}, "its log says why"),
    ],
)
async def test_what_fails_here_is_said_and_is_no_fault_of_the_request(
    server: ControlServer, tmp_path: Path, words: dict[str, object], needed: str
) -> None:
    with pytest.raises(ControlError, match=needed) as failed:
        await asked(tmp_path, "double", **words)
    assert not isinstance(failed.value, Refused)


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b"\xff\xfe\n", b"[" * 30_000 + b"\n"])
def test_a_line_that_is_no_request_is_refused(tmp_path: Path, line: bytes) -> None:
    assert ControlServer(tmp_path, {}).answer(line)["ok"] is False


async def test_a_line_without_an_end_closes_the_connection_and_the_next_one_works(
    server: ControlServer, tmp_path: Path
) -> None:
    reader, writer = await _connected(tmp_path)
    writer.write(b"x" * (LONGEST_LINE + 10))
    assert await reader.read() == b""
    writer.close()
    assert (await asked(tmp_path, "double", number=1))["twice"] == 2


async def test_more_clients_than_are_allowed_are_turned_away_and_counted(server: ControlServer, tmp_path: Path) -> None:
    waiting = [await _connected(tmp_path) for _ in range(MOST_CLIENTS)]
    for reader, writer in waiting:
        writer.write(json.dumps({"do": "double", "number": 1}).encode() + b"\n")
        assert await reader.readline()
    with pytest.raises(ControlError):
        await asked(tmp_path, "double", number=1)
    assert server.refused == 1
    for _, writer in waiting:
        writer.close()


async def test_a_socket_left_by_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    first, second = ControlServer(tmp_path, {"double": _double}), ControlServer(tmp_path, {"double": _double})
    await first.start()
    await second.start()  # the lock of the data directory says that the first is dead
    assert (await asyncio.to_thread(ask, tmp_path, "double", {"number": 4}))["twice"] == 8
    second.close()
    first.close()


def test_without_a_daemon_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"no daemon runs .* haidang run"):
        ask(tmp_path, "double", {})


async def _connected(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    handle = os.open(folder(path), os.O_RDONLY)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{handle}/{NAME}")
    finally:
        os.close(handle)
