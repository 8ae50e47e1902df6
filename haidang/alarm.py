"""Alerting as the daemon runs it: incidents, who is told, the outbox, what is sent, drills, the audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any, Literal

import structlog

from alerting.channels.base import Channel
from alerting.drill import Drills, DrillSettings
from alerting.escalation import Escalations
from alerting.escalator import Escalator
from alerting.incidents import Incidents
from alerting.links import Link, key_of, sign
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from alerting.sender import Sender
from alerting.world import World
from config import Configuration
from haidang import handling
from haidang.auditing import audited, configuration_taken
from haidang.clock import Clock
from haidang.control import Verb
from haidang.duty import Duty
from haidang.maintaining import one_line
from haidang.testing import tested
from haidang.ways import mail_domain, pace
from storage.audit import Audit
from storage.database import Database

logger = structlog.get_logger(__name__)


class Alarm:
    """Everything between a change of state and a message that was taken.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        database, clock, world: what alerting stands on.
        channels: makes the ways out that a configuration names.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, world: World,
        channels: Callable[[Configuration], dict[str, Channel]],
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._channels = channels
        self._audit = Audit(database)
        self._key = self._link_key()
        self.duty = Duty(configuration, database, clock)
        self.outbox = Outbox(
            database, clock, mail_domain(configuration), configuration.alerting.second_way_s
        )  # fmt: skip
        self._escalations = Escalations(database, clock)
        notifier = Notifier(
            self.outbox, world, configuration.timezone, self._escalations, self.duty,
            lambda number, contact: self._link("incident", number, contact),
        )  # fmt: skip
        self.incidents = Incidents(database, clock, world, notifier, handling.policy(configuration))
        self._escalator = Escalator(database, clock, self._escalations, notifier, self.duty)
        self.drills = Drills(
            database, clock, self.outbox, self.duty.people,
            lambda number, contact: self._link("drill", number, contact),
        )  # fmt: skip
        self.drills.settings = drill_settings(configuration)
        self.sender = Sender(self.outbox, clock, channels(configuration), pace=pace(configuration))

    def started(self) -> None:
        """Keep by which configuration the daemon goes, and let waiting messages go: what failed may be mended."""
        configuration_taken(self._audit, self._clock, self._configuration, "start")
        self.outbox.try_now()

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; what is under way goes on as it began."""
        self._configuration = configuration
        configuration_taken(self._audit, self._clock, configuration, "reload")
        self.duty.use(configuration)
        self.drills.settings = drill_settings(configuration)
        self.outbox.domain = mail_domain(configuration) or self.outbox.domain
        self.outbox.second_way_s = configuration.alerting.second_way_s
        self.outbox.try_now()
        self.sender.use(self._channels(configuration), pace(configuration))

    def tick(self) -> None:
        """Let time pass; call it every second."""
        escalated = self._escalator.tick()
        drilled = self.drills.tick()
        if escalated or drilled:
            self.sender.wake()

    def clock_stepped(self, before_ns: int, after_ns: int) -> None:
        """Follow a step of the wall clock."""
        self._escalations.clock_stepped(before_ns, after_ns)
        self.sender.wake()

    def keep(self, kind: str, author: str, data: Mapping[str, Any]) -> None:
        """Put an entry into the audit log."""
        self._audit.add(self._clock.utc_ns(), kind, author, data)

    def verbs(self, others: Mapping[str, Verb], undone: Callable[[], None]) -> dict[str, Verb]:
        """Return what can be asked for, each kept in the audit log.

        Parameters:
            others: what other parts of the daemon do.
            undone: reads anew what these have in memory.
        """

        def read() -> None:
            self.duty.read()
            undone()

        mine = {**self.duty.verbs(), "drill.ack": self._drilled, "notify.test": self._test}
        return audited({**others, **mine}, self._audit, self._database, self._clock, read)

    def _drilled(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        number = request.get("number")
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError("the number of a drill is needed")  # noqa: TRY004 words for the one who asked
        row = self.drills.acknowledge(number, one_line(request, "who", 100))
        return {"contact": row.contact, "channel": row.channel}

    def _test(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        message_id = tested(self._configuration, self.outbox, self._clock.utc_ns(), request)
        self.sender.wake()
        return {"message_id": message_id}

    def _link(self, kind: Literal["incident", "drill"], number: int, contact: str) -> str:
        alerting = self._configuration.alerting
        if alerting.url is None or self._key is None:
            return ""
        expires_s = self._clock.utc_ns() // 10**9 + round(alerting.link_lasts_s)
        return f"{alerting.url.rstrip('/')}/ack/{sign(self._key, Link(kind, number, contact, expires_s))}"

    def _link_key(self) -> bytes | None:
        try:
            return key_of(self._database.path.parent)
        except OSError as error:
            logger.error("messages go without links to acknowledge", reason=str(error))  # noqa: TRY400 all is said
            return None


def drill_settings(configuration: Configuration) -> DrillSettings | None:
    """Return the drill as it is configured, ``None`` when it is not."""
    drill = configuration.alerting.drill
    if drill is None:
        return None
    return DrillSettings(
        time.fromisoformat(drill.at), drill.to, drill.within_s, drill.escalate, configuration.timezone
    )  # fmt: skip
