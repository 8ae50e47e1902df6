"""``haidang rules``: the rules over measurements, tried on a written history."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from alerting.rules import Change, RuleEngine
from alerting.rules.rule import NS
from collectors.points import series
from config.schema.values import Section, line, seconds
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, read_config
from haidang.model import Point
from haidang.ruling import rules
from haidang.show import span

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Rules over measurements.")

START_NS = 1_767_225_600 * NS
MOST_VALUES = 100_000
_VALUE = re.compile(r"(_|-?[0-9]+(?:\.[0-9]+)?)(?:x([0-9]{1,6}))?")


class Expected(Section):
    """What a rule should do."""

    rule: Annotated[str, line(64)] = Field(description="its id")
    at_s: Annotated[float, seconds(0, 366 * 86_400)] = Field(alias="at", description="when it is certain")
    does: Annotated[str, line(10)] = Field("fires", description="fires or clears")


class History(Section):
    """A series as it came, and what should come of it."""

    name: Annotated[str, line()] = Field(description="what is tried")
    measurement: Annotated[str, line(64)] = Field(description="of the series")
    tags: dict[str, str] = Field(default_factory=dict, description="of the series; target is needed for an incident")
    field: Annotated[str, line(64)] = Field(description="the value's name")
    every_s: Annotated[float, seconds(1, 86_400)] = Field(60.0, alias="every", description="between two values")
    values: Annotated[str, line(100_000)] = Field(description="1 2.5 90x10 _x5: ten times 90, five missing")
    after_s: Annotated[float, seconds(0, 31 * 86_400)] = Field(0.0, alias="after", description="time that passes then")
    expect: tuple[Expected, ...] = Field((), description="all that should happen, in order")


class Histories(Section):
    """A file of tests."""

    tests: tuple[History, ...] = Field(description="each starts anew")


@dataclass(frozen=True, slots=True)
class _Result:
    """One test; what happens is told as rule, fires or clears, seconds from the start."""

    name: str
    passed: bool
    expected: list[tuple[str, str, float]]
    happened: list[tuple[str, str, float]]


@app.command("test")
def run_tests(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written histories, and what should come of them.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the configuration's rules over a written history. Ends with 1 when something else happens than expected."""
    configuration = read_config(config)
    known = {rule.id for rule in rules(configuration)}
    results: list[_Result] = []
    for history in _read(file).tests:
        for one in history.expect:
            if one.rule not in known or one.does not in ("fires", "clears"):
                there = ", ".join(sorted(known)) or "none"
                fail(f"{file}: {history.name}: no rule {one.rule!r} {one.does}; there are: {there}")
        engine = RuleEngine()
        engine.use(rules(configuration))
        found = _played(engine, history, file)
        wanted = [(one.rule, one.does, one.at_s) for one in history.expect]
        results.append(_Result(history.name, found == wanted, wanted, found))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            typer.echo(f"{'ok' if result.passed else 'FAILED':7} {result.name}")
            if not result.passed:
                typer.echo(f"        expected {_told(result.expected)}")
                typer.echo(f"        happened {_told(result.happened)}")
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


def _read(file: Path) -> Histories:
    try:
        content = YAML(typ="safe").load(file.read_text("utf-8"))
        return Histories.model_validate(content)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        fail(f"{file}: cannot be read: {' '.join(str(error).split())}")
    except ValidationError as invalid:
        fail(
            *(
                f"{file}: {'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg'].removeprefix('Value error, ')}"
                for one in invalid.errors()
            )
        )


def _played(engine: RuleEngine, history: History, file: Path) -> list[tuple[str, str, float]]:
    """Give the values in their time, with the seconds between them, and tell what happened at which second."""
    line_ = series(history.measurement, history.tags)
    values: list[float | None] = []
    for word in history.values.split():
        match = _VALUE.fullmatch(word)
        if match is None or len(values) > MOST_VALUES:
            fail(f'{file}: {history.name}: "{word}" is no value: write 12.5, 90x10, _ or _x5; at most {MOST_VALUES}')
        values += [None if match[1] == "_" else float(match[1])] * int(match[2] or 1)
    found: list[tuple[str, str, float]] = []

    def note(changes: list[Change], at_s: float) -> None:
        found.extend((one.rule.id, "fires" if one.firing else "clears", at_s) for one in changes)

    at_s = 0.0
    for value in values:
        if value is not None:
            note(engine.take([Point(line_, START_NS + round(at_s * NS), {history.field: value})]), at_s)
        at_s = _pass(engine, note, at_s, history.every_s)
    _pass(engine, note, at_s, history.after_s)
    return found


def _pass(engine: RuleEngine, note: Callable[[list[Change], float], None], at_s: float, for_s: float) -> float:
    """Let time pass as the daemon does, in steps of at most ten seconds."""
    end_s = at_s + for_s
    while at_s < end_s:
        at_s = min(end_s, at_s + 10.0)
        note(engine.tick(START_NS + round(at_s * NS)), at_s)
    return end_s


def _told(changes: Sequence[tuple[str, str, float]]) -> str:
    return ", ".join(f"{rule} {does} at {span(at_s)}" for rule, does, at_s in changes) or "nothing"
