"""From a configuration to what is judged together, and by which rule."""

from __future__ import annotations

from pathlib import Path

from collectors.plan import plan, shared_risks
from config import Configuration, load
from haidang.model import CheckId
from haidang.watching import rule

CONFIG = """\
haidang: 1
confirmation:
  span: 60s
  roles:
    gateway: {delay: 20ms}
sites: [{id: yen-the, name: Yên Thế}]
circuits:
  - {id: c1, carrier: VNPT}
  - {id: c2, carrier: VNPT}
risks:
  - {id: feeder, kind: power, sites: [yen-the], targets: [c], circuits: [c2]}
targets:
  - {id: a, address: 192.0.2.1, circuit: c1, role: gateway, confirmation: {loss: 2}}
  - {id: b, address: 192.0.2.2, circuit: c2}
  - {id: c, address: 192.0.2.3, role: camera}
  - {id: d, address: 192.0.2.4, site: yen-the, role: camera, confirmation: {span: 3m}}
"""


def written(folder: Path) -> Configuration:
    (folder / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    return load(folder / "haidang.yaml")


def test_carriers_of_circuits_and_declared_risks_are_groups(tmp_path: Path) -> None:
    a, b, c, d = (CheckId(name, "icmp" if name in "ab" else "rtsp") for name in "abcd")
    assert shared_risks(written(tmp_path)) == {
        CheckId("VNPT", "carrier"): (a, b),
        CheckId("feeder", "power"): (b, c, d),
    }


def test_a_targets_rule_is_its_own_then_its_roles_then_the_general_one(tmp_path: Path) -> None:
    rules = {one.check.target: rule(one) for one in plan(written(tmp_path))}
    assert (rules["a"].span_s, rules["a"].delay_ms, rules["a"].loss_percent) == (60, 20, 2)
    assert (rules["b"].span_s, rules["b"].delay_ms, rules["b"].loss_percent) == (60, None, 5)
    assert (rules["c"].span_s, rules["c"].clear_span_s, rules["c"].loss_percent) == (120, 60, 10)
    assert (rules["d"].span_s, rules["d"].clear_span_s) == (180, 60)
