"""Turns: however many pages are asked for at once, the loop does something else between two of them."""

from __future__ import annotations

import asyncio
import itertools
from typing import NoReturn

import pytest
from starlette.types import Receive, Scope, Send

from dashboards.web.turns import Turns


async def nothing() -> NoReturn:
    raise AssertionError("no body is asked for")


async def ignored(_message: object) -> None:
    pass


async def test_between_two_steps_of_pages_the_loop_comes_round_once() -> None:
    order: list[str] = []

    async def page(_scope: Scope, _receive: Receive, _send: Send) -> None:
        for _ in range(3):
            order.append("page")
            await asyncio.sleep(0)

    async def probing() -> None:
        while order.count("page") < 150:
            order.append("probe")
            await asyncio.sleep(0)

    turned = Turns(asyncio.get_running_loop()).around(page)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(probing())
        for _ in range(50):
            group.create_task(turned({}, nothing, ignored))  # type: ignore[arg-type]  # a request's coroutine
    assert order.count("page") == 150
    assert all("probe" in pair for pair in itertools.pairwise(order[: order.index("page") + 250]))


async def test_what_costs_more_than_its_share_waits_until_the_share_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = itertools.count(step=0.01)
    monkeypatch.setattr("dashboards.web.turns.time.thread_time", lambda: next(spent))  # each step costs 10 ms
    loop = asyncio.get_running_loop()
    done: list[float] = []

    async def page(_scope: Scope, _receive: Receive, _send: Send) -> None:
        done.append(loop.time())

    turned = Turns(loop, share=0.5, burst_s=0.05).around(page)
    began = loop.time()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(turned({}, nothing, ignored))  # type: ignore[arg-type]  # as above
    assert len(done) == 16
    assert done[4] - began < 0.1  # the burst is there at once
    assert done[-1] - began >= (0.15 - 0.05 - 0.01) / 0.5  # what is over it comes by the share


async def test_a_request_that_is_cancelled_while_it_waits_hears_of_it_and_holds_nobody_up() -> None:
    heard, ended = asyncio.Event(), list[str]()

    async def page(scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.sleep(0 if scope["name"] == "short" else 100)
        except asyncio.CancelledError:
            heard.set()
            raise
        ended.append(scope["name"])

    turned = Turns(asyncio.get_running_loop()).around(page)
    long_ones = [asyncio.ensure_future(turned({"name": "long"}, nothing, ignored)) for _ in range(5)]
    short = asyncio.ensure_future(turned({"name": "short"}, nothing, ignored))
    await asyncio.sleep(0)
    for one in long_ones:
        one.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*long_ones, return_exceptions=True)
        await short
    assert all(one.cancelled() for one in long_ones)
    assert ended == ["short"]


async def test_what_a_page_raises_comes_out_as_it_was() -> None:
    async def page(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(0)
        raise KeyError("lost")

    turned = Turns(asyncio.get_running_loop()).around(page)
    with pytest.raises(KeyError, match="lost"):
        await turned({}, nothing, ignored)
