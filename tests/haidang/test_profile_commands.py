"""Adding a vendor by hand: a profile is checked, tried on a recording and on a device, and used by the daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haidang.cli import app
from haidang.commands.common import measured

RECORDING = """\
1.3.6.1.2.1.1.1.0|4|Example Sensor
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.32473.5
1.3.6.1.2.1.1.3.0|67|4242
1.3.6.1.4.1.32473.5.1.1.1|4|server room
1.3.6.1.4.1.32473.5.1.1.2|4|door
1.3.6.1.4.1.32473.5.1.2.1|2|215
1.3.6.1.4.1.32473.5.1.2.2|2|-9999
"""
PROFILE = """\
profile: example
vendor: Example
class: environment
match: [{sys_object_id: 1.3.6.1.4.1.32473}]
sensors:
  - kind: temperature
    name: "{label}"
    value: 1.3.6.1.4.1.32473.5.1.2
    scale: 0.1
    unknown: [-9999]
  - {kind: humidity, value: 1.3.6.1.4.1.32473.5.1.3}
objects: {label: 1.3.6.1.4.1.32473.5.1.1}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    profile, recording = tmp_path / "example.yaml", tmp_path / "example.snmprec"
    profile.write_text(PROFILE, encoding="utf-8")
    recording.write_text(RECORDING, encoding="utf-8")
    return str(profile), str(recording)


def test_a_profile_is_checked(files: tuple[str, str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["profile", "check", files[0]])
    assert done.exit_code == 0
    assert done.stdout == f"{files[0]}: fine: profile example, 1 matches, 2 rules\n"
    Path(files[0]).write_text(PROFILE.replace("{label}", "{lable}"), encoding="utf-8")
    done = CliRunner().invoke(app, ["profile", "check", files[0]])
    assert done.exit_code == 2
    assert 'example.yaml:7:11: sensors[0].name: "lable" is neither an OID' in done.stderr
    assert '(did you mean "label"?)' in done.stderr


def test_a_profile_tried_shows_what_each_rule_yields_and_why_not(files: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["profile", "try", *files, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["chosen"], found["vendor"], found["class"]) == ("example", "Example", "environment")
    assert [(row["sensor"]["name"], row["sensor"]["value"], row["reason"]) for row in found["rows"]] == [
        ("server room", 21.5, None), ("door", None, "unknown: -9999")
    ]  # fmt: skip
    assert found["idle"] == [1]
    shown = CliRunner().invoke(app, ["profile", "try", *files]).stdout
    assert "21.5  C " in shown
    assert "rule 2 (humidity): the device has nothing at 1.3.6.1.4.1.32473.5.1.3" in shown


def test_a_profile_that_the_device_would_not_get_says_so(files: tuple[str, str]) -> None:
    Path(files[0]).write_text(PROFILE.replace("1.3.6.1.4.1.32473}", "1.3.6.1.4.1.99999}"), encoding="utf-8")
    done = CliRunner().invoke(app, ["profile", "try", *files])
    assert done.exit_code == 1
    assert "the daemon would take generic for this device" in done.stderr


def test_what_is_no_recording_is_told(files: tuple[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.snmprec"
    other.write_text("hello\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["profile", "try", files[0], str(other)])
    assert (done.exit_code, done.stderr) == (2, f"{other}: not a recording: no line is OID|tag|value\n")
    done = CliRunner().invoke(app, ["profile", "try", files[0], "forgotten.snmprec"])
    assert (done.exit_code, done.stderr) == (2, "forgotten.snmprec: there is no such recording\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (1_234_567.0, "1234567"), (25.777778, "25.78"), (0.0041667, "0.004167"), (0.0, "0")],
)
def test_numbers_are_written_as_people_read_them(value: float | None, shown: str) -> None:
    assert measured(value) == shown


def test_the_shipped_profiles_are_listed() -> None:
    done = CliRunner().invoke(app, ["profile", "list", "--json"])
    assert {"cisco", "generic", "ups-mib"} <= {row["profile"] for row in json.loads(done.stdout)}


def test_own_profiles_are_part_of_the_configuration(files: tuple[str, str], tmp_path: Path) -> None:
    config = tmp_path / "haidang.yaml"
    config.write_text("haidang: 1\nprobing: {profiles: [example.yaml]}\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["config", "check", str(config)]).exit_code == 0
    Path(files[0]).write_text(PROFILE.replace("0.1", "fast"), encoding="utf-8")
    done = CliRunner().invoke(app, ["config", "check", str(config)])
    assert done.exit_code == 2
    assert 'example.yaml:9:12: sensors[0].scale: "fast" is not a factor' in done.stderr
    config.write_text("haidang: 1\nprobing: {profiles: [absent/*.yaml]}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["config", "check", str(config)])
    assert 'haidang.yaml:2:22: probing.profiles[0]: no file matches "absent/*.yaml"' in done.stderr
