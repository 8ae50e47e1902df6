"""An observation on the terminal, or as JSON; shared by everything that probes by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

import typer

from haidang.commands.common import clean, fail, print_json, spoken
from haidang.model import Observation, Status
from haidang.reasons import told
from probes.icmp import IcmpUnavailable

T = TypeVar("T")


def observation_json(seen: Observation) -> dict[str, Any]:
    """Give an observation the shape that programs rely on (the slot as UTC in ISO 8601)."""
    slot = datetime.fromtimestamp(seen.slot_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    return {
        "target": seen.target, "probe": seen.probe, "slot": slot.replace("+00:00", "Z"), "status": seen.status.value,
        "reason": seen.reason, "fields": dict(seen.fields), "duration_ms": round(seen.duration_ms, 3),
    }  # fmt: skip


def show(
    seen: Observation, *, language: str | None, as_json: bool, more: Mapping[str, object] | None = None
) -> NoReturn:
    """Print an observation and end: 0 when it is up, else 1.

    Parameters:
        seen: what is shown.
        language: in which people are told the reason, as the command line has it.
        as_json: print it for programs instead, whose reasons are English.
        more: is for programs only.
    """
    if as_json:
        print_json({**observation_json(seen), **(more or {})})
    else:
        typer.echo(
            f"{seen.target} {seen.probe}: {seen.status.value.upper()}"
            + (f", {clean(told(seen.reason, spoken(language)))}" if seen.reason else "")
        )
        for name, value in seen.fields.items():
            shown = f"{value:.3f}" if isinstance(value, float) else clean(str(value))
            typer.echo(f"  {clean(name):18} {shown}")
    raise typer.Exit(0 if seen.status is Status.UP else 1)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a probe; ends the command when it cannot be made."""
    try:
        return asyncio.run(work)
    except (ValueError, OSError, IcmpUnavailable) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
