"""This machine read for real: disks, processes, clock; a systemd in namespaces; sensors as the kernel shows them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from collectors.plan import plan
from collectors.watches import HostSettings, HostWatch
from haidang.clock import ManualClock, SystemClock
from haidang.model import Observation, Status
from probes.filling import DAY_S, EVERY_S, FAR_DAYS, Filling, slope
from probes.host import HostReader, Reading
from probes.kernel_clock import read_clock
from probes.units import Unit, blocks
from tests.support.daemon import until
from tests.support.parts import require
from tests.support.systemd import systemd

HAIDANG = [sys.executable, "-m", "haidang"]


def of(readings: list[Reading], measurement: str) -> list[Reading]:
    return [reading for reading in readings if reading.measurement == measurement]


ASKED = {
    # What the dashboards of Telegraf's makers and its community ask of its plugins cpu, system, mem …
    "cpu": "usage_idle usage_user usage_system usage_iowait usage_nice usage_irq usage_softirq usage_steal",
    "system": "load1 load5 load15 n_cpus uptime", "swap": "used free total used_percent in out",
    "mem": "used free available total cached buffered active inactive used_percent available_percent",
    "disk": "used free total used_percent inodes_free inodes_total inodes_used", "processes": "total",
    "net": "bytes_recv bytes_sent packets_recv packets_sent err_in err_out drop_in drop_out",
    "kernel": "context_switches interrupts",
}  # fmt: skip


TRANSFERS = ("read_count", "write_count", "read_bytes", "write_bytes", "read_time", "write_time", "busy_time")
"""psutil's names."""


@pytest.mark.parametrize("measurement", ASKED)
def test_what_dashboards_made_for_telegraf_ask_of_a_machine_is_read(measurement: str) -> None:
    reader = HostReader(SystemClock())
    found = until(lambda: of(reader.read(), measurement), 5, "two readings with processor time between them")
    for reading in found:
        assert reading.fields.keys() >= set(ASKED[measurement].split())


def test_each_disk_that_ever_carried_something_is_read_with_its_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    used, idle = dict(zip(TRANSFERS, range(1, 8), strict=True)), dict.fromkeys(TRANSFERS, 0)
    kernels = {"vda": SimpleNamespace(**used), "loop0": SimpleNamespace(**idle)}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: kernels)
    (found,) = of(HostReader(SystemClock()).read(), "diskio")
    assert (dict(found.tags), list(found.fields.values())) == ({"name": "vda"}, list(range(1, 8)))
    assert list(found.fields) == ["reads", "writes", "read_bytes", "write_bytes", "read_time", "write_time", "io_time"]
    monkeypatch.undo()
    real = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    ours = {name for name, io in real.items() if io.read_count or io.write_count}
    assert {dict(reading.tags)["name"] for reading in of(HostReader(SystemClock()).read(), "diskio")} >= ours


@given(
    st.integers(1, 10**12), st.integers(1, 10**13), st.floats(0.5, 3000), st.integers(20, 400)
)  # fmt: skip
def test_a_disk_that_fills_evenly_is_full_when_its_line_says_so(used: int, free: int, days: float, count: int) -> None:
    rate, filling, said = free / (days * DAY_S), Filling(), None
    for number in range(count):
        grown = round(rate * number * EVERY_S)
        said = filling.days_until_full(number * EVERY_S, used + grown, free - grown)
    left = days - (count - 1) * EVERY_S / DAY_S
    if left > 0.01 and free > 10**9:
        assert said == pytest.approx(left, rel=1e-3, abs=0.01)


def test_nothing_is_foretold_of_a_disk_that_does_not_fill_or_of_too_little_history() -> None:
    young, still, emptied = Filling(), Filling(), Filling()
    assert all(young.days_until_full(n * 60.0, 1000 + n, 10_000) is None for n in range(55))
    for number in range(400):
        flat = still.days_until_full(number * EVERY_S, 1000, 10_000)
        falling = emptied.days_until_full(number * EVERY_S, 10**6 - number, 10_000)
        assert (flat, falling) == ((None, None) if number < 12 else (FAR_DAYS, FAR_DAYS))
    assert still.days_until_full(1e6, 1001, 10**15) == FAR_DAYS  # in some million years


