"""The inventory: effective settings, sharing, and what a reload changes."""

from __future__ import annotations

from pathlib import Path

import config
from config.schema.things import table_columns

GOOD = Path(__file__).parent / "good"


def load(folder: Path, text: str) -> config.Configuration:
    path = folder / "haidang.yaml"
    path.write_text("haidang: 1\n" + text, encoding="utf-8")
    return config.load(path)


def changes(old: config.Inventory, new: config.Inventory) -> tuple[set[str], set[str], set[str]]:
    """Compare targets as a reload does, by equality: which were added, removed, changed."""
    before, after = old.targets, new.targets
    both = before.keys() & after.keys()
    return (
        after.keys() - before.keys(), before.keys() - after.keys(), {one for one in both if before[one] != after[one]}
    )  # fmt: skip


def test_defaults_are_those_of_the_design() -> None:
    loaded = config.load(GOOD / "smallest.yaml")
    icmp, rule = loaded.probing.icmp, loaded.confirmation
    assert (loaded.timezone.key, loaded.language, str(loaded.data_dir)) == (
        "Asia/Ho_Chi_Minh",
        "vi",
        "/var/lib/haidang",
    )
    assert (icmp.cadence_s, icmp.echoes, icmp.timeout_s, icmp.size, icmp.dscp) == (10, 5, 2, 56, 0)
    assert (rule.failures, rule.span_s, rule.fast_cadence_s, rule.clear_span_s, rule.clear_samples) == (5, 54, 1, 30, 3)
    assert (loaded.storage.kind, loaded.storage.influxdb.spool_max_bytes) == ("embedded", 2 * 1024**3)


def test_a_target_fills_what_it_leaves_out_from_the_general_settings() -> None:
    targets = config.load(GOOD / "full.yaml").inventory.targets
    hub, names = targets["hub"], targets["names"]
    assert hub.snmp is not None
    assert (hub.snmp.port, hub.snmp.retries, hub.snmp.cadence_s, hub.snmp.budget_s) == (1161, 0, 300, 60)
    assert hub.credential is not None
    assert hub.credential.id == "core3"
    assert names.icmp is not None
    assert (names.icmp.echoes, names.icmp.cadence_s, names.icmp.size) == (1, 20, 100)
    assert names.dns is not None
    assert (names.dns.port, names.dns.name, names.dns.type) == (5353, "bacgiang.gov.vn", "A")


def test_probes_follow_from_what_is_given() -> None:
    targets = config.load(GOOD / "full.yaml").inventory.targets
    assert {name: target.probes for name, target in targets.items()} == {
        "hub": ("icmp", "snmp"),
        "names": ("icmp", "dns"),
        "0123": ("dns",),
        "this": ("host",),
        "commune-router": ("icmp",),
        "cam-1": ("icmp", "snmp"),
        "cam-2": ("icmp",),
    }
    assert targets["this"].icmp is None
    assert targets["this"].host is not None


def test_the_system_comes_from_the_circuit_and_names_in_the_readers_language() -> None:
    inventory = config.load(GOOD / "full.yaml").inventory
    hub = inventory.targets["hub"]
    assert hub.system == "wan"
    assert (hub.label("vi"), hub.label("en"), inventory.targets["this"].label("vi")) == (
        "Bộ định tuyến",
        "Router",
        "this",
    )
    assert inventory.sites["ttthdl"].label("en") == "Trung tâm Tích hợp dữ liệu"


def test_targets_without_own_settings_share_one_object(tmp_path: Path) -> None:
    targets = load(tmp_path, "targets: [{id: a, address: 192.0.2.1}, {id: b, address: 192.0.2.2}]").inventory.targets
    assert targets["a"].icmp is targets["b"].icmp


def test_a_reload_without_changes_changes_nothing() -> None:
    old, new = (config.load(GOOD / "full.yaml") for _ in range(2))
    assert changes(old.inventory, new.inventory) == (set(), set(), set())
    assert old.inventory == new.inventory
    assert old.differing(new) == ()


