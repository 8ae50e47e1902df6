"""The configuration that goes with a province: the daemon takes it without a word, and rightly explains what fails."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from config import Configuration, load
from haidang.clock import ManualClock
from haidang.rehearsal import Postbox, rehearse
from lab.province import Province, RunningProvince, Shape, generate
from lab.province.configuration import write_configuration
from tests.support.daemon import COMMAND, ask

SMALL = Shape(districts=2, communes=4, rooms=3, cameras=2, devices=8, services=5, dual_percent=30, ups_percent=50)
MINUTE_S = 60.0
HUB, ENDS = "luc-ngan-router", ("viettel-luc-ngan-end", "fpt-luc-ngan-end")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("factor", [0.001, 1])
def test_the_daemon_takes_it_without_an_error_or_a_warning(tmp_path: Path, factor: float) -> None:
    province = generate(Shape().scaled(factor))
    path = write_configuration(province, tmp_path)
    done = subprocess.run([*COMMAND, "config", "check", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(province.units)} targets" in done.stdout


def test_a_larger_province_is_taken_too(tmp_path: Path) -> None:
    shape = Shape(districts=20, communes=800, rooms=1, cameras=20, devices=8, services=5, dual_percent=100)
    configuration = load(write_configuration(generate(shape), tmp_path))
    assert len(configuration.inventory.sites) == 800 + 20 + 20 + 1
    assert len(configuration.inventory.circuits) == 2 * (800 + 20)


def test_the_same_province_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_configuration(generate(SMALL, seed), tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "again")
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_secrets_are_in_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    province = generate(SMALL)
    loose = tmp_path / "secrets" / "auth"
    loose.parent.mkdir()
    loose.write_text("old")
    loose.chmod(0o644)
    path = write_configuration(province, tmp_path)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()}
    assert modes == {0o600}
    plain = b"".join(content for name, content in files(tmp_path).items() if not name.startswith("secrets/"))
    for secret in (
        province.credentials.community, province.credentials.auth_password, province.credentials.priv_password,
    ):  # fmt: skip
        assert secret.encode() not in plain
    assert not any(secret.weakness() for secret in load(path).secrets().values())


def loaded(folder: Path, province: Province, **options: Any) -> Configuration:
    return load(write_configuration(province, folder, **options))


def test_targets_hang_together_as_the_network_does(tmp_path: Path) -> None:
    province = generate(SMALL)
    inventory = loaded(tmp_path, province).inventory
    hub = inventory.targets[HUB]
    assert sorted(hub.parents) == sorted(ENDS)
    assert [inventory.targets[end].circuit for end in hub.parents] == [end.removesuffix("-end") for end in hub.parents]
    circuit = inventory.circuits["fpt-luc-ngan"]
    assert (circuit.carrier, circuit.a, circuit.b, circuit.system) == ("FPT", "province", "luc-ngan", "wan")
    assert circuit.mbps == province.links["fpt-luc-ngan"].mbit
    assert inventory.sites["luc-ngan-chu"].parent == "luc-ngan"
    assert {system.id for system in inventory.systems.values()} == {
        target.system for target in inventory.targets.values()
    }
    assert {target.snmp.credential for target in inventory.targets.values() if target.snmp} == {"v2c", "v3"}


def test_sites_on_one_feeder_share_its_risk(tmp_path: Path) -> None:
    province = generate(Shape().scaled(0.1))
    risks = loaded(tmp_path, province).inventory.risks
    (feeder,) = (risk for risk in risks.values() if risk.id == "luc-ngan-feeder-2")
    assert feeder.kind == "power"
    assert {province.units[name].site for name in feeder.targets} == set(province.feeders["luc-ngan-feeder-2"])


def test_without_ipv6_every_unit_is_watched_by_its_other_address(tmp_path: Path) -> None:
    province = generate(Shape().scaled(0.3))
    both = loaded(tmp_path / "both", province).inventory.targets
    four = loaded(tmp_path / "four", province, ipv6=False).inventory.targets
    six = {name for name, target in both.items() if ":" in str(target.address)}
    assert six
    assert not any(":" in str(target.address) for target in four.values())
    assert {name for name in both if both[name].address != four[name].address} == six


def test_settings_and_the_mail_server_can_be_chosen(tmp_path: Path) -> None:
    chosen = loaded(
        tmp_path, generate(SMALL), mail=("127.0.0.1", 2525), settings={"confirmation": {"failures": 3, "span": "9s"}}
    )
    assert chosen.alerting.mail is not None
    assert [(server.host, server.port) for server in chosen.alerting.mail.servers] == [("127.0.0.1", 2525)]
    assert (chosen.confirmation.failures, chosen.confirmation.span_s) == (3, 9)


class Drill:
    """A small province, the daemon before it, and simulated time."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        shape = Shape(districts=1, communes=2, rooms=1, cameras=1, devices=8, services=5, ups_percent=50)
        self.running = RunningProvince(generate(shape), self.clock)
        probing = {"icmp": {"cadence": "20s", "echoes": 2}, "snmp": {"cadence": "5m"}}
        self.config = write_configuration(self.running.province, folder, services=False, settings={"probing": probing})

    def play(self, script: Callable[[RunningProvince], Awaitable[None]]) -> list[dict[str, Any]]:
        """Live through a script and a while more; gives the incidents."""

        async def all_of_it(_: Postbox) -> None:
            driver = asyncio.create_task(self.running.drive())
            await asyncio.sleep(2 * MINUTE_S)
            await script(self.running)
            await asyncio.sleep(4 * MINUTE_S)
            driver.cancel()

        rehearse(self.config, self.running.network, self.clock, all_of_it)
        incidents: list[dict[str, Any]] = ask(self.config, "incidents", "--all")
        return incidents

    def behind(self, router: str) -> set[str]:
        """What is reached through a router alone, itself not counted."""
        found = {router}
        for unit in self.running.province.units.values():
            if unit.parents and found.issuperset(unit.parents):
                found.add(unit.id)
        return found - {router}


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    return Drill(tmp_path)


