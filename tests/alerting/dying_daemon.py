"""A process to be killed: opens and resolves incidents and mails them, and goes on where the last one was killed.

``python -m tests.alerting.dying_daemon FOLDER PORT CHECKS`` says on standard output what has been committed:
``ready``, then a line ``STATE TARGET`` for each, then ``done`` when everything is sent.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import structlog

from alerting import records
from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.sender import Sender
from haidang.clock import SystemClock
from haidang.model import CheckId, State
from tests.alerting.province import Desk


async def live(folder: Path, port: int, checks: int) -> None:
    desk = Desk(folder, SystemClock())
    server = MailServer("127.0.0.1", port, Security.NONE)
    channel = MailChannel(MailSettings("haidang@example.vn", (server,)))
    sender = Sender(desk.outbox, desk.clock, {"mail": channel})
    sending = asyncio.create_task(sender.run())
    say("ready")
    for number in range(checks):
        check = CheckId(f"station-{number}", "icmp")
        known = records.incidents(desk.sql, resolved=True, check=check)
        steps = [State.DOWN, State.UP][1 if known else 0 :] if not known or known[0].open else []
        for state in steps:
            desk.becomes(state, check)
            say(f"{state} {check.target}")
            sender.wake()
            await asyncio.sleep(0)
    await desk.outbox.until(60, sent=4 * checks)
    say("done")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
