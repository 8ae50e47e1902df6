"""The kinds of values in a device profile: classes, kinds of sensors with unit and range, OIDs, patterns, factors."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from config.errors import quoted
from config.schema.values import Refusal, number, written

DeviceClass = Literal[
    "router", "switch", "firewall", "wireless", "videoconf", "camera", "ups", "pdu", "environment", "storage", "server",
    "other",
]  # fmt: skip
Kind = Literal[
    "temperature", "humidity", "fan", "psu", "cpu", "memory", "storage", "voltage", "current", "power", "energy",
    "frequency", "optical_power", "airflow", "ups_charge", "ups_runtime", "ups_load", "ups_on_battery", "battery",
    "disk", "raid", "bgp", "ospf", "contact", "leak", "smoke", "sessions", "session_load", "clients",
    "backup", "state",
]  # fmt: skip
STATUSES = ("ok", "warning", "critical", "unknown")
UNITS: dict[str, str] = {
    "temperature": "C", "humidity": "%", "fan": "rpm", "cpu": "%", "memory": "%", "storage": "%", "voltage": "V",
    "current": "A", "power": "W", "energy": "kWh", "frequency": "Hz", "optical_power": "dBm", "airflow": "m3/min",
    "ups_charge": "%", "ups_runtime": "min", "ups_load": "%", "ups_on_battery": "min", "session_load": "%",
    "backup": "h",
}  # fmt: skip
"""What a kind is measured in where a rule does not say."""
RANGES: dict[str, tuple[float, float | None]] = {
    "temperature": (-60, 250), "humidity": (0, 100), "fan": (0, 100_000), "cpu": (0, 100), "memory": (0, 100),
    "storage": (0, 1_000), "session_load": (0, 1_000), "ups_charge": (0, 100), "ups_load": (0, 300),
    "ups_runtime": (0, 100_000), "ups_on_battery": (0, 1_000_000), "frequency": (0, 1_000), "optical_power": (-60, 30),
    "voltage": (-1_000, 1_000_000), "current": (-10_000, 10_000), "power": (-10_000_000, 10_000_000),
    "backup": (0, None),
}  # fmt: skip
"""What a kind can be; anything else is a fault of the device or of the rule, and unknown."""

_OID = re.compile(r"\.?[0-2](\.[0-9]{1,10}){2,126}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_FRACTION = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)(?:/([1-9][0-9]{0,14}))?")
_NESTED = re.compile(r"[+*}]\)(?:[+*]|\{[0-9]*,)")
LONGEST_PATTERN = 300


def is_oid(text: str) -> bool:
    """Tell an object identifier from the name of an object."""
    return _OID.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Tell a number from the name of an object."""
    return _NUMBER.fullmatch(text) is not None


def _oid(value: str) -> str:
    if not is_oid(value) or any(int(part) >= 1 << 32 for part in value.strip(".").split(".")):
        raise Refusal(f"{quoted(value)} is not an object identifier: numbers with dots, e.g. 1.3.6.1.2.1.1.1.0")
    return value.removeprefix(".")


def _reference(value: str) -> str:
    return value if _NAME.fullmatch(value) else _oid(value)


def _limit(value: str) -> str:
    return value if is_number(value) else _reference(value)


def _pattern(value: str) -> str:
    if len(value) > LONGEST_PATTERN:
        raise Refusal(f"{len(value)} characters: a pattern has at most {LONGEST_PATTERN}")
    if _NESTED.search(value):
        raise Refusal("a repetition inside a repetition, as in (a+)+, can take for ever: write it without")
    try:
        re.compile(value)
    except re.error as error:
        raise Refusal(f"{quoted(value)} is not a regular expression: {error}") from error
    return value


def _factor(value: str) -> str:
    match = _FRACTION.fullmatch(value)
    if match is None or float(match[1]) == 0:
        raise Refusal(f"{quoted(value)} is not a factor: write 0.1, -1, 1/6000 …")
    return value


def _instance(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,10}){0,60}", value):
        raise Refusal(f"{quoted(value)} is not an index: numbers with dots, e.g. 1.3")
    return value


def _state(value: str) -> str:
    if value.split(" ", 1)[0] not in STATUSES:
        raise Refusal(f"{quoted(value)} must begin with {', '.join(STATUSES)}; the MIB's word may follow")
    return value


Oid: TypeAlias = Annotated[str, written(_oid)]
Reference: TypeAlias = Annotated[str, written(_reference)]
Pattern: TypeAlias = Annotated[str, written(_pattern)]
Number: TypeAlias = Annotated[float, number(-1e15, 1e15)]
EnumerationName: TypeAlias = Annotated[str, written(_reference)]
States: TypeAlias = dict[str, Annotated[str, written(_state)]]
Limit: TypeAlias = Annotated[str, written(_limit)]
Factor: TypeAlias = Annotated[str, written(_factor)]
Instance: TypeAlias = Annotated[str, written(_instance)]
