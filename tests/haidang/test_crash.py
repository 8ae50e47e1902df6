"""kill -9 at random moments: what was acknowledged stays, and nobody is told twice but for the one in flight."""

from __future__ import annotations

import collections
import json
import random
import select
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.haidang.test_outage import Postbox, mail_server
from tests.support.daemon import Daemon, until
from tests.support.netns import Namespace


def configuration(targets: int, hold_s: float) -> str:
    """Write one in which every failure is an incident of its own, told after the hold."""
    return f"""\
haidang: 1
data_dir: ./data
probing: {{icmp: {{cadence: 1s, echoes: 5, timeout: 300ms}}}}
confirmation: {{failures: 1, span: 0s, fast_cadence: 1s, clear_span: 0s, clear_samples: 1, flap_changes: 60}}
contacts: [{{id: oncall, email: oncall@example.org}}]
alerting:
  to: [oncall]
  mail: {{from: haidang@example.org, servers: [{{host: 127.0.0.1, port: 2525, security: none}}], most_per_minute: 6000}}
  incidents: {{hold: {hold_s:g}, storm: 1000, reopen: 0}}
targets:
""" + "".join(f"  - {{id: t{number}, address: 127.8.0.{number + 1}}}\n" for number in range(targets))


class Judge:
    """Stands outside: remembers what the daemon acknowledged and looks whether it is still there."""

    def __init__(self, folder: Path, postbox: Postbox, hold_s: float) -> None:
        self.hold_s = hold_s
        self.lives: list[tuple[int, int]] = []
        """From when to when a daemon ran, UTC nanoseconds."""
        self._ledger = folder / "data" / "haidang.db"
        self._postbox = postbox
        self.intervals: dict[int, tuple[Any, ...]] = {}
        self.messages: dict[int, str] = {}
        self.kills = 0

    def look(self) -> None:
        """Check the files after a kill against everything seen before it."""
        with closing(sqlite3.connect(self._ledger)) as sql:
            assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            intervals = {
                row[0]: row[1:]
                for row in sql.execute("SELECT id, target, probe, state, start_ns, end_ns FROM interval")
            }
            messages = dict(sql.execute("SELECT id, message_id FROM notification"))
            overlaps = sql.execute(
                "SELECT count(*) FROM interval a JOIN interval b ON a.target = b.target AND a.id < b.id "
                "AND (a.end_ns IS NULL OR a.end_ns > b.start_ns)"
            ).fetchone()
        for number, seen in self.intervals.items():
            now = intervals.get(number)
            assert now is not None, f"interval {number} {seen} is gone"
            assert now[:4] == seen[:4]
            assert seen[4] is None or now[4] == seen[4], "a closed interval was changed"
        for number, name in self.messages.items():
            assert messages.get(number) == name, f"message {number} is gone"
        assert overlaps == (0,)
        self.intervals, self.messages = intervals, messages

    def acknowledged(self, daemon: Daemon) -> None:
        """Hold the daemon's word (a log line comes after the commit) against the ledger."""
        said = collections.Counter((line["check"], line["state"]) for line in daemon.events("state changed"))
        with closing(sqlite3.connect(self._ledger)) as sql:
            kept = collections.Counter(
                (f"{target}/{probe}", state)
                for target, probe, state in sql.execute("SELECT target, probe, state FROM interval")
            )
        for what, count in said.items():
            assert kept[what] >= count, f"{what} was said {count} times in one run, the ledger has {kept[what]}"

    def was_due(self, opened_ns: int, resolved_ns: int) -> bool:
        """Tell whether a daemon lived for two rounds between the end of the hold and the incident's end."""
        due_ns = opened_ns + round(self.hold_s * 1e9)
        lived_ns = sum(max(0, min(end, resolved_ns) - max(start, due_ns)) for start, end in self.lives)
        return self.hold_s == 0 or lived_ns > 2 * 10**9

    def doubles(self) -> int:
        """Count mails that came more than once; never more than one for each kill."""
        ids = collections.Counter(mail["Message-ID"] for _, mail in self._postbox.mails)
        return sum(count - 1 for count in ids.values())


