"""The command line. Each command is thin: it reads its words, calls a room, prints what came of it.

Exit status: 0 all is well; 1 what was asked about is bad, or nobody is there to do it; 2 the command or the
configuration is wrong, also when it names something that is not there.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections import UserDict
from collections.abc import Callable
from typing import Annotated, Any

import typer

from haidang import __version__, logs
from haidang.commands.group import Group

COMMANDS = {
    "run": "service:run",
    "init": "configuring:init",
    "config": "configuring:config",
    "doctor": "service:doctor",
    "probe": "probing:probe",
    "poll": "probing:poll",
    "profile": "profile:profile",
    "inventory": "network:inventory",
    "conferences": "conferences:app",
    "import": "importing:import_",
    "export": "importing:export",
    "circuits": "network:circuits",
    "status": "reading:status",
    "incidents": "incidents:app",
    "why": "why:why",
    "explain": "explaining:explain",
    "ack": "incidents:ack",
    "rules": "rules:app",
    "events": "reading:events",
    "store": "reading:store",
    "availability": "accounts:availability",
    "forecast": "forecast:forecast",
    "maintenance": "maintenance:app",
    "replay": "replay:replay_file",
    "user": "users:app",
    "report": "report:app",
    "dashboards": "dashboards:app",
    "top": "top:top",
    "oncall": "oncall:app",
    "silence": "alarms:silence",
    "notify": "alarms:notify",
    "audit": "alarms:audit",
    "lab": "lab:app",
    "mcp": "mcp:mcp",
}
"""Where each command is, in ``haidang.commands``: imported when it is asked for. All of them take over a second."""

ROOMS = frozenset({
    "alerting", "availability", "collectors", "config", "dashboards", "haidang", "lab", "probes", "reports", "storage",
})  # fmt: skip


class _Commands(UserDict[str, Any]):
    """The commands by name, each made when it is looked at."""

    def __getitem__(self, name: str) -> object:
        command = super().__getitem__(name)
        if isinstance(command, str):
            module, _, thing = command.partition(":")
            command = _made(name, getattr(importlib.import_module(f"haidang.commands.{module}"), thing))
            self.data[name] = command
        return command


def _made(name: str, thing: typer.Typer | Callable[..., object]) -> object:
    """Make a command of a function, or of a group of them."""
    if isinstance(thing, typer.Typer):
        if not (isinstance(thing.info.cls, type) and issubclass(thing.info.cls, Group)):
            thing.info.cls = Group
        group = typer.main.get_group(thing)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(thing)
    return typer.main.get_command(alone)


class _Later(Group):
    def __init__(self, **attrs: Any) -> None:  # noqa: ANN401 whatever a group of commands takes
        super().__init__(**attrs)
        self.commands = _Commands(COMMANDS)


app = typer.Typer(
    name="haidang", no_args_is_help=True, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    cls=_Later, context_settings={"help_option_names": ["-h", "--help"]},
    help="Hải đăng, the lighthouse: watches networks and services, keeps the ledger of what was available.",
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"haidang {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Enter here; the console script and ``python -m haidang`` do."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter shows a ?
    logs.configure(level="warning")  # not to standard output: there JSON stays JSON; daemon and lab set their own
    try:
        app(prog_name="haidang")
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in ROOMS:  # a fault of ours: whoever mends it needs to see where
            raise
        sys.stderr.write(
            f"this installation of haidang is broken: {package or 'a package'} is missing or broken ({error})\n"
            "cure: run systemd/install.sh again (a service), or in a working copy: rm -rf .venv && make venv\n"
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output went away, as head does
        sys.stderr.close()
        os._exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"{error.filename or 'the output'} cannot be written: no space left on the disk\n")
        sys.stderr.flush()
        os._exit(1)  # what is still buffered would not get out either
