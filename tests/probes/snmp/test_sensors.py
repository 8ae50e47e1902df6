"""What rules make of cells: conversions, what is unknown, what is left out, and text that means harm."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.snmp import ber, oid
from probes.snmp.ber import Value
from probes.snmp.profile import INDEX, POSITION, Condition, Limits, Rule, Source, State
from probes.snmp.rows import LONGEST_NAME, as_text, decimal
from probes.snmp.sensors import MOST_SENSORS, Sensor, outcomes, sensors

VALUE, OTHER, NAME = (Source(oid.encode(f"1.3.6.1.4.1.32473.{number}")) for number in (1, 2, 3))
Cells = dict[bytes, dict[bytes, tuple[int, Value]]]


def rule(**given: object) -> Rule:
    settings = {"kind": "temperature", "names": ((NAME,), ("sensor ", INDEX)), "values": (VALUE,), "unit": "C", **given}
    return Rule(**settings)  # type: ignore[arg-type]


def cells(value: tuple[int, Value], *, index: str = "1", **others: tuple[int, Value]) -> Cells:
    columns = {"value": VALUE, "other": OTHER, "name": NAME}
    key = oid.encode(f"0.0.{index}")[1:]
    return {columns[name].root: {key: cell} for name, cell in {"value": value, **others}.items()}


def only(one: Rule, table: Mapping[bytes, Mapping[bytes, tuple[int, Value]]]) -> Sensor:
    (sensor,) = sensors([one], table)
    return sensor


@pytest.mark.parametrize(
    ("settings", "raw", "expected"),
    [
        ({}, (ber.INTEGER, 21), 21.0),
        ({"scale": 0.1}, (ber.INTEGER, 215), 21.5),
        ({"scale": 1 / 6000}, (ber.TIME_TICKS, 10_976_200), 1829.366667),
        ({"scale": -1.0, "offset": 100.0}, (ber.GAUGE32, 75), 25.0),
        ({"fahrenheit": True}, (ber.INTEGER, 212), 100.0),
        ({"scale": 0.1, "fahrenheit": True}, (ber.INTEGER, -400), -40.0),
        ({}, (ber.OCTET_STRING, b" 55.652\0"), 55.652),
        ({}, (ber.OPAQUE, b"\x9f\x78\x04" + struct.pack(">f", 0.5)), 0.5),
        ({"pattern": re.compile("([0-9.]+) ?C")}, (ber.OCTET_STRING, b"41 C/105 F"), 41.0),
        ({"unknown": frozenset({-1.0})}, (ber.INTEGER, -1), None),
        ({"least": -60, "most": 250}, (ber.INTEGER, 65_535), None),
    ],
)
def test_a_raw_value_becomes_the_unit_s_or_unknown(
    settings: dict[str, object], raw: tuple[int, Value], expected: float | None
) -> None:
    sensor = only(rule(**settings), cells(raw))
    assert sensor.value == expected
    assert sensor.status == ("unknown" if expected is None else "ok")
    assert sensor.oid == "1.3.6.1.4.1.32473.1.1"


@pytest.mark.parametrize(
    "raw",
    [
        (ber.OCTET_STRING, b"n/a"), (ber.OCTET_STRING, b""), (ber.OCTET_STRING, b"1e400"),
        (ber.OCTET_STRING, b"9" * 65),
        (ber.OPAQUE, b"\x9f\x78\x04" + struct.pack(">f", float("nan"))), (ber.OPAQUE, b"\x9f\x78\x04\0"),
        (ber.NULL, None), (ber.IP_ADDRESS, b"\x0a\0\0\1"), (ber.NO_SUCH_INSTANCE, None),
    ],
)  # fmt: skip
def test_what_is_no_number_is_no_sensor(raw: tuple[int, Value]) -> None:
    assert decimal(*raw) is None
    assert sensors([rule()], cells(raw)) == ()


@pytest.mark.parametrize(
    ("scale", "digits", "raw", "expected"),
    [(9, 0, 31, 31.0), (8, 0, 21_625, 21.625), (9, 3, 30_855, 30.855), (10, 0, 2, 2_000.0), (8, 1, -12_345, -1.2345)],
)
def test_si_prefix_and_precision_are_those_of_the_entity_sensor_mib(
    scale: int, digits: int, raw: int, expected: float
) -> None:
    precision = Source(oid.encode("1.3.6.1.4.1.32473.4"))
    table = cells((ber.INTEGER, raw), other=(ber.INTEGER, scale))
    table[precision.root] = {b"\x01": (ber.INTEGER, digits)}
    assert only(rule(prefix=OTHER, digits=precision), table).value == pytest.approx(expected)


@pytest.mark.parametrize("scale", [0, 18, -3, 4_000_000_000])
def test_a_scale_outside_the_enumeration_makes_the_value_unknown(scale: int) -> None:
    assert only(rule(prefix=OTHER), cells((ber.INTEGER, 5), other=(ber.INTEGER, scale))).value is None


@given(st.integers(0, 2**64 - 1))
def test_two_columns_of_32_bits_are_one_of_64(number: int) -> None:
    low, high = number & 0xFFFFFFFF, number >> 32
    signed = low - (1 << 32) if low >= 1 << 31 else low  # as agents with INTEGER columns send it
    table = cells((ber.INTEGER, signed), other=(ber.GAUGE32, high))
    source = Source(VALUE.root, high=OTHER.root)
    assert only(rule(values=(source,)), table).value == pytest.approx(float(number))


@pytest.mark.parametrize(
    ("total", "free", "expected"),
    [(400, None, 25.0), (0, None, None), (-5, None, None), (None, 300, 25.0), (None, None, None)],
)
def test_percent_needs_a_whole(total: int | None, free: int | None, expected: float | None) -> None:
    table = cells((ber.GAUGE32, 100))
    amount = total if total is not None else free
    if amount is not None:
        table[OTHER.root] = {b"\x01": (ber.INTEGER, amount)}
    one = rule(free=OTHER) if free is not None else rule(total=OTHER)
    assert only(one, table).value == expected


def test_an_enumeration_gives_status_and_word_and_what_is_not_in_it_is_unknown() -> None:
    states = {"1": State("ok", "normal"), "2": State("critical", "failed")}
    fan = rule(kind="fan", unit="state", states=states, absent=frozenset({5.0}))
    good, bad, odd = (only(fan, cells((ber.INTEGER, raw))) for raw in (1, 2, 9))
    assert (good.status, good.text, good.value) == ("ok", "normal", 1)
    assert (bad.status, bad.text) == ("critical", "failed")
    assert (odd.status, odd.text, odd.value) == ("unknown", None, 9)
    assert sensors([fan], cells((ber.INTEGER, 5))) == ()


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [(50, 60, "ok"), (60, 60, "warning"), (61, 60, "warning"), (61, 0, "ok"), (61, -1, "ok")],
)
def test_limits_come_from_the_device_and_one_that_is_not_set_counts_for_nothing(
    value: int, limit: int, expected: str
) -> None:
    one = rule(limits=Limits(warning_high=OTHER), unknown=frozenset({-1.0}))
    assert only(one, cells((ber.INTEGER, value), other=(ber.INTEGER, limit))).status == expected


def test_the_worst_limit_counts_and_numbers_are_in_the_sensor_s_unit() -> None:
    one = rule(scale=0.1, limits=Limits(40.0, 50.0, 10.0, 5.0))
    found = [only(one, cells((ber.INTEGER, raw))).status for raw in (300, 400, 500, 100, 50)]
    assert found == ["ok", "warning", "critical", "warning", "critical"]


def test_a_value_that_is_not_valid_is_unknown_and_one_that_is_not_asked_for_is_left_out() -> None:
    good = Condition(OTHER, frozenset({"1"}))
    table = cells((ber.INTEGER, 20), other=(ber.INTEGER, 2))
    assert only(rule(valid=(good,)), table).value is None
    (outcome,) = outcomes([rule(where=(good,))], table)
    assert outcome.sensor is None
    assert outcome.reason == "where: 1.3.6.1.4.1.32473.2 is '2'"


def test_a_row_finds_what_belongs_to_it_by_index_by_part_of_it_and_by_key() -> None:
    taken, skipped = Source(NAME.root, take=1), Source(NAME.root, skip=2)
    keyed = Source(NAME.root, key=OTHER)
    table = cells((ber.INTEGER, 7), index="5.300.6", other=(ber.INTEGER, 300))
    table[NAME.root] = {
        oid.encode(f"0.0.{number}")[1:]: (ber.OCTET_STRING, b"name %d" % number) for number in (5, 6, 300)
    }
    names = [only(rule(names=((source,),)), table).name for source in (taken, skipped, keyed)]
    assert names == ["name 5", "name 6", "name 300"]
    assert only(rule(), table).name == "sensor 5.300.6"


def test_several_numbers_in_one_text_are_several_sensors_with_a_place_each() -> None:
    table = cells((ber.OCTET_STRING, b"24C (75F) ambient, <N/A>, 26C (78F)"))
    found = sensors([rule(pattern=re.compile(r"(-?[0-9]+)C |<N/A>"), every=True)], table)
    assert [(one.name[-4:], one.value, one.oid) for one in found] == [
        (" 1 1", 24.0, "1.3.6.1.4.1.32473.1.1"), (" 1 3", 26.0, "1.3.6.1.4.1.32473.1.1")
    ]  # fmt: skip


def test_of_two_rules_for_the_same_object_the_first_counts() -> None:
    found = sensors([rule(scale=0.1), rule()], cells((ber.INTEGER, 210)))
    assert [one.value for one in found] == [21.0]


def test_text_from_a_device_is_one_printable_line_of_bounded_length() -> None:
    hostile = "\x1b[31mrot\x1b[0m \u202egnp.exe\r\nline <b>two</b>\0rest".encode() + b"x" * 65_000
    shown = only(rule(), cells((ber.INTEGER, 1), name=(ber.OCTET_STRING, hostile))).name
    assert shown == "[31mrot[0m gnp.exe line <b>two</b>"
    long = only(rule(), cells((ber.INTEGER, 1), name=(ber.OCTET_STRING, b"y" * 65_000))).name
    assert len(long) == LONGEST_NAME


def test_a_device_with_endless_sensors_gives_so_many_and_no_more() -> None:
    rows = {oid.encode(f"0.0.{number}")[1:]: (ber.INTEGER, 1) for number in range(MOST_SENSORS + 10)}
    assert len(sensors([rule()], {VALUE.root: rows})) == MOST_SENSORS


@given(st.integers(0, 255), st.one_of(st.none(), st.integers(-(2**70), 2**70), st.binary(max_size=300)))
def test_no_cell_whatever_raises(tag: int, value: int | bytes | None) -> None:
    try:
        as_text(tag, value)
    except Exception as error:  # noqa: BLE001 the test is that none comes
        pytest.fail(repr(error))
    every = rule(
        prefix=OTHER, digits=OTHER, ratio=OTHER, total=OTHER, limits=Limits(OTHER, OTHER), status=OTHER,
        values=(Source(VALUE.root, key=OTHER), VALUE),
    )  # fmt: skip
    for one in sensors([every, rule()], cells((tag, value), other=(tag, value), name=(tag, value))):
        assert one.name.isprintable()


def test_a_pattern_may_take_the_name_out_of_the_text_and_what_it_cannot_name_gets_the_rules() -> None:
    one = rule(pattern=re.compile("^(?P<name>[^ ]*) ?(?P<value>[0-9]*)$"), names=(("line ", POSITION),))
    found = [only(one, cells((ber.OCTET_STRING, text))) for text in (b"portal 3600", b"portal", b"")]
    assert [(sensor.name, sensor.value) for sensor in found] == [("portal", 3600), ("portal", None), ("line 1", None)]


def test_else_of_a_status_is_for_what_is_there_and_not_listed() -> None:
    one = rule(status=OTHER, status_states={"1": State("ok"), "else": State("critical", "broken")})
    for said, expected in ((1, ("ok", None)), (7, ("critical", "broken"))):
        sensor = only(one, cells((ber.INTEGER, 20), other=(ber.INTEGER, said)))
        assert (sensor.status, sensor.text) == expected
    assert only(one, cells((ber.INTEGER, 20))).status == "ok"
