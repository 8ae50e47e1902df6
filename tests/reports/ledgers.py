"""Small configurations and ledgers with a story, and the report of a month that comes of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config import Configuration, load
from reports.figures import Asked, build
from reports.model import Report
from reports.words import Words
from storage.database import open_reader
from storage.ledger import LedgerReader
from tests.support.history import Down, write

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
S = 10**9
DAY = 86_400
TEXT = """\
haidang: 1
data_dir: ./data
systems:
  - {id: wan, name: {vi: Mạng WAN, en: WAN}, objective: 99.9}
sites:
  - {id: north, name: Yên Thế}
  - {id: south, name: Lục Ngạn}
circuits:
  - {id: line-a, name: Kênh A, carrier: VNPT, a: north, mbps: 50, system: wan}
  - {id: line-b, name: Kênh B, carrier: Viettel, a: south, mbps: 20, system: wan}
objectives:
  - id: contract
    name: Hợp đồng VNPT
    carrier: vnpt
    percent: 99.5
    view: contractual
    clock: ticket
    month_minutes: 43200
reports:
  credits: [{below: 99.9, percent: 5}, {below: 99, percent: 10}, {carrier: Viettel, below: 99, percent: 50}]
targets:
  - {id: a, name: Bộ định tuyến A, address: 192.0.2.1, site: north, circuit: line-a}
  - {id: b, name: Bộ định tuyến B, address: 192.0.2.2, site: south, circuit: line-b}
  - {id: c, name: Máy chủ C, address: 192.0.2.3, site: south}
"""


def at(text: str) -> int:
    """Return UTC seconds of a time in Hanoi."""
    return round(datetime.fromisoformat(text).replace(tzinfo=HANOI).timestamp())


def configured(folder: Path, text: str = TEXT) -> Configuration:
    path = folder / "haidang.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def october(
    folder: Path, outages: Iterable[Down] = (), *, text: str = TEXT, since: str = "2026-09-01",
    until: str = "2026-11-02",
) -> Configuration:  # fmt: skip
    """Write a ledger around October 2026 of a, b and c."""
    configuration = configured(folder, text)
    write(folder / "data", "abc", at(since), at(until), outages)
    return configuration


def reported(
    configuration: Configuration, month: str = "2026-10", now: str = "2026-11-01T06:00", **more: Any
) -> Report:
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        return build(configuration, sql, Asked(month, at(now) * S, LedgerReader(sql).alive_ns(), **more))


def notes(report: Report, language: str) -> list[str]:
    """Return the sentences a reader gets, from the document itself."""
    from reports.pages import laid_out

    blocks = laid_out(report, Words(language, HANOI))["sections"][0]["blocks"]
    return [line for block in blocks if block["kind"] == "list" for line in block["lines"]]
