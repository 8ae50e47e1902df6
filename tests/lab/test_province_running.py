"""What a scenario does to a province and what follows from it, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from haidang.clock import ManualClock
from lab.devices import HONEST, Behaviour, Device, Event, Oddity
from lab.lines import Answer
from lab.network import Reply
from lab.province import Province, RunningProvince, Shape, Unit, generate
from lab.province.agenda import Agenda
from lab.province.running import SNMP_PORT
from probes.snmp import message, oid

MINUTE_S = 60
SHAPE = Shape(districts=3, communes=20, rooms=12, cameras=9, devices=12, services=6, dual_percent=30, ups_percent=50)
HUB, NEXT_HUB = "luc-ngan-router", "bac-giang-router"
UPS = "luc-ngan-ups"
GASP, ON_BATTERY, COLD_START = "1.3.6.1.4.1.32473.0.1", "1.3.6.1.2.1.33.2.1", "1.3.6.1.6.3.1.1.5.1"
LINK_DOWN, LINK_UP = "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.6.3.1.1.5.4"
SYS_NAME = "1.3.6.1.2.1.1.5.0"


class Stage:
    """A running province, its clock, and what its devices have told."""

    def __init__(self, province: Province | None = None) -> None:
        self.clock = ManualClock(1_790_000_000_000_000_000)
        self.told: list[tuple[str, str, float]] = []
        self.province = province or generate(SHAPE)
        self.began_ns = self.clock.utc_ns()
        self.running = RunningProvince(self.province, self.clock, tell=self.tell)

    def tell(self, unit: Unit, event: Event) -> None:
        name = next(
            name for name in (GASP, ON_BATTERY, COLD_START, LINK_DOWN, LINK_UP, "") if oid.encode(name or "1.3")
            in event.datagram
        )  # fmt: skip
        self.told.append((unit.id, name, (event.at_ns - self.began_ns) / 1e9))

    def names(self, trap: str) -> set[str]:
        return {unit for unit, name, _ in self.told if name == trap}

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.running.advance()

    def up(self) -> set[str]:
        """All units that answer, once routers have noticed whatever there is to notice."""
        now_ns = self.running.now_ns()
        trip = self.running.network.round_trip
        for unit in self.province.units.values():
            trip(unit.addresses[0], now_ns)
        self.clock.advance(5)
        now_ns = self.running.now_ns()
        return {
            unit.id for unit in self.province.units.values()
            if all(trip(address, now_ns) is not None for address in unit.addresses)
        }  # fmt: skip

    def down(self) -> set[str]:
        return self.province.units.keys() - self.up()

    def behind(self, *routers: str) -> set[str]:
        """Routers and all that is reached through them alone."""
        found = set(routers)
        for unit in self.province.units.values():  # parents come before their children
            if unit.parents and found.issuperset(unit.parents):
                found.add(unit.id)
        return found

    def ask(self, target: str) -> list[Reply]:
        """Ask an agent for its name, as the network would."""
        address = self.province.units[target].addresses[0]
        request = message.community_message(
            message.V2C, self.province.credentials.community.encode(),
            message.encode_pdu(message.GET, 7, 0, 0, [(oid.encode(SYS_NAME), 5, None)]),
        )  # fmt: skip
        return list(self.running.network.host(address).handlers[SNMP_PORT](request, ("10.255.255.254", 40_000)))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def lines_of(stage: Stage, router: str) -> list[str]:
    return [link.id for link in stage.province.links.values() if link.lower == router]


def test_on_a_quiet_day_everything_answers_and_nothing_is_told(stage: Stage) -> None:
    assert stage.down() == set()
    stage.wait(86_400)
    assert stage.down() == set()
    assert stage.told == []
    assert stage.running.describe() == {"sites": {}, "dark": [], "lines": {}, "devices": 0}


def test_one_cut_route_takes_only_its_end_and_both_take_the_hub_and_all_behind_it(stage: Stage) -> None:
    first, second = lines_of(stage, HUB)
    stage.running.cut(first)
    assert stage.down() == {f"{first}-end"}
    assert stage.names(LINK_DOWN) == {"core-router-1", HUB}
    stage.running.cut(second, Answer.HOST)
    assert stage.down() == stage.behind(f"{first}-end", f"{second}-end")
    assert stage.running.describe()["lines"].keys() == {first, second}  # type: ignore[attr-defined]
    stage.running.mend(first)
    stage.running.mend(second)
    stage.up()
    assert stage.down() == set()
    assert stage.names(LINK_UP) == {"core-router-1", "core-router-2", HUB}
    assert stage.running.describe()["lines"] == {}


def test_traps_into_a_network_that_is_not_started_leave_its_routes_alone() -> None:
    clock = ManualClock()
    lab = RunningProvince(generate(SHAPE), clock)
    lab.cut("viettel-luc-ngan")
    address = lab.province.units[HUB].addresses[0]
    assert lab.network.round_trip(address, clock.monotonic_ns()) is None
    clock.advance(4)
    assert lab.network.round_trip(address, clock.monotonic_ns()) is not None


def test_mending_gives_a_line_its_usual_conditions_back(stage: Stage) -> None:
    line = lines_of(stage, HUB)[0]
    usual = stage.running.network.line(line).conditions
    stage.running.set_line(line, delay_ms=400, loss_percent=5)
    assert stage.running.network.line(line).conditions != usual
    assert stage.running.describe()["lines"][line]["loss_percent"] == 5  # type: ignore[index]
    with pytest.raises(ValueError, match="a line has no speed"):
        stage.running.set_line(line, speed=3)
    stage.running.mend(line)
    assert stage.running.network.line(line).conditions == usual


def test_a_targets_own_cable_takes_only_the_target(stage: Stage) -> None:
    stage.running.cut("luc-ngan-room-1")
    assert stage.down() == {"luc-ngan-room-1"}
    stage.running.mend("luc-ngan-room-1")
    assert stage.down() == set()
    assert stage.running.describe()["lines"] == {}


def test_the_uplink_of_the_machine_that_watches_takes_everything(stage: Stage) -> None:
    stage.running.cut("uplink")
    assert stage.up() == set()
    stage.running.mend("uplink")
    assert stage.down() == set()


def test_a_ups_carries_its_site_until_the_battery_is_empty_and_then_all_gasp(stage: Stage) -> None:
    stage.running.power("luc-ngan", "off")
    assert stage.names(ON_BATTERY) == {UPS}
    assert stage.running.describe()["sites"] == {"luc-ngan": "battery"}
    stage.wait(40 * MINUTE_S - 10)
    assert stage.down() == set()
    assert len([one for one in stage.told if one[1] == ON_BATTERY]) == 40  # upsTrapOnBattery comes each minute
    stage.told.clear()
    stage.wait(60)
    assert sorted(stage.told) == [(HUB, GASP, 2_400.0), ("luc-ngan-switch", GASP, 2_400.0)]
    assert stage.down() == stage.behind(HUB)
    assert stage.running.describe()["sites"] == {"luc-ngan": "off"}
    assert {HUB, "luc-ngan-switch", UPS, "luc-ngan-room-1"} == set(stage.running.describe()["dark"])  # type: ignore[call-overload]


def test_with_the_mains_back_a_site_boots_one_after_the_other(stage: Stage) -> None:
    stage.running.power("luc-ngan", "off")
    stage.wait(3 * 3_600)
    stage.told.clear()
    stage.running.power("luc-ngan", "on")
    assert HUB in stage.down()
    stage.wait(MINUTE_S)
    assert stage.names(COLD_START) == {UPS}
    stage.wait(45)
    assert stage.names(COLD_START) == {UPS, HUB, "luc-ngan-room-1"}
    assert stage.down() == {"luc-ngan-switch"}
    stage.wait(MINUTE_S)
    assert stage.down() == set()
    assert stage.running.describe()["dark"] == []


def test_mains_that_comes_back_in_time_leaves_the_site_up(stage: Stage) -> None:
    stage.running.power("luc-ngan", "off")
    stage.wait(30 * MINUTE_S)
    stage.running.power("luc-ngan", "on")
    stage.running.power("luc-ngan", "off")  # 10 minutes were left, and nothing has charged
    stage.wait(9 * MINUTE_S)
    assert stage.down() == set()
    stage.wait(MINUTE_S)
    assert HUB in stage.down()


def test_a_site_without_a_ups_is_gone_at_once_and_its_router_gasps(stage: Stage) -> None:
    site = next(site for site in stage.province.sites.values() if site.level == "commune" and not site.ups)
    router = f"{site.id}-router"
    stage.running.power(site.id, "off")
    assert stage.told == [(router, GASP, 0.0)]
    assert stage.down() == stage.behind(router)
    stage.running.power(site.id, "on")
    stage.wait(91)
    assert stage.down() == set()


def test_a_ups_that_was_off_before_the_mains_failed_carries_nothing(stage: Stage) -> None:
    stage.running.device(UPS).power("off", stage.running.now_ns())
    stage.running.advance()
    assert stage.down() == {UPS}
    stage.running.power("luc-ngan", "off")
    assert stage.down() == stage.behind(HUB)


def test_of_two_ups_units_the_last_one_keeps_the_centre_up(stage: Stage) -> None:
    two = Stage(generate(Shape(districts=1, communes=2, rooms=1, cameras=1, devices=40, services=5)))
    one, other = two.province.sites["province"].ups
    two.running.power("province", "off")
    two.running.device(one).power("off", two.running.now_ns())
    two.wait(MINUTE_S)
    assert two.down() == {one}
    two.running.device(other).power("off", two.running.now_ns())
    two.running.advance()
    assert two.up() == set()


def test_a_feeder_takes_all_its_sites_and_no_other(stage: Stage) -> None:
    feeder = next(name for name, sites in stage.province.feeders.items() if len(sites) > 3 and "feeder-2" in name)
    stage.running.power(feeder, "off")
    stage.wait(3_600)
    units = [unit for unit in stage.province.units.values() if unit.site in stage.province.feeders[feeder]]
    assert len(units) > len([unit for unit in units if unit.is_device]) > 3
    assert stage.down() == {unit.id for unit in units if unit.is_device}  # the carriers' units have their own supply


def test_a_hub_that_restarts_is_dark_with_all_behind_it_until_it_has_booted(stage: Stage) -> None:
    stage.running.reboot(HUB)
    assert stage.down() == stage.behind(HUB)
    stage.wait(84)
    assert HUB in stage.down()
    stage.told.clear()
    stage.wait(2)
    stage.up()
    assert stage.down() == set()
    assert stage.told == [(HUB, COLD_START, 90.0)]


def test_agents_misbehave_while_pings_go_on(stage: Stage) -> None:
    (reply,) = stage.ask(UPS)
    assert UPS.encode() in reply[1]
    stage.running.behave(UPS, Behaviour(silent=True))
    assert stage.ask(UPS) == []
    assert stage.down() == set()
    stage.running.behave(UPS, Behaviour(delay_s=1.5, oddities=frozenset((Oddity.WRONG_SOURCE,))))
    assert [(reply[0], reply[2]) for reply in stage.ask(UPS) if len(reply) == 3] == [(1.5, "10.1.0.253")]
    stage.running.behave(UPS, HONEST)
    assert [len(reply) for reply in stage.ask(UPS)] == [2]


def test_a_wrong_community_is_told_without_anybodys_doing(stage: Stage) -> None:
    request = message.community_message(message.V2C, b"wrong", message.encode_pdu(message.GET, 7, 0, 0, []))
    handler = stage.running.network.host(stage.province.units[UPS].addresses[0]).handlers[SNMP_PORT]
    assert list(handler(request, ("10.255.255.254", 40_000))) == []
    assert stage.running.next_ns == stage.running.now_ns()
    stage.running.advance()
    assert [unit for unit, _, _ in stage.told] == [UPS]


def test_whatever_a_scenario_plans_for_a_device_happens_by_itself(stage: Stage) -> None:
    now_ns = stage.running.now_ns()
    stage.running.device(HUB).port(1, "down", now_ns + 60_000_000_000)
    stage.running.device(NEXT_HUB).reboot(now_ns + 30_000_000_000)
    assert stage.running.next_ns == now_ns + 30_000_000_000
    stage.wait(61)
    assert stage.told == [(HUB, LINK_DOWN, 60.0)]
    assert stage.running.describe()["dark"] == [NEXT_HUB]


def test_an_operator_who_steps_the_clock_does_not_drain_the_batteries(stage: Stage) -> None:
    stage.running.power("luc-ngan", "off")
    stage.clock.step(7_200)
    stage.wait(1)
    assert stage.down() == set()


class Recorder:
    """In the place of the real services: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, dict[str, object]]] = []

    def behave(self, address: str, port: int, **fault: object) -> None:
        self.told.append((address, port, fault))


