"""What alerting asks of the world, answered from a configuration and a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import load
from haidang.model import CheckId, State, Transition
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader

S = 1_000_000_000
NOV_20 = 1_795_132_800 * S  # 2026-11-20 00:00 UTC
CONFIG = """\
haidang: 1
language: en
systems: [{id: wan, name: {vi: Mạng WAN, en: WAN}, objective: 99.9}]
sites: [{id: ln, name: Lục Ngạn, level: district}]
circuits: [{id: c1, carrier: VNPT, a: ln, system: wan}]
contacts:
  - {id: oncall, email: OnCall@example.org, language: vi}
  - {id: twin, email: oncall@example.org}
  - {id: local, email: local@example.org}
alerting: {to: [oncall, twin], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
credentials: [{id: it, community: {env: COMMUNITY}}]
targets:
  - {id: hub, address: 10.0.0.1, site: ln, circuit: c1, notify: [local], snmp: {credential: it}, notes: key at the gate}
  - {id: a, address: 10.0.0.2, parents: [hub]}
  - {id: b, address: 10.0.0.3, parents: [a]}
  - {id: c, address: 10.0.0.4, parents: [hub, a]}
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty ledger."""
    made = Database(tmp_path / "haidang.db", "haidang")
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, database: Database) -> ConfiguredWorld:
    """The world of the configuration above."""
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return ConfiguredWorld(load(path), LedgerReader(database.connection))


def test_a_subject_says_what_it_is_where_it_stands_and_what_was_noted(world: ConfiguredWorld) -> None:
    hub = world.subject(CheckId("hub", "icmp"))
    assert (hub.address, hub.carrier, hub.circuit, hub.notes) == ("10.0.0.1", "VNPT", "c1", "key at the gate")
    assert hub.site["vi"] == "Lục Ngạn"
    assert hub.system == {"vi": "Mạng WAN", "en": "WAN"}, "the circuit's system is the target's"
    assert world.subject(CheckId("gone", "icmp")).name == {"vi": "gone", "en": "gone"}


def test_each_mailbox_is_told_once_in_its_own_language(world: ConfiguredWorld) -> None:
    told = world.recipients(CheckId("hub", "icmp"))
    assert [(one.address, one.language) for one in told] == [("OnCall@example.org", "vi"), ("local@example.org", "en")]
    assert len(world.recipients(CheckId("a", "icmp"))) == 1


def test_behind_a_target_is_what_has_no_other_way(world: ConfiguredWorld) -> None:
    assert world.behind(CheckId("hub", "icmp")) == [CheckId("a", "icmp"), CheckId("b", "icmp")]
    assert world.behind(CheckId("b", "icmp")) == []
    assert list(world.behind(CheckId("hub", "snmp"))) == [], "a dead agent hides nobody"


def test_the_month_counts_the_primary_check_and_the_outage_that_runs(
    world: ConfiguredWorld, database: Database
) -> None:
    ledger = Ledger(database)
    check = CheckId("hub", "icmp")
    ledger.begin(NOV_20, "1")
    ledger.record(Transition(check, State.UP, None, NOV_20, NOV_20, ""))
    ledger.record(Transition(check, State.DOWN, State.UP, NOV_20 + 3600 * S, NOV_20 + 3640 * S, "no reply"))
    found = world.month(check, NOV_20 + 3700 * S)
    assert found is not None
    assert (found.up_s, found.down_s, found.outages, found.objective_percent) == (3600, 100, 1, 99.9)
    assert world.month(CheckId("hub", "snmp"), NOV_20) is None
    nothing = world.month(CheckId("a", "icmp"), NOV_20)
    assert nothing is not None
    assert nothing.availability_percent is None


def test_what_targets_have_in_common_is_the_carrier_the_system_and_the_region_but_not_everything(
    tmp_path: Path,
) -> None:
    (tmp_path / "haidang.yaml").write_text(
        "haidang: 1\n"
        "systems: [{id: wan}]\n"
        "sites: [{id: tinh, level: province}, {id: luc-ngan, level: district, parent: tinh},\n"
        "        {id: xa-1, level: commune, parent: luc-ngan}, {id: xa-2, level: commune, parent: luc-ngan}]\n"
        "circuits: [{id: line-1, carrier: Viettel, system: wan, a: tinh, b: xa-1, mbps: 10}]\n"
        "targets:\n"
        "  - {id: r1, address: 192.0.2.1, site: xa-1, system: wan, circuit: line-1}\n"
        "  - {id: r2, address: 192.0.2.2, site: xa-2, system: wan}\n",
        encoding="utf-8",
    )
    world = ConfiguredWorld(load(tmp_path / "haidang.yaml"), LedgerReader(sqlite3.connect(":memory:")))
    one, two = (
        {(ground.kind, ground.id, ground.size) for ground in world.common(CheckId(name, "icmp"))}
        for name in ("r1", "r2")
    )
    assert one == {("carrier", "Viettel", 1), ("system", "wan", 2), ("site", "xa-1", 1), ("site", "luc-ngan", 2)}
    assert two == {("system", "wan", 2), ("site", "xa-2", 1), ("site", "luc-ngan", 2)}
    assert world.common(CheckId("nobody", "icmp")) == ()
