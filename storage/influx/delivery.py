"""One batch is carried to the store until every line is stored or a dead letter.

Numbered, as a batch lives it:
1. All its lines are sent in one request.
2. Stored: done. Silence, overload or a refusal that only a person can mend: wait, send the same bytes again.
3. Too large: two halves, each from 1.
4. The store stored all but some lines: those it names are dead letters. Those it does not name are looked for by
   halves (what is stored already is overwritten by itself), unless they are many.
5. The store stored nothing: without the lines it names, again from 1; without names by halves, down to the one line.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from haidang.clock import Clock
from storage.influx.replies import Judgement, Reply, Verdict, judge
from storage.influx.transport import Unreachable
from storage.metrics_model import SECOND_NS, FlavourName, InfluxSettings, StoreError
from storage.spool import DeadLetter

logger = structlog.get_logger(__name__)

_MOST_SEARCHED = 16
_WORDS = 500


class Delivery:
    """Sends batches, one at a time and in order.

    Parameters:
        post: sends a body to a flavour and returns the answer; raises `Unreachable`.
        detect: asks the server what it is; raises `Unreachable`, `StoreError`.
        create_database: makes the missing database; returns whether it did.
        pause: waits some seconds, or less when there is reason to try again at once.
    """

    def __init__(
        self, settings: InfluxSettings, clock: Clock,
        post: Callable[[FlavourName, bytes], Awaitable[Reply]], detect: Callable[[], Awaitable[FlavourName]],
        create_database: Callable[[], Awaitable[bool]], pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._clock = clock
        self._post = post
        self._detect = detect
        self._create_database = create_database
        self._pause = pause
        self._failures = 0
        self.flavour: FlavourName | None = None if settings.flavour == "auto" else settings.flavour
        self.last_error = ""

    async def deliver(self, lines: Sequence[bytes]) -> list[DeadLetter]:
        """Carry lines to the store; returns those it would not have. Only cancelling ends a wait for it."""
        dead: list[DeadLetter] = []
        todo = [list(lines)]
        while todo:
            part = todo.pop()
            if not part:
                continue
            judged = await self._send(part)
            if judged.verdict is Verdict.STORED:
                continue
            dead += [DeadLetter(part[index], why or judged.words[:_WORDS]) for index, why in judged.bad.items()]
            rest = [line for index, line in enumerate(part) if index not in judged.bad]
            if judged.verdict is Verdict.PARTLY:
                todo += self._search(part, rest, judged, dead)
            elif len(part) == 1:
                if not judged.bad:
                    dead.append(DeadLetter(part[0], judged.words[:_WORDS]))
            elif judged.bad:
                todo.append(rest)
            else:
                todo += _halves(part)
        if dead:
            logger.warning("the store refused lines", lines=sum(one.points for one in dead), words=dead[0].reason[:200])
        return dead

    def _search(
        self, part: list[bytes], rest: list[bytes], judged: Judgement, dead: list[DeadLetter]
    ) -> list[list[bytes]]:
        """Return what to send again to find the dropped lines that the store did not name."""
        unnamed = judged.dropped - len(judged.bad)
        if unnamed <= 0:
            return []
        if len(rest) <= unnamed:
            dead += [DeadLetter(line, judged.words[:_WORDS]) for line in rest]
            return []
        if unnamed > _MOST_SEARCHED or self.flavour == "victoriametrics":
            words = f"{unnamed} of {len(part)} lines, not named: {judged.words}"
            dead.append(DeadLetter(b"", words[:_WORDS], unnamed))
            return []
        return _halves(rest)

    async def _send(self, lines: Sequence[bytes]) -> Judgement:
        """Send lines until there is an answer that says something about them."""
        body = b"\n".join(lines)
        while True:
            wait_s = self._settings.retry_s
            try:
                if self.flavour is None:
                    self.flavour = await self._detect()
                    logger.info("metric store found", url=self._settings.url, flavour=self.flavour)
                reply = await self._post(self.flavour, body)
                judged = await asyncio.to_thread(judge, reply, lines) if reply.status >= 400 else judge(reply, lines)
            except Unreachable as error:
                wait_s = self._fail(str(error))
            except StoreError as error:
                self._forget_flavour()
                wait_s = self._hold(str(error))
            else:
                if judged.verdict is Verdict.RETRY:
                    wait_s = max(self._fail(judged.words), judged.retry_after_s)
                elif judged.verdict is Verdict.HOLD:
                    if judged.missing_database and await self._make_database():
                        continue
                    self._forget_flavour()
                    wait_s = self._hold(judged.words)
                else:
                    self._recover()
                    return judged
            await self._pause(wait_s)

    async def _make_database(self) -> bool:
        if not self._settings.create_database or self.flavour != "v1":
            return False
        try:
            return await self._create_database()
        except Unreachable:
            return False

    def _forget_flavour(self) -> None:
        """Ask again what answers there: it may have been replaced."""
        if self._settings.flavour == "auto":
            self.flavour = None

    def _fail(self, words: str) -> float:
        """Count a failure; returns the pause: doubling, with jitter so that many writers do not come back at once."""
        self._forget_flavour()
        self._failures += 1
        self._tell(words)
        pause_s: float = min(self._settings.retry_s * 2.0 ** min(self._failures - 1, 30), self._settings.retry_max_s)
        return pause_s * random.uniform(0.5, 1.0)

    def _hold(self, words: str) -> float:
        self._tell(f"metrics are kept in the spool until this is mended: {words}")
        return self._settings.hold_s * random.uniform(0.8, 1.2)

    def _tell(self, words: str) -> None:
        words = words[:_WORDS]
        if not self.last_error:
            logger.error("metric store does not take points, they are spooled", words=words)
            self._since_ns = self._clock.monotonic_ns()
        self.last_error = words

    def _recover(self) -> None:
        self._failures = 0
        if self.last_error:
            away_s = (self._clock.monotonic_ns() - self._since_ns) / SECOND_NS
            logger.info("metric store takes points again", away_s=round(away_s, 1))
        self.last_error = ""


def _halves(lines: list[bytes]) -> list[list[bytes]]:
    """Return both halves, the later one first: the last one is sent next."""
    middle = len(lines) // 2
    return [lines[middle:], lines[:middle]]