def test_a_day_of_samples_is_kept_and_the_rest_forgotten() -> None:
    filling = Filling()
    for number in range(400):
        filling.days_until_full(number * EVERY_S, 10**9 - number, 10**9)
    for number in range(400, 400 + 288):
        said = filling.days_until_full(number * EVERY_S, 10**9 + number * 10**6, 10**9)
    assert said == pytest.approx(10**9 / (10**6 / EVERY_S) / DAY_S, rel=1e-6)
    assert slope(deque([(5.0, 7.0)])) == 0


def test_the_days_arrive_in_the_readings_of_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, used = ManualClock(), 10**9
    monkeypatch.setattr(
        psutil, "disk_usage", lambda _: SimpleNamespace(total=10**10, used=used, free=10**10 - used, percent=1.0)
    )
    reader = HostReader(clock)
    assert all("days_until_full" not in reading.fields for reading in of(reader.read(), "disk"))
    for _ in range(13):
        clock.advance(EVERY_S)
        used += 10**6
        disks = of(reader.read(), "disk")
    assert disks, "this machine has no disk"
    expected = (10**10 - used) / (10**6 / EVERY_S) / DAY_S
    assert [reading.fields["days_until_full"] for reading in disks] == [pytest.approx(expected)] * len(disks)


def test_disks_and_inodes_are_those_of_df() -> None:
    for reading in of(HostReader(SystemClock()).read(), "disk"):
        path = dict(reading.tags)["path"]
        total, inodes = _df("size", path) * 1024, _df("itotal", path)
        assert (reading.fields["total"], reading.fields["inodes_total"]) == (total, inodes)
        if inodes:
            assert 0 <= float(reading.fields["inodes_used_percent"]) <= 100


def _df(field: str, path: str) -> int:
    said = subprocess.run(["df", f"--output={field}", path], check=True, capture_output=True, text=True).stdout
    return int(said.split()[-1])


def test_processes_are_found_by_their_whole_name_and_missed_when_they_end(tmp_path: Path) -> None:
    name = "haidang-test-sleeper"  # longer than the 15 characters that the kernel keeps
    shutil.copy(require("sleep", "coreutils"), tmp_path / name)
    reader = HostReader(SystemClock(), processes=(name,))
    with subprocess.Popen([str(tmp_path / name), "60"]) as one, subprocess.Popen([str(tmp_path / name), "60"]) as two:
        [reading] = of(reader.read(), "procstat_lookup")
        assert (reading.tags, reading.fields["pid_count"], reading.fields["running"]) == ((("exe", name),), 2, 1)
        assert int(reading.fields["memory_rss"]) > 0
        assert reader.troubles == []
        one.kill()
        two.kill()
        psutil.wait_procs([psutil.Process(two.pid)], timeout=0.01)
    [reading] = of(reader.read(), "procstat_lookup")
    assert (reading.fields["pid_count"], reading.fields["running"]) == (0, 0)
    assert reader.troubles == [f"no process {name} runs"]


