"""Sensors: rows of a device turned into measured quantities by a profile's rules; unknown is ``None``, never 0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probes.snmp import oid as oids
from probes.snmp.profile import INDEX, Condition, Rule, Source, State
from probes.snmp.rows import DECIMAL, LONGEST_NAME, Row, Table, as_text, decimal

MOST_SENSORS = 5_000


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured quantity of a device.

    Parameters:
        kind: ``cpu, memory, storage, temperature …``.
        name: the device's name for it.
        value: ``None`` when the device does not know; for a state the number of its enumeration.
        unit: ``%``, ``C``, ``min`` …; ``state`` where the value is a number of an enumeration.
        status: ``ok, warning, critical, unknown``.
        oid: the object the value came from; several sensors share it where one text holds several numbers.
        text: the word for a state.
    """

    kind: str
    name: str
    value: float | None
    unit: str
    status: str
    oid: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: a sensor, or the reason why there is none or why its value is unknown.

    Parameters:
        rule, oid: the rule, and the object it looked at.
        sensor, reason: what came of it.
        part: which of several numbers in the object's text, counted from 1; else 0.
    """

    rule: Rule
    oid: str
    sensor: Sensor | None
    reason: str = ""
    part: int = 0


def sensors(rules: Iterable[Rule], cells: Table) -> tuple[Sensor, ...]:
    """Make the sensors of a device, at most `MOST_SENSORS`.

    Parameters:
        rules: in order; of two sensors of one kind with the same object the first counts.
        cells: what was read.
    """
    found: dict[tuple[str, str, int], Sensor] = {}
    for outcome in outcomes(rules, cells, explained=False):
        one = outcome.sensor
        if one is not None and len(found) < MOST_SENSORS:
            found.setdefault((one.kind, one.oid, outcome.part), one)
    return tuple(found.values())


def outcomes(rules: Iterable[Rule], cells: Table, *, explained: bool = True) -> Iterator[Outcome]:
    """Apply rules to every row, telling what became of it.

    Parameters:
        rules, cells: as `sensors`.
        explained: also tell of rows that are not asked for; on large devices these are most.
    """
    for rule in rules:
        indexes: dict[bytes, None] = {}
        for source in rule.values:
            column = cells.get(source.root, {})
            if source.at is None:
                indexes.update(dict.fromkeys(column))
            elif source.at in column:
                indexes[source.at] = None
        for position, index in enumerate(indexes, 1):
            yield from _row(rule, Row(cells, index, position), explained=explained)


def _row(rule: Rule, row: Row, *, explained: bool) -> Iterator[Outcome]:
    source, found = next(((one, at) for one in rule.values if (at := row.find(one)) is not None), (None, None))
    if source is None or found is None:
        return
    failed = next((condition for condition in rule.where if not row.holds(condition)), None)
    if failed is not None and not explained:
        return
    oid = oids.decode(source.root + found[0])
    if failed is not None:
        yield Outcome(rule, oid, None, f"where: {_said(failed, row)}")
        return
    text = as_text(*found[1])
    if rule.states:
        yield _state(rule, row, oid, text, decimal(*found[1]))
        return
    if rule.pattern is None:
        read = [(row.number(source), "")]
    else:
        matches = rule.pattern.finditer(text) if rule.every else filter(None, (rule.pattern.search(text),))
        read = [_taken(match) for match in matches]
        if not read:
            yield Outcome(rule, oid, None, f"pattern: {text[:60]!r} does not match")
    for number, (raw, called) in enumerate(read, 1):
        part = number if rule.every else 0
        if rule.every and raw is None:
            # An empty place of a list: it counts, so that those behind it keep their names.
            yield Outcome(rule, oid, None, f"pattern: match {number} has no number", part)
            continue
        if raw is not None and raw in rule.absent:
            yield Outcome(rule, oid, None, f"absent: {raw:.15g}", part)
            continue
        value, reason = _value(rule, row, raw)
        name = called or (f"{_name(rule, row)} {number}" if rule.every else _name(rule, row))
        status, said = _status(rule, row, value)
        if rule.status is None and value is None and raw is None and rule.pattern is None:
            yield Outcome(rule, oid, None, f"{text[:60]!r} is not a number")
            continue
        yield Outcome(rule, oid, Sensor(rule.kind, name, value, rule.unit, status, oid, said), reason, part)


def _said(condition: Condition, row: Row) -> str:
    what = "index" if condition.source is None else oids.decode(condition.source.root)
    return f"{what} is {row.text(condition.source or INDEX)[:60]!r}"


def _taken(match: re.Match[str]) -> tuple[float | None, str]:
    """Take the number out of a match, and the sensor's name where the pattern has a group for it."""
    groups = match.groupdict()
    if "name" in groups:
        return _number(groups.get("value")), (groups["name"] or "")[:LONGEST_NAME].strip()
    return _number(match[1] if match.re.groups else match[0]), ""


