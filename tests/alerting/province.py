"""A small province for the tests of alerting: names, readers and figures that stand still."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from alerting.channels.base import Message
from alerting.escalation import Escalations
from alerting.escalator import Escalator
from alerting.incidents import Incidents
from alerting.notifier import NoRoutes, Notifier, Router
from alerting.outbox import Outbox
from alerting.policy import Policy
from alerting.severity import Impact
from alerting.world import Ground, Recipient, Subject
from availability.objectives import Figures
from haidang.clock import Clock, ManualClock
from haidang.model import CheckId, State, Transition
from storage.database import Database

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HUB, SPOKE = CheckId("hub", "icmp"), CheckId("spoke", "icmp")
SECOND = 10**9
START = 1_763_842_325 * SECOND  # 23/11/2025 03:12:05 in Vietnam
AN = Recipient("an", "an@example.vn", "vi")
BINH = Recipient("binh", "binh@example.vn", "en")


@dataclass
class Province:
    """The world as the daemon would describe it; change it as a reload of the configuration does."""

    readers: Sequence[Recipient] = (AN, BINH)
    subjects: dict[CheckId, Subject] = field(default_factory=dict)
    below: dict[CheckId, Sequence[CheckId]] = field(default_factory=dict)
    ways: dict[CheckId, Sequence[CheckId]] = field(default_factory=dict)
    grounds: dict[CheckId, Collection[Ground]] = field(default_factory=dict)
    figures: Figures | None = None

    def subject(self, check: CheckId) -> Subject:
        return self.subjects.get(check) or Subject({"vi": f"Trạm {check.target}", "en": f"Station {check.target}"})

    def recipients(self, check: CheckId) -> Sequence[Recipient]:
        return self.readers

    def behind(self, check: CheckId) -> Sequence[CheckId]:
        return self.below.get(check, ())

    def above(self, check: CheckId) -> Sequence[CheckId]:
        return self.ways.get(check, ())

    def common(self, check: CheckId) -> Collection[Ground]:
        return self.grounds.get(check, ())

    def impact(self, checks: Collection[CheckId]) -> Impact:
        lost = {one for check in checks for one in (check, *self.behind(check))}
        return Impact(targets=len(lost), sites=len(lost))

    def month(self, check: CheckId, at_ns: int) -> Figures | None:
        return self.figures


class WatchedOutbox(Outbox):
    """Lets a test wait for what the sender writes."""

    def __init__(self, database: Database, clock: Clock, domain: str) -> None:
        super().__init__(database, clock, domain)
        self._changed = asyncio.Event()
        self._attempts: asyncio.Queue[str] = asyncio.Queue()

    def sent(self, message: Message) -> None:
        super().sent(message)
        self._note(message)

    def failed(self, message: Message, error: str) -> None:
        super().failed(message, error)
        self._note(message)

    def retry(self, message: Message, at_ns: int, error: str, *, hopeless: bool = False) -> None:
        super().retry(message, at_ns, error, hopeless=hopeless)
        self._note(message)

    async def attempted(self) -> str:
        """Wait until the outcome of one more attempt is written, and return the message's id."""
        return await asyncio.wait_for(self._attempts.get(), 10)

    def _note(self, message: Message) -> None:
        self._changed.set()
        self._attempts.put_nowait(message.message_id)

    async def until(self, timeout_s: float = 10.0, **counts: int) -> None:
        """Wait until exactly so many messages are in each state."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.counts() != counts:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.counts()} and not {counts} after {timeout_s:g} s") from None


class Desk:
    """Everything of alerting up to the outbox, on a database of its own."""

    def __init__(
        self, folder: Path, clock: Clock | None = None, world: Province | None = None, policy: Policy | None = None,
        router: Router | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock or ManualClock(START)
        self.world = world or Province()
        self.database = Database(folder / "haidang.db", "haidang")
        self.outbox = WatchedOutbox(self.database, self.clock, "example.vn")
        self.router = router or NoRoutes()
        self.escalations = Escalations(self.database, self.clock)
        notifier = Notifier(self.outbox, self.world, ZONE, self.escalations, self.router)
        self.escalator = Escalator(self.database, self.clock, self.escalations, notifier, self.router)
        self.incidents = Incidents(self.database, self.clock, self.world, notifier, policy or Policy(hold_s=0))

    @property
    def sql(self) -> sqlite3.Connection:
        return self.database.connection

    def becomes(self, state: State, check: CheckId = HUB, reason: str = "", cause: CheckId | None = None) -> int | None:
        """Confirm a state that began 40 s ago."""
        now = self.clock.utc_ns()
        return self.incidents.on_transition(Transition(check, state, None, now - 40 * SECOND, now, reason, cause))
