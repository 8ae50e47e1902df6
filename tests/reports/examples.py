"""Makes the example reports of the manual: a small simulated province with a storm, a contract, and full annexes.

usage: python -m tests.reports.examples DIR
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from availability.periods import Period, month_named
from config import Configuration
from haidang import reporting
from haidang.model import Point, Series
from lab.province import Shape
from reports import equipment
from reports.archive import rendered
from reports.equipment import Equipment
from reports.load import loads
from reports.model import Report
from storage.database import open_reader
from storage.metrics import InMemoryStore, MetricStore
from tests.reports.ledgers import HANOI, S
from tests.reports.province import configure, write

MONTH = "2026-11"
PERIOD = month_named(MONTH, HANOI)
EXTRA = """\
objectives:
  - {id: vnpt, name: {vi: Hợp đồng VNPT, en: VNPT contract}, carrier: VNPT, percent: 99.5, view: contractual}
  - {id: viettel, name: {vi: Hợp đồng Viettel, en: Viettel contract}, carrier: Viettel, percent: 99.5,
     view: contractual}
  - {id: wan-quarter, name: {vi: Mạng WAN theo quý, en: WAN by quarter}, system: wan, percent: 99.9, period: quarter}
  - {id: wan-year, name: {vi: Mạng WAN theo năm, en: WAN by year}, system: wan, percent: 99.95, period: year}
  - {id: net-90, name: {vi: TSLCD 90 ngày gần nhất, en: Data network over 90 days}, system: datanet, percent: 99.5,
     period: rolling, days: 90}
reports:
  superior: {vi: SỞ KHOA HỌC VÀ CÔNG NGHỆ, en: DEPARTMENT OF SCIENCE AND TECHNOLOGY}
  agency: {vi: TRUNG TÂM TÍCH HỢP DỮ LIỆU, en: DATA INTEGRATION CENTRE}
  symbol: BC-TTTHDL
  place: Bắc Giang
  signer: {vi: GIÁM ĐỐC, en: DIRECTOR}
  recipients: [{vi: Sở Khoa học và Công nghệ (để báo cáo), en: Department of Science and Technology}, {vi: "Lưu: VT, KT", en: Archive}]
  credits: [{below: 99.9, percent: 2}, {below: 99.5, percent: 5}, {below: 99, percent: 10}]
"""  # noqa: E501


def points(configuration: Configuration, period: Period = PERIOD, every: int = 1) -> Iterator[list[Point]]:
    """Yield what the province's devices would have said in a month, a list for every so many hours of it."""
    targets = configuration.inventory.targets.values()
    for hour in range(0, (period.end_ns - period.start_ns) // (3600 * S), every):
        at_ns = period.start_ns + hour * 3600 * S
        noon, storm = abs(12 - hour % 24) / 12, 560 <= hour < 572
        said = []
        for number, target in enumerate(targets):
            tags = {"target": target.id, "role": target.role}
            ping = {"percent_packet_loss": 20.0 if storm and number % 3 == 0 else 0.02 * (number % 4),
                    "percentile50_ms": 3 + number % 7 + noon, "jitter_ms": 0.4 + number % 3 / 5}  # fmt: skip
            said.append(Point(_series("ping", tags), at_ns, ping))
            for sensor, kind, unit, value, bad in _sensors(target.role, noon, storm=storm):
                series = _series("sensor", {**tags, "sensor": sensor, "kind": kind, "unit": unit})
                said.append(Point(series, at_ns, {"value": value, "status_code": 2 * bad}))
            if target.circuit:
                load = {
                    "in_p95_percent": 30 + number % 8 * 8.5,
                    "out_p95_percent": 12.0 + number % 5,
                    "coverage_percent": 99.4,
                }
                series = _series("circuit_load", {**tags, "circuit": target.circuit, "ifName": "GigabitEthernet0/0/1"})
                said.append(Point(series, at_ns, load))
            if target.role in ("room", "mcu"):
                mos = {"mos": 2.9 if storm and number % 3 == 0 else 4.3 - number % 3 / 10}
                said.append(Point(_series("quality", {**tags, "dscp": "ef"}), at_ns, mos))
            if target.role in ("portal", "lgsp", "mail-server"):
                left = (40 + 17 * (number % 9)) * 86_400 - hour * 3600
                said.append(Point(_series("x509_cert", {**tags, "probe": "tls"}), at_ns, {"expiry": left}))
        yield said


def store(configuration: Configuration) -> InMemoryStore:
    """Fill a store with it."""
    made = InMemoryStore()
    for said in points(configuration):
        made.add(said)
    return made


def _series(measurement: str, tags: dict[str, str]) -> Series:
    return Series(measurement, tuple(sorted(tags.items())))


def _sensors(role: str, noon: float, *, storm: bool) -> list[tuple[str, str, str, float, bool]]:
    match role:
        case "ups" | "site-ups":
            return [("Ắc quy", "ups_charge", "%", 41.0 if storm else 100.0, storm),
                    ("Còn chạy được", "ups_runtime", "min", 18.0 if storm else 55.0, storm)]  # fmt: skip
        case "environment":
            return [("Phòng máy", "temperature", "°C", 22.4 + 2 * (1 - noon) + 1.6 * storm, False),
                    ("Phòng máy", "humidity", "%", 48.0 + 9 * storm, False)]  # fmt: skip
        case "server":
            return [("/", "storage", "%", 63.0, False), ("Mảng đĩa 1", "raid", "", 1.0, storm)]
        case _:
            return []


async def measured(configuration: Configuration, metrics: MetricStore, period: Period = PERIOD) -> Equipment:
    """Read everything that the annexes need."""
    start, end = period.start_ns, period.end_ns
    return Equipment(
        await loads(configuration, metrics, start, end), await equipment.readings(configuration, metrics, start, end),
        await equipment.certificates(configuration, metrics, start, end),
        await equipment.quality(configuration, metrics, start, end),
    )  # fmt: skip


def example(folder: Path) -> Report:
    """Make the example's report in an empty folder."""
    shape = Shape(districts=3, communes=8, rooms=4, cameras=12, devices=10, services=5)
    configuration = configure(folder, shape, EXTRA)
    write(configuration, month_named("2025-10", HANOI).start_ns // S, PERIOD.end_ns // S + 3600, seed=3)
    return made(configuration, MONTH, asyncio.run(measured(configuration, store(configuration))))


def made(configuration: Configuration, month: str, had: Equipment) -> Report:
    """Make a month's report an hour after its end."""
    now_ns = month_named(month, HANOI).end_ns + 3600 * S
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        return reporting.make(configuration, sql, month, now_ns, now_ns, equipment=had)


def main() -> None:
    """Write both languages as PDF and HTML."""
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for name, text in rendered(example(Path(folder)), ["pdf", "html"], ["vi", "en"]).items():
            (out / f"example{name.removeprefix(f'report-{MONTH}')}").write_bytes(text)


if __name__ == "__main__":
    main()