def _number(text: str | None) -> float | None:
    return float(text) if text and DECIMAL.fullmatch(text) else None


def _state(rule: Rule, row: Row, oid: str, text: str, raw: float | None) -> Outcome:
    if raw is not None and raw in rule.absent:
        return Outcome(rule, oid, None, f"absent: {raw:.15g}")
    state, reason = rule.states.get(text), ""
    if raw is not None and raw in rule.unknown:
        raw, state, reason = None, State("unknown"), f"unknown: {raw:.15g}"
    elif state is None:
        state, reason = rule.states.get("else", State("unknown")), f"states: {text[:60]!r} is not among them"
    failed = next((condition for condition in rule.valid if not row.holds(condition)), None)
    if failed is not None:
        raw, state, reason = None, State("unknown"), f"valid: {_said(failed, row)}"
    return Outcome(
        rule, oid, Sensor(rule.kind, _name(rule, row), raw, rule.unit, state.status, oid, state.text or None), reason
    )


def _value(rule: Rule, row: Row, raw: float | None) -> tuple[float | None, str]:
    """Convert a raw value; ``None`` and the reason where it means nothing."""
    if raw is None:
        return None, "not a number"
    if raw in rule.unknown:
        return None, f"unknown: {raw:.15g}"
    failed = next((condition for condition in rule.valid if not row.holds(condition)), None)
    if failed is not None:
        return None, f"valid: {_said(failed, row)}"
    for source in rule.minus:
        taken = row.number(source)
        if taken is None:
            return None, "minus: one part is missing"
        raw -= taken
    if rule.total is not None or rule.free is not None:
        other = row.number(rule.total if rule.total is not None else rule.free)
        whole = None if other is None else other if rule.total is not None else raw + other
        if whole is None or whole <= 0 or raw < 0:
            return None, "total: missing or not positive"
        raw = 100 * raw / whole
    converted = _convert(rule, row, raw)
    if converted is None:
        return None, "the device gives no scale"
    if (rule.least is not None and converted < rule.least) or (rule.most is not None and converted > rule.most):
        return None, f"range: {converted:g} is outside {rule.least} to {rule.most}"
    return converted, ""


def _convert(rule: Rule, row: Row, raw: float) -> float | None:
    """Bring a raw value, or a limit that stands in the same unit, to the unit of the sensor."""
    result = raw * rule.scale
    if rule.prefix is not None:
        prefix = row.number(rule.prefix)
        if prefix is None or not 1 <= prefix <= 17:
            return None
        result = _shifted(result, 3 * (int(prefix) - 9))
    if rule.digits is not None:
        digits = row.number(rule.digits)
        if digits is None or not -9 <= digits <= 9:
            return None
        result = _shifted(result, -int(digits))
    if rule.ratio is not None:
        ratio = row.number(rule.ratio)
        if ratio is None or abs(ratio) > 1e9:
            return None
        result = result * ratio if ratio > 0 else result / -ratio if ratio < 0 else result
    result += rule.offset
    if rule.fahrenheit:
        result = (result - 32) * 5 / 9
    return round(result, 6)


def _shifted(number: float, places: int) -> float:
    return number * 10.0**places if places >= 0 else number / 10.0**-places


def _status(rule: Rule, row: Row, value: float | None) -> tuple[str, str | None]:
    """Judge a value: by what the device says of it, else by limits; the device's word comes with it."""
    if rule.status is not None:
        state = rule.status_states.get(row.text(rule.status))
        if state is None and row.find(rule.status) is not None:
            state = rule.status_states.get("else")
        if state is not None:
            return state.status, state.text or None
    if value is None:
        return "unknown", None
    for status, high, limit in rule.limits.each():
        if isinstance(limit, Source):
            bound = row.number(limit)
            # Agents say 0 where nobody has set a limit.
            if bound is None or bound == 0 or bound in rule.unknown or (bound := _convert(rule, row, bound)) is None:
                continue
        else:
            bound = limit
        if value >= bound if high else value <= bound:
            return status, None
    return "ok", None


def _name(rule: Rule, row: Row) -> str:
    for name in rule.names:
        pieces = [piece if isinstance(piece, str) else row.text(piece) for piece in name]
        if all(piece if isinstance(piece, str) else shown for piece, shown in zip(name, pieces, strict=True)):
            return "".join(pieces)[:LONGEST_NAME].strip()
    return f"{rule.kind} {row.text(INDEX)}"
