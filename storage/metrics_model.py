"""The contract of a metric store, its settings and its nouns.

Errors: `StoreError`: a read could not be answered; writing never raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from haidang.model import Point, Series

SECOND_NS = 1_000_000_000
CANARY = "haidang_canary"
FlavourName = Literal["auto", "v1", "v2", "v3", "victoriametrics"]


class StoreError(Exception):
    """The store could not answer; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to read.

    Parameters:
        measurement: exact name.
        start_ns, end_ns: from (inclusive) and until (exclusive), UTC nanoseconds.
        fields: names; empty for every field that holds numbers.
        tags: each must match exactly; a series may have more.
        step_s: width of a bucket in seconds, buckets lie on multiples of it since 1970; 0 for the points as they
            were written. The embedded store widens it where only coarser data is still kept.
    """

    measurement: str
    start_ns: int
    end_ns: int
    fields: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    step_s: int = 0

    def aligned(self) -> Query:
        """Return the query widened to whole buckets, so that every store answers with complete ones.

        Raises:
            StoreError: the times or the step make no sense.
        """
        if self.step_s < 0 or not 0 <= self.start_ns <= self.end_ns < 1 << 63:
            raise StoreError("a query needs 0 <= start <= end and a step that is not negative")
        if not self.step_s or self.start_ns == self.end_ns:
            return self
        step = self.step_s * SECOND_NS
        return replace(self, start_ns=self.start_ns // step * step, end_ns=-(-self.end_ns // step) * step)


@dataclass(frozen=True, slots=True)
class Curve:
    """One field of one series over time; the lists run in parallel, oldest first, empty buckets are left out.

    Parameters:
        step_s: width of a bucket in seconds; 0: single points (then count is 1 and mean, low and high are the value).
        times_ns: the points' times, or where each bucket begins.
    """

    series: Series
    field: str
    step_s: int
    times_ns: list[int]
    count: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How a store is doing. Counts of points go on over restarts unless said.

    Parameters:
        kind: ``memory``, ``embedded``, or the remote store's flavour.
        buffered: in memory, not yet on disk.
        spooled: on our disk, not yet acknowledged by a remote store.
        written: committed (embedded) or acknowledged (remote).
        rejected: a remote store would not have them (see the dead letters), or too old for the embedded one.
        refused: never accepted, or dropped oldest first, because a buffer or the spool was full.
        skipped_fields: single values that cannot be stored (NaN, infinity, text in the embedded store); since start.
        oldest_unsent_ns: time of the oldest point that is buffered or spooled.
        last_canary_ns: time of the newest canary point that was read back from the store.
        last_error: what is wrong now, in words; empty when all is well.
    """

    kind: str
    buffered: int = 0
    spooled: int = 0
    written: int = 0
    rejected: int = 0
    refused: int = 0
    skipped_fields: int = 0
    oldest_unsent_ns: int | None = None
    last_canary_ns: int | None = None
    last_error: str = ""


class MetricStore(Protocol):
    """Keeps points and gives them back.

    ``add`` takes points in memory; ``run`` carries them on; ``close`` makes sure nothing in memory is lost. A store
    that is away, full or broken shows in ``status`` and never in an exception to those who add.
    """

    def add(self, points: Sequence[Point]) -> None:
        """Take points. Called on the event loop's hot path: never waits, never raises; what is too much is counted."""
        ...

    async def run(self) -> None:
        """Carry points on until cancelled. Run it once."""
        ...

    async def tidy(self) -> None:
        """Do what the calendar asks: pack hours and days that are over, drop what is too old. Call it each minute."""
        ...

    async def close(self, deadline_s: float) -> None:
        """Put what is buffered on disk and free everything, in at most ``deadline_s`` seconds. Call it after run."""
        ...

    def status(self) -> StoreStatus:
        """Tell how the store is doing, from memory."""
        ...

    async def read(self, query: Query) -> list[Curve]:
        """Read curves, ordered by series and field. What was added a moment ago may not be there yet.

        Raises:
            StoreError: the store cannot answer now, or the question is not one.
        """
        ...


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """The store in a file of our own.

    Parameters:
        path: ``metrics.db`` in the data directory.
        raw_days, five_minute_days, hourly_days: how long points, 5-minute and hourly buckets are kept.
        flush_s: how long a point may stay in memory only, seconds.
        max_buffered: points in memory while the disk refuses.
        canary_s: how often the store is proven by writing and reading back, seconds.
    """

    path: Path
    raw_days: int = 7
    five_minute_days: int = 400
    hourly_days: int = 1826
    flush_s: float = 1.0
    max_buffered: int = 200_000
    canary_s: float = 60.0


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """A remote store behind a spool of our own.

    A batch whose answer was lost is sent again, byte for byte. InfluxDB overwrites a point with itself; VictoriaMetrics
    keeps both unless it runs with ``-dedup.minScrapeInterval``, trims times to milliseconds, keeps no text, and
    acknowledges some seconds before its disk has the points.

    Parameters:
        spool: ``spool.db`` in the data directory.
        url: ``http://host:8086``, no path beyond a prefix.
        flavour: which kind of server; ``auto`` asks it.
        database: 1.x, 3.x and VictoriaMetrics (there a label ``db``); the bucket of 2.x unless ``bucket`` is given.
        bucket, org, token: 2.x; the token also 3.x.
        username, password: basic authentication of 1.x and VictoriaMetrics.
        create_database: make the database on 1.x when the server says it is missing.
        verify_tls: check the server's certificate.
        ca_file: additional authority, PEM.
        spool_max_bytes: compressed size of the spool; beyond it the oldest batches are dropped and counted.
        batch_lines: lines in one request at most.
        timeout_s: deadline of one request.
        retry_s, retry_max_s: first and longest pause after a failure; a server's Retry-After counts up to 600 s.
        hold_s: pause while the server refuses us for a reason only a person can mend.
        dead_letters: lines kept with the server's words; the oldest go first.
        flush_s, max_buffered, canary_s: as in `EmbeddedSettings`.
    """

    spool: Path
    url: str
    flavour: FlavourName = "auto"
    database: str = "haidang"
    bucket: str = ""
    org: str = ""
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    create_database: bool = True
    verify_tls: bool = True
    ca_file: str = ""
    spool_max_bytes: int = 2 << 30
    batch_lines: int = 5_000
    timeout_s: float = 20.0
    retry_s: float = 1.0
    retry_max_s: float = 60.0
    hold_s: float = 60.0
    dead_letters: int = 10_000
    flush_s: float = 1.0
    max_buffered: int = 200_000
    canary_s: float = 60.0


StoreSettings = EmbeddedSettings | InfluxSettings
