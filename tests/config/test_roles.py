"""What a role means, and who may say otherwise: the nearest to the target is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from config import ConfigurationInvalid, load
from config.inventory import Target
from config.loader import load_with_places
from config.origins import origins
from config.role_files import kinds, roles
from config.schema.settings import QualitySettings
from probes.emodel import CODECS
from probes.quality import CODE_POINTS
from tests.config.reference import literals
from tests.config.roles_reference import role_table, system_table

PAGE = (Path(__file__).parents[2] / "docs" / "systems.md").read_text(encoding="utf-8")
CONFIG = """\
haidang: 1
credentials:
  - {id: core, version: 2c, community: {env: COMMUNITY}}
roles:
  all: {snmp: {credential: core}}
  environment: {rules: {hot: {above: 26}}}
systems:
  - id: cameras
    roles: {camera: {rtsp: {cadence: 90s, timeout: 7s}}}
  - {id: datacentre, objective: 99.99}
sites:
  - {id: district, roles: {camera: {rtsp: {cadence: 3m}}}}
  - {id: commune, parent: district}
targets:
  - {id: plain, address: 192.0.2.1, role: camera}
  - {id: of-system, address: 192.0.2.2, role: camera, system: cameras}
  - {id: of-site, address: 192.0.2.3, role: camera, system: cameras, site: commune}
  - {id: own, address: 192.0.2.4, role: camera, system: cameras, site: commune, rtsp: {cadence: 4m}}
  - {id: mute, address: 192.0.2.5, role: camera, without: [rtsp, snmp]}
  - {id: air, address: 192.0.2.6, role: environment, rules: {dry: {enabled: false}}}
"""


def written(folder: Path, text: str = CONFIG) -> Path:
    path = folder / "haidang.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def target(folder: Path, name: str) -> Target:
    return load(written(folder)).inventory.targets[name]


@pytest.mark.parametrize("kind", kinds())
def test_the_page_holds_the_roles_of_each_kind_of_system_as_they_are(kind: str) -> None:
    assert role_table(kind) in PAGE


def test_the_page_holds_the_kinds_of_systems_as_they_are() -> None:
    assert system_table() in PAGE
    assert set(kinds()) == {"wan", "datanet", "videoconf", "datacentre", "cameras", "platforms"}


@pytest.mark.parametrize(
    ("name", "cadence_s", "timeout_s"),
    [("plain", 60, 5), ("of-system", 90, 7), ("of-site", 180, 7), ("own", 240, 7)],
)
def test_what_is_said_nearer_to_the_target_goes_before_key_by_key(
    tmp_path: Path, name: str, cadence_s: float, timeout_s: float
) -> None:
    rtsp: Any = target(tmp_path, name).services["rtsp"]
    assert (rtsp.cadence_s, rtsp.timeout_s) == (cadence_s, timeout_s)


def test_a_camera_is_there_while_its_stream_answers_unless_it_is_not_asked(tmp_path: Path) -> None:
    assert str(target(tmp_path, "plain").primary) == "plain/rtsp"
    assert target(tmp_path, "mute").probes == ("icmp",)
    assert str(target(tmp_path, "mute").primary) == "mute/icmp"


def test_a_room_is_asked_by_h323_instead_of_sip_where_somebody_says_so(tmp_path: Path) -> None:
    text = """\
haidang: 1
systems: [{id: old-rooms, roles: {room: {h323: {answer: false}}}}]
targets:
  - {id: sip, address: 192.0.2.1, role: room}
  - {id: h323, address: 192.0.2.2, role: room, h323: {}}
  - {id: both, address: 192.0.2.3, role: mcu, h323: {}, sip: {}}
  - {id: old, address: 192.0.2.4, role: room, system: old-rooms}
  - {id: back, address: 192.0.2.5, role: room, system: old-rooms, without: [h323]}
  - {id: gk, address: 192.0.2.6, role: gatekeeper}
