"""A disk that takes nothing: told once, at intervals and at the end; what was acknowledged or became certain stays."""

from __future__ import annotations

import ctypes
import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from haidang.clock import ManualClock
from haidang.refusals import AGAIN_NS, Refusals
from storage.database import Database
from tests.support.daemon import Daemon, typed, until
from tests.support.netns import Namespace
from tests.support.parts import require

S = 10**9
FULL = sqlite3.OperationalError("database or disk is full")
CANNOT = "the ledger cannot be written, what becomes certain is kept in memory"
AGAIN = "the ledger is written again"


def test_a_disk_that_refuses_all_day_is_told_once_then_at_intervals_and_when_it_is_over() -> None:
    clock = ManualClock(1_800_000_000 * S)
    refusals = Refusals(Path("haidang.db"), clock)
    with capture_logs() as lines:
        refusals.note(None)
        for _ in range(2 * AGAIN_NS // S):
            refusals.note(FULL)
            clock.advance(1)
        assert refusals.error == "database or disk is full"
        clock.advance(5)
        refusals.note(None)
        refusals.note(None)
    assert refusals.error == ""
    assert [(line["event"], line.get("since_s", line.get("after_s"))) for line in lines] == [
        (CANNOT, 0), (CANNOT, 300), (AGAIN, 605),
    ]  # fmt: skip


def test_on_a_disk_that_is_all_but_full_small_writes_in_between_end_nothing() -> None:
    clock = ManualClock(1_800_000_000 * S)
    refusals = Refusals(Path("haidang.db"), clock)
    with capture_logs() as lines:
        for _ in range(60):
            refusals.note(FULL)
            refusals.note(None)
            clock.advance(1)
    assert [line["event"] for line in lines] == [CANNOT]


def test_a_database_tells_of_each_outermost_transaction_how_it_ended(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    heard: list[sqlite3.Error | None] = []
    database.outcome = heard.append
    with database.transaction(), database.transaction():
        pass
    with pytest.raises(RuntimeError), database.transaction(), database.transaction():
        raise RuntimeError("none of the disk's business")
    database.connection.execute("PRAGMA query_only=ON")
    with pytest.raises(sqlite3.OperationalError), database.transaction() as sql, database.transaction():
        sql.execute("DELETE FROM run")
    assert [str(one) for one in heard] == ["None", "attempt to write a readonly database"]
    assert not database.connection.in_transaction
    database.close()


CLONE_FS, CLONE_NEWNS = 0x200, 0x20000  # unshare(2)
CONFIG = """\
haidang: 1
data_dir: ./disk/data
probing: {icmp: {cadence: 1s, echoes: 2, timeout: 300ms}}
confirmation: {failures: 3, span: 2s, fast_cadence: 1s, clear_span: 1s, clear_samples: 2}
targets: [{id: hub, address: 127.0.0.1}, {id: spoke, address: 10.9.9.9}]
"""


class Disk:
    """A disk of 6 MiB in a namespace of mounts of its own, and a thread that lives there.

    Attributes:
        enter: words that begin a process there.
    """

    def __init__(self, holder: int, folder: Path) -> None:
        self.enter = [require("nsenter", "util-linux"), "-t", str(holder), "-m", "-n"]
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, initializer=self._move, initargs=(holder,))

    @staticmethod
    def _move(holder: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{holder}/ns/mnt").open("rb") as mounts:
            if libc.unshare(CLONE_FS) or libc.setns(mounts.fileno(), CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "setns")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return self._thread.submit(typed, *words).result(60)

    def fill(self) -> None:
        """Leave no byte free."""
        with pytest.raises(OSError, match="No space left"):
            self._thread.submit(self._fill).result(60)

    def _fill(self) -> None:
        with (self._folder / "fill").open("wb", buffering=0) as sink:
            while sink.write(b"\0" * 4096):
                pass

    def empty(self) -> None:
        """Give the room back."""
        self._thread.submit((self._folder / "fill").unlink).result(60)


@pytest.fixture
def disk(space: Namespace, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    words = space.command("sh", "-c", f"mount -t tmpfs -o size=6m tmpfs {folder} && echo ready && exec sleep 600")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
            yield Disk(holder.pid, folder)
        finally:
            holder.kill()


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_acknowledged_and_nothing_that_became_certain_meanwhile(
    space: Namespace, disk: Disk, tmp_path: Path
) -> None:
    config = tmp_path / "haidang.yaml"
    config.write_text(CONFIG, encoding="utf-8")

    def typed_there(*words: str) -> tuple[int, str]:
        done = disk.run(*words, "--config", str(config))
        return done.returncode, done.stdout + done.stderr

    def said(*words: str) -> Any:
        return json.loads(disk.run(*words, "--config", str(config), "--json").stdout)

    def states() -> set[str]:
        return {one["state"] for one in said("status")["targets"]}

    space.ip("addr", "add", "10.9.9.9/32", "dev", "lo")
    with Daemon(config, disk.enter) as daemon:
        daemon.wait_for("haidang runs", 60)
        until(lambda: states() == {"up"}, 30, "both are up")
        disk.fill()
        space.ip("addr", "del", "10.9.9.9/32", "dev", "lo")
        until(lambda: said("status")["daemon"]["changes_waiting"], 30, "an outage is certain and waits")
        status, text = typed_there("status")
        assert (status, "cannot write (database or disk is full)" in text) == (1, True)
        status, text = typed_there("incidents")
        assert (status, "What is shown here is from before" in text) == (1, True)
        until(lambda: "disk is full" in said("store", "status")["last_error"], 30, "the store is ill as well")
        assert typed_there("store", "status")[0] == 1
        disk.empty()
        daemon.wait_for(AGAIN, 30)
        daemon.wait_for("points are written again", 60)
        [incident] = said("incidents")
        assert incident["target"] == "spoke"
        assert len(daemon.events(CANNOT)) == len(daemon.events("metrics cannot be written, kept in memory")) == 1
        assert typed_there("ack", "1", "--note", "on my way", "--author", "an")[0] == 0
        disk.fill()
        until(lambda: said("status")["daemon"]["error"], 30, "it is full again")
        status, text = typed_there("incidents", "note", "1", "lost?")
        assert (status, "nothing was changed" in text) == (1, True)
        daemon.end(signal.SIGKILL)
    disk.empty()
    with Daemon(config, disk.enter) as daemon:
        daemon.wait_for("haidang runs", 60)
        [incident] = said("incidents")
        assert (incident["acknowledged_by"], incident["number"]) == ("an", 1)
        assert said("audit", "verify")["fault"] is None
        space.ip("addr", "add", "10.9.9.9/32", "dev", "lo")
        until(lambda: said("incidents") == [], 30, "it is over")
        assert daemon.end() == 0
    assert list((tmp_path / "disk").iterdir()) == []