def test_the_clock_is_what_strace_sees_the_kernel_say() -> None:
    traced = subprocess.run(
        [require("strace", "strace"), "-v", "-e", "trace=adjtimex,clock_adjtime", sys.executable, "-c",
         "from probes.kernel_clock import read_clock; c = read_clock(); print(c.synchronized, c.frequency_ppm)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    [call] = [line for line in traced.stderr.splitlines() if "adjtime" in line]
    freq = int(re.search(r"freq=(-?\d+)", call)[1])  # type: ignore[index]
    assert traced.stdout.split() == [str("STA_UNSYNC" not in call), str(freq / 65_536)]
    assert read_clock().max_error_ms >= 0
    [reading] = of(HostReader(SystemClock()).read(), "kernel_clock")
    assert reading.fields["synchronized"] == int("STA_UNSYNC" not in call)


def test_sensors_are_read_as_the_kernel_shows_them() -> None:
    tree = """\
mount -t tmpfs class /sys/class && mkdir -p /sys/class/hwmon/hwmon0 && cd /sys/class/hwmon/hwmon0 &&
echo coretemp > name && echo 71500 > temp1_input && echo 'Package id 0' > temp1_label && echo 90000 > temp1_max &&
echo 100000 > temp1_crit && echo 64000 > temp2_input && echo 'Core 0' > temp2_label && exec "$@"
"""
    if os.geteuid() != 0:
        pytest.skip("a mount of one's own needs root")
    done = subprocess.run(
        [require("unshare", "util-linux"), "--mount", "sh", "-c", tree, "sh", *HAIDANG, "probe", "host", "--json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = {name: value for name, value in json.loads(done.stdout)["fields"].items() if name.startswith("temp.")}
    assert found == {
        "temp.coretemp_package_id_0.temp": 71.5, "temp.coretemp_package_id_0.high": 90.0,
        "temp.coretemp_package_id_0.critical": 100.0, "temp.coretemp_core_0.temp": 64.0,
    }  # fmt: skip


@pytest.mark.slow
def test_units_are_those_of_a_real_systemd(tmp_path: Path) -> None:
    units = {
        "test.target": "[Unit]\nDefaultDependencies=no\nWants=good.service bad.service looping.service\n"
        "After=good.service bad.service\n",
        "good.service": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\n",
        "bad.service": "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/false\n",
        "looping.service": "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n"
        "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100\n",
    }
    with systemd(units, tmp_path) as beside:
        names = ("good", "bad.service", "looping", "none.service")
        options = [word for name in names for word in ("--unit", name)]
        done = subprocess.run(
            [*beside, *HAIDANG, "probe", "host", "--json", *options], check=True, capture_output=True, text=True
        )
    said = json.loads(done.stdout)
    assert said["reason"] == (
        "the unit bad.service is failed (failed); the unit looping is activating (auto-restart); "
        "there is no unit none.service"
    )
    codes = {name: said["fields"][f"systemd_units.{name}.active_code"] for name in names}
    assert codes == {"good": 0, "bad.service": 3, "looping": 4, "none.service": 2}
    assert said["fields"]["systemd.failed_units"] == 1


def test_a_systemctl_that_says_nothing_takes_only_the_units_out_of_what_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("probes.units.BOOTED", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: "/bin/true")
    reader = HostReader(SystemClock(), units=("nginx",))
    assert {"system", "mem"} <= {reading.measurement for reading in reader.read()}
    assert reader.troubles == ["systemctl does not say how many units failed"]


def test_without_systemd_units_are_unknown_and_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("probes.units.BOOTED", tmp_path / "none")
    reader = HostReader(SystemClock(), units=("nginx",))
    readings = reader.read()
    assert of(readings, "systemd_units") == of(readings, "systemd") == []
    assert reader.troubles == ["systemd does not run this machine: nothing is known of its units"]
    assert HostReader(SystemClock()).read()


def test_what_systemctl_shows_is_read_block_by_block() -> None:
    said = "LoadState=loaded\nActiveState=active\nSubState=running\n\nLoadState=not-found\nActiveState=inactive\n"
    assert [block["LoadState"] for block in blocks(said)] == ["loaded", "not-found"]
    assert Unit("a", "loaded", "activating", "start").words == ""
    assert Unit("a", "loaded", "inactive", "dead").words == "the unit a is inactive (dead)"


async def test_a_listed_process_that_does_not_run_makes_the_host_a_warning(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(
        "haidang: 1\ntargets:\n  - id: here\n    probes: [host]\n    host: {processes: [no-such-thing]}\n"
    )
    [one] = plan(config.load(tmp_path / "haidang.yaml"))
    assert isinstance(one.settings, HostSettings)
    seen: list[Observation] = []
    watch = HostWatch(
        one.check, one.settings, {}, clock=SystemClock(), deliver=lambda observation, _: seen.append(observation)
    )  # fmt: skip
    await watch._read(1)
    assert (seen[0].status, seen[0].warning) == (Status.UP, "no process no-such-thing runs")


def test_a_unit_with_a_wrong_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text("haidang: 1\nprobing:\n  host: {units: [--all]}\n")
    [error] = config.check(tmp_path / "haidang.yaml")
    assert '"--all" is not the name of a unit: write nginx.service, or nginx' in str(error)
