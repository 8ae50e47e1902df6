"""Calls that may hang for ever (a name look-up, a dead network file system), kept off the event loop.

Each call gets a thread of its own that does not hold up the end of the process; a pool's threads would, and one hung
call would starve the others.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _Apart(Executor):
    """A thread for each call."""

    def __init__(self, name: str) -> None:
        self._name = name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                value = fn(*args, **kwargs)
            except Exception as caught:  # noqa: BLE001 handed on to the caller, whatever it is
                future.set_exception(caught)
            else:
                future.set_result(value)

        threading.Thread(target=call, name=self._name, daemon=True).start()
        return future


async def in_thread(work: Callable[[], T], name: str) -> T:
    """Run a blocking call in a thread and wait for it.

    When the caller is cancelled the thread goes on and its result is dropped; the caller bounds how many there are.

    Parameters:
        work: what to call.
        name: of the thread, for whoever looks at a stuck process.

    Raises:
        Exception: whatever ``work`` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(_Apart(name), work)
