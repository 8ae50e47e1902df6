"""Commands about maintenance and what else people add to the ledger. The running daemon writes; these ask it to."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from availability.maintenance import is_retroactive, occurrences
from haidang import show
from haidang.commands.common import ConfigOption, JsonOption, print_json, print_table, read_config
from haidang.commands.forecast import what_if
from haidang.commands.reading import ledger
from haidang.commands.requests import Author, For, From, On, Reason, To, bounds, covered, moment, request, user
from storage.accounts import AccountsReader, Maintenance

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Maintenance, corrections, tickets.")
app.command("what-if")(what_if)


@app.command()
def add(
    on: On,
    start: From,
    reason: Reason,
    to: To = None,
    lasting: For = None,
    every: Annotated[str, typer.Option("--every", metavar="RRULE", help="FREQ=MONTHLY;BYDAY=2SA")] = "",
    counted: Annotated[bool, typer.Option("--counted", help="Nobody is woken, but it counts as downtime.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although a meeting by video is held then.")] = False,
    author: Author = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan maintenance, or write it down afterwards.

    Nobody is woken meanwhile, everything is recorded.
    """
    configuration = read_config(config)
    kind, name = covered(on)
    start_ns, end_ns = bounds(configuration.timezone, start, to, lasting)
    answer = request(
        configuration, "maintenance.add", kind=kind, name=name, start_ns=start_ns, end_ns=end_ns, rule=every,
        excluded=not counted, reason=reason, author=author or user(), force=force,
    )  # fmt: skip
    for meeting in answer["meetings"]:
        typer.echo(f"disturbs the meeting {meeting}", err=True)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"maintenance {answer['number']} {'written down' if answer['retroactive'] else 'planned'}")


@app.command()
def cancel(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the work; haidang maintenance list says it.")],
    reason: Reason,
    whole: Annotated[bool, typer.Option("--whole", help="Also what is past: it never was maintenance.")] = False,
    author: Author = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call maintenance off from now on; what is still down pages then."""
    answer = request(
        read_config(config), "maintenance.cancel", number=number, whole=whole, reason=reason,
        author=author or user(),
    )  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"maintenance {number} cancelled")


@app.command()
def correct(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its id.")],
    state: Annotated[str, typer.Argument(metavar="STATE", help="up, down or unknown: what it really was.")],
    start: From,
    reason: Reason,
    to: To = None,
    lasting: For = None,
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Put right what was recorded of a target; the record itself stays."""
    configuration = read_config(config)
    start_ns, end_ns = bounds(configuration.timezone, start, to, lasting)
    request(
        configuration, "maintenance.correct", target=target, state=state, start_ns=start_ns, end_ns=end_ns,
        reason=reason, author=author or user(),
    )  # fmt: skip
    typer.echo(f"{target}: {state} from {show.local(start_ns, configuration.timezone)}")


@app.command()
def ticket(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its id.")],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The carrier's number of it.")],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it was opened; default: now.")] = None,
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Note when an outage was reported: contractual clocks start there."""
    configuration = read_config(config)
    at_ns = time.time_ns() if at is None else moment(at, configuration.timezone)
    request(
        configuration, "maintenance.ticket", target=target, reference=reference, at_ns=at_ns,
        author=author or user(),
    )  # fmt: skip
    typer.echo(f"{target}: ticket {reference} from {show.local(at_ns, configuration.timezone)}")


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Past and cancelled too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List maintenance that runs or is to come."""
    configuration = read_config(config)
    now_ns = time.time_ns()
    with ledger(configuration) as sql:
        works = AccountsReader(sql).maintenance()
    found = [row for work in works if (row := _row(work, now_ns, everything=everything))]
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("no maintenance" if everything else "no maintenance to come")
        return
    zone = configuration.timezone
    print_table(
        ("no.", "on", "next", "until", "every", "counts", "what"),
        (
            (
                str(row["number"]), f"{row['kind']}:{row['name']}", _minute(row["next_ns"], zone),
                _minute(row["until_ns"], zone), row["rule"], "no" if row["excluded"] else "yes", _what(row),
            )
            for row in found
        ),
    )  # fmt: skip


def _row(work: Maintenance, now_ns: int, *, everything: bool) -> dict[str, Any] | None:
    ahead = occurrences(work, now_ns, now_ns + 400 * 86_400 * 10**9)
    if not ahead and not everything:
        return None
    start_ns, end_ns = ahead[0] if ahead else (work.start_ns, work.end_ns)
    return {
        "number": work.number, "kind": work.kind, "name": work.name, "next_ns": start_ns, "until_ns": end_ns,
        "next": show.utc(start_ns), "until": show.utc(end_ns), "under_way": bool(ahead) and start_ns <= now_ns,
        "over": not ahead, "rule": work.rule, "excluded": bool(work.excluded),
        "retroactive": is_retroactive(work, work.start_ns), "reason": work.reason, "author": work.author,
        "written": show.utc(work.created_ns), "cancelled": work.cancelled_by or None,
    }  # fmt: skip


def _what(row: dict[str, Any]) -> str:
    words = f"{row['reason']} ({row['author']})"
    if row["retroactive"]:
        words += ", written down afterwards"
    return words + (f"; cancelled by {row['cancelled']}" if row["cancelled"] else "")


def _minute(at_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, zone):%d/%m/%y %H:%M}"