"""
    targets = load(written(tmp_path, text)).inventory.targets
    assert {name: one.probes for name, one in targets.items()} == {
        "sip": ("icmp", "quality", "sip"), "h323": ("icmp", "quality", "h323"),
        "both": ("icmp", "quality", "sip", "h323"), "old": ("icmp", "quality", "h323"),
        "back": ("icmp", "quality", "sip"), "gk": ("icmp", "h323"),
    }  # fmt: skip
    assert str(targets["gk"].primary) == "gk/h323"


def test_a_role_polls_by_snmp_only_where_access_is_known(tmp_path: Path) -> None:
    assert "snmp" in target(tmp_path, "air").probes
    alone = load(written(tmp_path, "haidang: 1\ntargets: [{id: a, address: 192.0.2.1, role: ups}]\n"))
    assert alone.inventory.targets["a"].probes == ("icmp",)


def test_rules_of_a_role_are_changed_and_switched_off_one_by_one(tmp_path: Path) -> None:
    rules = target(tmp_path, "air").rules
    assert sorted(rules) == ["cold", "damp", "hot"]
    assert (rules["hot"].above, rules["hot"].clear, rules["hot"].measurement) == (26, 24.5, "sensor")


def test_a_rule_without_a_threshold_waits_for_one(tmp_path: Path) -> None:
    text = "haidang: 1\ntargets: [{id: fw, address: 192.0.2.1, role: firewall%s}]\n"
    assert "sessions" not in load(written(tmp_path, text % "")).inventory.targets["fw"].rules
    told = load(written(tmp_path, text % ", rules: {sessions: {above: 500000}}")).inventory.targets["fw"]
    assert (told.rules["sessions"].above, told.rules["sessions"].field) == (500000, "value")


def test_a_system_has_its_kinds_objective_and_formula_unless_it_says_otherwise(tmp_path: Path) -> None:
    systems = load(written(tmp_path)).inventory.systems
    cameras, centre = systems["cameras"], systems["datacentre"]
    assert (cameras.objective, cameras.formula, cameras.weight) == (98, "weighted", "targets")
    assert (centre.objective, centre.formula) == (99.99, "all")


def test_every_setting_is_traced_to_the_line_that_says_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = {one.key: one for one in origins(load_with_places(path), "of-site")}
    lines = {key: (one.level, one.place.removeprefix(f"{path}:").partition(":")[0]) for key, one in found.items()}
    assert lines["rtsp.cadence"] == ("site", "12")
    assert lines["rtsp.timeout"] == ("system", "9")
    assert lines["icmp.cadence"] == ("default", "")
    assert lines["snmp.credential"] == ("general", "5")
    assert found["confirmation.span"].level == "role"
    file, line, _ = found["confirmation.span"].place.rsplit(":", 2)
    assert "span: 2m" in Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_what_a_rule_or_a_role_lacks_is_said_at_its_place(tmp_path: Path) -> None:
    text = """\
haidang: 1
targets:
  - {id: a, address: 192.0.2.1, rules: {hot: {above: 3}}}
  - {id: b, address: 192.0.2.2, role: camera, without: [rtsp], alive: rtsp}
"""
    with pytest.raises(ConfigurationInvalid) as refused:
        load(written(tmp_path, text))
    first, second = map(str, refused.value.errors)
    assert 'the rule "hot" is none of its role\'s: it needs measurement and field' in first
    assert "rtsp is none of its probes: icmp" in second


def test_every_shipped_rule_is_whole_and_every_alive_probe_is_made() -> None:
    for role in roles().values():
        assert all(rule.measurement and rule.field and rule.name for rule in role.settings.rules.values()), role.name
        assert role.settings.alive in (None, *role.settings.probe_kinds()), role.name


def test_codecs_and_marks_are_those_of_the_probe() -> None:
    fields = QualitySettings.model_fields
    assert set(literals(fields["codec"].annotation)) == set(CODECS)
    assert set(literals(fields["marks"].annotation)) == set(CODE_POINTS)
    assert get_args(fields["marks"].annotation)
