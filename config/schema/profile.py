"""A device profile as an operator writes it: docs/profiles.md describes every key."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from config.schema.profile_values import (
    DeviceClass,
    EnumerationName,
    Factor,
    Instance,
    Kind,
    Limit,
    Number,
    Oid,
    Pattern,
    Reference,
    States,
)
from config.schema.values import Boolean, Refusal, Section, Slug, line, whole


class SourceText(Section):
    """An object: its OID or the name of one in ``objects``, and which instance of it belongs to a row."""

    oid: Reference = Field(description="OID of the column or scalar, or the name of an object")
    at: Instance | None = Field(None, description="always this instance")
    take: Annotated[int, whole(1, 60)] | None = Field(
        None, description="only the first so many parts of the row's index"
    )
    skip: Annotated[int, whole(0, 60)] = Field(0, description="without the first so many parts of it")
    key: Reference | None = Field(None, description="the instance is what this object says")
    high: Reference | None = Field(None, description="object with the upper 32 bits")
    unsigned: Boolean = Field(False, description="a negative number is an unsigned one of 32 bits")
    words: dict[str, Annotated[str, line(60)]] = Field(default_factory=dict, description="text for numbers, in names")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"oid": value} if isinstance(value, str) else value


class ConditionText(Section):
    """What must hold for a row: a value, a list of values, or one of these keys."""

    one_of: tuple[str, ...] = Field((), alias="is", description="one of these")
    none_of: tuple[str, ...] = Field((), alias="not", description="none of these")
    like: Pattern | None = Field(None, description="a regular expression is found in it")
    unlike: Pattern | None = Field(None, description="a regular expression is not found in it")

    @model_validator(mode="before")
    @classmethod
    def _from_values(cls, value: object) -> object:
        if isinstance(value, str):
            return {"is": [value]}
        return {"is": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one(self) -> ConditionText:
        if sum(map(bool, (self.one_of, self.none_of, self.like, self.unlike))) != 1:
            raise Refusal("give a value, a list of values, or one of is, not, like and unlike")
        return self


class StatusText(Section):
    """Another object that says how a row is."""

    object: Reference = Field(description="the object")
    states: States = Field(default_factory=dict, description="its values: as states of a sensor")
    enumeration: EnumerationName | None = Field(None, description="instead of states: one of enumerations")

    @model_validator(mode="after")
    def _one(self) -> StatusText:
        if bool(self.states) == (self.enumeration is not None):
            raise Refusal("give either states or an enumeration")
        return self


class LimitsText(Section):
    """From where on a value is bad: numbers in the sensor's unit, or objects that the device fills."""

    warning_high: Limit | None = Field(None, description="warning from here upwards")
    critical_high: Limit | None = Field(None, description="critical from here upwards")
    warning_low: Limit | None = Field(None, description="warning from here downwards")
    critical_low: Limit | None = Field(None, description="critical from here downwards")


