"""A backup is worth what its newest finished file is: its age, its size; none at all is down, not seeing is unknown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haidang.clock import ManualClock
from haidang.model import Observation, Status
from probes.backup import BackupSettings, look

NOW_S = 1_780_000_000
HOUR = 3600


def kept(folder: Path, name: str, age_s: float, size: int = 100) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


def seen(pattern: Path, settle_s: float = 60) -> Observation:
    return look(ManualClock(utc_ns=NOW_S * 10**9), "portal", BackupSettings(str(pattern), settle_s), slot_ns=7)


def test_the_newest_file_that_matches_counts(tmp_path: Path) -> None:
    kept(tmp_path, "monday.dump", 50 * HOUR, 10)
    kept(tmp_path, "tuesday.dump", 26 * HOUR, 20)
    kept(tmp_path, "wednesday.log", HOUR)
    found = seen(tmp_path / "*.dump")
    assert (found.status, found.probe, found.slot_ns) == (Status.UP, "backup", 7)
    assert found.fields == {"files": 2, "age_s": 26.0 * HOUR, "size_bytes": 20, "newest": "tuesday.dump"}


def test_folders_at_any_depth_are_looked_through(tmp_path: Path) -> None:
    kept(tmp_path, "2026/05/full.tar", 3 * HOUR)
    assert seen(tmp_path / "**" / "*.tar").fields["newest"] == "full.tar"


def test_a_file_that_is_being_written_is_no_backup_yet(tmp_path: Path) -> None:
    kept(tmp_path, "old.dump", 30 * HOUR)
    kept(tmp_path, "new.dump", 5, 1)
    assert seen(tmp_path / "*.dump").fields["newest"] == "old.dump"
    assert seen(tmp_path / "*.dump", settle_s=2).fields["newest"] == "new.dump"
    only = seen(tmp_path / "new.*")
    assert (only.status, only.samples) == (Status.UNKNOWN, ())
    assert "still being written" in only.reason


def test_a_file_from_the_future_has_no_negative_age(tmp_path: Path) -> None:
    kept(tmp_path, "ahead.dump", -9 * HOUR)
    assert seen(tmp_path / "*.dump").fields["age_s"] == 0


def test_an_empty_file_is_told_by_its_size(tmp_path: Path) -> None:
    kept(tmp_path, "empty.dump", HOUR, 0)
    assert seen(tmp_path / "*.dump").fields["size_bytes"] == 0


def test_no_file_is_down_and_the_reason_names_the_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.dump").mkdir()
    (tmp_path / "b.dump").symlink_to(tmp_path / "gone")
    found = seen(tmp_path / "*.dump")
    assert (found.status, found.reason) == (Status.DOWN, f"no file matches {tmp_path}/*.dump")
    assert "age_s" not in found.fields


def test_a_folder_that_is_not_there_is_down_with_the_likely_cause(tmp_path: Path) -> None:
    found = seen(tmp_path / "Share" / "*.dump")
    assert found.status is Status.DOWN
    assert found.reason == f"there is no folder {tmp_path}/Share: a share that is not mounted?"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving up the right to read needs root: run as root")
def test_a_folder_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    kept(closed, "a.dump", HOUR)
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(0o711)
    closed.chmod(0o000)
    os.seteuid(65_534)
    try:
        found = seen(closed / "*.dump")
    finally:
        os.seteuid(0)
    assert found.status is Status.UNKNOWN
    assert found.reason == f"{closed}: permission denied"
