"""The shipped profiles: which is taken for which device, and what standard agents mean by their numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from collectors.profiles import library
from probes.snmp import Library, ber, oid
from probes.snmp.ber import Value
from probes.snmp.identify import candidates
from probes.snmp.profile import Match, Profile
from probes.snmp.rows import LONGEST_NAME
from probes.snmp.sensors import Sensor, sensors
from probes.snmp.trial import Trial, on_recording

RECORDINGS = os.environ.get("HAIDANG_RECORDINGS", "")
NOTHING = Profile("nothing", ())
Device = dict[str, tuple[int, Value]]


@pytest.fixture(scope="module")
def shipped() -> Library:
    return library()


def text(value: str) -> tuple[int, Value]:
    return ber.OCTET_STRING, value.encode()


def number(value: int) -> tuple[int, Value]:
    return ber.INTEGER, value


def read(match: Match, device: Device) -> dict[str, Sensor]:
    """Read a device with a profile; the sensors by kind and name."""
    roots = {oid.decode(root): root for root in match.profile.roots()}
    cells: dict[bytes, dict[bytes, tuple[int, Value]]] = {}
    for name, cell in device.items():
        content = oid.encode(name)
        for root in roots.values():
            if content[: len(root)] == root:
                cells.setdefault(root, {})[content[len(root) :]] = cell
    return {f"{one.kind} {one.name}": one for one in sensors(match.profile.rules, cells)}


def chosen(shipped: Library, sys_object_id: str | None, sys_descr: str | None = None) -> Match:
    return candidates(shipped, sys_object_id, sys_descr)[-1]


@pytest.mark.parametrize(
    ("sys_object_id", "sys_descr", "vendor", "device_class"),
    [
        ("1.3.6.1.4.1.9.1.2593", "Cisco IOS Software [Everest], Catalyst L3 Switch Software", "Cisco", "switch"),
        ("1.3.6.1.4.1.9.1.1208", "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M)", "Cisco", "switch"),
        ("1.3.6.1.4.1.9.1.1525", "Cisco IOS Software, ISR Software (X86_64_LINUX_IOSD)", "Cisco", "router"),
        ("1.3.6.1.4.1.9.1.576", "Cisco IOS Software, 2801 Software (C2801-ADVENTERPRISEK9-M)", "Cisco", "router"),
        ("1.3.6.1.4.1.9.1.745", "Cisco Adaptive Security Appliance Version 8.2(5)", "Cisco", "firewall"),
        ("1.3.6.1.4.1.2636.1.1.1.2.29", "Juniper Networks, Inc. mx240 internet router", "Juniper", "router"),
        ("1.3.6.1.4.1.2636.1.1.1.2.41", "Juniper Networks, Inc. srx240h internet router", "Juniper", "firewall"),
        ("1.3.6.1.4.1.2636.1.1.1.2.31", "Juniper Networks, Inc. ex4200-48t Ethernet Switch", "Juniper", "switch"),
        ("1.3.6.1.4.1.2011.2.23.291", "S5720-36C-EI-AC Huawei Versatile Routing Platform", "Huawei", "switch"),
        ("1.3.6.1.4.1.14988.1", "RouterOS CRS326-24G-2S+", "MikroTik", "switch"),
        ("1.3.6.1.4.1.14988.1", "RouterOS CCR1036-8G-2S+", "MikroTik", "router"),
        ("1.3.6.1.4.1.318.1.3.4.6", "APC Web/SNMP Management Card", "APC", "pdu"),
        ("1.3.6.1.4.1.318.1.3.2.12", "APC Web/SNMP Management Card", "APC", "ups"),
        ("1.3.6.1.4.1.674.10892.5", "", "Dell", "server"),
        ("1.3.6.1.4.1.12356.101.1.10004", "", "Fortinet", "firewall"),
        ("1.3.6.1.4.1.8072.3.2.10", "UAP-AC-Pro-Gen2 6.0.14", "Ubiquiti", "wireless"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux db1 6.1.0-18-amd64", "Linux", "server"),
        ("1.3.6.1.4.1.8072.3.2.8", "TrueNAS-11.2-U7 (b088e78e8d). Hardware: amd64", "TrueNAS", "storage"),
        ("1.3.6.1.4.1.8072.3.2.8", "FreeBSD db2 13.2-RELEASE", "FreeBSD", "server"),
        ("1.3.6.1.4.1.2011.2.235", "Hardware management system", "Huawei", "server"),
        ("1.3.6.1.4.1.11.5.7.1.2", "HP Onboard Administrator", "HPE", "server"),
        (None, "Avaya IP Office", "Avaya", "videoconf"),
        (None, "Dell Out-of-band SNMP Agent for Remote Access Controller", "Dell", "server"),
        (None, "Cisco NX-OS(tm) n5000, Software (n5000-uk9)", "Cisco", "switch"),
        ("1.3.6.1.4.1.0.1", "Hardware: x86 Family 6 - Software: Windows Version 6.3", "Microsoft", "server"),
        ("1.3.6.1.4.1.32473.1", "something new", None, "other"),
        (None, None, None, "other"),
    ],
)
def test_a_device_is_known_by_what_it_says(
    shipped: Library, sys_object_id: str | None, sys_descr: str | None, vendor: str | None, device_class: str
) -> None:
    match = chosen(shipped, sys_object_id, sys_descr)
    assert (match.vendor, match.device_class) == (vendor, device_class)


def test_a_server_with_an_extend_called_backup_tells_how_old_its_backups_are(shipped: Library) -> None:
    match, *others = candidates(shipped, "1.3.6.1.4.1.8072.3.2.10", "Linux db 6.1.0")
    assert (match.profile.name, others[-1].profile.name) == ("backups", "hosts")
    extend, name = "1.3.6.1.4.1.8072.1.3.2", "6.98.97.99.107.117.112"
    lines = ["portal 7200", "dms", "find: /backup/x: Permission denied", "", "web -1", "x" * 300 + " 5"]
    device = {f"{extend}.4.1.2.{name}.{number}": text(line) for number, line in enumerate(lines, 1)}
    device[f"{extend}.3.1.4.{name}"] = number(1)
    found = {one.name: (one.value, one.status) for one in read(match, device).values()}
    assert found.pop("x" * LONGEST_NAME)[1] == "ok"
    assert found == {
        "portal": (2.0, "ok"), "dms": (None, "critical"), "find:": (None, "critical"), "line 4": (None, "critical"),
        "web": (None, "critical"), "program": (1.0, "critical"),
    }  # fmt: skip


def test_what_says_net_snmp_is_asked_for_its_vendor_s_objects(shipped: Library) -> None:
    bsd = candidates(shipped, "1.3.6.1.4.1.8072.3.2.8", "FreeBSD nas 13.2")
    assert [match.profile.name for match in bsd] == ["truenas", "hosts"]
    found = candidates(shipped, "1.3.6.1.4.1.8072.3.2.10", "Linux nas 4.4.180+")
    asked = {match.profile.name for match in found if match.probe is not None}
    assert {"synology", "qnap", "checkpoint", "sophos", "dell-idrac"} <= asked
    assert found[-1].profile.name == "hosts"


def storage(rows: dict[int, tuple[int, str, int, int]]) -> Device:
    made: Device = {}
    for index, (kind, name, size, used) in rows.items():
        base = f"1.3.6.1.2.1.25.2.3.1.{{}}.{index}"
        made[base.format(2)] = (ber.OBJECT_ID, oid.encode(f"1.3.6.1.2.1.25.2.1.{kind}"))
        made[base.format(3)] = text(name)
        made[base.format(5)], made[base.format(6)] = number(size), number(used)
    return made


def test_what_the_kernel_gives_back_is_not_used_memory(shipped: Library) -> None:
    device = storage(
        {
            1: (2, "Physical memory", 1000, 900), 3: (3, "Virtual memory", 2000, 1000),
            6: (1, "Memory buffers", 1000, 50), 7: (1, "Cached memory", 250, 250),
            10: (3, "Swap space", 1000, 100), 31: (4, "/", 100, 40),
        }
    )  # fmt: skip
    found = read(chosen(shipped, "1.3.6.1.4.1.8072.3.2.10"), device)
    assert {name: one.value for name, one in found.items()} == {
        "memory Physical memory": 60.0, "memory Memory buffers": 5.0, "memory Cached memory": 25.0,
        "memory Virtual memory": 50.0, "memory Swap space": 10.0, "storage /": 40.0,
    }  # fmt: skip
    assert found["memory Physical memory"].oid == "1.3.6.1.2.1.25.2.3.1.6.1"


def test_what_the_kernel_calls_available_counts_where_it_is_told(shipped: Library) -> None:
    device = storage(
        {
            1: (2, "Physical memory", 1000, 900), 6: (1, "Memory buffers", 1000, 50), 7: (1, "Cached memory", 250, 250),
            11: (1, "Available memory", 300, 0),
        }
    )  # fmt: skip
    found = read(chosen(shipped, "1.3.6.1.4.1.8072.3.2.10"), device)
    assert {name: one.value for name, one in found.items()} == {
        "memory Physical memory": 70.0, "memory Memory buffers": 5.0, "memory Cached memory": 25.0
    }  # fmt: skip
    assert found["memory Physical memory"].oid == "1.3.6.1.2.1.25.2.3.1.5.11"


def test_where_no_buffers_are_told_physical_memory_is_as_told(shipped: Library) -> None:
    device = storage({4: (2, "Physical Memory", 1000, 230), 2: (4, "D:\\", 0, 0), 1: (4, "C:\\", -2, 1 << 30)})
    found = read(chosen(shipped, "1.3.6.1.4.1.311.1.1.3.1.2"), device)
    assert {name: one.value for name, one in found.items()} == {"memory Physical Memory": 23.0, "storage C:\\": 25.0}


def test_memory_of_ucd_counts_where_there_is_no_table_of_storage(shipped: Library) -> None:
    amounts = {5: 1000, 6: 400, 14: 100, 15: 200}
    device = {f"1.3.6.1.4.1.2021.4.{column}.0": number(value) for column, value in amounts.items()}
    found = read(chosen(shipped, "1.3.6.1.4.1.8072.3.2.10"), device)
    assert found["memory Physical memory"].value == 30.0


def test_a_ups_of_an_unknown_maker_is_read_by_the_standard(shipped: Library) -> None:
    ups = next(match for match in candidates(shipped, "1.3.6.1.4.1.32473.9", None) if match.profile.name == "ups-mib")
    base = "1.3.6.1.2.1.33.1."
    device = {
        base + "2.1.0": number(3), base + "2.2.0": number(90), base + "2.3.0": number(65_535),
        base + "2.4.0": number(71), base + "2.5.0": number(1225), base + "2.6.0": number(-1),
        base + "2.7.0": number(2_147_483_647),
        base + "4.1.0": number(5), base + "4.4.1.5.1": text("8"), base + "3.3.1.2.1": number(501),
    }  # fmt: skip
    found = {name: (one.value, one.unit, one.status) for name, one in read(ups, device).items()}
    assert ups.device_class == "ups"
    assert found == {
        "battery Battery": (3, "state", "warning"), "state Output source": (5, "state", "warning"),
        "ups_on_battery Time on battery": (1.5, "min", "ok"), "ups_runtime Battery runtime": (None, "min", "unknown"),
        "ups_charge Battery charge": (71, "%", "ok"), "voltage Battery voltage": (122.5, "V", "ok"),
        "current Battery current": (None, "A", "unknown"), "temperature Battery temperature": (None, "C", "unknown"),
        "ups_load Load 1": (8, "%", "ok"), "frequency Input frequency 1": (50.1, "Hz", "ok"),
    }  # fmt: skip


def test_thermometers_in_fahrenheit_and_those_that_are_unplugged(shipped: Library) -> None:
    base = "1.3.6.1.4.1.3854.1.2.2.1.16.1."
    device: Device = {}
    for index, (raw, unit, online) in enumerate([(725, 0, 1), (199, 1, 1), (0, 1, 2)]):
        device |= {
            f"{base}1.{index}": text(f"T{index}"), f"{base}4.{index}": number(2), f"{base}5.{index}": number(online),
            f"{base}12.{index}": number(unit), f"{base}14.{index}": number(raw),
        }  # fmt: skip
    found = read(chosen(shipped, "1.3.6.1.4.1.3854.1"), device)
    assert {name: one.value for name, one in found.items()} == {"temperature T0": 22.5, "temperature T1": 19.9}


def test_sensors_of_the_entity_mib_that_do_not_work_are_unknown(shipped: Library) -> None:
    device: Device = {}
    for index, (status, value) in enumerate([(1, 31), (2, 0), (3, 99)], 1):
        cells = {1: number(8), 2: number(9), 3: number(0), 4: number(value), 5: number(status)}
        device |= {f"1.3.6.1.2.1.99.1.1.1.{column}.{index}": cell for column, cell in cells.items()}
        device[f"1.3.6.1.2.1.47.1.1.1.1.7.{index}"] = text(f"inlet {index}")
    found = read(chosen(shipped, "1.3.6.1.4.1.32473.1"), device)
    assert {name: (one.value, one.status) for name, one in found.items()} == {
        "temperature inlet 1": (31, "ok"), "temperature inlet 2": (None, "unknown"),
        "temperature inlet 3": (None, "unknown"),
    }  # fmt: skip


def near(found: float | None, expected: object) -> bool:
    if found is None or not isinstance(expected, int | float):
        return False
    return abs(found - expected) <= max(0.51 if abs(expected) > 20 else 0.06, 0.011 * abs(expected))


def test_tenths_of_fahrenheit_and_a_load_with_its_state_of_cyberpower(shipped: Library) -> None:
    read_out = read(
        chosen(shipped, "1.3.6.1.4.1.3808.1.1.3"),
        {
            "1.3.6.1.4.1.3808.1.1.4.2.1.0": number(725),
            "1.3.6.1.4.1.3808.1.1.3.2.3.1.1.2.1": number(87),
            "1.3.6.1.4.1.3808.1.1.3.2.3.1.1.3.1": number(3),
        },
    )
    assert read_out["temperature Sensor"].value == pytest.approx(22.5)
    load = read_out["current Load 1"]
    assert load.value == pytest.approx(8.7)
    assert load.status == "warning"


@pytest.mark.parametrize("words", ["31 PERCENT", "31%", " 31 % ", "31 percent"])
def test_percent_of_a_camera_is_read_with_the_sign_or_the_word(shipped: Library, words: str) -> None:
    found = read(chosen(shipped, "1.3.6.1.4.1.39165.1"), {"1.3.6.1.4.1.39165.1.11.0": text(words)})
    assert found["memory Memory"].value == 31


def test_first_generation_of_raritan_counts_in_thousandths_and_its_sensors_have_their_own_digits(
    shipped: Library,
) -> None:
    found = read(
        chosen(shipped, "1.3.6.1.4.1.13742.4"),
        {
            "1.3.6.1.4.1.13742.4.1.20.2.1.7.1": number(1250),
            "1.3.6.1.4.1.13742.4.1.20.2.1.8.1": number(231_500),
            "1.3.6.1.4.1.13742.4.3.3.1.2.4": number(10),
            "1.3.6.1.4.1.13742.4.3.3.1.4.4": text("cold aisle"),
            "1.3.6.1.4.1.13742.4.3.3.1.16.4": number(7),
            "1.3.6.1.4.1.13742.4.3.3.1.17.4": number(1),
            "1.3.6.1.4.1.13742.4.3.3.1.40.4": number(5),
            "1.3.6.1.4.1.13742.4.3.3.1.41.4": number(287),
        },
    )
    assert found["current Inlet 1"].value == pytest.approx(1.25)
    assert found["voltage Inlet 1"].value == pytest.approx(231.5)
    aisle = found["temperature cold aisle"]
    assert aisle.value == pytest.approx(28.7)
    assert aisle.status == "warning"


def test_labelled_texts_of_liebert_are_measured_in_their_unit_and_thresholds_are_no_sensors(shipped: Library) -> None:
    rows = {
        "1.2.1.5002": ("Supply Air Temperature", "68.0", "deg F"),
        "1.2.1.5014": ("High Supply Air Temperature Threshold", "86.0", "deg F"),
        "1.2.1.5027": ("Supply Humidity", "Unavailable", "% RH"),
        "1.2.1.5028": ("Return Humidity", "41.5", "% RH"),
    }
    columns = (10, 20, 30)
    table = {
        f"1.3.6.1.4.1.476.1.42.3.9.20.1.{column}.{index}": text(cell)
        for index, cells in rows.items()
        for column, cell in zip(columns, cells, strict=True)
    }
    found = read(chosen(shipped, "1.3.6.1.4.1.476.1.42"), table)
    values = {name: one.value for name, one in found.items() if one.value is not None}
    assert values == {
        "temperature Supply Air Temperature 1.2.1.5002": pytest.approx(20.0),
        "humidity Return Humidity 1.2.1.5028": 41.5,
    }


@pytest.mark.parametrize(
    ("sys_object_id", "device", "sensor", "value"),
    [
        ("1.3.6.1.4.1.12356.106.1", {"3.0": 150, "4.0": 600}, "memory Memory", 25.0),
        ("1.3.6.1.4.1.12356.106.1", {"2.0": 7}, "cpu CPU", 7.0),
    ],
)
def test_fortinet_s_switches_tell_memory_in_kilobytes(
    shipped: Library, sys_object_id: str, device: dict[str, int], sensor: str, value: float
) -> None:
    cells = {f"1.3.6.1.4.1.12356.106.4.1.{name}": number(raw) for name, raw in device.items()}
    assert read(chosen(shipped, sys_object_id), cells)[sensor].value == value


def test_a_small_business_switch_of_cisco_that_measures_no_load_has_none(shipped: Library) -> None:
    match = chosen(shipped, "1.3.6.1.4.1.9.6.1.1004.10.1")
    cpu = "1.3.6.1.4.1.9.6.1.101.1.9.0"
    parts = "1.3.6.1.4.1.9.6.1.101.53.15.1."
    assert "cpu CPU" not in read(match, {cpu: number(101)})
    found = read(
        match, {cpu: number(12), parts + "10.1": number(44), parts + "11.1": number(1), parts + "2.1": number(5)}
    )
    assert (found["cpu CPU"].value, found["temperature Unit 1"].value) == (12, 44)
    assert "psu Unit 1 main power supply" not in found


def test_sensors_of_the_second_ste_have_the_units_of_the_first(shipped: Library) -> None:
    column = "1.3.6.1.4.1.21796.4.9.3.1."
    found = read(
        chosen(shipped, "1.3.6.1.4.1.21796.4.9"),
        {
            column + "2.1": text("rack 3"),
            column + "3.1": number(5),
            column + "5.1": number(315),
            column + "7.1": number(1),
            column + "2.2": text("damp"),
            column + "3.2": number(0),
            column + "5.2": number(0),
            column + "7.2": number(4),
        },
    )
    assert (found["temperature rack 3"].value, found["temperature rack 3"].status) == (31.5, "critical")
    assert found["humidity damp"].value is None


def test_ibm_s_older_boards_speak_as_lenovo_s_do(shipped: Library) -> None:
    base = "1.3.6.1.4.1.2.3.51.3.1."
    found = read(
        chosen(shipped, "1.3.6.1.4.1.2.3.51.3"),
        {base + "1.2.1.2.1": text("Ambient"), base + "1.2.1.3.1": number(23), base + "4.1.0": number(255)},
    )
    assert (found["temperature Ambient"].value, found["state System"].status) == (23, "ok")


TABLES: dict[str, tuple[str, str, dict[str, int | str], dict[str, tuple[float | None, str]]]] = {
    "Rittal's CMC-TC has a table of sensors for each unit": (
        "1.3.6.1.4.1.2606.4", "1.3.6.1.4.1.2606.4.2.",
        {
            "3.5.2.1.2.1": 10, "3.5.2.1.3.1": "inlet", "3.5.2.1.4.1": 9, "3.5.2.1.5.1": 41,
            "4.5.2.1.2.2": 12, "4.5.2.1.3.2": "air", "4.5.2.1.4.2": 4, "4.5.2.1.5.2": 47,
            "4.5.2.1.2.3": 10, "4.5.2.1.3.3": "gone", "4.5.2.1.4.3": 2, "4.5.2.1.5.3": 0,
            "5.5.2.1.2.1": 23, "5.5.2.1.3.1": "floor", "5.5.2.1.4.1": 4, "5.5.2.1.5.1": 0,
        },
        {
            "temperature inlet": (41, "critical"), "humidity air": (47, "ok"), "temperature gone": (None, "critical"),
            "leak floor": (4, "ok"),
        },
    ),
    "a cooling unit of Liebert tells tenths where it has them": (
        "1.3.6.1.4.1.476.1.42", "1.3.6.1.4.1.476.1.42.3.",
        {
            "4.1.3.3.1.3.1": 23, "4.1.3.3.1.50.1": 234, "4.1.3.3.1.3.2": 31, "4.1.3.3.1.4.2": 30,
            "4.1.3.3.1.3.3": 2_147_483_647, "4.2.2.3.1.3.1": 44, "4.3.1.0": 1, "2.2.0": 2,
        },
        {
            "temperature Temperature 1": (23.4, "ok"), "temperature Temperature 2": (31, "warning"),
            "humidity Humidity 1": (44, "ok"), "state Cooling system": (1, "ok"),
            "state Conditions present": (2, "warning"),
        },
    ),
    "a bay of AOS-CX with nothing in it is no sensor": (
        "1.3.6.1.4.1.47196.4.1.1.1.1", "1.3.6.1.4.1.47196.4.1.1.3.11.",
        {
            "2.1.1.3.1.1": "1/1", "2.1.1.7.1.1": 74, "2.1.1.11.1.1": 1, "2.1.1.11.1.2": 12, "2.1.1.7.1.2": 0,
            "3.1.1.5.1.3.1.1": "1/1-PHY", "3.1.1.7.1.3.1.1": 43_500, "5.1.1.4.1.1.1": "1/1/1", "5.1.1.8.1.1.1": 5_432,
            "5.1.1.10.1.1.1": 5,
        },
        {
            "psu Power supply 1/1": (1, "ok"), "power Power supply 1/1": (74, "ok"),
            "temperature 1/1-PHY": (43.5, "ok"), "fan Fan 1/1/1": (5_432, "critical"),
        },
    ),
    "ProCurve tells fans, supplies and the air by module": (
        "1.3.6.1.4.1.11.2.3.7.11.160", "1.3.6.1.4.1.11.2.14.11.",
        {
            "1.2.8.1.1.2.1": "Sys-1", "1.2.8.1.1.3.1": "27C", "5.1.54.2.1.1.4.1": 0, "5.1.54.2.1.1.4.2": 5,
            "5.1.55.1.1.1.2.1": 3, "5.1.55.1.1.1.4.1": 38, "5.1.55.1.1.1.2.2": 1, "5.1.55.1.1.1.4.2": 0,
        },
        {
            "temperature Sys-1": (27, "ok"), "fan Fan 1": (0, "critical"), "fan Fan 2": (5, "ok"),
            "psu Power supply 1": (3, "ok"), "temperature Power supply 1": (38, "ok"),
        },
    ),
    "QNAP's disks are as their S.M.A.R.T. says": (
        "1.3.6.1.4.1.24681", "1.3.6.1.4.1.24681.1.4.1.1.1.1.",
        {"5.2.1.5.1": 2, "5.2.1.6.1": 44, "2.2.1.4.1": -1, "2.2.1.5.1": 0, "4.2.0": 51},
        {
            "disk Disk 1": (2, "critical"), "temperature Disk 1": (44, "ok"), "fan Fan 1": (0, "critical"),
            "temperature Processor": (51, "ok"),
        },
    ),
    "nodes of a NetApp cluster have a row each": (
        "1.3.6.1.4.1.789.2.5", "1.3.6.1.4.1.789.1.25.2.1.",
        {"1.1": "n1", "18.1": 1, "19.1": 0, "21.1": 1, "17.1": 9},
        {
            "temperature n1 over temperature": (1, "ok"), "fan n1 failed fans": (0, "ok"),
            "psu n1 failed power supplies": (1, "critical"), "battery n1 NVRAM battery": (9, "ok"),
        },
    ),
    "ZTE's later series count boards, and a power module that is not there is no sensor": (
        "1.3.6.1.4.1.3902.3.100.5", "1.3.6.1.4.1.3902.3.6002.2.",
        {
            "1.1.7.1": 12, "5.1.9.1.1": 39, "3.1.7.1.1": 0, "6.2.1.4.1": 1, "6.2.1.7.1": 2, "6.2.1.4.2": 2,
            "6.2.1.7.2": 0,
        },
        {
            "cpu CPU 1": (12, "ok"), "temperature Board 1.1": (39, "ok"), "fan Fan 1.1": (0, "critical"),
            "psu Power module 1": (2, "critical"),
        },
    ),
    "a Polycom endpoint whose SIP failed says so, and what is not set up is no sensor": (
        "1.3.6.1.4.1.13885.102", "1.3.6.1.4.1.13885.101.1.",
        {"1.6.0": 2, "2.7.1.0": 1, "2.8.3.1.2.1": 3},
        {"state System": (2, "ok"), "state SIP registration 1": (3, "critical")},
    ),
    "APC's monitor tells in which unit its thermometers are": (
        "1.3.6.1.4.1.318.1.3.8.4", "1.3.6.1.4.1.318.1.1.10.4.2.",
        {"1.0": 2, "3.1.3.0.1": "row 1", "3.1.5.0.1": 77, "3.1.6.0.1": 40},
        {"temperature row 1": (25, "ok"), "humidity row 1": (40, "ok")},
    ),
    "light at Huawei is in hundredths of dBm where it is negative, else it is left out": (
        "1.3.6.1.4.1.2011.2.23.1", "1.3.6.1.4.1.2011.5.25.31.1.1.3.1.",
        {"8.7": -512, "8.8": 310, "9.7": -1},
        {"optical_power Port 7 receive": (-5.12, "ok")},
    ),
    "a chassis of TiMOS has supplies with two inputs": (
        "1.3.6.1.4.1.6527.1.15.2", "1.3.6.1.4.1.6527.3.1.2.2.1.",
        {"4.1.2.1.1": 4, "5.1.6.1.1": 3, "5.1.7.1.1": 2},
        {"fan Chassis fan 1.1": (4, "critical"), "psu Chassis power supply 1.1 input 1": (3, "ok")},
    ),
    "airOS in a version that tells temperatures in its own unit knows none": (
        "1.3.6.1.4.1.41112.1.4", "1.3.6.1.4.1.41112.1.4.8.",
        {"3.0": 1_250, "4.0": 430_000_000},
        {"cpu CPU": (12.5, "ok"), "temperature Board": (None, "unknown")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", TABLES)
def test_of_a_vendor_s_own_tables(shipped: Library, story: str) -> None:
    sys_object_id, base, cells, expected = TABLES[story]
    device = {base + name: number(raw) if isinstance(raw, int) else text(raw) for name, raw in cells.items()}
    found = read(chosen(shipped, sys_object_id), device)
    assert {name: (one.value, one.status) for name, one in found.items()} == expected


@pytest.mark.parametrize(
    ("filled", "device_class"),
    [("8.20.1", "pdu"), ("4.3.2", "environment"), (None, "ups")],
)
def test_what_a_card_of_liebert_is_in_shows_in_the_tables_it_fills(
    shipped: Library, filled: str | None, device_class: str
) -> None:
    possible = candidates(shipped, "1.3.6.1.4.1.476.1.42", "Liebert IntelliSlot")
    root = None if filled is None else oid.encode("1.3.6.1.4.1.476.1.42.3." + filled)
    taken = next(match for match in possible if match.probe is None or match.probe == root)
    assert taken.device_class == device_class


@pytest.mark.skipif(not RECORDINGS, reason="set HAIDANG_RECORDINGS to a folder of .snmprec files and expected.json")
def test_recorded_devices_are_named_and_measured_as_their_users_expect(shipped: Library) -> None:
    """Compare with what another program's users checked; a state by its status, a number within a percent."""
    right = wrong = listed = 0
    complaints = []
    for entry in json.loads((Path(RECORDINGS) / "expected.json").read_text(encoding="utf-8")):
        path = Path(RECORDINGS) / entry["file"]
        match = on_recording(path, NOTHING, shipped).chosen
        assert match is not None, path.name
        assert match.device_class == entry["class"], path.name
        assert entry["vendor"].split()[0].split("/")[0].lower() in (match.vendor or "").lower(), path.name
        found = _by_oid(on_recording(path, match.profile, shipped))
        for kind, value in _numbers(entry):
            listed += 1
            sensors_there = found.get(value["oid"].lstrip("."), [])
            good = _agree(sensors_there, value)
            right += good
            if sensors_there and not good:
                wrong += 1
                complaints.append((path.name, kind, value, sensors_there))
    assert listed > 300
    assert right / listed >= 0.98
    assert wrong == 0, complaints


