"""What doctor says of a directory whose files the daemon may not write, and commands whose output has no room."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from haidang.doctor import Health, data_directory
from tests.support.parts import missing


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    for name in ("haidang.db", "metrics.db", "reports/2026-11.json"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_directory_whose_files_are_the_daemons_own_is_fine(directory: Path) -> None:
    (found,) = data_directory(directory)
    assert found.health is not Health.BAD


def test_files_that_may_not_be_written_are_named_with_the_line_that_cures_it(directory: Path) -> None:
    (directory / "haidang.db").chmod(0o444)
    (found,) = data_directory(directory)
    assert found.health is Health.BAD
    assert found.text.endswith("may not write 1 of its files: haidang.db")
    assert f"chmod -R u+rwX {directory}" in found.cure


def test_root_is_told_what_the_daemons_user_may_not_write_although_root_may(directory: Path) -> None:
    if os.geteuid() != 0:
        missing("only root gives files away: sudo")
    for path in (directory, directory / "haidang.db"):
        os.chown(path, 65534, 65534)
    (found,) = data_directory(directory)
    assert found.text.endswith("nobody may not write 3 of its files: metrics.db, reports, reports/2026-11.json")
    assert found.cure.startswith(f"sudo chown -R nobody {directory}")


def test_a_command_whose_output_has_no_room_says_so_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "haidang", "config", "schema"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "the output cannot be written: no space left on the disk\n")
