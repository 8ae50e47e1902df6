"""Drills: scenarios of the lab are played before the daemon, and judged: ``haidang lab scenarios | run | judge``."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from config import ConfigurationInvalid
from haidang import logs
from haidang.commands.common import JsonOption, fail, print_json, print_table
from haidang.drill import Played, rehearse_scenario, run_live
from haidang.rehearsal import Ended
from lab.control import ControlError
from lab.network import Unavailable
from lab.province import Province, Shape, generate
from lab.scenario import Scenario, ScenarioInvalid, names, read_scenario

ScaleOption = Annotated[float, typer.Option("--scale", "-s", help="Size: 1 is a whole province, 0.1 a tenth.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Another seed is another province.")]


def made_province(scale: float, seed: int) -> Province:
    """Make a province; ends the command when its size cannot be."""
    try:
        return generate(Shape().scaled(scale), seed)
    except ValueError as error:
        fail(f"--scale {scale:g}: {error}")


def show_scenarios(as_json: JsonOption = False) -> None:
    """List the scenarios that come with the lab."""
    found = [read_scenario(one) for one in names()]
    if as_json:
        print_json([{"scenario": one.scenario, "title": dict(one.title), "lasts_s": one.lasts} for one in found])
    else:
        print_table(
            ("scenario", "lasts", "what happens"),
            [(one.scenario, f"{one.lasts / 60:g} min", one.title["en"]) for one in found], right=(1,),
        )  # fmt: skip


def run_scenario(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="One of haidang lab scenarios, or a file.")],
    scale: ScaleOption = 0.1,
    seed: SeedOption = 1,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            min=0.01,
            help="1: real time with real packets; more: simulated time, at most so many times as fast. "
            "Default: simulated, as fast as it goes.",
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", "-d", metavar="DIR", help="Keep configuration, records, measurements and logs here."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play a scenario before the daemon and judge what it recorded.

    Ends with 1 when something was missed or invented.
    """
    with _folder(directory) as folder:
        played = _play(scenario, scale, seed, speed, folder, keep=directory is not None)
        (folder / "verdict.json").write_text(json.dumps(played.verdict.as_json(), ensure_ascii=False), "utf-8")
    if as_json:
        sys.stdout.write(json.dumps(played.verdict.as_json(), ensure_ascii=False) + "\n")
    else:
        show_verdicts([played.verdict.as_json()])
    raise typer.Exit(0 if played.verdict.passed else 1)


LONG_S = 2 * 86_400
"""What takes more simulated time than this is played only when it is asked for by name."""


def show_judgement(
    chosen: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO…", help="All of them if none is named.")
    ] = None,
    scale: ScaleOption = 0.1,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Play scenarios one after the other and judge each.

    In simulated time; prints the judge's table. Ends with 1 when something was missed or invented.
    """
    verdicts = []
    for one in chosen or names():
        scenario = _read(one)
        if scenario.real_only:
            typer.echo(f"{one}: left out, {scenario.real_only}; play it with --speed 1", err=True)
            continue
        if not chosen and scenario.lasts > LONG_S:
            typer.echo(f"{one}: left out, it takes {scenario.lasts / 86_400:.0f} days; name it to have it", err=True)
            continue
        with _folder(None) as folder:
            verdicts.append(_play(one, scale, seed, None, folder).verdict)
        if as_json:
            sys.stdout.write(json.dumps(verdicts[-1].as_json(), ensure_ascii=False) + "\n")
            sys.stdout.flush()
    if not as_json:
        show_verdicts([verdict.as_json() for verdict in verdicts])
    raise typer.Exit(0 if all(verdict.passed for verdict in verdicts) else 1)


def show_verdicts(verdicts: list[dict[str, Any]]) -> None:
    """Print the judge's table."""
    print_table(
        ("scenario", "faults", "hit", "missed", "surplus", "false", "messages", "delay s", "error s"),
        [
            (
                one["scenario"], one["faults"], one["root_cause_hits"], one["missed"], one["surplus"],
                one["false_alarms"], one["messages"],
                "" if one["detection_delay_s"]["median"] is None else f"{one['detection_delay_s']['median']:.0f}",
                f"{one['downtime_error_s']:.1f}",
            )
            for one in verdicts
        ],
        right=range(1, 9),
    )  # fmt: skip
    for one in verdicts:
        for note in one["notes"]:
            typer.echo(f"{one['scenario']}: {note}")


def _read(name: str) -> Scenario:
    try:
        return read_scenario(name)
    except ScenarioInvalid as error:
        fail(str(error))


def _play(name: str, scale: float, seed: int, speed: float | None, folder: Path, *, keep: bool = False) -> Played:
    scenario, province = _read(name), made_province(scale, seed)
    real = speed is not None and speed <= 1
    why = scenario.simulated_only if real else scenario.real_only
    if why:
        fail(f"{scenario.scenario}: {why}; {'leave --speed away' if real else 'play it with --speed 1'}")
    logs.configure("auto", "warning")
    try:
        if real:
            return run_live(scenario, province, folder)
        return rehearse_scenario(scenario, province, folder, speed=speed or math.inf, keep=keep)
    except ConfigurationInvalid as invalid:
        fail(f"{scenario.scenario}: its settings are wrong", *map(str, invalid.errors))
    except Ended:
        fail(f"{scenario.scenario}: ended before it was over, there is nothing to judge", status=1)
    except (ScenarioInvalid, ValueError, ControlError) as error:
        fail(str(error))
    except Unavailable as error:
        fail(f"the lab's network cannot be had here: {error.what}", f"cure: {error.cure}", status=1)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="haidang-drill-") as name:
        yield Path(name)
