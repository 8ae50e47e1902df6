"""The commands as a person or a program types them: what they print and how they end."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer

import config
from haidang.commands.common import find_config
from haidang.commands.reading import summary_lines
from haidang.doctor import Health, people
from haidang.show import status, utc
from storage.database import Database
from tests.support.daemon import COMMAND, Daemon, typed, until
from tests.support.netns import Namespace
from tests.support.snmp_agent_real import AUTH_PASSWORD, PRIV_PASSWORD, snmpd
from tests.support.stores import influxdb

GOOD = """\
haidang: 1
data_dir: ./data
probing: {icmp: {cadence: 1s, echoes: 2, timeout: 500ms}}
systems: [{id: wan, name: WAN, objective: 99.9}]
targets:
  - {id: loopback, address: 127.0.0.1, system: wan}
"""


def haidang(*words: str, inside: Namespace | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command and wait for it."""
    prefix = inside.command("env", *(f"{key}={value}" for key, value in environment.items())) if inside else []
    return typed(*words, prefix=prefix)


def said(done: subprocess.CompletedProcess[str], status: int = 0) -> Any:
    """Return the JSON a command printed, after checking how it ended."""
    assert done.returncode == status, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_probe_icmp_prints_the_agreed_shape(space: Namespace) -> None:
    found = said(haidang("probe", "icmp", "127.0.0.1", "-n", "3", "-i", "0.01", "--json", inside=space))
    assert list(found) == ["target", "probe", "slot", "status", "reason", "fields", "duration_ms"]
    assert {
        "packets_sent", "packets_received", "loss_percent", "rtt_min_ms", "rtt_median_ms", "rtt_p95_ms", "rtt_max_ms",
        "jitter_ms",
    } <= found["fields"].keys()  # fmt: skip
    assert (found["target"], found["probe"], found["status"]) == ("127.0.0.1", "icmp", "up")
    assert found["slot"].endswith("Z")


def test_probe_icmp_of_what_is_silent_ends_with_one_and_says_why(space: Namespace) -> None:
    done = haidang("probe", "icmp", "192.0.2.1", "-n", "1", "--timeout", "0.1", inside=space)
    assert done.returncode == 1
    assert "DOWN, this machine has no way to it: network is unreachable" in done.stdout


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("probe", "icmp", "224.0.0.1"), "224.0.0.1 is not the address of one host"),
        (("probe", "icmp", "127.0.0.1", "--dscp", "64"), "less than or equal to 63"),
        (("probe", "icmp", "no-such-host.invalid"), "check the name and the resolver, or give an address"),
        (("probe", "dns", "127.0.0.1", "--type", "NONSENSE"), "is not a DNS question"),
        (("poll", "127.0.0.1", "--version", "3"), "SNMPv3 needs --user"),
        (("poll", "127.0.0.1", "--user", "u", "--auth-password", "short"), "8 characters"),
        (("status", "--config", "/nonexistent/haidang.yaml"), "/nonexistent/haidang.yaml"),
        (("config", "check", "/nonexistent/haidang.yaml"), "/nonexistent/haidang.yaml"),
    ],
)
def test_what_cannot_be_done_ends_with_two_and_a_sentence(
    space: Namespace, words: tuple[str, ...], needed: str
) -> None:
    done = haidang(*words, inside=space)
    assert done.returncode == 2
    assert needed in done.stderr
    assert "Traceback" not in done.stderr