class RuleText(Section):
    """Rows of a device that are sensors of one kind."""

    kind: Kind = Field(description="what is measured")
    name: tuple[Annotated[str, line()], ...] = Field(
        (), description="text with {object}, {index} and {n}; of several the first whose objects are all there"
    )
    value: tuple[SourceText, ...] = Field(description="the object; of several the first that a row has")
    unit: Annotated[str, line(12)] | None = Field(None, description="of the result; default: the kind's")
    scale: Factor = Field("1", description="factor to the unit: 0.1, 1/6000")
    offset: Number = Field(0.0, description="added after scaling")
    fahrenheit: Boolean = Field(False, description="the device measures in Fahrenheit")
    minus: tuple[SourceText, ...] = Field((), description="taken off the value first")
    total: SourceText | None = Field(None, description="the value is a part of this: the result is percent")
    free: SourceText | None = Field(None, description="value and this are the whole: the result is percent")
    prefix: SourceText | None = Field(None, description="SI prefix as EntitySensorDataScale")
    digits: SourceText | None = Field(None, description="number of decimal digits")
    ratio: SourceText | None = Field(None, description="signed factor: -10 divides by 10")
    pattern: Pattern | None = Field(
        None, description="takes the number out of text: its first group, or value beside name"
    )
    every: Boolean = Field(False, description="each match of the pattern is a sensor")
    unknown: tuple[Number, ...] = Field((), description="raw values that mean: not known")
    absent: tuple[Number, ...] = Field((), description="raw values that mean: not there, no sensor")
    least: Number | None = Field(None, description="below this the value is unknown; default: the kind's")
    most: Number | None = Field(None, description="above this the value is unknown; default: the kind's")
    states: States = Field(default_factory=dict, description="an enumeration; else is everything not listed")
    enumeration: EnumerationName | None = Field(None, description="instead of states: one of enumerations")
    status: StatusText | None = Field(None, description="another object that says how the row is")
    limits: LimitsText = Field(default_factory=LimitsText, description="where a value becomes bad")
    where: dict[str, ConditionText] = Field(default_factory=dict, description="what must hold for a row to count")
    valid: dict[str, ConditionText] = Field(
        default_factory=dict, description="what must hold for its value to be known"
    )

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        listed = {
            key: [value[key]] for key in ("name", "value", "minus") if isinstance(value.get(key), str | dict)
        }  # fmt: skip
        return {**value, **listed}

    @model_validator(mode="after")
    def _fits(self) -> RuleText:
        if self.total is not None and self.free is not None:
            raise Refusal("either total or free: free is the rest of the whole", key="free")
        if self.every and self.pattern is None:
            raise Refusal("every needs a pattern", key="every")
        groups = re.compile(self.pattern or "").groupindex
        if "name" in groups and "value" not in groups:
            raise Refusal("beside (?P<name>…) the number is in (?P<value>…)", key="pattern")
        if self.states and self.enumeration:
            raise Refusal("give either states or an enumeration", key="enumeration")
        if (self.states or self.enumeration) and (self.total or self.free or self.pattern or self.status):
            raise Refusal(
                "an enumeration is not calculated with: leave out total, free, pattern and status", key="states"
            )
        return self


class FactText(Section):
    """Where a device tells a fact about itself."""

    source: Reference | None = Field(None, alias="object", description="object; left out: sysDescr")
    pattern: Pattern | None = Field(None, description="its first group is the fact; left out: the whole text")
    where: dict[str, ConditionText] = Field(default_factory=dict, description="what must hold for the row")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"object": value} if isinstance(value, str) else value


class FactsText(Section):
    """Facts about the device; of each the first that is there counts."""

    model: tuple[FactText, ...] = Field((), description="model")
    serial: tuple[FactText, ...] = Field((), description="serial number")
    software: tuple[FactText, ...] = Field((), description="software version")


class MatchText(Section):
    """Which devices a profile is for: everything given here must hold."""

    sys_object_id: Oid | None = Field(None, description="sysObjectID begins with this; the longest wins")
    sys_descr: Pattern | None = Field(None, description="found in sysDescr")
    probe: Oid | None = Field(None, description="the device has something below this OID")
    vendor: Annotated[str, line(60)] | None = Field(None, description="instead of the profile's")
    device_class: DeviceClass | None = Field(None, alias="class", description="instead of the profile's")


class ProfileText(Section):
    """A whole file."""

    profile: Slug = Field(description="its name; one with the name of a shipped profile replaces that")
    vendor: Annotated[str, line(60)] | None = Field(None, description="who makes the device")
    device_class: DeviceClass = Field("other", alias="class", description="what it is")
    match: tuple[MatchText, ...] = Field((), description="devices it is for; without any it is there to be extended")
    extends: tuple[Slug, ...] = Field((), description="profiles whose objects, sensors and facts are taken over")
    objects: dict[str, SourceText] = Field(default_factory=dict, description="names for OIDs, as in the MIB")
    enumerations: dict[str, States] = Field(default_factory=dict, description="states that several rules share")
    sensors: tuple[RuleText, ...] = Field((), description="what is measured")
    facts: FactsText = Field(default_factory=FactsText, description="model, serial number, software")
