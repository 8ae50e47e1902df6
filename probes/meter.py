"""What each kind of probe costs: the processor time of the event loop's thread, charged to whoever is at work.

Time is exclusive: work that begins within other work is charged to itself, and the outer one goes on afterwards. What
nobody is charged with (the loop itself, the parts of a TLS connection that asyncio handles, threads) is the difference
to the whole process's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Meter:
    """Counts processor time by kind of work, for one thread.

    Parameters:
        now: the thread's processor time so far, nanoseconds.
    """

    def __init__(self, now: Callable[[], int] = time.thread_time_ns) -> None:
        self._now = now
        self._kind = ""
        self._since = 0
        self.spent_ns: dict[str, int] = {}

    def run(self, kind: str, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something now and charge a kind of work with it."""
        outer, began = self._kind, self._now()
        if outer:
            self.spent_ns[outer] = self.spent_ns.get(outer, 0) + began - self._since
        self._kind, self._since = kind, began
        try:
            return work(*args, **kwargs)
        finally:
            ended = self._now()
            self.spent_ns[kind] = self.spent_ns.get(kind, 0) + ended - self._since
            self._kind, self._since = outer, ended

    def steps(self, kind: str, coroutine: Coroutine[Any, Any, R]) -> Coroutine[Any, Any, R]:
        """Charge a kind of work with each step of a coroutine, not with its waits."""
        return _Metered(self, kind, coroutine)


class _Metered(Coroutine[Any, Any, R]):
    """A coroutine whose steps are charged; awaited or made a task like any other."""

    __slots__ = ("_coroutine", "_kind", "_meter")

    def __init__(self, meter: Meter, kind: str, coroutine: Coroutine[Any, Any, R]) -> None:
        self._meter = meter
        self._kind = kind
        self._coroutine = coroutine

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 what a loop sends and gets is the loop's
        return self._meter.run(self._kind, self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401 as above
        return self._meter.run(self._kind, self._coroutine.throw, *error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> _Metered[R]:
        return self

    def __iter__(self) -> _Metered[R]:
        return self

    def __next__(self) -> Any:  # noqa: ANN401 as above
        return self.send(None)
