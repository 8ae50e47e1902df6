"""What the commands that change something share: who asks, for when, and the asking."""

from __future__ import annotations

import getpass
import os
import re
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from config import Configuration
from config.errors import quoted
from haidang.commands.common import fail
from haidang.control import ControlError, Refused, ask
from storage.accounts import KINDS

On = Annotated[str, typer.Argument(metavar="KIND:NAME", help="target:ID, site:ID, circuit:ID, carrier:NAME, system:ID")]
Reason = Annotated[str, typer.Option(help="Why; stands in the reports.")]
Author = Annotated[str | None, typer.Option(help="Who says so; default: the user.")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="2026-11-30T02:00, in the configuration's zone.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="The end; or give --for.")]
For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long: 90m, 2h, 1d.")]


def covered(on: str) -> tuple[str, str]:
    """Read KIND:NAME."""
    kind, _, name = on.partition(":")
    if kind not in KINDS or not name:
        fail(f"{quoted(on)} is not KIND:NAME: write one of {', '.join(KINDS)} before it, as in target:hub")
    return kind, name


def bounds(zone: ZoneInfo, start: str, to: str | None, lasting: str | None) -> tuple[int, int]:
    """Return start and end of a stretch of time as a person gave it; ends the command when that is no such thing."""
    if (to is None) == (lasting is None):
        fail("give either --to TIME or --for DURATION")
    start_ns = moment(start, zone)
    if to is not None:
        return start_ns, moment(to, zone)
    lasting_ns = span_ns(lasting or "")
    if lasting_ns is None:
        fail(f'--for: "{lasting}" is not a duration: write 90m, 2h or 1d')
    return start_ns, start_ns + lasting_ns


def span_ns(text: str) -> int | None:
    """Return a duration as a person gave it (``90m``, ``2h``, ``1d``), nanoseconds; ``None`` when it is none."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    return int(match[1]) * {"m": 60, "h": 3600, "d": 86_400}[match[2]] * 10**9 if match else None


def moment(text: str, zone: ZoneInfo) -> int:
    """Return a time as a person gave it, UTC nanoseconds; ends the command when it is none."""
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()) * 10**9
    except (ValueError, OverflowError):
        fail(f'"{text}" is not a time: write 2026-11-30T02:00')


def user() -> str:
    """Return who asks: with sudo the one who typed it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def request(configuration: Configuration, do: str, **words: object) -> dict[str, Any]:
    """Ask the running daemon for something; ends the command with its words when it is not done.

    With 2 when the request is wrong, as one about an incident that there is not; with 1 when nobody is there to do it.
    """
    try:
        return ask(configuration.data_dir, do, words)
    except ControlError as error:
        fail(str(error), status=2 if isinstance(error, Refused) else 1)
