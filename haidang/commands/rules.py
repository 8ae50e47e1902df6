"""``haidang rules``: the rules, tried on a written or a recorded history."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from alerting.rules import STATE, Change, RuleEngine, StateEngine
from alerting.rules.rule import NS
from alerting.rules.states import FLAPPING
from collectors.points import series
from config import Configuration
from config.schema.values import Section, line, seconds
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, read_config
from haidang.commands.metrics import ask_store
from haidang.commands.reading import ledger
from haidang.commands.requests import moment
from haidang.model import CheckId, Point, Series, State
from haidang.ruling import line_of, rules
from haidang.show import span
from storage.ledger import LedgerReader
from storage.metrics import Curve, Query, StoreError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Rules over measurements, states and budgets.")

START_NS = 1_767_225_600 * NS
MOST_VALUES = 100_000
_VALUE = re.compile(r"(_|-?[0-9]+(?:\.[0-9]+)?)(?:x([0-9]{1,6}))?")
_STATE = re.compile(rf"({'|'.join(State)}|{FLAPPING})(?:x([0-9]{{1,6}}))?")
_DOES = ("fires", "clears", "lapses")
_Event = tuple[int, Callable[[], None]]
"""When something comes, UTC nanoseconds, and what gives it to the engines."""


class Expected(Section):
    """What a rule should do."""

    rule: Annotated[str, line(64)] = Field(description="its id")
    at_s: Annotated[float, seconds(0, 366 * 86_400)] = Field(alias="at", description="when it is certain")
    does: Annotated[str, line(10)] = Field("fires", description="fires, clears, or lapses: its value comes no more")


class History(Section):
    """A series as it came, and what should come of it."""

    name: Annotated[str, line()] = Field(description="what is tried")
    measurement: Annotated[str, line(64)] = Field(
        "", description="of the series; budget and state as well; with states or recorded not needed"
    )
    tags: dict[str, str] = Field(default_factory=dict, description="of the series; target is needed for an incident")
    field: Annotated[str, line(64)] = Field("", description="the value's name")
    every_s: Annotated[float, seconds(1, 86_400)] = Field(60.0, alias="every", description="between two values")
    values: Annotated[str, line(100_000)] = Field("", description="1 2.5 90x10 _x5: ten times 90, five missing")
    states: Annotated[str, line(100_000)] = Field(
        "", description="instead: up degradedx10 flappingx5 unknown, of the check in tags (target, probe)"
    )
    start: Annotated[str, line(40)] = Field(
        "", alias="from", description="instead: what is on record from this local time on, 2026-11-29T08:00"
    )
    end: Annotated[str, line(40)] = Field("", alias="to", description="and up to this one; at counts from from")
    after_s: Annotated[float, seconds(0, 31 * 86_400)] = Field(0.0, alias="after", description="time that passes then")
    expect: tuple[Expected, ...] = Field((), description="all that should happen, in order")


class Histories(Section):
    """A file of tests."""

    tests: tuple[History, ...] = Field(description="each starts anew")


@dataclass(frozen=True, slots=True)
class _Result:
    """One test; what happens is told as rule, fires, clears or lapses, seconds from the start."""

    name: str
    passed: bool
    expected: list[tuple[str, str, float]]
    happened: list[tuple[str, str, float]]


@app.command("test")
def run_tests(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Histories, and what should come of them.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the configuration's rules over written or recorded histories. Ends with 1 when they do not as expected."""
    configuration = read_config(config)
    known = {rule.id for rule in rules(configuration)}
    results: list[_Result] = []
    for history in _read(file).tests:
        for one in history.expect:
            if one.rule not in known or one.does not in _DOES:
                there = ", ".join(sorted(known)) or "none"
                fail(
                    f"{file}: {history.name}: no rule {one.rule!r} {one.does}; there are: {there}; "
                    f"each {', '.join(_DOES)}"
                )
        found = _Play(configuration, history, file).run()
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