def _by_oid(trial: Trial) -> dict[str, list[Sensor]]:
    found: dict[str, list[Sensor]] = {}
    for outcome in trial.outcomes:
        if outcome.sensor is not None:
            found.setdefault(outcome.sensor.oid, []).append(outcome.sensor)
    return found


def _numbers(entry: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """List what is expected as one number or state at one object."""
    kinds = ("cpu", "temperature", "fan", "psu")
    listed = [(kind, value) for kind in kinds for value in (entry.get(kind) or {}).get("values", [])]
    for kind, values in (entry.get("ups") or {}).items():
        if kind in ("charge", "runtime", "load", "on_battery"):
            listed += [(kind, value) for value in values]
    return [
        (kind, value)
        for kind, value in listed
        if value.get("in_recording", True)
        and (value.get("state") or isinstance(value.get("value"), int | float | list))
    ]


def _agree(found: list[Sensor], expected: dict[str, Any]) -> bool:
    if isinstance(expected.get("value"), list):  # several numbers in one text
        return bool([one.value for one in found] == expected["value"])
    return any(_agrees(one, expected) for one in found)


def _agrees(found: Sensor, expected: dict[str, Any]) -> bool:
    if expected.get("sentinel"):
        return found.value is None
    if expected.get("state"):
        return bool(found.status == expected["state"])
    return near(found.value, expected["value"])


FORTIGATE, PALO, CHECKPOINT, SOPHOS, ASA = (
    "1.3.6.1.4.1.12356.101.13", "1.3.6.1.4.1.25461.2.1.2", "1.3.6.1.4.1.2620.1", "1.3.6.1.4.1.2604.5.1.4",
    "1.3.6.1.4.1.9.9.147.1.2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sys_object_id", "sys_descr", "device", "expected"),
    [
        (
            "1.3.6.1.4.1.12356.101.1.10004", "",
            {
                f"{FORTIGATE}.1.1.0": number(3), f"{FORTIGATE}.2.1.1.11.1": text("fw-1"),
                f"{FORTIGATE}.2.1.1.11.2": text("fw-2"), f"{FORTIGATE}.2.1.1.12.1": number(1),
                f"{FORTIGATE}.2.1.1.12.2": number(0),
            },
            {"state HA fw-1": "ok", "state HA fw-2": "critical"},
        ),
        (
            "1.3.6.1.4.1.12356.101.1.10004", "",
            {f"{FORTIGATE}.1.1.0": number(1), f"{FORTIGATE}.2.1.1.12.1": number(0)}, {},
        ),
        (
            "1.3.6.1.4.1.25461.2.3.18", "",
            {
                f"{PALO}.1.11.0": text("active"), f"{PALO}.1.12.0": text("non-functional"),
                f"{PALO}.1.13.0": text("active-passive"), f"{PALO}.3.2.0": number(64_000),
                f"{PALO}.3.3.0": number(57_600),
            },
            {
                "state HA": "ok", "state HA peer": "critical", "session_load Session load": 90,
                "sessions Sessions": 57_600,
            },
        ),
        (
            "1.3.6.1.4.1.25461.2.3.18", "",
            {f"{PALO}.1.11.0": text("disabled"), f"{PALO}.1.12.0": text(""), f"{PALO}.1.13.0": text("disabled")}, {},
        ),
        (
            "1.3.6.1.4.1.2620.1.6.123.1.49", "",
            {
                f"{CHECKPOINT}.5.5.0": text("yes"), f"{CHECKPOINT}.5.6.0": text("active attention"),
                f"{CHECKPOINT}.1.25.3.0": number(9_000), f"{CHECKPOINT}.1.25.10.0": number(25_000),
            },
            {"state ClusterXL": "warning", "session_load Connection table": 36, "sessions Connections": 9_000},
        ),
        (
            "1.3.6.1.4.1.2620.1.6.123.1.49", "",
            {
                f"{CHECKPOINT}.5.5.0": text("no"), f"{CHECKPOINT}.5.6.0": text("down"),
                f"{CHECKPOINT}.1.25.3.0": number(9_000), f"{CHECKPOINT}.1.25.10.0": number(0),
            },
            {"sessions Connections": 9_000},
        ),
        (
            "1.3.6.1.4.1.2604.5", "",
            {f"{SOPHOS}.1.0": number(1), f"{SOPHOS}.4.0": number(3), f"{SOPHOS}.5.0": number(4)},
            {"state HA": "ok", "state HA peer": "critical"},
        ),
        ("1.3.6.1.4.1.2604.5", "", {f"{SOPHOS}.1.0": number(0), f"{SOPHOS}.4.0": number(0)}, {}),
        (
            "1.3.6.1.4.1.9.1.745", "Cisco Adaptive Security Appliance Version 9.16(4)",
            {
                f"{ASA}.1.1.1.3.4": number(2), f"{ASA}.1.1.1.3.6": number(9), f"{ASA}.1.1.1.3.7": number(4),
                f"{ASA}.1.1.1.4.6": text("Active unit"), f"{ASA}.1.1.1.4.7": text("Failed unit"),
                f"{ASA}.2.2.1.5.40.6": (ber.GAUGE32, 1045), f"{ASA}.2.2.1.5.40.7": (ber.GAUGE32, 2816),
            },
            {"state Failover primary": "ok", "state Failover secondary": "critical", "sessions Connections": 1045},
        ),
        (
            "1.3.6.1.4.1.9.1.745", "Cisco Adaptive Security Appliance Version 9.16(4)",
            {
                f"{ASA}.1.1.1.3.6": number(3), f"{ASA}.1.1.1.3.7": number(3),
                f"{ASA}.1.1.1.4.6": text("Failover Off"), f"{ASA}.1.1.1.4.7": text("Failover Off"),
            },
            {},
        ),
    ],
)  # fmt: skip
def test_firewalls_tell_their_redundancy_and_how_many_sessions_they_hold(
    shipped: Library, sys_object_id: str, sys_descr: str, device: Device, expected: dict[str, str | float]
) -> None:
    found = read(chosen(shipped, sys_object_id, sys_descr), device)
    assert {name: one.status if one.kind == "state" else one.value for name, one in found.items()} == expected
