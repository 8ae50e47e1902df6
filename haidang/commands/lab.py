"""The lab: ``haidang lab up | down | break | mend | …``; drills are in `haidang.commands.drills`."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from haidang import logs
from haidang.clock import SystemClock
from haidang.commands.common import JsonOption, fail, print_json
from haidang.commands.drills import (
    ScaleOption,
    SeedOption,
    made_province,
    run_scenario,
    show_judgement,
    show_scenarios,
)  # fmt: skip
from haidang.demo import demonstrate
from lab.control import ControlClient, ControlError, listen, running
from lab.lines import Answer
from lab.network import Unavailable, inside, isolate, missing
from lab.process import serve
from lab.province import Province
from lab.province.configuration import write_configuration

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None,
    help="A simulated province: to try, to break, to drill.",
)  # fmt: skip

UP_S = 120.0
"""How long a lab may take until it is up: ten times the province, on a small machine."""

NameOption = Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="Of the lab, when several run.")]
DirOption = Annotated[Path, typer.Option("--dir", "-d", metavar="DIR", help="For its configuration, mail and logs.")]
HERE = Path("run/lab")


@contextmanager
def _client(name: str) -> Iterator[ControlClient]:
    try:
        with ControlClient(name) as client:
            yield client
    except ControlError as error:
        others = [other for other in running() if other != name]
        fail(str(error), *([f"running here: {', '.join(others)}; name one with --name"] if others else []))


@app.command()
def up(
    scale: ScaleOption = 1.0,
    seed: SeedOption = 1,
    name: NameOption = "lab",
    directory: DirOption = HERE,
    foreground: Annotated[bool, typer.Option("--foreground", "-f", help="Stay; Ctrl-C ends it.")] = False,
) -> None:
    """Start a province and write the configuration that watches it."""
    province = made_province(scale, seed)
    if name in running():
        fail(f"a lab named {name!r} runs already; end it with: haidang lab down --name {name}", status=1)
    if (why := missing()) is not None:
        fail(f"the lab's network cannot be had here: {why.what}", f"cure: {why.cure}", status=1)
    folder = directory.resolve()
    try:
        path = write_configuration(province, folder, ipv6=Path("/proc/net/if_inet6").exists())
    except OSError as error:
        fail(f"{folder}: cannot be written ({(error.strerror or str(error)).lower()})")
    if foreground:
        _stay(name, province, folder)
        return
    log = folder / "lab.log"
    words = ["lab", "up", "--foreground", "--scale", str(scale), "--seed", str(seed), "--name", name, "--dir"]
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 our own command
            [*_haidang(), *words, str(folder)], stdout=sink, stderr=sink, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    end = time.monotonic() + UP_S
    while name not in running():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            fail(f"the lab did not come up; the end of {log}:", log.read_text("utf-8", "replace")[-800:], status=1)
        time.sleep(0.1)
    with _client(name) as client:
        client.ask("status")  # answers once everything is open
    typer.echo(f"lab {name!r} is up: {len(province.units)} devices and services at {len(province.sites)} sites")
    tail = "" if name == "lab" else f" --name {name}"
    typer.echo(f"  watch it:     haidang lab exec{tail} haidang run --config {path}")
    typer.echo(f"  its names:    haidang lab names{tail}")
    typer.echo(
        f"  cut a line:   haidang lab break{tail} {next(link for link in province.links if '-cable' not in link)}"
    )
    typer.echo(f"  end it:       haidang lab down{tail}")


def _stay(name: str, province: Province, folder: Path) -> None:
    logs.configure("auto", "info")
    try:
        outside = listen(name)
        space = isolate()
        serve(name, province, folder, SystemClock(), space, outside, lambda _: None)
    except ControlError as error:
        fail(str(error), status=1)
    except Unavailable as error:
        fail(f"the lab's network cannot be had here: {error.what}", f"cure: {error.cure}", status=1)
    except KeyboardInterrupt:
        return


@app.command()
def down(name: NameOption = "lab") -> None:
    """End a running lab; its folder stays."""
    with _client(name) as client:
        pid = client.pid
        client.ask("down")
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and name in running() and time.monotonic() < end:
        time.sleep(0.05)
    typer.echo(f"lab {name!r} ended")


@app.command("break")
def break_line(
    line: Annotated[str, typer.Argument(metavar="LINE", help="A line, or a device: its own last bit of line.")],
    name: NameOption = "lab",
    answer: Annotated[Answer, typer.Option("--answer", help="What the router before the break says.")] = Answer.SILENT,
) -> None:
    """Cut a line."""
    with _client(name) as client:
        client.ask("break", line=line, answer=answer.value)
    typer.echo(f"{line} is cut")


@app.command()
def mend(
    line: Annotated[str, typer.Argument(metavar="LINE", help="As for break.")],
    name: NameOption = "lab",
) -> None:
    """Give a line back its usual conditions."""
    with _client(name) as client:
        client.ask("mend", line=line)
    typer.echo(f"{line} is whole")


@app.command("set")
def set_line(
    line: Annotated[str, typer.Argument(metavar="LINE", help="As for break.")],
    conditions: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="e.g. loss_percent=5 delay_ms=80")],
    name: NameOption = "lab",
) -> None:
    """Change how a line treats packets.

    Delay, jitter, loss, rate and more; haidang lab mend undoes it.
    """
    wanted: dict[str, float | str] = {}
    for one in conditions:
        key, equals, value = one.partition("=")
        if not equals:
            fail(f"{one!r}: write KEY=VALUE, for example loss_percent=5")
        try:
            wanted[key] = float(value)
        except ValueError:
            wanted[key] = value
    with _client(name) as client:
        client.ask("set", line=line, conditions=wanted)
    typer.echo(f"{line}: {', '.join(conditions)}")


@app.command()
def power(
    site: Annotated[str, typer.Argument(metavar="SITE", help="A site or a power feeder.")],
    state: Annotated[str, typer.Argument(metavar="on|off")],
    name: NameOption = "lab",
) -> None:
    """Switch the mains of a site or feeder.

    A UPS carries on until it is empty.
    """
    with _client(name) as client:
        client.ask("power", site=site, state=state)
    typer.echo(f"mains of {site}: {state}")


@app.command()
def reboot(
    target: Annotated[str, typer.Argument(metavar="DEVICE", help="haidang lab names lists them.")],
    name: NameOption = "lab",
) -> None:
    """Restart a device."""
    with _client(name) as client:
        client.ask("reboot", target=target)
    typer.echo(f"{target} reboots")


@app.command("status")
def show_status(name: NameOption = "lab", as_json: JsonOption = False) -> None:
    """Say what differs from a quiet day."""
    with _client(name) as client:
        found = client.ask("status")["status"]
        pid = client.pid
    if as_json:
        print_json({"name": name, "process": pid, **found})
        return
    network = found["network"]
    typer.echo(f"lab {name!r}, process {pid}: {network['hosts']} addresses, {network['lines']} lines")
    for line, conditions in found["lines"].items():
        typer.echo(f"  line {line}: {'cut' if conditions.pop('outage') else ''} {_pairs(conditions)}".rstrip())
    for site, current in found["sites"].items():
        typer.echo(f"  site {site}: on {current}")
    for unit in found["dark"]:
        typer.echo(f"  {unit}: without current, or booting")
    if not (found["lines"] or found["sites"] or found["dark"]):
        typer.echo("  all is well")


@app.command("names")
def show_names(name: NameOption = "lab", as_json: JsonOption = False) -> None:
    """List what can be broken: lines, sites, feeders, devices."""
    with _client(name) as client:
        found = client.ask("names")["names"]
    if as_json:
        print_json(found)
        return
    for kind, members in found.items():
        typer.echo(f"{kind}:")
        for member in members:
            typer.echo(f"  {member}")


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    words: Annotated[list[str], typer.Argument(metavar="COMMAND…", help="e.g. haidang status, ping, traceroute")],
    name: NameOption = "lab",
) -> None:
    """Run a command inside the lab's network."""
    with _client(name) as client:
        pid = client.pid
    command = [*_haidang(), *words[1:]] if words[0] == "haidang" else words
    line = inside(pid, command)
    os.execv(line[0], line)  # noqa: S606 that is its purpose


for _name, _command in (("scenarios", show_scenarios), ("run", run_scenario), ("judge", show_judgement)):
    app.command(_name)(_command)


@app.command()
def demo(
    scale: ScaleOption = 1.0,
    seed: SeedOption = 1,
    lasts: Annotated[float, typer.Option("--for", min=10, help="Seconds; until Ctrl-C if not given.")] = math.inf,
) -> None:
    """Show the daemon at work; leave nothing behind.

    On a province in which a district is cut off and comes back.
    """
    logs.configure("auto", "warning")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it, nothing is left behind
    with tempfile.TemporaryDirectory(prefix="haidang-demo-") as folder:
        demonstrate(made_province(scale, seed), Path(folder), lasts, typer.echo)


def _pairs(conditions: dict[str, Any]) -> str:
    return " ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in conditions.items()
    )


def _haidang() -> list[str]:
    return [sys.executable, "-P", "-m", "haidang"]
