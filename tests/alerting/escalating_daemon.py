"""A process to be killed while incidents stay open and escalate.

``python -m tests.alerting.escalating_daemon FOLDER PORT INCIDENTS`` says ``ready``, then ``done`` when every step of
every incident is sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.policy import Policy
from alerting.records import Incident
from alerting.routing import Plan, Rung
from alerting.sender import Sender
from alerting.world import Recipient
from haidang.clock import SystemClock
from haidang.model import CheckId, State
from tests.alerting.dying_daemon import say
from tests.alerting.province import Desk, Province

STEPS = ("first", "second", "third")


class Routes:
    """One route with three steps, a fraction of a second apart."""

    def plans(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Sequence[Plan]:
        return (Plan("all", tuple(Rung(0.3 * number, (name,)) for number, name in enumerate(STEPS))),)

    def people(self, names: Sequence[str], at_ns: int) -> Sequence[Recipient]:
        return [Recipient(name, f"{name}@example.vn") for name in names]

    def silenced_until_ns(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> int | None:
        return None


async def live(folder: Path, port: int, count: int) -> None:
    desk = Desk(folder, SystemClock(), Province(()), Policy(hold_s=0, storm_from=10**6), Routes())
    server = MailServer("127.0.0.1", port, Security.NONE)
    sender = Sender(desk.outbox, desk.clock, {"mail": MailChannel(MailSettings("haidang@example.vn", (server,)))})
    sending = asyncio.create_task(sender.run())
    say("ready")
    known = {check.target for check in desk.incidents.open_checks()}
    for number in range(count):
        if f"station-{number}" not in known:
            desk.becomes(State.DOWN, CheckId(f"station-{number}", "icmp"))
            await asyncio.sleep(0)
    while desk.outbox.counts() != {"sent": count * len(STEPS)}:
        told = desk.incidents.tick()
        if desk.escalator.tick() or told:
            sender.wake()
        await asyncio.sleep(0.01)
    say("done")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


if __name__ == "__main__":
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
