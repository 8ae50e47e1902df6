"""Device profiles from the configuration's words into the poll's: names become OIDs, patterns are compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from config import Configuration
from config.profile_files import DeviceProfile, load
from config.schema.profile import ConditionText, FactText, LimitsText, RuleText, SourceText, StatusText
from config.schema.profile_values import RANGES, UNITS, is_number, is_oid
from probes.snmp import oid as oids
from probes.snmp.profile import (
    INDEX,
    POSITION,
    Condition,
    Fact,
    Library,
    Limits,
    Match,
    Name,
    Profile,
    Rule,
    Source,
    State,
)

_PIECES = re.compile(r"\{([^{}]*)\}")
_FACTS = ("model", "serial", "software")


def library(own: Iterable[Path] = ()) -> Library:
    """Load and compile the shipped profiles and an operator's own.

    Raises:
        ConfigurationInvalid: a file cannot be used; with everything that is wrong.
    """
    matches: list[Match] = []
    for device in load(own).values():
        matches += compile_matches(device)
    return Library.of(matches)


def device_profiles(configuration: Configuration) -> Library:
    """Load what a configuration needs: nothing where no target is polled by SNMP.

    Raises:
        ConfigurationInvalid: an own profile was changed since the configuration was checked, and cannot be used.
    """
    polled = any("snmp" in target.probes for target in configuration.inventory.targets.values())
    return library(configuration.profiles) if polled else Library()


def compile_matches(device: DeviceProfile) -> list[Match]:
    """Compile a profile, once for each kind of device it is for; one without a match gives none."""
    text = device.text
    if not text.match:
        return []
    profile = compile_profile(device)
    return [
        Match(
            profile, match.vendor or text.vendor, match.device_class or text.device_class,
            oids.encode(match.sys_object_id) if match.sys_object_id else b"",
            re.compile(match.sys_descr) if match.sys_descr else None,
            oids.encode(match.probe) if match.probe else None,
        )
        for match in text.match
    ]  # fmt: skip


def compile_profile(device: DeviceProfile) -> Profile:
    """Compile what a profile and those it extends read."""
    names = _Names(device.objects, device.enumerations)
    return Profile(
        device.text.profile,
        tuple(names.rule(rule) for text in device.lineage for rule in text.sensors),
        {
            kind: tuple(names.fact(fact) for text in device.lineage for fact in getattr(text.facts, kind))
            for kind in _FACTS
        },
    )


class _Names:
    """Turns names of objects into sources, and names of enumerations into states."""

    def __init__(self, objects: Mapping[str, SourceText], enumerations: Mapping[str, Mapping[str, str]]) -> None:
        self._objects = objects
        self._states = {name: _states(texts) for name, texts in enumerations.items()}

    def source(self, text: SourceText) -> Source:
        base = Source(b"") if is_oid(text.oid) else self.source(self._objects[text.oid])
        root, at = (base.root, base.at) if base.root else _split(text.oid)
        return Source(
            root,
            at if text.at is None else oids.encode(f"0.0.{text.at}")[1:],
            text.take if text.take is not None else base.take,
            text.skip or base.skip,
            base.key if text.key is None else self.named(text.key),
            base.high if text.high is None else self.named(text.high).root,
            text.unsigned or base.unsigned,
            text.words or base.words,
        )

    def named(self, reference: str) -> Source:
        return self.source(SourceText(oid=reference))

    def maybe(self, text: SourceText | None) -> Source | None:
        return None if text is None else self.source(text)

    def rule(self, text: RuleText) -> Rule:
        states = self._states[text.enumeration] if text.enumeration else _states(text.states)
        numerator, _, denominator = text.scale.partition("/")
        least, most = RANGES.get(text.kind, (None, None))
        return Rule(
            kind=text.kind,
            names=tuple(map(self._name, text.name)),
            values=tuple(map(self.source, text.value)),
            unit="state" if states else text.unit if text.unit is not None else UNITS.get(text.kind, ""),
            scale=float(numerator) / float(denominator or 1),
            offset=text.offset,
            fahrenheit=text.fahrenheit,
            minus=tuple(map(self.source, text.minus)),
            total=self.maybe(text.total),
            free=self.maybe(text.free),
            prefix=self.maybe(text.prefix),
            digits=self.maybe(text.digits),
            ratio=self.maybe(text.ratio),
            pattern=re.compile(text.pattern) if text.pattern else None,
            every=text.every,
            unknown=frozenset(text.unknown),
            absent=frozenset(text.absent),
            least=least if text.least is None else text.least,
            most=most if text.most is None else text.most,
            states=states,
            status=self.named(text.status.object) if text.status else None,
            status_states=self._status_states(text.status),
            limits=self._limits(text.limits),
            where=self._conditions(text.where),
            valid=self._conditions(text.valid),
        )

    def _status_states(self, text: StatusText | None) -> Mapping[str, State]:
        if text is None:
            return {}
        return self._states[text.enumeration] if text.enumeration else _states(text.states)

    def fact(self, text: FactText) -> Fact:
        return Fact(
            self.named(text.source) if text.source else None,
            re.compile(text.pattern) if text.pattern else None,
            self._conditions(text.where),
        )

    def _name(self, template: str) -> Name:
        pieces: list[str | Source] = []
        for number, piece in enumerate(_PIECES.split(template)):
            if number % 2 == 0:
                pieces += [piece] if piece else []
            else:
                pieces.append({"index": INDEX, "n": POSITION}.get(piece) or self.named(piece))
        return tuple(pieces)

    def _limits(self, text: LimitsText) -> Limits:
        return Limits(*map(self._limit, (text.warning_high, text.critical_high, text.warning_low, text.critical_low)))

    def _limit(self, text: str | None) -> Source | float | None:
        if text is None:
            return None
        return float(text) if is_number(text) else self.named(text)

    def _conditions(self, texts: Mapping[str, ConditionText]) -> tuple[Condition, ...]:
        return tuple(
            Condition(
                None if name == "index" else self.named(name),
                frozenset(text.one_of or text.none_of),
                bool(text.none_of or text.unlike),
                re.compile(text.like or text.unlike or "") if text.like or text.unlike else None,
            )
            for name, text in texts.items()
        )


def _split(oid: str) -> tuple[bytes, bytes | None]:
    """Take the instance off a scalar: 1.3.6.1.2.1.1.3.0 is the object 1.3.6.1.2.1.1.3 at 0."""
    if oid.endswith(".0"):
        return oids.encode(oid.removesuffix(".0")), b"\x00"
    return oids.encode(oid), None


def _states(texts: Mapping[str, str]) -> dict[str, State]:
    found = {}
    for raw, text in texts.items():
        status, _, word = text.partition(" ")
        found[raw] = State(status, word)
    return found
