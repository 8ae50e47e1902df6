"""Who is told of which incident, one after the other; what proves every day that it works."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.schema.channels import WebAddress
from config.schema.objectives import Clock, ServiceHours
from config.schema.values import Boolean, Refusal, Section, Slug, seconds

Severity = Literal["warning", "minor", "major", "critical"]
Owner = Literal["unknown", "carrier", "power", "own-works", "third-party"]


class EscalationStep(Section):
    """People who are told when an incident is as old as this and nobody has acknowledged it."""

    to: tuple[Slug, ...] = Field(description="contacts, and rotas: whoever is on duty then")
    after_s: Annotated[float, seconds(0, 7 * 86_400)] = Field(0.0, alias="after", description="the incident's age")

    @model_validator(mode="after")
    def _some(self) -> EscalationStep:
        if not self.to:
            raise Refusal("nobody given: at least one contact or rota is needed", key="to")
        return self


class Route(Section):
    """One way through the house: for which incidents, and who is told. The first that fits is taken."""

    id: Slug = Field(description="what it is called in the records")
    systems: tuple[Slug, ...] = Field((), description="of which systems; empty: any")
    sites: tuple[Slug, ...] = Field((), description="at which sites and those below; empty: any")
    severity: Severity = Field("warning", description="at least so bad")
    owners: tuple[Owner, ...] = Field((), description="whose fault, as known when people are told; empty: any")
    hours: tuple[ServiceHours, ...] = Field((), description="in which it is told; empty: always")
    holidays: Literal["any", "only", "except"] = Field(
        "any", description="whether on holidays: as on any day, only then, or except then"
    )
    steps: tuple[EscalationStep, ...] = Field(description="who is told, in order, until somebody acknowledges")
    digest: Clock | None = Field(None, description="no message at once: one list a day at this time, to the first step")
    further: Boolean = Field(False, description="look at the routes after this one as well")

    @model_validator(mode="after")
    def _growing(self) -> Route:
        if not self.steps:
            raise Refusal("nobody is told: at least one {to: […]} is needed", key="steps")
        ages = [step.after_s for step in self.steps]
        if any(later <= earlier for earlier, later in pairwise(ages)):
            raise Refusal("each step's after must be longer than the one's before", key="steps")
        if self.digest is not None and len(self.steps) > 1:
            raise Refusal("a digest has one step: nobody is asked to acknowledge it", key="steps")
        if self.digest == "24:00":
            raise Refusal("write 00:00 for midnight", key="digest")
        return self


class Drill(Section):
    """A message every day to whoever is on duty, by each of their ways, to be acknowledged."""

    at: Clock = Field("08:30", description="time of day")
    to: tuple[Slug, ...] = Field(description="rotas and contacts that are drilled")
    within_s: Annotated[float, seconds(60, 12 * 3600)] = Field(
        1800.0, alias="within", description="how long there is to acknowledge, each way by itself"
    )
    escalate: tuple[Slug, ...] = Field((), description="contacts and rotas told of a way that was not acknowledged")

    @model_validator(mode="after")
    def _some(self) -> Drill:
        if not self.to:
            raise Refusal("nobody is drilled: at least one rota or contact is needed", key="to")
        if self.at == "24:00":
            raise Refusal("write 00:00 for midnight", key="at")
        return self


class Heartbeat(Section):
    """A sign of life to the outside: what does not get it any more raises the alarm."""

    url: WebAddress = Field(description="asked again and again while the daemon watches and can write")
    every_s: Annotated[float, seconds(10, 3600)] = Field(60.0, alias="every", description="how often")
    method: Literal["GET", "POST"] = Field("GET", description="as the other side wants it")
