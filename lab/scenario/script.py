"""A scenario as it is written: YAML with a cast, steps, and the truth. Every word is checked when it is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
LONGEST_S = 400 * 86_400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class ScenarioInvalid(Exception):
    """A scenario cannot be used; one line for each fault, with its place."""


def _seconds(value: object) -> object:
    """Read ``90s``, ``2m``, ``6h``, ``30d`` or a signed one."""
    if isinstance(value, str) and (match := re.fullmatch(r"([+-]?\d+(?:\.\d+)?)(s|m|h|d)", value)):
        return float(match[1]) * _UNITS[match[2]]
    raise ValueError("a time is a number and its unit: 90s, 2m, 6h or 30d")


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=LONGEST_S)]
Shift = Annotated[float, BeforeValidator(_seconds), Field(ge=-LONGEST_S, le=LONGEST_S)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class Part(BaseModel):
    """Base: what is read is never changed, and a word nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Pick(Part):
    """Who takes part: some of the province's lines, sites or units, in the province's order."""

    of: Literal["lines", "sites", "units"]
    level: str | None = Field(None, description="of the site; of a line: of its lower end")
    role: str | None = Field(None, description="of a unit")
    carrier: str | None = Field(None, description="of a line")
    routes: int | None = Field(None, ge=1, description="how many lines lead up from its lower end (lines, sites)")
    ups: bool | None = Field(None, description="whether the site has one (sites)")
    service: str | None = Field(None, description="a kind of service it gives (units)")
    access: str | None = Field(None, description="how it is polled, v2c or v3 (units)")
    below: Name | None = Field(None, description="only lines, sites or units whose upper end is this cast's first unit")
    skip: int = Field(0, ge=0)
    take: int | None = Field(None, ge=1, description="so many; all if neither this nor share is given")
    share: float | None = Field(None, gt=0, le=100, description="percent, drawn by the seed")

    @model_validator(mode="after")
    def _once(self) -> Pick:
        if self.take is not None and self.share is not None:
            raise ValueError("take or share, not both")
        return self


class Step(Part):
    """One thing that happens. Exactly one of the verbs; its value names the cast it happens to."""

    at: Seconds
    over: Seconds = Field(0.0, description="spread over the cast's members, in a drawn order")
    every: Seconds = Field(0.0, description="again and again; with times")
    times: int = Field(1, ge=1, le=100_000)

    cut: Name | None = None
    answer: Literal["silent", "net-unreachable", "host-unreachable", "prohibited"] = "silent"
    mend: Name | None = None
    set: Name | None = None
    conditions: Mapping[str, float | str] = Field(default_factory=dict)
    power: Name | None = Field(None, description="mains of a site")
    device: Name | None = Field(None, description="a single device")
    state: Literal["on", "off"] | None = Field(None, description="for power and device")
    reboot: Name | None = None
    clear_counters: Name | None = Field(None, description="of a device's first port")
    agent: Name | None = None
    behaviour: Mapping[str, float | bool] = Field(default_factory=dict, description="as lab.devices.Behaviour")
    service: Name | None = None
    fault: Mapping[str, Any] = Field(default_factory=dict, description="as the kind of service knows it")
    mail: Literal["away", "greylist", "well"] | None = Field(None, description="the server alerts go to")
    clock: Shift | None = Field(None, description="the daemon's wall clock is moved by so much")

    @property
    def verb(self) -> str:
        """What happens."""
        return next(name for name in VERBS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_verb(self) -> Step:
        said = [name for name in VERBS if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"a step does one of {', '.join(VERBS)}, not {' and '.join(said) or 'nothing'}")
        if (said[0] in ("power", "device")) != (self.state is not None):
            raise ValueError("state: on or off belongs to power and device, and both need it")
        if self.times > 1 and not self.every:
            raise ValueError("times needs every")
        return self


VERBS = ("cut", "mend", "set", "power", "device", "reboot", "clear_counters", "agent", "service", "mail", "clock")
NAMELESS = ("mail", "clock")
"""Verbs whose value is no cast."""


class Expected(Part):
    """One fault that is really there, for the judge."""

    failed: Name = Field(description="the cast that failed")
    at: Seconds
    until: Seconds | None = Field(None, description="to the end if not given")
    seen: Literal["down", "degraded", "warning", "nothing"] = Field(
        "down",
        description="what a daemon should make of it; warning: told before it fails; nothing: no incident at all",
    )
    probe: str = Field(
        "icmp",
        pattern=r"^(rule:)?[a-z][a-z0-9-]*$",
        description="what of the daemon sees it: its probe (icmp, snmp, tls …) or a rule (rule:certificate)",
    )
    together: bool = Field(True, description="one common cause: one incident would be best")
    behind: Name | None = Field(None, description="the failure shows at these instead, e.g. at a hub's lines")


class Scenario(Part):
    """All of it."""

    scenario: Name
    title: Mapping[Literal["vi", "en"], str]
    about: str = ""
    begins: AwareDatetime = Field(
        datetime(2026, 11, 10, 2, tzinfo=UTC),
        description="in simulated time; by default a Tuesday at 09:00 in Hanoi, with no month end near",
    )
    lasts: Seconds
    warm_up: Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=3600)] = 120.0
    simulated_only: str = Field("", description="why it cannot be played in real time; empty when it can")
    real_only: str = Field("", description="why it cannot be played in simulated time; empty when it can")
    settings: Mapping[str, Any] = Field(default_factory=dict, description="sections of the daemon's configuration")
    targets: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict, description="columns of the daemon's inventory, by cast"
    )
    cast: Mapping[Name, Pick] = Field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    truth: tuple[Expected, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> Scenario:
        used = [
            *(getattr(step, step.verb) for step in self.steps if step.verb not in NAMELESS),
            *(one.failed for one in self.truth),
            *(one.behind for one in self.truth if one.behind),
            *self.targets,
            *(pick.below for pick in self.cast.values() if pick.below),
        ]
        for name in used:
            if name not in self.cast:
                near = difflib.get_close_matches(name, self.cast, 1)
                raise ValueError(
                    f"nobody in the cast is called {name!r}{f' (did you mean {near[0]}?)' if near else ''}"
                )
        for step in self.steps:
            if step.at + (step.times - 1) * step.every + step.over > self.lasts:
                raise ValueError(f"the {step.verb} at {step.at:g} s goes on after the end, at {self.lasts:g} s")
        return self


def names() -> list[str]:
    """Give the scenarios that come with the lab."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_scenario(name: str) -> Scenario:
    """Read a scenario.

    Parameters:
        name: one of `names`, or the path of a file.

    Raises:
        ScenarioInvalid: there is none, or it cannot be used; says where and why.
    """
    path = Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
    except FileNotFoundError:
        near = difflib.get_close_matches(name, names(), 1)
        hint = f" (did you mean {near[0]}?)" if near else f"; there are {', '.join(names())}"
        raise ScenarioInvalid(f"there is no scenario {name!r}{hint}") from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ScenarioInvalid(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    try:
        return Scenario.model_validate(content)
    except ValidationError as invalid:
        lines = []
        for fault in invalid.errors():
            place = ".".join(str(step) for step in fault["loc"]) or "the file"
            lines.append(f"{path}: {place}: {fault['msg'].removeprefix('Value error, ')}")
        raise ScenarioInvalid("\n".join(lines)) from invalid