def members(incident: dict[str, Any]) -> set[str]:
    return {check.partition("/")[0] for check in incident["hidden"]}


def test_a_hub_without_power_is_one_incident_that_begins_when_its_battery_is_empty(drill: Drill) -> None:
    async def flood(lab: RunningProvince) -> None:
        lab.power("luc-ngan", "off")
        await asyncio.sleep(50 * MINUTE_S)
        lab.power("luc-ngan", "on")

    (incident,) = drill.play(flood)
    assert incident["target"] == HUB
    assert drill.behind(HUB) <= members(incident) | {HUB}
    assert incident["open"] is False
    assert incident["duration_s"] == pytest.approx(10 * MINUTE_S + 90, abs=21)  # the battery lasts 40 minutes


def test_a_cut_route_is_one_incident_and_the_district_stays_up(drill: Drill) -> None:
    async def excavator(lab: RunningProvince) -> None:
        lab.cut("fpt-luc-ngan")
        await asyncio.sleep(10 * MINUTE_S)
        lab.mend("fpt-luc-ngan")

    (incident,) = drill.play(excavator)
    assert (incident["target"], incident["hidden"], incident["open"]) == ("fpt-luc-ngan-end", [], False)


def test_both_routes_cut_at_once_are_two_incidents_with_the_district_behind_them(drill: Drill) -> None:
    async def excavator(lab: RunningProvince) -> None:
        for end in ENDS:
            lab.cut(end.removesuffix("-end"))
        await asyncio.sleep(10 * MINUTE_S)

    incidents = drill.play(excavator)
    assert sorted(incident["target"] for incident in incidents) == sorted(ENDS)
    assert drill.behind(HUB) <= set().union(*map(members, incidents))