def survive(space: Namespace, folder: Path, kills: int, targets: int, hold_s: float, seed: int) -> Judge:
    """Kill a daemon whose targets come and go, again and again."""
    rng = random.Random(seed)
    config = folder / "haidang.yaml"
    config.write_text(configuration(targets, hold_s), encoding="utf-8")
    space.nft(
        "table ip t { set dead { type ipv4_addr; }; "
        "chain c { type filter hook input priority 0; ip daddr @dead drop; }; }\n"
    )
    dead: set[int] = set()
    with mail_server(space) as (postbox, _):
        judge = Judge(folder, postbox, hold_s)
        for _ in range(kills):
            with Daemon(config, space.command()) as daemon:
                daemon.wait_for("haidang runs", 120)
                start_ns = time.time_ns()
                end = time.monotonic() + rng.uniform(0.05, 2.5 + hold_s)
                while time.monotonic() < end:
                    number = rng.randrange(targets)
                    verb = "delete" if number in dead else "add"
                    dead ^= {number}
                    space.nft(f"{verb} element ip t dead {{ 127.8.0.{number + 1} }}\n")
                    select.select([], [], [], rng.uniform(0, 0.15))
                daemon.end(signal.SIGKILL)
                judge.lives.append((start_ns, time.time_ns()))
                judge.kills += 1
                judge.look()
                judge.acknowledged(daemon)
        finish(space, config, judge)
    return judge


def finish(space: Namespace, config: Path, judge: Judge) -> None:
    """Let everything recover, and see that every message of the ledger's incidents was sent."""
    space.nft("flush set ip t dead\n")
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("haidang runs", 120)

        def all_told() -> bool:
            with closing(sqlite3.connect(config.parent / "data" / "haidang.db")) as sql:
                (waiting,) = sql.execute("SELECT count(*) FROM notification WHERE state <> 'sent'").fetchone()
                (still_open,) = sql.execute("SELECT count(*) FROM incident WHERE resolved_ns IS NULL").fetchone()
            return not waiting and not still_open

        until(all_told, 60, "every incident is resolved and told")
        assert daemon.end() == 0
    judge.look()


def report(folder: Path, judge: Judge, postbox_doubles: int) -> None:
    with closing(sqlite3.connect(folder / "data" / "haidang.db")) as sql:
        incidents = sql.execute("SELECT id, opened_ns, resolved_ns FROM incident").fetchall()
        steps = collections.Counter(sql.execute("SELECT incident, step FROM notification").fetchall())
        ids = {row[0] for row in sql.execute("SELECT message_id FROM notification")}
    told = 0
    for incident, opened_ns, resolved_ns in incidents:
        times = steps[(incident, "opened")]
        assert times == steps[(incident, "resolved")], f"incident {incident}: {times} openings told, not as many ends"
        assert times <= 1, f"incident {incident} was told {times} times"
        assert times or not judge.was_due(opened_ns, resolved_ns), f"incident {incident} was told to nobody"
        told += times
    assert told, "nobody was told anything"
    arrived = {mail["Message-ID"] for _, mail in judge._postbox.mails}
    assert arrived == ids, "what the outbox calls sent has arrived, and nothing else"
    assert postbox_doubles <= judge.kills
    summary = {
        "kills": judge.kills, "incidents": len(incidents), "told": told, "mails": len(arrived),
        "doubles": postbox_doubles,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


@pytest.mark.parametrize(
    ("kills", "targets", "hold_s"),
    [
        pytest.param(3, 12, 0, id="few"),
        pytest.param(10, 12, 2, id="many, with a hold", marks=pytest.mark.slow),
        pytest.param(500, 50, 0, id="five hundred", marks=pytest.mark.soak),
        pytest.param(500, 50, 2, id="five hundred, with a hold", marks=pytest.mark.soak),
    ],
)
def test_a_killed_daemon_loses_nothing_it_acknowledged_and_tells_nothing_twice(
    space: Namespace, tmp_path: Path, kills: int, targets: int, hold_s: float
) -> None:
    judge = survive(space, tmp_path, kills, targets, hold_s, seed=7)
    report(tmp_path, judge, judge.doubles())