def test_without_any_configuration_the_cure_is_named(space: Namespace, tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "status"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "haidang init DIR" in done.stderr


def test_poll_of_a_real_agent_tells_identity_and_interfaces(tmp_path: Path) -> None:
    with snmpd(tmp_path) as agent:
        port = str(agent.port)
        found = said(haidang("poll", "127.0.0.1", "--port", port, "--json"))
        assert list(found) == ["identity", "interfaces", "sensors", "neighbours", "errors"]
        assert found["identity"]["sys_name"] == "haidang-test"
        assert found["identity"]["sys_object_id"].startswith("1.3.6.1.4.1.8072")
        loopback = next(row for row in found["interfaces"] if row["name"] == "lo")
        assert (loopback["oper_status"], loopback["counter_bits"]) == ("up", 64)
        assert any(sensor["kind"] == "memory" and sensor["oid"] for sensor in found["sensors"])
        words = ("--user", "sha256", "--auth-password", AUTH_PASSWORD, "--priv-password", PRIV_PASSWORD)
        secure = said(haidang("poll", "127.0.0.1", "--port", port, *words, "--json"))
        assert secure["identity"]["sys_name"] == "haidang-test"
        wrong = haidang("probe", "snmp", "127.0.0.1", "--port", port, *words[:3], "not the password", "--json")
        refused = said(wrong, 1)
        assert refused["status"] == "down"
        assert "password" in refused["reason"]
        silent = said(haidang("poll", "127.0.0.1", "--port", port, "--community", "x", "--timeout", "0.5", "--json"), 1)
        assert "a wrong community looks the same" in silent["errors"][0]


def test_poll_of_a_configured_device_uses_its_credentials_and_the_profiles_of_the_configuration(tmp_path: Path) -> None:
    with snmpd(tmp_path) as agent:
        (tmp_path / "community").write_text("public\n", encoding="utf-8")
        config = tmp_path / "haidang.yaml"
        config.write_text(
            GOOD.replace("probing: {", "probing: {profiles: [own.yaml], ").replace(
                "targets:", "credentials: [{id: it, community: {file: community}}]\ntargets:"
            )
            + f"  - {{id: box, address: 127.0.0.1, snmp: {{credential: it, port: {agent.port}}}}}\n",
            encoding="utf-8",
        )
        (tmp_path / "own.yaml").write_text(
            "profile: ours\nvendor: Ours\nmatch: [{sys_object_id: 1.3.6.1.4.1.8072.3.2.10, sys_descr: Linux}]\n"
        )
        found = said(haidang("poll", "box", "--config", str(config), "--json"))
        assert (found["identity"]["sys_name"], found["identity"]["vendor"]) == ("haidang-test", "Ours")
        known = ("127.0.0.1", "--port", str(agent.port), "--community", "public")
        assert said(haidang("poll", *known, "--config", str(config), "--json"))["identity"]["vendor"] == "Ours"
        assert said(haidang("poll", *known, "--json"))["identity"]["vendor"] == "Linux"


def test_init_writes_a_configuration_that_check_likes_and_never_overwrites(space: Namespace, tmp_path: Path) -> None:
    first = haidang("init", str(tmp_path / "new"), inside=space)
    assert first.returncode == 0
    assert haidang("config", "check", str(tmp_path / "new" / "haidang.yaml"), inside=space).returncode == 0
    again = haidang("init", str(tmp_path / "new"), inside=space)
    assert again.returncode == 2
    assert str(tmp_path / "new" / "haidang.yaml") in again.stderr


def test_config_check_prints_every_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD.replace("system: wan", "system: wam").replace("objective", "objektive"), encoding="utf-8")
    done = haidang("config", "check", str(path))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert any(line.startswith(f"{path}:4:") and 'did you mean "objective"' in line for line in lines)
    assert any(line.startswith(f"{path}:6:") and 'did you mean "wan"' in line for line in lines)
    listed = said(haidang("config", "check", str(path), "--json"), 2)
    assert len(listed) == len(lines)


def test_config_check_asks_whether_a_role_is_mistyped_and_leaves_ones_own_alone(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    targets = ("{id: a, address: 127.0.0.1, role: camara}", "{id: b, address: 127.0.0.1, role: printer}")
    path.write_text("haidang: 1\ntargets:\n" + "".join(f"  - {one}\n" for one in targets), encoding="utf-8")
    done = haidang("config", "check", str(path))
    assert done.stdout == f"{path}: fine: 2 targets, 0 sites, 0 systems, 0 circuits\n"
    assert done.stderr == "warning: nothing is known of the role camara; did you mean camera?\n"


def test_config_schema_is_json_schema() -> None:
    schema = said(haidang("config", "schema"))
    assert schema["$schema"].endswith("2020-12/schema")
    assert "targets" in schema["properties"]


def test_before_the_first_run_the_reading_commands_say_so(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    for words in (("status",), ("incidents",), ("availability",), ("store", "status")):
        done = haidang(*words, "--config", str(path))
        assert done.returncode == 2
        assert "has the daemon run with this configuration" in done.stderr


def test_a_ledger_of_another_version_is_told_as_one_not_as_a_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "haidang.db")) as sql:
        for version, needed in ((1, "this haidang's daemon brings it to"), (999, "has schema 999, a later version's")):
            sql.execute(f"PRAGMA user_version={version}")
            for words in (("status",), ("conferences", "list")):
                done = haidang(*words, "--config", str(path))
                assert done.returncode == 2
                assert needed in done.stderr


