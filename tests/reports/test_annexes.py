"""The annexes of equipment, conferences and connections, objectives of longer periods, and sameness everywhere."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from availability.periods import month_named
from config import Configuration
from haidang.model import Point, Series
from reports import equipment
from reports.archive import rendered
from reports.equipment import Equipment
from reports.model import Report
from reports.pages import laid_out
from reports.seal import digest, written
from reports.words import Words
from storage.metrics import Curve, InMemoryStore, Query, StoreError
from tests.reports.ledgers import HANOI, TEXT, S, at, configured, october, reported

PERIOD = month_named("2026-10", HANOI)
ROLES = TEXT.replace("site: north, circuit: line-a}", "site: north, circuit: line-a, role: environment}").replace(
    "address: 192.0.2.3, site: south}", "address: 192.0.2.3, site: south, role: videoconf}"
)
LONGER = ROLES.replace(
    "objectives:\n",
    "objectives:\n  - {id: quarter, system: wan, percent: 99.9, period: quarter}\n"
    "  - {id: year, system: wan, percent: 99.9, period: year}\n"
    "  - {id: days, system: wan, percent: 99.9, period: rolling, days: 10}\n",
)


def put(store: InMemoryStore, measurement: str, tags: dict[str, str], hour: int, **fields: float) -> None:
    series = Series(measurement, tuple(sorted(tags.items())))
    store.add([Point(series, PERIOD.start_ns + hour * 3600 * S, fields)])


def read(configuration: Configuration, store: InMemoryStore) -> Equipment:
    async def asked() -> Equipment:
        start, end = PERIOD.start_ns, PERIOD.end_ns
        return Equipment(
            (), await equipment.readings(configuration, store, start, end),
            await equipment.certificates(configuration, store, start, end),
            await equipment.quality(configuration, store, start, end),
        )  # fmt: skip

    return asyncio.run(asked())


def test_a_rooms_temperature_is_held_against_its_band(tmp_path: Path) -> None:
    store = InMemoryStore()
    tags = {"target": "a", "role": "environment", "sensor": "Phòng máy", "kind": "temperature", "unit": "C"}
    for hour, value in enumerate((19.0, 22.0, 25.0, 26.0)):
        put(store, "sensor", tags, hour, value=value, status_code=0)
    put(store, "sensor", {**tags, "role": "router", "target": "b"}, 0, value=60.0, status_code=0)
    put(store, "sensor", tags, -1, value=99.0, status_code=0)
    [row] = read(configured(tmp_path, ROLES), store).readings
    assert (row.group, row.lowest, row.mean, row.highest) == ("climate", 19, 23, 26)
    assert (row.band_low, row.band_high, row.outside_percent, row.bad_percent) == (20, 25, 50, 0)
    assert row.coverage_percent == pytest.approx(100 * 4 / (31 * 24), abs=0.01)


def test_a_battery_that_complains_is_shown_with_how_long(tmp_path: Path) -> None:
    store = InMemoryStore()
    for hour in range(4):
        tags = {"target": "b", "sensor": "Ắc quy", "kind": "ups_charge", "unit": "%"}
        put(store, "sensor", tags, hour, value=100 - 20 * hour, status_code=2 * (hour == 3))
    [row] = read(configured(tmp_path, ROLES), store).readings
    assert (row.group, row.lowest, row.highest, row.bad_percent, row.outside_percent) == ("power", 40, 100, 25, None)


def test_every_hour_weighs_the_same_however_often_it_was_looked_at(tmp_path: Path) -> None:
    store = InMemoryStore()
    for second in range(60):
        series = Series("ping", (("target", "a"),))
        store.add([Point(series, PERIOD.start_ns + second * S, {"percent_packet_loss": 100.0})])
    for hour in (1, 2, 3):
        put(store, "ping", {"target": "a", "site": "moved"}, hour, percent_packet_loss=0.0)
    row = read(configured(tmp_path), store).quality["a"]
    assert (row.loss_percent, row.worst_loss_percent) == (25, 100)


def test_a_number_that_stands_for_a_word_has_no_mean(tmp_path: Path) -> None:
    store = InMemoryStore()
    tags = {"target": "b", "sensor": "Ắc quy", "kind": "battery", "unit": "state"}
    for hour, value in enumerate((2, 3)):
        put(store, "sensor", tags, hour, value=value, status_code=value - 2)
    [row] = read(configured(tmp_path), store).readings
    assert (row.lowest, row.mean, row.highest, row.bad_percent) == (None, None, None, 50)


def test_certificates_end_when_they_were_last_seen_to(tmp_path: Path) -> None:
    store = InMemoryStore()
    for hour, left in ((0, 100), (700, 10 * 86_400)):
        put(store, "x509_cert", {"target": "c", "probe": "tls"}, hour, expiry=left)
    [row] = read(configured(tmp_path, ROLES), store).certificates
    assert row.ends.timestamp() == PERIOD.start_ns / S + 700 * 3600 + 10 * 86_400
    assert row.left_s == 10 * 86_400 - 44 * 3600


def test_rooms_and_connections_carry_the_quality_of_their_way(tmp_path: Path) -> None:
    store = InMemoryStore()
    for hour, loss in ((0, 0.0), (30, 4.0)):
        for target in "abc":
            fields = {"percent_packet_loss": loss, "percentile50_ms": 5.0, "jitter_ms": 1.0}
            put(store, "ping", {"target": target}, hour, **fields)
    configuration = october(tmp_path, [("c", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=ROLES)
    made = reported(configuration, equipment=read(configuration, store))
    [room] = made.rooms
    assert (room.id, room.numbers.down_s, room.quality.loss_percent, room.quality.worst_loss_percent) == (
        "c",
        3600,
        2,
        4,
    )
    assert [(row.circuit, row.mbps, row.quality.rtt_ms, row.channels) for row in made.connections] == [
        ("line-a", 50, 5, 1), ("line-b", 20, 5, 1),
    ]  # fmt: skip


def test_an_annex_without_data_says_so_in_a_sentence_and_draws_nothing(tmp_path: Path) -> None:
    made = reported(october(tmp_path))
    annexes = {one["title"]: one["blocks"] for one in laid_out(made, Words("vi", HANOI))["annexes"]}
    power, *_ = annexes["Trung tâm dữ liệu: nguồn điện, môi trường, đĩa, chứng thư"]
    assert power == {"kind": "paragraph", "text": "Nguồn điện và ắc quy: chưa có số liệu đo trong tháng này."}
    [conference] = annexes["Hội nghị truyền hình"]
    assert conference["text"] == "Không có thiết bị hội nghị truyền hình nào trong phạm vi báo cáo."


def longer(folder: Path) -> Report:
    down = [
        ("a", at("2026-09-10T00:00"), at("2026-09-10T10:00")),
        ("a", at("2026-10-25T00:00"), at("2026-10-25T01:00")),
    ]
    return reported(october(folder, down, text=LONGER))


def test_objectives_of_quarters_years_and_days_are_held_as_of_the_months_end(tmp_path: Path) -> None:
    rows = {row.id: row for row in longer(tmp_path).longer}
    assert {name: (row.period, row.numbers.down_s) for name, row in rows.items()} == {
        "quarter": ("2026-Q4", 3600), "year": ("2026", 11 * 3600), "days": ("10d", 3600),
    }  # fmt: skip
    assert rows["days"].end == rows["quarter"].start.replace(month=10, day=31, hour=17)
    assert rows["days"].numbers.verdict == "missed"
    assert rows["quarter"].numbers.verdict == "open", "two of its months are to come"


def test_a_seal_from_before_these_parts_stays_whole(tmp_path: Path) -> None:
    made = reported(october(tmp_path)).model_copy(update={"connections": ()})
    data = made.model_dump(mode="json")
    for part in ("longer", "readings", "certificates", "rooms", "connections"):
        assert data.pop(part) == []
    data["seal"].pop("figures")
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert digest(made) == hashlib.sha256(text.encode()).hexdigest()


_AGAIN = """
import hashlib, sys
from pathlib import Path
from reports.archive import rendered
from reports.seal import read
made = rendered(read(Path(sys.argv[1]).read_bytes(), "x"), ["pdf", "html", "xlsx", "csv", "json"], ["vi", "en"])
print("\\n".join(f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in sorted(made.items())))
"""


def test_documents_are_the_same_in_every_process_zone_and_locale(tmp_path: Path) -> None:
    made = longer(tmp_path)
    (tmp_path / "report.json").write_bytes(written(made))
    files = rendered(made, ["pdf", "html", "xlsx", "csv", "json"], ["vi", "en"])
    ours = "\n".join(f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in sorted(files.items()))
    for seed, zone, locale in (("1", "America/New_York", "C"), ("77", "Asia/Kathmandu", "C.UTF-8")):
        more = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", _AGAIN, str(tmp_path / "report.json")],
            env={**os.environ, **more}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == ours


_ANEW = """
import hashlib, sys
from pathlib import Path
from config import load
from reports.archive import rendered
from tests.reports.ledgers import reported
made = rendered(reported(load(Path(sys.argv[1]))), ["pdf", "xlsx", "json"], ["vi", "en"])
print("\\n".join(f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in sorted(made.items())))
"""


def test_figures_worked_out_anew_in_another_process_give_the_same_files(tmp_path: Path) -> None:
    longer(tmp_path)
    said = set()
    for seed, zone, locale in (
        ("0", "UTC", "C"),
        ("1", "America/New_York", "vi_VN.UTF-8"),
        ("77", "Asia/Kathmandu", "C.UTF-8"),
    ):
        more = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", _ANEW, str(tmp_path / "haidang.yaml")],
            env={**os.environ, **more}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        said.add(done.stdout)
    assert len(said) == 1, "by hash, zone and locale nothing differs"
    assert said.pop().count("report-2026-10") == 5


def test_whatever_has_a_role_of_video_conference_is_in_its_annex_with_how_it_is_heard(tmp_path: Path) -> None:
    text = ROLES.replace("role: videoconf", "role: room").replace("role: environment", "role: mcu")
    configuration = october(tmp_path, text=text)
    store = InMemoryStore()
    for mark, mos in (("ef", 4.2), ("af41", 3.4)):
        put(store, "quality", {"target": "c", "dscp": mark}, 0, mos=mos)
    made = reported(configuration, equipment=read(configuration, store))
    assert [(row.id, row.quality.mos) for row in made.rooms] == [("a", None), ("c", 3.4)]
    assert digest(made) == made.seal.figures


def test_a_store_that_cannot_answer_for_days_is_asked_for_hours(tmp_path: Path) -> None:
    class Weak(InMemoryStore):
        asked = 0

        async def read(self, query: Query) -> list[Curve]:
            self.asked += 1
            if query.end_ns - query.start_ns > 6 * 3600 * S:
                raise StoreError("too much")
            return await super().read(query)

    weak, strong = Weak(), InMemoryStore()
    for store in (weak, strong):
        for hour in range(0, 700, 50):
            put(store, "ping", {"target": "a"}, hour, percent_packet_loss=hour / 100)
    configuration = configured(tmp_path)
    assert read(configuration, weak) == read(configuration, strong)
    assert weak.asked < 16 * 130, "it is not asked for more again"


def test_a_store_that_is_away_is_away(tmp_path: Path) -> None:
    class Away(InMemoryStore):
        asked = 0

        async def read(self, query: Query) -> list[Curve]:
            self.asked += 1
            raise StoreError("away")

    away = Away()
    with pytest.raises(StoreError, match="away"):
        read(configured(tmp_path), away)
    assert away.asked == 3