def test_a_reload_names_the_sections_that_differ_also_where_no_check_changes(tmp_path: Path) -> None:
    text = "systems: [{id: wan, name: WAN}]\ntargets: [{id: a, address: 192.0.2.1}]\n"
    old = load(tmp_path, text)
    assert old.differing(load(tmp_path, text.replace("WAN", "Mạng WAN"))) == ("systems",)
    assert old.differing(load(tmp_path, text.replace("{id: a", "{id: a, name: A"))) == ("targets",)
    assert old.differing(load(tmp_path, f"language: en\n{text}")) == ("language",)


def test_a_reload_tells_what_was_added_removed_and_changed(tmp_path: Path) -> None:
    access = "credentials: [{id: c, community: {env: %s}}]\n"
    old = load(
        tmp_path,
        access
        % "OLD"
        + "targets: [{id: a, address: 192.0.2.1}, {id: b, address: 192.0.2.2}, {id: gone, address: 192.0.2.3},"
        " {id: s, address: 192.0.2.4, snmp: {credential: c}}]",
    ).inventory
    new = load(
        tmp_path,
        access
        % "NEW"
        + "targets: [{id: new, address: 192.0.2.9}, {id: b, address: 192.0.2.99}, {id: a, address: 192.0.2.1},"
        " {id: s, address: 192.0.2.4, snmp: {credential: c}}]",
    ).inventory
    assert changes(old, new) == ({"new"}, {"gone"}, {"b", "s"})


def test_writing_a_default_out_is_no_change(tmp_path: Path) -> None:
    old = load(tmp_path, "targets: [{id: a, address: 192.0.2.1}]").inventory
    new = load(tmp_path, "targets: [{id: a, address: 192.0.2.1, icmp: {echoes: 5}, role: device}]").inventory
    assert changes(old, new) == (set(), set(), set())


def test_a_general_setting_changes_every_target_it_reaches(tmp_path: Path) -> None:
    text = "targets: [{id: a, address: 192.0.2.1}, {id: h, probes: [host]}]\n"
    old, new = load(tmp_path, text).inventory, load(tmp_path, text + "probing: {icmp: {echoes: 4}}").inventory
    assert changes(old, new) == (set(), set(), {"a"})


def test_addresses_are_written_one_way(tmp_path: Path) -> None:
    targets = load(
        tmp_path, "targets: [{id: a, address: '2001:DB8:0:0::1'}, {id: b, address: 'fe80::1%eth0'}]"
    ).inventory.targets
    assert (targets["a"].address, targets["b"].address) == ("2001:db8::1", "fe80::1%eth0")


def test_secrets_in_use_are_listed_by_what_they_are_for() -> None:
    secrets = config.load(GOOD / "full.yaml").secrets()
    assert sorted(secrets) == [
        "alerting.mail.servers mail.example.org:587 password",
        "credentials core community",
        "credentials core3 auth.password",
        "credentials core3 priv.password",
        "storage.influxdb.token",
    ]


def test_a_circle_through_thousands_of_targets_is_found_and_told_briefly(tmp_path: Path) -> None:
    rows = "".join(f"t{n},192.0.2.1,t{(n + 1) % 5000}\n" for n in range(5000))
    (tmp_path / "t.csv").write_text("id,address,parents\n" + rows)
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ninventory: [t.csv]\n")
    [error] = config.check(tmp_path / "haidang.yaml")
    assert error.message.startswith("a circle: t0 → t1 → ")
    assert error.message.endswith(" → … 4990 more … → t0")
    assert len(error.message) < 200


def test_the_columns_of_a_table_are_the_fields_of_a_target() -> None:
    columns = table_columns()
    assert {"id", "name", "name.vi", "address", "snmp", "snmp.port", "icmp.cadence", "dns.name", "notes"} <= columns
    assert not {"icmp", "dns", "host", "snmp.credential", "icmp.cadence_s"} & columns
