"""The command that sends a history through today's rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from availability import spans
from config import Configuration
from haidang import logs, show
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, print_table, read_config
from haidang.history import Happened, HistoryError, read
from haidang.replay import Replayed, noticed, replay


def replay_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines of observations and outages.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a history by today's rules and topology.

    Says what they would have made of it, beside what is known of it. Ends with 1 when a known outage goes unnoticed
    or something is reported that was none.
    """
    configuration = read_config(config)
    logs.configure(configuration.logging.format, "error")  # what the daemon would say of each step is not asked for
    try:
        happened = read(file)
        found = _compared(configuration, happened, replay(configuration, happened))
    except (HistoryError, ValueError) as error:
        fail(str(error))
    if as_json:
        print_json(found)
    else:
        _show(configuration, found)
    bad = any(row["missed"] or row["false_alarms"] for row in found["targets"]) if happened.outages else False
    raise typer.Exit(1 if bad else 0)


def _compared(configuration: Configuration, happened: Happened, found: Replayed) -> dict[str, Any]:
    rows = []
    for name in configuration.inventory.targets:
        known, measured = happened.down(name), found.down[name]
        alarms = [(one.started_ns, one.ended_ns or found.end_ns) for one in found.alarms if one.target == name]
        hits = noticed(known, measured)
        false = len(alarms) - noticed(alarms, known) if happened.outages else 0
        if known or measured:
            rows.append(
                {
                    "target": name, "known_outages": len(known), "noticed": hits, "missed": len(known) - hits,
                    "false_alarms": false, "known_down_s": spans.total(known) / 1e9,
                    "measured_down_s": spans.total(measured) / 1e9,
                }
            )  # fmt: skip
    named = {one.target for one in happened.observations} | {one.target for one in happened.outages}
    unknown = named - configuration.inventory.targets.keys()
    return {
        "from": show.utc(found.start_ns), "until": show.utc(found.end_ns), "not_configured": sorted(unknown),
        "incidents": [
            {
                "target": one.target, "started": show.utc(one.started_ns), "confirmed": show.utc(one.confirmed_ns),
                "ended": show.utc(one.ended_ns), "delay_s": (one.confirmed_ns - one.started_ns) / 1e9,
                "hidden": list(one.hidden), "messages": one.messages,
            }
            for one in found.alarms
        ],
        "pages": len(found.alarms), "messages": sum(one.messages for one in found.alarms), "targets": rows,
        "misses": [asdict(one) for one in found.misses],
    }  # fmt: skip


def _show(configuration: Configuration, found: dict[str, Any]) -> None:
    inventory, language = configuration.inventory, configuration.language
    typer.echo(f"{found['from']} to {found['until']}: {found['pages']} incidents, {found['messages']} messages")
    if found["incidents"]:
        print_table(
            ("incident", "started", "told after", "hidden"),
            (
                (
                    inventory.targets[one["target"]].label(language), one["started"], show.span(one["delay_s"]),
                    str(len(one["hidden"])),
                )
                for one in found["incidents"]
            ),
            right=(2, 3),
        )  # fmt: skip
    print_table(
        ("target", "known", "noticed", "false", "known down", "measured"),
        (
            (
                inventory.targets[row["target"]].label(language), str(row["known_outages"]), str(row["noticed"]),
                str(row["false_alarms"]), show.span(row["known_down_s"]), show.span(row["measured_down_s"]),
            )
            for row in found["targets"]
        ),
        right=range(1, 6),
    )  # fmt: skip
    for one in found["misses"]:
        used, budget = show.span(one["down_s"]), show.span(one["budget_s"])
        typer.echo(f"objective {one['objective']} missed in {one['period']}: {used} down, {budget} allowed")
    if found["not_configured"]:
        typer.echo(f"not configured, left out: {', '.join(found['not_configured'])}")
