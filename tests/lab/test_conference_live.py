"""Sixty rooms in the lab's network, four with something wrong: exactly these are named, each with its reason."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lab.control import ControlClient
from lab.network import inside
from lab.province import Shape, generate
from tests.lab.lab_process import stage
from tests.support.daemon import Daemon, ask

SHAPE: dict[str, Any] = {
    "districts": 2, "communes": 64, "rooms": 60, "cameras": 2, "devices": 8, "services": 5, "dual_percent": 0,
}  # fmt: skip


@pytest.mark.slow
def test_of_sixty_rooms_with_four_faults_exactly_these_four_are_named(tmp_path: Path) -> None:
    province = generate(Shape(**SHAPE))
    rooms = [unit for unit in province.units.values() if unit.role == "room"]
    assert len(rooms) == 60
    meeting = {"id": "giao-ban", "start": "2030-01-07T08:00", "rooms": [room.id for room in rooms]}
    settings = {"conferences": {"burst": "20s", "meetings": [meeting]}}
    lines = {
        province.units[link.lower].site: link.id for link in province.links.values() if link.carrier
    }  # fmt: skip
    alone = [room for room in rooms if province.sites[room.site].level == "commune"]
    cut, lossy, mute, far = alone[3], alone[17], alone[31], alone[45]
    wanted = {"folder": str(tmp_path), "shape": SHAPE, "settings": settings}
    with stage(wanted, script="province_stage.py") as lab, ControlClient(lab.name) as client:
        _ask_by_sip(tmp_path / "targets.csv", {room.id for room in rooms})
        prefix = inside(lab.pid, [])
        client.ask("break", line=lines[cut.site])
        client.ask("set", line=lines[lossy.site], conditions={"loss_percent": 12})
        client.ask("set", line=lines[far.site], conditions={"delay_ms": 400})
        client.ask("service", target=mute.id, fault={"away": True})
        sheet = ask(tmp_path / "haidang.yaml", "conferences", "try", "giao-ban", "--language", "en", prefix=prefix)
    bad = {
        room["room"]: (room["verdict"], "; ".join(room["reasons"]))
        for room in sheet["rooms"]
        if room["verdict"] != "go"
    }
    assert bad.keys() == {cut.id, lossy.id, mute.id, far.id}, json.dumps(bad, indent=1)
    assert bad[cut.id][0] == bad[lossy.id][0] == bad[mute.id][0] == "no-go"
    assert "cannot be reached" in bad[cut.id][1]
    assert "packets are lost" in bad[lossy.id][1]
    assert bad[mute.id][1].startswith("SIP does not answer")
    assert bad[far.id][0] == "watch"
    assert "one-way delay" in bad[far.id][1]
    assert sheet["counts"] == {"go": 56, "watch": 1, "no-go": 3}


@pytest.mark.slow
def test_the_daemon_names_the_same_before_the_meeting_and_goes_on_probing_in_time(tmp_path: Path) -> None:
    province = generate(Shape(**SHAPE))
    rooms = [unit for unit in province.units.values() if unit.role == "room"]
    start = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(minutes=10)  # what is due 15 minutes before is due
    meeting = {"id": "giao-ban", "start": f"{start:%Y-%m-%dT%H:%M}", "rooms": [room.id for room in rooms]}
    settings = {"conferences": {"burst": "15s", "meetings": [meeting]}}
    lines = {province.units[link.lower].site: link.id for link in province.links.values() if link.carrier}
    alone = [room for room in rooms if province.sites[room.site].level == "commune"]
    cut, lossy, mute, far = alone[3], alone[17], alone[31], alone[45]
    wanted = {"folder": str(tmp_path), "shape": SHAPE, "settings": settings}
    path = tmp_path / "haidang.yaml"
    with stage(wanted, script="province_stage.py") as lab, ControlClient(lab.name) as client:
        _ask_by_sip(tmp_path / "targets.csv", {room.id for room in rooms})
        prefix = inside(lab.pid, [])
        client.ask("break", line=lines[cut.site])
        client.ask("set", line=lines[lossy.site], conditions={"loss_percent": 12})
        client.ask("set", line=lines[far.site], conditions={"delay_ms": 400})
        client.ask("service", target=mute.id, fault={"away": True})
        with Daemon(path, prefix) as daemon:
            tried = daemon.wait_for("rooms of a meeting tried", 80)
            (sheet,) = ask(path, "conferences", "sheet", "giao-ban", "--language", "en")
    bad = {one["room"]: (one["verdict"], one["reasons"]) for one in sheet["rooms"] if one["verdict"] != "go"}
    expected = {cut.id: "no-go", lossy.id: "no-go", mute.id: "no-go", far.id: "watch"}
    assert {name: verdict for name, (verdict, _) in bad.items()} == expected, json.dumps(bad, indent=1)
    assert (sheet["kind"], sheet["before_s"], tried["rooms"]) == ("readiness", 900, 60)


def _ask_by_sip(table: Path, rooms: set[str]) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "sip.transport"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "sip.transport": "udp" if row["id"] in rooms else ""} for row in rows)
