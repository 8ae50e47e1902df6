"""Calls that may hang for ever (a name look-up, a dead network file system), kept off the event loop.

Each call gets a thread of its own that does not hold up the end of the process; a pool's threads would, and one hung
call would starve the others.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """Run a blocking call in a thread and wait for it.

    When the caller is cancelled the thread goes on and its result is dropped; the caller bounds how many there are.

    Parameters:
        work: what to call.
        name: of the thread, for whoever looks at a stuck process.

    Raises:
        Exception: whatever ``work`` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)  # type: ignore[arg-type]
        else:
            result.set_exception(error)

    def call() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except Exception as caught:  # noqa: BLE001 handed on to the caller, whatever it is
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=call, name=name, daemon=True).start()
    return await result
