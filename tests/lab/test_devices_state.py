"""What a scenario does to a device, and what its variables say then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from haidang.clock import ManualClock
from lab.devices import CLASSES, Device, Timeline
from probes.snmp import ber, oid

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
NOW = 1_790_000_000 * SECOND
MODELS = {kind: make() for kind, make in CLASSES.items()}
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
BOOTS = "1.3.6.1.6.3.10.2.1.2.0"
ENGINE_TIME = "1.3.6.1.6.3.10.2.1.3.0"
HOST_UPTIME = "1.3.6.1.2.1.25.1.1.0"
OPER_STATUS, LAST_CHANGE, IN_OCTETS = (f"1.3.6.1.2.1.2.2.1.{column}.1" for column in (8, 9, 10))
HC_IN_OCTETS, DISCONTINUITY = (f"1.3.6.1.2.1.31.1.1.1.{column}.1" for column in (6, 19))


def read(device: Device, name: str, at_ns: int) -> int | None:
    device.advance(at_ns)
    value = device.state.read(oid.encode(name), at_ns)
    if value is None:
        return None
    assert value[0] != ber.OCTET_STRING
    return int.from_bytes(value[2:], "big", signed=value[0] == ber.INTEGER)


def number(device: Device, name: str, at_ns: int) -> int:
    found = read(device, name, at_ns)
    assert found is not None, name
    return found


def made(kind: str, *, seed: int = 1, up_for_s: float | None = None) -> Device:
    return Device(MODELS[kind], f"{kind}-1", now_ns=NOW, seed=seed, up_for_s=up_for_s)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_every_variable_of_every_class_can_be_read_at_any_time(kind: str) -> None:
    device = made(kind)
    for at in (NOW, NOW + 13 * HOUR, NOW + 400 * DAY):
        values = [device.state.read(name, at) for name in device.state.tree.names]
        present = [value for value in values if value is not None]
        assert len(present) >= 20
        for value in present:
            start, end = ber.read(value, 0, len(value), value[0])
            assert end == len(value)
            assert start <= end


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_the_same_seed_gives_the_same_device_and_another_seed_another(kind: str) -> None:
    def look(seed: int) -> list[bytes | None]:
        device = made(kind, seed=seed)
        return [device.state.read(name, NOW + DAY) for name in device.state.tree.names]

    assert look(1) == look(1)
    assert look(1) != look(2)


def test_a_reboot_is_dark_for_a_while_and_counts_from_zero() -> None:
    router = made("router")
    boots, before = number(router, BOOTS, NOW), number(router, HC_IN_OCTETS, NOW)
    assert before > 0
    router.reboot(NOW + MINUTE)
    router.advance(NOW + MINUTE + 89 * SECOND)
    assert not router.alive
    back = NOW + MINUTE + 90 * SECOND
    router.advance(back)
    assert router.alive
    assert number(router, BOOTS, back) == boots + 1
    assert number(router, SYS_UP_TIME, back + SECOND) == 100
    assert number(router, HC_IN_OCTETS, back) == 0
    assert 0 < number(router, HC_IN_OCTETS, back + MINUTE) < before
    assert number(router, DISCONTINUITY, back + MINUTE) == 0


def test_an_agents_restart_leaves_the_machine_and_its_counters_alone() -> None:
    server = made("server")
    octets, uptime = number(server, HC_IN_OCTETS, NOW + HOUR), number(server, HOST_UPTIME, NOW + HOUR)
    boots = number(server, BOOTS, NOW)
    server.restart_agent(NOW + HOUR)
    later = NOW + HOUR + 10 * SECOND
    assert number(server, SYS_UP_TIME, later) == 1_000
    assert number(server, BOOTS, later) == boots + 1
    assert number(server, HOST_UPTIME, later) == uptime + 1_000
    assert number(server, HC_IN_OCTETS, later) >= octets


def test_a_port_that_is_down_says_so_and_stands_still() -> None:
    switch = made("switch")
    assert number(switch, OPER_STATUS, NOW) == 1
    switch.port(1, "down", NOW + HOUR)
    switch.port(1, "up", NOW + 3 * HOUR)
    assert number(switch, OPER_STATUS, NOW + HOUR - 1) == 1
    stopped = number(switch, HC_IN_OCTETS, NOW + HOUR)
    assert number(switch, OPER_STATUS, NOW + HOUR) == 2
    assert number(switch, LAST_CHANGE, NOW + 2 * HOUR) == number(switch, SYS_UP_TIME, NOW + 2 * HOUR) - 360_000
    assert number(switch, HC_IN_OCTETS, NOW + 3 * HOUR) == stopped
    assert number(switch, OPER_STATUS, NOW + 3 * HOUR) == 1
    assert number(switch, HC_IN_OCTETS, NOW + 4 * HOUR) > stopped


def test_a_port_that_an_administrator_shuts_says_that_it_is_meant() -> None:
    switch = made("switch")
    admin = "1.3.6.1.2.1.2.2.1.7.1"
    switch.port(1, "shut", NOW + MINUTE)
    switch.port(1, "down", NOW + 2 * MINUTE)
    assert [number(switch, name, NOW + MINUTE) for name in (admin, OPER_STATUS)] == [2, 2]
    assert [number(switch, name, NOW + 2 * MINUTE) for name in (admin, OPER_STATUS)] == [2, 2]
    switch.port(1, "up", NOW + 3 * MINUTE)
    assert [number(switch, name, NOW + 3 * MINUTE) for name in (admin, OPER_STATUS)] == [1, 1]


def test_cleared_counters_are_told_by_the_discontinuity_time() -> None:
    switch = made("switch")
    switch.clear_counters(1, NOW + HOUR)
    assert number(switch, HC_IN_OCTETS, NOW + HOUR) == 0
    assert number(switch, DISCONTINUITY, NOW + 2 * HOUR) == number(switch, SYS_UP_TIME, NOW + 2 * HOUR) - 360_000


def test_narrow_counters_wrap_and_are_the_low_half_of_the_wide_ones() -> None:
    switch = made("switch")
    wrapped = 0
    earlier = number(switch, IN_OCTETS, NOW)
    for step in range(1, 200):
        at = NOW + step * HOUR
        narrow, wide = number(switch, IN_OCTETS, at), number(switch, HC_IN_OCTETS, at)
        assert narrow == wide & 0xFFFFFFFF
        wrapped += narrow < earlier
        earlier = narrow
    assert wrapped > 3


def test_after_497_days_sys_up_time_has_wrapped_and_the_engines_time_has_not() -> None:
    router = made("router", up_for_s=(1 << 32) / 100 - 60)
    assert number(router, SYS_UP_TIME, NOW) == (1 << 32) - 6_000
    assert number(router, SYS_UP_TIME, NOW + 2 * MINUTE) == 6_000
    assert number(router, ENGINE_TIME, NOW + 2 * MINUTE) == ((1 << 32) + 6_000) // 100
    assert router.alive


def test_more_load_is_more_traffic_up_to_the_lines_speed() -> None:
    router = made("router")

    def rate(at: int) -> float:
        return (number(router, HC_IN_OCTETS, at + HOUR) - number(router, HC_IN_OCTETS, at)) * 8 / 3_600

    usual = rate(NOW)
    router.load(1, 1_000, NOW + HOUR)
    assert usual < 60_000_000
    assert rate(NOW + 7 * DAY) > 1.5 * usual
    assert rate(NOW + 7 * DAY) <= 100_000_000 * 1.001


def test_a_ups_runs_down_alarms_dies_and_recharges() -> None:
    ups = made("ups")
    status, seconds, minutes, charge = (f"1.3.6.1.2.1.33.1.2.{column}.0" for column in (1, 2, 3, 4))
    source, alarms, low_alarm = "1.3.6.1.2.1.33.1.4.1.0", "1.3.6.1.2.1.33.1.6.1.0", "1.3.6.1.2.1.33.1.6.2.1.2.2"
    assert [number(ups, name, NOW) for name in (status, seconds, minutes, charge, source, alarms)] == [
        2,
        0,
        40,
        100,
        3,
        0,
    ]
    ups.power("battery", NOW)
    at = NOW + 10 * MINUTE
    assert [number(ups, name, at) for name in (status, seconds, minutes, charge, source, alarms)] == [
        2,
        600,
        30,
        75,
        5,
        1,
    ]
    assert read(ups, low_alarm, at) is None
    at = NOW + 36 * MINUTE
    assert [number(ups, name, at) for name in (status, minutes, charge, alarms)] == [3, 4, 10, 2]
    assert read(ups, low_alarm, at) is not None
    ups.advance(NOW + 40 * MINUTE)
    assert not ups.alive
    ups.power("mains", NOW + 2 * HOUR)
    at = NOW + 2 * HOUR + 30 * SECOND
    ups.advance(at)
    assert ups.alive
    assert number(ups, charge, at) == 0
    at = NOW + 2 * HOUR + 160 * MINUTE
    assert [number(ups, name, at) for name in (charge, source, alarms)] == [50, 3, 0]
    assert number(ups, charge, NOW + DAY) == 100


def test_a_second_failure_finds_the_battery_half_charged() -> None:
    ups = made("ups")
    ups.power("battery", NOW)
    ups.power("mains", NOW + 20 * MINUTE)
    ups.power("battery", NOW + 60 * MINUTE)
    assert number(ups, "1.3.6.1.2.1.33.1.2.3.0", NOW + 60 * MINUTE) == 25
    ups.advance(NOW + 84 * MINUTE)
    assert ups.alive
    ups.advance(NOW + 85 * MINUTE)
    assert not ups.alive


def test_power_that_comes_and_goes_during_the_boot_starts_it_anew() -> None:
    router = made("router")
    router.power("off", NOW)
    router.power("mains", NOW + MINUTE)
    router.power("off", NOW + MINUTE + 30 * SECOND)
    router.power("mains", NOW + 2 * MINUTE)
    router.advance(NOW + MINUTE + 90 * SECOND)
    assert not router.alive
    router.advance(NOW + 2 * MINUTE + 90 * SECOND)
    assert router.alive


def test_a_broken_fan_stands_still_and_is_disabled() -> None:
    switch = made("switch")
    names = {one.name: place for place, one in enumerate(switch.state.model.parts, 2)}
    value, works, state = (
        f"1.3.6.1.2.1.{tail}.{names['fan1']}" for tail in ("99.1.1.1.4", "99.1.1.1.5", "131.1.1.1.3")
    )
    assert number(switch, value, NOW) > 5_000
    switch.fault("fan1", NOW + MINUTE)
    assert [number(switch, name, NOW + MINUTE) for name in (value, works, state)] == [0, 3, 2]
    switch.fault("fan1", NOW + HOUR, mended=True)
    assert [number(switch, name, NOW + HOUR) for name in (works, state)] == [1, 3]


def test_a_room_follows_the_rules_of_the_network_until_a_scenario_heats_it() -> None:
    room = made("environment")
    temperature, humidity = "1.3.6.1.2.1.99.1.1.1.4.2", "1.3.6.1.2.1.99.1.1.1.4.4"
    for hour in range(200):
        assert 200 <= number(room, temperature, NOW + hour * HOUR) <= 250
        assert 400 <= number(room, humidity, NOW + hour * HOUR) <= 550
    room.set(temperature, 391, NOW + 300 * HOUR)
    assert number(room, temperature, NOW + 301 * HOUR) == 391
    room.unset(temperature, NOW + 302 * HOUR)
    assert number(room, temperature, NOW + 302 * HOUR) < 250


def test_variables_can_be_added_and_taken_away_on_one_device_alone() -> None:
    one, other = made("camera"), made("camera", seed=2)
    one.set("1.3.6.1.4.1.32473.9.1.0", (ber.GAUGE32, 17), NOW)
    one.set(SYS_UP_TIME, None, NOW)
    assert number(one, "1.3.6.1.4.1.32473.9.1.0", NOW) == 17
    assert read(one, SYS_UP_TIME, NOW) is None
    assert read(other, "1.3.6.1.4.1.32473.9.1.0", NOW) is None
    assert read(other, SYS_UP_TIME, NOW) is not None
    one.unset(SYS_UP_TIME, NOW + SECOND)
    one.unset("1.3.6.1.4.1.32473.9.1.0", NOW + SECOND)
    assert read(one, SYS_UP_TIME, NOW + SECOND) is not None
    assert one.state.tree is other.state.tree


def test_thousands_of_devices_share_one_tree() -> None:
    devices = [Device(MODELS["camera"], f"camera-{number}", now_ns=NOW) for number in range(2_000)]
    assert len({id(device.state.tree) for device in devices}) == 1
    assert len({device.state.read(oid.encode("1.3.6.1.2.1.2.2.1.16.1"), NOW) for device in devices}) > 1_900


def test_commands_out_of_order_happen_in_the_order_of_time_and_late_ones_at_once() -> None:
    switch = made("switch")
    switch.port(1, "up", NOW + 2 * MINUTE)
    switch.port(1, "down", NOW + MINUTE)
    assert number(switch, OPER_STATUS, NOW + MINUTE) == 2
    assert number(switch, OPER_STATUS, NOW + 2 * MINUTE) == 1
    switch.port(1, "down", NOW)
    assert number(switch, OPER_STATUS, NOW + 2 * MINUTE) == 2


def test_what_does_not_exist_is_refused_at_once() -> None:
    camera = made("camera")
    wrong: dict[str, Callable[[], None]] = {
        "no port 99": lambda: camera.port(99, "down", NOW),
        "not 'sideways'": lambda: camera.port(1, "sideways", NOW),
        "'solar' is not a valid Power": lambda: camera.power("solar", NOW),
        "no part 'fan1'": lambda: camera.fault("fan1", NOW),
        "'hello' is not an object identifier": lambda: camera.set("hello", 1, NOW),
        "no port 7": lambda: camera.load(7, 2.0, NOW),
    }
    for words, command in wrong.items():
        with pytest.raises(ValueError, match=words):
            command()


def test_the_labs_time_does_not_follow_an_operator_who_steps_the_clock() -> None:
    clock = ManualClock()
    timeline = Timeline(clock)
    began = timeline.now_ns()
    clock.advance(10)
    clock.step(-7_200)
    assert timeline.now_ns() == began + 10 * SECOND
