"""A server on loopback that plays a metric store's replies word for word, and keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Act = Callable[["Player", web.Request, list[str]], Awaitable[web.StreamResponse]]


class Player:
    """Plays one act for each write, then stores everything.

    Parameters:
        version: for /ping, e.g. ``1.12.2``, ``v2.7.11``, ``3.1.0``; empty leaves the header out.
        bad: the lines this store will never have, by a word in them.
    """

    def __init__(self, version: str, build: str = "OSS") -> None:
        self.version = version
        self.build = build
        self.acts: deque[Act] = deque()
        self.always: Act = store_all
        self.stored: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str], dict[str, str], list[str]]] = []
        self.pings = 0
        self.url = ""

    async def ping(self, _: web.Request) -> web.Response:
        self.pings += 1
        headers = {"X-Influxdb-Version": self.version, "X-Influxdb-Build": self.build} if self.version else {}
        return web.Response(status=204, headers=headers)

    async def write(self, request: web.Request) -> web.StreamResponse:
        lines = (await request.read()).decode().split("\n")
        self.requests.append((request.path, dict(request.query), dict(request.headers), lines))
        act = self.acts.popleft() if self.acts else self.always
        return await act(self, request, lines)


async def store_all(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    player.stored.update(lines)
    return web.Response(status=204)


def says(status: int, body: object, headers: dict[str, str] | None = None) -> Act:
    """Store nothing, answer this."""

    async def act(_player: Player, _request: web.Request, _lines: list[str]) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return act


async def drop_before(_: Player, request: web.Request, __: list[str]) -> web.StreamResponse:
    """Cut the connection without having stored anything."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def drop_after(player: Player, request: web.Request, lines: list[str]) -> web.StreamResponse:
    """Store everything and cut the connection before the answer."""
    player.stored.update(lines)
    return await drop_before(player, request, lines)


async def stall(_: Player, request: web.Request, __: list[str]) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


async def endless(_: Player, request: web.Request, __: list[str]) -> web.StreamResponse:
    """Answer 500 with a body that has no end."""
    response = web.StreamResponse(status=500)
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


def _bad(line: str) -> bool:
    return "poison" in line


async def v1_partial(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    """1.x: stores the rest, names what cannot be parsed."""
    bad = [line for line in lines if _bad(line)]
    player.stored.update(line for line in lines if not _bad(line))
    if not bad:
        return web.Response(status=204)
    words = "\n".join(f"unable to parse '{line}': invalid field format" for line in bad)
    return web.json_response({"error": f"partial write: {words} dropped=0"}, status=400)


async def v1_conflict(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    """1.x: a field of another type; stores the rest, says how many were dropped but not which."""
    bad = [line for line in lines if _bad(line)]
    player.stored.update(line for line in lines if not _bad(line))
    if not bad:
        return web.Response(status=204)
    words = (
        'partial write: field type conflict: input field "v" on measurement "m" is type string, already exists as '
        f"type float dropped={len(bad)}"
    )
    return web.json_response({"error": words}, status=400)


async def v2_names_lines(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    """2.x: stores nothing, names every bad line."""
    bad = [line for line in lines if _bad(line)]
    if not bad:
        return await store_all(player, _, lines)
    words = "\n".join(f"unable to parse '{line}': missing fields" for line in bad)
    return web.json_response({"code": "invalid", "message": words}, status=400)


async def v2_conflict(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    """2.x: 422, stores the rest."""
    bad = [line for line in lines if _bad(line)]
    player.stored.update(line for line in lines if not _bad(line))
    if not bad:
        return web.Response(status=204)
    words = f"failure writing points to database: partial write: field type conflict: x dropped={len(bad)}"
    return web.json_response({"code": "unprocessable entity", "message": words}, status=422)


async def v3_partial(player: Player, _: web.Request, lines: list[str]) -> web.StreamResponse:
    """3.x write_lp with accept_partial: stores the rest, lists the bad."""
    data = [
        {"original_line": line[:20], "line_number": number, "error_message": "No fields were provided"}
        for number, line in enumerate(lines, 1)
        if _bad(line)
    ]
    player.stored.update(line for line in lines if not _bad(line))
    if not data:
        return web.Response(status=204)
    return web.json_response({"error": "partial write of line protocol occurred", "data": data}, status=400)


async def refuses_unnamed(player: Player, request: web.Request, lines: list[str]) -> web.StreamResponse:
    """Stores nothing of a batch with a bad line and does not say which it is."""
    if any(map(_bad, lines)):
        return web.json_response({"code": "invalid", "message": "the batch is invalid"}, status=400)
    return await store_all(player, request, lines)


def limited(most: int) -> Act:
    """413 for more than ``most`` lines."""

    async def act(player: Player, request: web.Request, lines: list[str]) -> web.StreamResponse:
        if len(lines) > most:
            return web.Response(status=413, text='{"error":"Request Entity Too Large"}')
        return await store_all(player, request, lines)

    return act


@asynccontextmanager
async def playing(player: Player) -> AsyncIterator[Player]:
    """Serve on a free port of loopback."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_get("/ping", player.ping)
    for path in ("/write", "/api/v2/write", "/api/v3/write_lp"):
        app.router.add_post(path, player.write)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    player.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield player
    finally:
        await runner.cleanup()
