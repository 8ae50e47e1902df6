"""Rules: when a value, that there is none, a state that lasts or a budget at risk is an incident."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.schema.named import Named
from config.schema.values import Refusal, Section, line, number, seconds

Value = Annotated[float, number(-1e15, 1e15)]


class Tag(Section):
    """A tag that a series must have."""

    tag: Annotated[str, line(64)] = Field(description="its name: target, kind, ifName, …")
    value: Annotated[str, line(200)] = Field(description="its value; * stands for any characters")


class MetricRule(Named):
    """When a measurement, a state or a budget is an incident."""

    measurement: Annotated[str, line(64)] | None = Field(
        None, description="which: ping, interface, sensor, disk, circuit_load, …; or state or budget instead"
    )
    field: Annotated[str, line(64)] | None = Field(
        None, description="which value of it: value, in_bps, in_errors_ps, used_percent, expiry, …"
    )
    state: Literal["down", "degraded", "unreachable", "unknown", "flapping"] | None = Field(
        None, description="bad while a check is in this state; of a check whose failure is told, it raises the severity"
    )
    budget: Literal["clock", "burn", "slow-burn", "miss", "left"] | None = Field(
        None,
        description="of a promise: clock (seconds until it is lost if what is down stays so), burn and slow-burn "
        "(1: so fast that it is told), miss (percent likely), left (percent of the budget); with above or below",
    )
    where: tuple[Tag, ...] = Field((), description="tags that a series must have; each series is watched by itself")
    above: Value | None = Field(None, description="bad when greater; exactly one of above, below, absent, state")
    below: Value | None = Field(None, description="bad when less")
    absent_s: Annotated[float, seconds(10, 30 * 86_400)] | None = Field(
        None, alias="absent", description="bad when a series that came before has not come for so long"
    )
    clear: Value | None = Field(None, description="good again only on this side of it; default: above or below")
    for_s: Annotated[float, seconds(0, 30 * 86_400)] = Field(
        0.0, alias="for", description="an incident once it has been bad for so long without a good value"
    )
    clear_for_s: Annotated[float, seconds(0, 30 * 86_400)] = Field(
        0.0, alias="clear_for", description="over once it has been good for so long without a bad value"
    )
    severity: Literal["warning", "minor", "major", "critical"] = Field("warning", description="at least")

    @model_validator(mode="after")
    def _one_kind(self) -> MetricRule:
        kinds = {"above": self.above, "below": self.below, "absent": self.absent_s, "state": self.state}
        given = [key for key, value in kinds.items() if value is not None]
        if len(given) != 1:
            raise Refusal("exactly one of above, below, absent and state is needed", key=given[1] if given else "above")
        if self.budget is not None and given[0] not in ("above", "below"):
            raise Refusal("a budget is held against above or below", key=given[0])
        source = "state" if self.state is not None else "budget" if self.budget is not None else ""
        for key, value in (("measurement", self.measurement), ("field", self.field)):
            if source and value is not None:
                raise Refusal(f"a rule about a {source} has no {key}", key=key)
            if not source and value is None:
                raise Refusal(f"{key} is needed, or else a state or a budget", key=key)
        if self.state is not None and self.clear is not None:
            raise Refusal("a state has no threshold", key="clear")
        if self.absent_s is not None and (self.for_s or self.clear is not None):
            raise Refusal("absent has its own duration and no threshold", key="for" if self.for_s else "clear")
        if self.clear is not None and (
            (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below)
        ):
            raise Refusal("clear lies on the good side of the threshold", key="clear")
        return self
