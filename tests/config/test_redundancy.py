"""A site that has fewer lines than its access level asks for is warned of, with the cure; never refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import load
from config.redundancy import lacking_lines

HEAD = """\
haidang: 1
sites:
  - {id: centre, level: province}
  - {id: hub, level: district, parent: centre, access: ACCESS}
  - {id: commune, level: commune, parent: hub}
  - {id: other, level: district, parent: centre}
targets: [{id: one, address: 192.0.2.1}]
"""
LINE = "{{id: {id}, a: {a}, b: {b}, carrier: {carrier}{more}}}"


def line(name: str, carrier: str = "VNPT", a: str = "centre", b: str = "hub", more: str = "") -> str:
    return LINE.format(id=name, a=a, b=b, carrier=carrier, more=more)


def warned(folder: Path, access: str, *lines: str, more: str = "") -> list[str]:
    path = folder / "haidang.yaml"
    text = HEAD.replace("ACCESS", access) + f"circuits: [{', '.join(lines)}]\n" + more
    path.write_text(text, encoding="utf-8")
    return list(lacking_lines(load(path).inventory))


def test_two_lines_of_two_carriers_are_two_routes(tmp_path: Path) -> None:
    assert warned(tmp_path, "I", line("v1"), line("v2", "Viettel")) == []


def test_a_site_of_level_one_with_one_line_lacks_one(tmp_path: Path) -> None:
    [text] = warned(tmp_path, "I", line("v1"))
    assert text == (
        "the site hub is of access level I and has 1 of the 2 lines it needs (v1): add the missing one to circuits, "
        "with a or b: hub"
    )


def test_lines_to_the_sites_below_are_not_the_sites_own(tmp_path: Path) -> None:
    [text] = warned(tmp_path, "I", line("v1"), line("down", "Viettel", "hub", "commune"))
    assert "1 of the 2 lines" in text
    assert warned(tmp_path, "I", line("v1"), line("across", "FPT", "hub", "other")) == []


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("", "", "have one carrier, VNPT: where they run on two physical routes, give each its route"),
        (", route: QL31", ", route: QL31", "run on one route, QL31"),
        (", route: QL31", ", route: QL37", ""),
        (", route: QL31", "", ""),
    ],
)
def test_two_lines_of_one_carrier_need_two_routes(tmp_path: Path, first: str, second: str, said: str) -> None:
    found = warned(tmp_path, "I", line("v1", more=first), line("v2", more=second))
    assert (said in found[0]) if said else found == []


def test_lines_that_fail_together_are_no_two_routes(tmp_path: Path) -> None:
    risk = "risks: [{id: bridge, kind: building, circuits: [v1, v2]}]\n"
    [text] = warned(tmp_path, "I", line("v1"), line("v2", "Viettel"), more=risk)
    assert "shared risk bridge (building): they fail together" in text


def test_level_two_needs_a_second_line_only_at_a_high_security_level(tmp_path: Path) -> None:
    assert warned(tmp_path, "II, security: 3", line("v1")) == []
    [text] = warned(tmp_path, "II, security: 4", line("v1"))
    assert "access level II with security level 4 and has 1 of the 2 lines" in text
    assert warned(tmp_path, "II, security: 4", line("v1"), line("v2")) == []
    assert "0 of the 1 lines" in warned(tmp_path, "II")[0]