class _Play:
    """One history, played to fresh engines."""

    def __init__(self, configuration: Configuration, history: History, file: Path) -> None:
        self._configuration, self._history, self._where = configuration, history, f"{file}: {history.name}"
        self._engine, self._states = RuleEngine(), StateEngine()
        self._engine.use(rules(configuration))
        self._states.use(rules(configuration))
        self._found: list[tuple[str, str, float]] = []
        self._start_ns = self._now_ns = START_NS

    def run(self) -> list[tuple[str, str, float]]:
        """Play it; return what happened at which second."""
        one = self._history
        given = [key for key, value in (("values", one.values), ("states", one.states), ("from", one.start)) if value]
        if len(given) != 1:
            fail(f"{self._where}: exactly one of values, states and from (with to) is needed, not {given or 'none'}")
        if one.values and not (one.measurement and one.field):
            fail(f"{self._where}: values need the measurement and the field they are of")
        events = self._recorded() if one.start else self._states_written() if one.states else self._values_written()
        for at_ns, give in events:
            self._pass(at_ns)
            give()
            self._note(self._states.tick(at_ns))
        end_ns = self._end_ns if one.start else self._now_ns + round((one.every_s if events else 0) * NS)
        self._pass(end_ns + round(one.after_s * NS))
        return self._found

    def _values_written(self) -> list[_Event]:
        one = self._history
        line_ = series(one.measurement, one.tags)
        values = _words(one.values, _VALUE, self._where, "write 12.5, 90x10, _ or _x5")
        return [
            self._point(Point(line_, self._slot(place), {one.field: float(value)}))
            for place, value in enumerate(values) if value != "_"
        ]  # fmt: skip

    def _states_written(self) -> list[_Event]:
        tags = self._history.tags
        check = self._check()
        line_ = line_of(self._configuration, check) or series(STATE, tags)
        words = _words(self._history.states, _STATE, self._where, "write up, down, degradedx10, unknown, flapping, …")
        events, before = [], ""
        for place, word in enumerate(words):
            if word != before:
                state = State.DOWN if word == FLAPPING else State(word)
                events.append(self._state(check, line_, state, self._slot(place), word == FLAPPING))
            before = word
        events.append((self._slot(len(words) - 1), lambda: None))
        return events

    def _check(self) -> CheckId:
        target, probe = self._history.tags.get("target", ""), self._history.tags.get("probe", "")
        if not target or not probe:
            fail(f"{self._where}: tags need the target and the probe whose states they are")
        return CheckId(target, probe)

    def _recorded(self) -> list[_Event]:
        """Return what ledger and store have of a time: the states of every check, the measurements rules are about."""
        one, zone = self._history, self._configuration.timezone
        self._start_ns, self._end_ns = moment(one.start, zone), moment(one.end, zone)
        if not self._start_ns < self._end_ns:
            fail(f"{self._where}: to has to lie after from")
        self._now_ns = self._start_ns
        events: list[_Event] = []
        with ledger(self._configuration) as sql:
            reader = LedgerReader(sql)
            wanted = one.tags.get("target", "*"), one.tags.get("probe", "*")
            for check in {interval.check for interval in reader.running()}:
                line_ = line_of(self._configuration, check)
                if line_ is None or not (fnmatch(check.target, wanted[0]) and fnmatch(check.probe, wanted[1])):
                    continue
                for interval in reader.between(check, self._start_ns, self._end_ns):
                    since_ns = max(interval.start_ns, self._start_ns)
                    events.append(self._state(check, line_, interval.state, since_ns, flapping=False))
        names = {(rule.measurement, rule.field) for rule in rules(self._configuration)} - {(STATE, "")}
        for measurement, field in sorted(names):
            if measurement == STATE or one.measurement not in ("", measurement):
                continue
            query = Query(measurement, self._start_ns, self._end_ns, (field,), one.tags)
            for curve in self._asked(query):
                events += [
                    self._point(Point(curve.series, at_ns, {field: value}))
                    for at_ns, value in zip(curve.times_ns, curve.mean, strict=True)
                ]
        return sorted(events, key=lambda event: event[0])

    def _asked(self, query: Query) -> Sequence[Curve]:
        try:
            return ask_store(self._configuration, lambda store, _: store.read(query))
        except StoreError as error:
            fail(f"{self._where}: {error}")

    def _point(self, point: Point) -> _Event:
        return point.time_ns, lambda: self._note(self._engine.take([point]))

    def _state(self, check: CheckId, line_: Series, state: State, at_ns: int, flapping: bool) -> _Event:
        return at_ns, lambda: self._states.take(check, line_, state, at_ns, flapping=flapping)

    def _slot(self, place: int) -> int:
        return START_NS + round(place * self._history.every_s * NS)

    def _pass(self, until_ns: int) -> None:
        """Let time pass as the daemon does, in steps of at most ten seconds."""
        while self._now_ns < until_ns:
            self._now_ns = min(until_ns, self._now_ns + 10 * NS)
            self._note(self._engine.tick(self._now_ns) + self._states.tick(self._now_ns))

    def _note(self, changes: list[Change]) -> None:
        now_ns = self._now_ns
        self._found += [
            (one.rule.id, _DOES[0 if one.firing else 2 if one.lost else 1], round((now_ns - self._start_ns) / NS, 3))
            for one in changes
        ]  # fmt: skip


def _words(text: str, pattern: re.Pattern[str], where: str, cure: str) -> list[str]:
    """Read a written history: words, each with how often it comes."""
    found: list[str] = []
    for word in text.split():
        match = pattern.fullmatch(word)
        if match is None or len(found) > MOST_VALUES:
            fail(f'{where}: "{word}" is no value: {cure}; at most {MOST_VALUES}')
        found += [match[1]] * int(match[2] or 1)
    return found


def _told(changes: Sequence[tuple[str, str, float]]) -> str:
    return ", ".join(f"{rule} {does} at {span(at_s)}" for rule, does, at_s in changes) or "nothing"