def test_a_targets_services_fail_at_each_of_its_addresses(stage: Stage) -> None:
    with pytest.raises(ValueError, match="this lab has no services open"):
        stage.running.service("mail", away=True)
    stage.running.services = recorder = Recorder()
    stage.running.service("mail", away=True)
    stage.running.service("lgsp")
    assert recorder.told == [
        ("10.0.8.1", 25, {"away": True}), ("fd00:0:0:8::4", 80, {}), ("10.0.8.4", 80, {}),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=f"{HUB} has no service"):
        stage.running.service(HUB, away=True)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (lambda lab: lab.cut("vnpt-luc-nagn"), r"no line or target 'vnpt-luc-nagn' \(did you mean \w+-luc-ngan"),
        (lambda lab: lab.mend("?"), r"there is no line or target '\?'$"),
        (lambda lab: lab.power("luc-ngam", "off"), r"no site or feeder 'luc-ngam' \(did you mean luc-ngan\?\)"),
        (lambda lab: lab.power("luc-ngan", "maybe"), "mains is on or off, not 'maybe'"),
        (lambda lab: lab.reboot("luc-ngan-ruoter"), r"no target 'luc-ngan-ruoter' \(did you mean luc-ngan-router\?\)"),
        (lambda lab: lab.cut("uplink", "shouting"), "'shouting' is not a valid Answer"),
        (lambda lab: lab.reboot(next(link.end for link in lab.province.links.values() if link.end)), "the carrier's"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_what_was_probably_meant(
    stage: Stage, command: Callable[[RunningProvince], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        command(stage.running)
    assert stage.down() == set()


def test_a_device_that_fails_costs_the_others_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = stage.running.device(HUB)
    real = Device.events

    def events(device: Device, now_ns: int) -> list[Event]:
        if device is broken:
            raise RuntimeError("no such thing")
        return real(device, now_ns)

    monkeypatch.setattr(Device, "events", events)
    stage.running.reboot(HUB)
    stage.running.reboot(NEXT_HUB)
    stage.wait(91)
    assert stage.names(COLD_START) == {NEXT_HUB}


async def test_the_driver_does_what_is_due_and_ends_when_it_is_told_to(stage: Stage) -> None:
    driver = asyncio.create_task(stage.running.drive())
    await asyncio.sleep(0)
    now_ns = stage.running.now_ns()
    stage.running.device(HUB).port(1, "down", now_ns)
    stage.running.device(NEXT_HUB).port(1, "down", now_ns)
    for _ in range(5):
        await asyncio.sleep(0)
    assert stage.names(LINK_DOWN) == {HUB, NEXT_HUB}
    driver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driver


def test_one_turn_does_no_more_than_it_may(stage: Stage) -> None:
    now_ns = stage.running.now_ns()
    for second in range(5):
        stage.running.device(HUB).port(1, "down" if second % 2 == 0 else "up", now_ns + second * 1_000_000_000)
    stage.clock.advance(10)
    assert stage.running.advance(2)
    assert len(stage.told) == 2
    assert not stage.running.advance(3)
    assert len(stage.told) == 5


def test_the_agenda_gives_each_unit_once_at_its_earliest_moment() -> None:
    woken: list[int] = []
    agenda = Agenda(lambda: woken.append(1))
    for unit, at_ns in (("a", 30), ("b", 20), ("a", 20), ("b", 25), ("c", 50)):
        agenda.add(unit, at_ns)
    assert len(woken) == 2
    assert agenda.take(19) is None
    found = agenda.take(100)
    assert found is not None
    assert (found[0], sorted(found[1])) == (20, ["a", "b"])
    assert agenda.take(100) == (50, ["c"])
    assert agenda.take(100) is None
    assert agenda.next_ns is None
