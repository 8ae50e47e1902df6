"""The sender: takes what is due from the outbox and hands it to the channels, many at a time, each with a deadline.

Before each channel stands a gate (`alerting.gate`): so many messages a minute, none while the other side asks to wait
or seems dead. What waits there counts no attempts.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from alerting.channels.base import Channel, DeliveryError, Message, Misconfigured, Refused, Retryable
from alerting.gate import Gate
from alerting.outbox import LONGEST_WAIT_NS, Outbox
from haidang.clock import Clock

logger = structlog.get_logger(__name__)

_STEPS_S = (5, 15, 45, 120, 300, 900)
_LOOK_S = 60.0
"""Looked at least so often, so that a wall clock that was moved is noticed."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message is tried.

    Parameters:
        concurrent: messages under way at a time, by each channel: one that hangs holds up no other.
        deadline_s: for one attempt, all servers together.
        give_up_s: age after which a message counts as undeliverable, once it has been tried
        least_attempts: times: age alone may be a wall clock that jumped, or a daemon that was off.
        misconfigured_s: the shortest wait when an operator must change something first.
        grace_s: what an orderly end grants to messages under way.
    """

    concurrent: int = 16
    deadline_s: float = 300.0
    give_up_s: float = 48 * 3600.0
    least_attempts: int = 20
    misconfigured_s: float = 120.0
    grace_s: float = 2.0


def delay_s(attempts: int, jitter: float) -> float:
    """Return how long to wait after a failed attempt: 5 s, 15 s, 45 s, 2 min, 5 min, then 15 min.

    Parameters:
        attempts: how many have been made, at least 1.
        jitter: 0 to 1; takes up to a fifth off, so that messages that failed together do not come back together.
    """
    return _STEPS_S[min(attempts, len(_STEPS_S)) - 1] * (1 - 0.2 * jitter)


class Sender:
    """Sends.

    Parameters:
        outbox: what to send; commits each step.
        clock: the wall clock plans retries.
        channels: by name; `use` swaps them when the configuration changes.
        patience: the limits.
        jitter: gives numbers from 0 to 1.
        pace: the most messages per minute, by channel.
    """

    def __init__(
        self, outbox: Outbox, clock: Clock, channels: Mapping[str, Channel], patience: Patience | None = None,
        jitter: Callable[[], float] = random.random, pace: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._clock = clock
        self._channels = channels
        self._gates = _gates(channels, pace)
        self._patience = patience or Patience()
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._flying: dict[asyncio.Task[None], Message] = {}
        self._unwritten: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Look into the outbox now: something was put in, or time was moved."""
        self._wake.set()

    def use(self, channels: Mapping[str, Channel], pace: Mapping[str, int] | None = None) -> None:
        """Send by other channels from now on; what is under way ends by the old ones."""
        self._channels = channels
        self._gates = _gates(channels, pace)
        self.wake()

    def dead(self) -> list[str]:
        """Return the channels of which nothing can be hoped now."""
        return sorted(name for name, gate in self._gates.items() if gate.dead)

    async def run(self) -> None:
        """Send until cancelled; then let what is under way end within the grace."""
        recovered = False
        try:
            while True:
                self._wake.clear()
                wait_s = _LOOK_S
                try:
                    if not recovered:
                        again = self._outbox.recover()
                        recovered = True
                        if again:
                            logger.warning("messages in flight at the last end are sent again", messages=again)
                    self._write_outcomes()
                    self._outbox.take_second_ways(self.dead())
                    self._start_due()
                    wait_s = self._wait_s()
                except sqlite3.Error as error:
                    logger.error("outbox cannot be used, tried again", error=str(error))  # noqa: TRY400 it says it all
                    wait_s = 1.0
                except Exception:  # noqa: BLE001 the loop's top: one bad row must not silence the others for good
                    logger.exception("sender stumbled")
                # Not wait_for: before Python 3.12 it forgets a cancellation that comes together with the event.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
        finally:
            await self._land()

    def _start_due(self) -> None:
        busy = {(message.channel, message.address) for message in self._flying.values()}
        flying = Counter(message.channel for message in self._flying.values())
        now_ns = self._clock.monotonic_ns()
        gates = {
            name: max(0, min(gate.free(now_ns), self._patience.concurrent - flying[name]))
            for name, gate in self._gates.items()
        }
        for name, gate in self._gates.items():
            if gate.dead and gates[name]:
                self._outbox.try_now(name)  # one goes as a try; the others follow at once when it gets through
        due = self._outbox.due(self._patience.concurrent * (len(gates) + 1), busy, gates)
        if not due:
            return
        for message in self._outbox.claim(due):
            if message.channel in self._gates:
                self._gates[message.channel].take(now_ns)
            task = asyncio.create_task(self._deliver(message), name=f"send {message.message_id}")
            self._flying[task] = message
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self.wake()

    def _wait_s(self) -> float:
        now_ns, planned = self._clock.monotonic_ns(), self._outbox.next_ns()
        waits = [] if planned is None else [planned - self._clock.utc_ns()]
        waits += [at_ns - now_ns for gate in self._gates.values() if (at_ns := gate.opens_ns(now_ns)) is not None]
        return min([_LOOK_S, *(max(0.01, wait_ns / 1e9) for wait_ns in waits)])

    async def _deliver(self, message: Message) -> None:
        """Make one attempt and write down what came of it. Only this task ends the row it was given."""
        began_ns = self._clock.monotonic_ns()
        gate = self._gates.get(message.channel) or Gate()
        try:
            channel = self._channels.get(message.channel)
            if channel is None:
                raise Misconfigured(f'no channel "{message.channel}" is configured', dead=True)  # noqa: TRY301 one way for all
            async with asyncio.timeout(self._patience.deadline_s):
                await channel.send(message)
        except DeliveryError as error:
            self._judge(gate, message, error)
        except TimeoutError:
            late = Retryable(f"not done within {self._patience.deadline_s:g} s", dead=True)
            self._judge(gate, message, late)
        except asyncio.CancelledError:
            gate.undecided()
            raise
        except Exception as error:  # noqa: BLE001 a fault in one channel must not stop the others
            logger.exception("channel broke its contract", channel=message.channel, message_id=message.message_id)
            self._judge(gate, message, Retryable(f"{type(error).__name__}: {error}", dead=True))
        else:
            self._record(lambda: self._outbox.sent(message))
            if gate.passed():
                logger.warning("channel works again", channel=message.channel)
                self._record(lambda: self._outbox.try_now(message.channel))
            logger.info(
                "message sent", **_about(message), duration_ms=(self._clock.monotonic_ns() - began_ns) // 1_000_000
            )

    def _judge(self, gate: Gate, message: Message, error: DeliveryError) -> None:
        """Take in that it did not go: what it means for the message, and for its channel."""
        now_ns, was_dead = self._clock.monotonic_ns(), gate.dead
        if error.dead:
            gate.failed(now_ns)
        else:
            gate.passed()
        if error.after_s is not None:
            gate.hold(now_ns, error.after_s)
        if isinstance(error, Refused):
            self._give_up(message, str(error))
        else:
            self._try_later(message, error)
        if gate.dead and not was_dead:
            logger.error("channel seems dead, tried again now and then", channel=message.channel, error=str(error))

    def _try_later(self, message: Message, error: DeliveryError) -> None:
        slowly = isinstance(error, Misconfigured)
        age_s = (self._clock.utc_ns() - message.created_ns) / 1e9
        if age_s > self._patience.give_up_s and message.attempts >= self._patience.least_attempts:
            self._give_up(message, f"given up after {age_s / 3600:.0f} h: {error}")
            return
        wait_s = max(delay_s(message.attempts, self._jitter()), error.after_s or 0.0)
        if slowly:
            wait_s = max(wait_s, self._patience.misconfigured_s)
        at_ns = self._clock.utc_ns() + min(round(wait_s * 1e9), LONGEST_WAIT_NS)
        self._record(lambda: self._outbox.retry(message, at_ns, str(error), hopeless=slowly))
        log = logger.error if slowly else logger.warning
        log("message not sent, tried again", **_about(message), error=str(error), wait_s=round(wait_s))

    def _give_up(self, message: Message, error: str) -> None:
        self._record(lambda: self._outbox.failed(message, error))
        logger.error("message failed for good", **_about(message), error=error)

    def _record(self, outcome: Callable[[], None]) -> None:
        """Write an outcome down, or keep it until the disk takes it: what was sent must not be sent again."""
        self._unwritten.append(outcome)
        try:
            self._write_outcomes()
        except sqlite3.Error as error:
            logger.error("outbox cannot be written, outcome kept in memory", error=str(error))  # noqa: TRY400 as above

    def _write_outcomes(self) -> None:
        while self._unwritten:
            self._unwritten[0]()
            self._unwritten.pop(0)

    async def _land(self) -> None:
        if self._flying:
            _, late = await asyncio.wait(self._flying, timeout=self._patience.grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            self._write_outcomes()
        except sqlite3.Error as error:
            logger.error("what was sent could not be noted and is sent again", error=str(error))  # noqa: TRY400 as above


def _gates(channels: Mapping[str, Channel], pace: Mapping[str, int] | None) -> dict[str, Gate]:
    return {name: Gate((pace or {}).get(name)) for name in channels}


def _about(message: Message) -> dict[str, object]:
    return {
        "incident": message.incident, "step": message.step, "contact": message.contact, "channel": message.channel,
        "message_id": message.message_id, "attempt": message.attempts,
    }  # fmt: skip