def test_who_may_not_look_into_the_services_folder_is_told_who_may(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(typer.Exit) as ended:
        find_config(None)
    assert ended.value.exit_code == 2
    assert "permission denied; say sudo -u haidang before the command" in capsys.readouterr().err


def test_what_is_on_record_can_be_read_while_the_daemon_runs(space: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with Daemon(path, space.command()) as daemon:
        daemon.wait_for("state changed", 30)
        status = said(haidang("status", "--config", str(path), "--json"))
        assert status["daemon"] == {**status["daemon"], "running": True, "process": daemon.process.pid}
        assert status["summary"]["up"] == 1
        month = said(haidang("availability", "--config", str(path), "--json"))
        assert month["targets"][0]["availability_percent"] == 100.0
        assert month["targets"][0]["budget_s"] == pytest.approx(month["targets"][0]["period_s"] / 1000)
        assert said(haidang("incidents", "--config", str(path), "--json")) == []
        text = haidang("status", "-a", "--config", str(path))
        assert "1 up" in text.stdout
        assert "loopback" in text.stdout
        own = said(haidang("status", "--self", "--config", str(path), "--json"))
        icmp = next(one for one in own["probes"] if one["probe"] == "icmp")
        assert (own["checks"], icmp["checks"], icmp["skipped"], own["icmp_dropped"]) == (1, 1, 0, 0)
        assert 0 < icmp["cpu_s"] <= own["cpu_s"]
        assert own["cpu_other_s"] == pytest.approx(own["cpu_s"] - icmp["cpu_s"], abs=0.01)
        assert own["rss_bytes"] > 10 * 2**20
        table = haidang("status", "--self", "--config", str(path)).stdout
        assert re.search(r"^icmp +1 +\d+ +0 ", table, re.MULTILINE), table
        assert haidang("availability", "--month", "2026-13", "--config", str(path)).returncode == 2
        assert haidang("availability", "--system", "lan", "--config", str(path)).returncode == 2
        daemon.end()
    nobody = haidang("status", "--self", "--config", str(path))
    assert nobody.returncode == 1
    assert "no daemon runs on this data directory" in nobody.stderr


def test_doctor_names_what_is_missing_with_the_line_that_cures_it(space: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(
        GOOD + "contacts: [{id: oncall, email: oncall@example.org}]\n"
        "alerting:\n  to: [oncall]\n"
        "  mail: {from: a@example.org, servers: [{host: 127.0.0.1, port: 9, security: none}]}\n",
        encoding="utf-8",
    )
    found = {one["name"]: one for one in said(haidang("doctor", "--config", str(path), "--json", inside=space), 1)}
    assert found["ping IPv4"]["health"] == "ok"
    assert found["configuration"]["health"] == "ok"
    assert found["mail server"]["health"] == "bad"
    assert "connection refused" in found["mail server"]["text"]
    assert found["mail server"]["cure"]
    assert "people" not in found


def test_doctor_asks_the_metric_store_and_leaves_no_file_behind(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    with influxdb(tmp_path / "server") as server:
        kept = f"{{url: '{server.url}', username: an, password: {{env: PW}}}}"
        path.write_text(f"{GOOD}storage: {{kind: influxdb, influxdb: {kept}}}\n", encoding="utf-8")

        def store() -> dict[str, Any]:
            done = typed("doctor", "--config", str(path), "--json")
            return next(one for one in json.loads(done.stdout) if one["name"] == "metric store")

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PW", "wrong")
            assert store()["health"] == "ok"  # it asks for no password
            server.stop()
            assert "connection refused" in store()["text"]
            server.environment = {"INFLUXDB_HTTP_AUTH_ENABLED": "true"}
            server.start()
            found = store()
    assert (found["health"], bool(found["cure"])) == ("bad", True)
    assert "look at token, or username and password, under storage.influxdb" in found["text"]
    assert not (tmp_path / "data" / "spool.db").exists()


def test_doctor_warns_where_nobody_is_told_of_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    [found] = people(config.load(path))
    assert (found.health, found.text) == (Health.WARNING, "nobody is told when something fails")
    path.write_text(GOOD + "contacts: [{id: an, email: an@example.org}]\n", encoding="utf-8")
    assert len(list(people(config.load(path)))) == 1  # a contact alone is told nothing


def test_status_does_not_say_that_nothing_came_where_too_little_came_to_judge(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    database = Database(tmp_path / "haidang.db", "haidang")
    (target, *_) = status(config.load(path), database.connection, None, 0)["targets"]
    database.close()
    assert (target["state"], target["reason"]) == ("unknown", "not judged yet: too few samples")


def test_status_says_when_a_running_daemon_has_stopped_writing(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(GOOD, encoding="utf-8")
    daemon = {"running": True, "last_sign_of_life": "2026-11-30T08:00:00.000Z", "error": None, "changes_waiting": 0}
    found = {"daemon": daemon, "summary": {"up": 1}, "targets": [], "incidents": []}
    first, *_ = summary_lines(config.load(path), found)
    assert "has written nothing since 30/11/2026 15:00:00" in first
    daemon["last_sign_of_life"] = utc(time.time_ns())
    assert summary_lines(config.load(path), found) == ["1 up"]
    daemon |= {"error": "database or disk is full", "changes_waiting": 2}
    first, *_ = summary_lines(config.load(path), found)
    assert first.startswith("The daemon cannot write (database or disk is full): it goes on watching;")
    assert "in its memory: 2." in first


def test_store_status_says_why_points_wait(space: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(
        GOOD + "storage: {kind: influxdb, influxdb: {url: 'http://127.0.0.1:9', flavour: v1}}\n", encoding="utf-8"
    )
    with Daemon(path, space.command()) as daemon:
        daemon.wait_for("state changed", 30)

        def waiting() -> dict[str, Any] | None:
            done = haidang("store", "status", "--config", str(path), "--json")
            found: dict[str, Any] = json.loads(done.stdout) if done.returncode in (0, 1) else {}
            return found if done.returncode == 1 else None

        found = until(waiting, 30, "the daemon has said what is wrong with its store")
        assert "127.0.0.1:9" in found["last_error"]
        assert found["spooled"] > 0
        assert daemon.end() == 0
