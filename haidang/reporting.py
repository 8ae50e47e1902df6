"""Reports made from what there is: the ledger, the metric store, the forecaster; asked by a command or by the calendar.

The daemon has its report made by a process of its own (this program's own command), so that probing never waits for it,
and mails it through the outbox.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from alerting.outbox import Outbox
from alerting.world import Recipient, Step
from availability.books import Books
from availability.periods import month_named
from config import Configuration
from haidang.foretelling import Foretelling
from reports.archive import Archive
from reports.equipment import Equipment
from reports.figures import Asked, Chance, as_of, build
from reports.lines import Progress
from reports.model import Report
from reports.words import Words

logger = structlog.get_logger(__name__)

LONGEST_S = 900
"""A report that is not made in this time is given up until the next day."""
MAILED = ("pdf", "xlsx")
_NICE = 10


def make(
    configuration: Configuration, sql: sqlite3.Connection, month: str, now_ns: int, known_ns: int,
    *, kind: str = "", name: str = "", equipment: Equipment | None = None, progress: Progress = lambda *_: None,
) -> Report:  # fmt: skip
    """Make a month's report with what the forecaster says of the next one.

    Parameters:
        sql: any connection to ``haidang.db``.
        known_ns: where knowledge ends: now while the daemon runs, else its last sign of life.
        kind, name: see `reports.figures.Asked`.

    Raises:
        ValueError: the month is not one.
    """
    until_ns = as_of(month, configuration.timezone, now_ns)
    progress("forecast", 0, 1)
    # The period of a month that is over has to be the next one, with a moment of it on record.
    at_ns = until_ns + 10**9 if until_ns < now_ns else until_ns
    foretelling = Foretelling(configuration, Books(configuration, sql, at_ns, min(known_ns, at_ns)), at_ns)
    outlook = {
        one.promise.id: Chance(one.miss, one.pooled) for one in foretelling.promises() if one.promise.period == "month"
    }
    asked = Asked(month, now_ns, known_ns, kind, name, equipment or Equipment(), outlook)
    return build(configuration, sql, asked, progress)


def month_before(now_ns: int, zone: ZoneInfo) -> str:
    """Return the month that ended last."""
    local = datetime.fromtimestamp(now_ns // 10**9, zone)
    return f"{local.year - 1}-12" if local.month == 1 else f"{local.year}-{local.month - 1:02d}"


def is_due(configuration: Configuration, sql: sqlite3.Connection, now_ns: int) -> str | None:
    """Return the month whose report is missing; ``None`` when it is kept, or nothing was watched in it."""
    month = month_before(now_ns, configuration.timezone)
    if Archive(configuration.data_dir).revisions(month):
        return None
    (since_ns,) = sql.execute("SELECT min(since_ns) FROM watched").fetchone()
    end_ns = month_named(month, configuration.timezone).end_ns
    return month if since_ns is not None and since_ns < end_ns else None


def languages(configuration: Configuration) -> list[str]:
    """Return the languages of the readers; without readers, the configuration's."""
    contacts = configuration.inventory.contacts
    found = {contacts[name].language or configuration.language for name in configuration.reports.to}
    return sorted(found) or [configuration.language]


async def have_made(config: Path, month: str) -> str | None:
    """Have a report made and kept by a process of its own.

    Returns:
        what went wrong; ``None``: it is kept.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "haidang", "report", "--month", month, "--keep", "--config", str(config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        with suppress(OSError):  # a hardened service may not be allowed to; it only takes a second
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        async with asyncio.timeout(LONGEST_S):
            _, errors = await process.communicate()
    except TimeoutError:
        return f"it took longer than {LONGEST_S} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return None
    return errors.decode("utf-8", "replace").strip()[-500:] or f"it ended with {process.returncode}"


def mail(configuration: Configuration, outbox: Outbox, month: str, now_ns: int) -> int:
    """Put a kept report into the outbox for each of its readers, in his language.

    Returns:
        how many letters that were.
    """
    folder = Archive(configuration.data_dir).revisions(month)[-1]
    report = Archive(configuration.data_dir).latest(month)
    letters = 0
    for name in configuration.reports.to:
        contact = configuration.inventory.contacts[name]
        if contact.email is None:
            continue
        language = contact.language or configuration.language
        words = Words(language, configuration.timezone)
        files = [str(one) for ending in MAILED for one in sorted(folder.glob(f"*-{language}.{ending}"))]
        story = " ".join(report.story[language]) if report else ""
        payload = {
            "subject": words.say("mail.subject", month=words.month(month)),
            "text": f"{words.say('mail.text', month=words.month(month))}\n\n{story}\n", "html": "", "files": files,
        }  # fmt: skip
        outbox.put(None, Step.REPORT, Recipient(name, contact.email, language), payload, now_ns)
        letters += 1
    return letters
