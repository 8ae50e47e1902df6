"""Commands about what is told: silences, test messages, the audit log."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from config import Configuration
from config.errors import quoted
from config.schema.channels import MAIL
from haidang import show
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, print_table, read_config
from haidang.commands.reading import ledger
from haidang.commands.requests import Author, For, On, Reason, To, bounds, covered, request, user
from haidang.ways import channels
from storage import audit as log
from storage.duty import silences

silence = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tell nobody of something for a while.")
notify = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Try whether messages come through.")
audit = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who changed what, in a log that shows later edits."
)

PATIENCE_S = 60.0


@silence.command("add")
def add(
    on: On,
    reason: Reason,
    to: To = None,
    lasting: For = None,
    author: Author = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody from now until a time.

    Everything is recorded, and told then if it still lasts.
    """
    configuration = read_config(config)
    kind, name = covered(on)
    begin = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}+00:00"
    _, end_ns = bounds(configuration.timezone, begin, to, lasting)
    answer = request(
        configuration, "silence.add", kind=kind, name=name, end_ns=end_ns, reason=reason, author=author or user()
    )  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"silence {answer['number']} on {on} until {show.local(end_ns, configuration.timezone)}")


@silence.command("cancel")
def cancel(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the silence; haidang silence list says it.")],
    reason: Reason,
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Call a silence off: what is open is told within a minute."""
    request(read_config(config), "silence.cancel", number=number, reason=reason, author=author or user())
    typer.echo(f"silence {number} called off")


@silence.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Past and cancelled too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the silences that last."""
    configuration = read_config(config)
    with ledger(configuration) as sql:
        found = silences(sql, 0 if everything else time.time_ns())
    if not everything:
        found = [one for one in found if one.cancelled_ns is None]
    if as_json:
        print_json(
            [
                {
                    "number": one.number, "kind": one.kind, "name": one.name, "from": show.utc(one.start_ns),
                    "to": show.utc(one.end_ns), "reason": one.reason, "author": one.author,
                    "cancelled": one.cancelled_by or None,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    zone = configuration.timezone
    print_table(
        ("no.", "on", "from", "to", "why"),
        (
            (
                one.number, f"{one.kind}:{one.name}", show.local(one.start_ns, zone), show.local(one.end_ns, zone),
                f"{one.reason} ({one.author})" + (f"; called off by {one.cancelled_by}" if one.cancelled_by else ""),
            )
            for one in found
        ), right=[0], none="nothing is silent",
    )  # fmt: skip


@notify.command("test")
def try_out(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="mail, or the id of another channel.")],
    to: Annotated[str | None, typer.Option("--to", metavar="CONTACT", help="Default: the first it reaches.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message and say what became of it.

    Through the running daemon, its outbox and its limits. Ends with 1 when it was not taken within a minute.
    """
    configuration = read_config(config)
    contact = to or _first(configuration, channel)
    answer = request(configuration, "notify.test", channel=channel, contact=contact, author=user())
    deadline = time.monotonic() + PATIENCE_S
    with ledger(configuration) as sql:
        while True:
            state, attempts, error = sql.execute(
                "SELECT state, attempts, last_error FROM notification WHERE message_id = ?", (answer["message_id"],)
            ).fetchone()
            if state in ("sent", "failed") or (attempts and error) or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    if as_json:
        print_json(
            {"channel": channel, "contact": contact, "state": state, "attempts": attempts, "error": error or None}
        )
    else:
        typer.echo(f"{channel} to {contact}: {state}{': ' if error else ''}{error}")
    raise typer.Exit(0 if state == "sent" else 1)


@audit.command("verify")
def verify(
    head: Annotated[str, typer.Option("--head", metavar="HASH", help="A hash noted before; must be in the log.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that nobody edited the audit log.

    Prints the head of its chain, to be noted elsewhere. Ends with 1 when an entry was changed, taken out, moved or
    cut off.
    """
    if head and (len(head) < 8 or not set(head) <= set("0123456789abcdef")):
        fail(f'--head: "{head}" is not a hash, nor its first 8 digits or more')
    with ledger(read_config(config)) as sql:
        found = log.verify(sql, head)
    if as_json:
        print_json({"entries": found.entries, "head": found.head, "fault": found.fault or None})
    else:
        typer.echo(found.fault or f"{found.entries} entries, in order; head {found.head}")
    raise typer.Exit(1 if found.fault else 0)


@audit.command("list")
def entries(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who changed what."""
    configuration = read_config(config)
    with ledger(configuration) as sql:
        found = list(log.entries(sql))[-limit:]
    if as_json:
        print_json(
            [
                {
                    "number": one.number, "at": show.utc(one.at_ns), "kind": one.kind, "author": one.author,
                    "data": _data(one.data), "hash": one.hash,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    print_table(
        ("no.", "at", "what", "who", "how"),
        (
            (
                one.number, show.local(one.at_ns, configuration.timezone), one.kind, one.author,
                _words(one.data, configuration),
            )
            for one in found
        ), right=[0],
    )  # fmt: skip


def _words(text: str, configuration: Configuration) -> str:
    """Write an entry's data for people; what was answered follows from what was asked and stands in the JSON."""
    data = _data(text)
    if not isinstance(data, dict):
        return text[:200]
    said = {
        key: show.local(value, configuration.timezone) if key.endswith("_ns") and isinstance(value, int) else value
        for key, value in data.items()
        if key != "answer"
    }
    words = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in said.values())
    return ", ".join(f"{key.removesuffix('_ns')}: {word}" for key, word in zip(said, words, strict=True))[:200]


def _data(text: str) -> object:
    """Read an entry's data; what somebody made unreadable comes as the text it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _first(configuration: Configuration, channel: str) -> str:
    known = list(channels(configuration))
    if channel not in known:
        fail(f"there is no channel {quoted(channel)}; there are: {', '.join(known) or 'none'}")
    for contact in configuration.inventory.contacts.values():
        ways = {way.channel for way in contact.ways} or ({MAIL} if contact.email else set())
        if channel in ways:
            return contact.id
    return fail(f"no contact is reached by {channel}; name one with --to")
