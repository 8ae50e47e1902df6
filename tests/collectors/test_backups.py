"""A backup's watch makes a measurement of the newest file, and says so when the folder hangs, in one thread only."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors import backups
from collectors.backups import BackupPlan, BackupWatch
from collectors.plan import plan
from config import ConfigurationInvalid, load
from haidang.clock import ManualClock, SystemClock
from haidang.model import CheckId, Observation, Point, Status
from haidang.ruling import rules
from probes.backup import BackupSettings

CONFIG = """\
haidang: 1
systems: [{id: datacentre}]
targets:
  - {id: portal-backup, role: backup, system: datacentre, probes: [backup], backup: {path: "kept/*.dump"}}
  - {id: weekly, role: backup, address: 192.0.2.1, backup: {path: /w/*}, rules: {age: {above: 691200}}}
"""


class Sink:
    """Keeps what a watch delivers."""

    def __init__(self) -> None:
        self.seen: list[tuple[Observation, Sequence[Point]]] = []
        self.came = asyncio.Event()

    def __call__(self, observation: Observation, points: Sequence[Point]) -> None:
        self.seen.append((observation, points))
        self.came.set()

    async def next(self) -> tuple[Observation, Sequence[Point]]:
        async with asyncio.timeout(10):
            await self.came.wait()
        self.came.clear()
        return self.seen[-1]


def written(folder: Path, text: str = CONFIG) -> Path:
    path = folder / "haidang.yaml"
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_look_becomes_a_point_with_the_tags_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    file = tmp_path / "kept" / "a.dump"
    file.write_bytes(b"x" * 512)
    os.utime(file, (1_000, 1_000))
    [made, _, other] = plan(load(written(tmp_path)))
    assert (made.check, made.address, made.cadence_s, made.parents) == (
        CheckId("portal-backup", "backup"), "", 600.0, (),
    )  # fmt: skip
    assert other.parents == (CheckId("weekly", "icmp"),)
    assert isinstance(made.settings, BackupPlan)
    sink, clock = Sink(), ManualClock(utc_ns=5_000 * 10**9)
    BackupWatch(made.check, made.settings, dict(made.tags), clock=clock, deliver=sink).start(42)
    observation, [point] = await sink.next()
    assert (observation.status, observation.fields["newest"]) == (Status.UP, "a.dump")
    assert (point.series.measurement, point.time_ns) == ("backup", 42)
    assert point.fields == {"files": 1, "age_s": 4000.0, "size_bytes": 512}
    tags = dict(point.series.tags)
    assert (tags["target"], tags["role"], tags["path"]) == ("portal-backup", "backup", f"{tmp_path}/kept/*.dump")


def test_the_roles_rules_judge_age_and_size_and_a_target_may_say_otherwise(tmp_path: Path) -> None:
    made = {
        (target, rule.field): (rule.above, rule.below)
        for rule in rules(load(written(tmp_path)))
        for target in rule.targets or ()
    }
    assert made["portal-backup", "age_s"] == (26 * 3600, None)
    assert made["portal-backup", "size_bytes"] == (None, 1)
    assert made["weekly", "age_s"] == (8 * 86400, None)


async def test_a_folder_that_hangs_is_unknown_and_gets_no_second_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), []

    def hang(*_: object, **__: object) -> Observation:
        asked.append(1)
        release.wait(10)
        return Observation("nfs", "backup", 1, Status.DOWN, "late", {}, 0.0)

    monkeypatch.setattr(backups, "look", hang)
    sink = Sink()
    settings = BackupPlan(600.0, 0.05, BackupSettings(str(tmp_path / "*")))
    watch = BackupWatch(CheckId("nfs", "backup"), settings, {"target": "nfs"}, clock=SystemClock(), deliver=sink)
    for slot in (1, 2):
        watch.start(slot)
        observation, points = await sink.next()
        assert (observation.status, observation.slot_ns, points) == (Status.UNKNOWN, slot, ())
        assert "has not answered for 0.05 s" in observation.reason
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == str(watch.check)))
    release.set()
    watch.start(3)
    observation, _ = await sink.next()
    assert (observation.reason, len(asked)) == ("late", 1)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("probes: [backup]", "the probe backup needs to know the files: add backup: {path: …}"),
        ("probes: [backup], backup: {pattern: /b/*}", 'unknown key "pattern"'),
        ("backup: {path: /b/*}", "without, only probes: [host] or [backup]"),
        (
            "probes: [backup], backup: {path: /b/*, cadence: 20s}",
            "the timeout 30s must be shorter than the cadence 20s",
        ),
    ],
)
def test_what_is_missing_is_told_with_its_cure(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        load(written(tmp_path, f"haidang: 1\ntargets: [{{id: b, role: backup, {keys}}}]\n"))
    assert any(said in str(error) for error in caught.value.errors), caught.value.errors
