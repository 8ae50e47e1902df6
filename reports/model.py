"""The report as data: every figure with its formula, frozen, the same in every language and format.

Names and sentences carry all languages, so that one sealed document gives the Vietnamese and the English report. Times
are UTC; durations are seconds; percentages are 0 to 100; ``None`` is what is not known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from availability.objectives import Figures

FORMULA_VERSION = "2"
"""Raised whenever the same ledger would give another figure."""

Label = dict[str, str]
"""A text by language."""


def at(at_ns: int) -> datetime:
    """Return a moment of the ledger, to the microsecond."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).replace(microsecond=at_ns % 10**9 // 1000)


class Part(BaseModel):
    """Base of everything in a report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Numbers(Part):
    """Availability over the period; see `availability.objectives.Figures` for every formula."""

    availability_percent: float | None
    lowest_percent: float | None
    highest_percent: float | None
    coverage_percent: float | None
    period_s: float
    elapsed_s: float
    up_s: float
    down_s: float
    unknown_s: float
    excluded_s: float
    outages: int
    objective_percent: float | None
    budget_s: float | None
    budget_left_s: float | None
    verdict: str | None

    @classmethod
    def of(cls, figures: Figures) -> Numbers:
        """Take the figures over, percentages and seconds to the sixth digit."""
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            value = getattr(figures, name)
            values[name] = round(value, 6) if isinstance(value, float) else value
        values["verdict"] = figures.verdict.value if figures.verdict else None
        return cls(**values)


class Month(Part):
    """One month of a trend."""

    month: str
    availability_percent: float | None
    lowest_percent: float | None
    highest_percent: float | None
    down_s: float
    verdict: str | None


class Day(Part):
    """One day of the month: how much of it counted, was down, was unknown, seconds (weighted where the formula is)."""

    day: str
    counted_s: float
    down_s: float
    unknown_s: float


class Promised(Part):
    """A system, or another objective, against what was promised."""

    id: str
    about: str
    name: Label
    objective_name: Label
    view: str
    formula: Label
    members_formula: Label
    members: int
    worst: Label | None
    numbers: Numbers
    trend: tuple[Month, ...]
    days: tuple[Day, ...]
    miss_next: float | None
    pooled: int
    """Outages that ``miss_next`` was learnt from; it is ``None`` with too few."""


class Longer(Part):
    """An objective of another period: the quarter or year that the month ends in, or so many days to its end."""

    id: str
    about: str
    name: Label
    objective_name: Label
    period: str
    start: datetime
    end: datetime
    view: str
    formula: Label
    members_formula: Label
    numbers: Numbers


class SiteRow(Part):
    """A site: all of its targets, whether any of them was there, and the worst of them."""

    id: str
    name: Label
    level: str
    parent: Label | None
    targets: int
    numbers: Numbers
    cut_off_s: float
    """How long no target of the site was up."""
    cut_offs: int
    worst: Label
    worst_percent: float | None


class CircuitRow(Part):
    """A leased line, as measured and by its contract."""

    id: str
    name: Label
    carrier: str
    contract: str
    a: Label | None
    b: Label | None
    mbps: float | None
    measured: Numbers
    contractual: Numbers | None
    formula: Label
    credit_percent: float | None
    """Of the monthly fee, by the upper bound: what no unknown time could turn round. ``None``: not known."""


class CarrierRow(Part):
    """A carrier: its lines added up, and its own contract where there is an objective about it."""

    name: str
    circuits: int
    measured_percent: float | None
    """Sum of up time over sum of measured time of all its lines."""
    lowest_percent: float | None
    highest_percent: float | None
    down_s: float
    unknown_s: float
    outages: int
    missed: int
    credited: int
    worst: Label | None
    worst_percent: float | None
    contractual: Numbers | None
    formula: Label | None


class OutageRow(Part):
    """One outage of a line."""

    carrier: str
    circuit: Label
    start: datetime
    end: datetime | None
    """``None`` while it ran at the end of the period."""
    began_before: bool
    down_s: float
    """Within the period, exclusions left out."""
    excluded_s: float
    cause: str
    """upstream, carrier, power, ring, building, group, own."""
    cause_name: Label
    owner: str
    reason: str
    evidence: str
    incident: int | None
    ticket: str


class IncidentRow(Part):
    """One incident that began in the period, or before it and lasted into it."""

    number: int
    name: Label
    site: Label
    check: str
    cause: str
    reason: str
    start: datetime
    end: datetime | None
    detection_s: float
    acknowledged_s: float | None
    duration_s: float | None
    hidden: int


class Spread(Part):
    """Some durations: how many, and how they are spread, seconds; percentiles by nearest rank."""

    n: int
    median_s: float | None
    p90_s: float | None
    max_s: float | None
    mean_s: float | None


class IncidentSums(Part):
    """The incidents that began in the period."""

    count: int
    open: int
    detection: Spread
    acknowledgement: Spread
    restoration: Spread
    between: Spread
    """From the start of one to the start of the next."""


class Cause(Part):
    """Downtime of targets by what it was put down to."""

    cause: str
    outages: int
    down_s: float


class ExclusionRow(Part):
    """What was taken out or put right, by whom, and why."""

    kind: str
    """planned, retroactive, counted (recorded, but it counts), correction."""
    about: str
    name: Label
    start: datetime
    end: datetime
    length_s: float
    author: str
    reason: str
    written: datetime
    state: str


class LoadRow(Part):
    """How loaded one end of a line was: the highest of the hourly P95 of 7 days, against 90 % of what is contracted."""

    circuit: Label
    target: str
    interface: str
    direction: str
    mbps: float | None
    highest_percent: float
    highest_at: datetime
    windows: int
    over: int
    """Windows above 90 %."""
    coverage_percent: float


class ReadingRow(Part):
    """What one sensor said over the period; hours are those in which it said something."""

    group: str
    """power, climate, disks."""
    kind: str
    id: str
    target: Label
    sensor: str
    unit: str
    lowest: float | None
    mean: float | None
    highest: float | None
    band_low: float | None
    band_high: float | None
    outside_percent: float | None
    """Of hours whose mean was outside the band."""
    bad_percent: float | None
    """Of hours in which the device itself was not content."""
    coverage_percent: float


class CertificateRow(Part):
    """When a service's certificate ends, as it was last seen in the period."""

    id: str
    target: Label
    probe: str
    seen: datetime
    ends: datetime
    left_s: float
    """From the end of the period; negative: it had ended."""


class QualityRow(Part):
    """The way to a target over the period: means of its pings, and the highest loss of one."""

    loss_percent: float | None = None
    rtt_ms: float | None = None
    jitter_ms: float | None = None
    worst_loss_percent: float | None = None
    mos: float | None = None
    """Mean opinion score (ITU-T G.107) of bursts as speech or video would send them; of several marks the worst."""


class RoomRow(Part):
    """A conference room or its MCU: availability and the way to it."""

    id: str
    name: Label
    site: Label | None
    numbers: Numbers
    quality: QualityRow


class ConnectionRow(Part):
    """One end of a channel, as the yearly registration of connections asks for it."""

    circuit: str
    name: Label
    system: str
    carrier: str
    contract: str
    a: Label | None
    b: Label | None
    mbps: float | None
    channels: int
    """Of all channels, how many end at the site of this end."""
    target: str
    load_percent: float | None
    quality: QualityRow


class TargetRow(Part):
    """A target by its primary check."""

    id: str
    name: Label
    site: Label | None
    system: str
    role: str
    watched_since: datetime | None
    numbers: Numbers


class WorkRow(Part):
    """Maintenance planned for the next month."""

    about: str
    name: Label
    start: datetime
    end: datetime
    excluded: bool
    author: str
    reason: str


class Note(Part):
    """Something a reader must know of this period. ``key`` is a sentence of the catalogues, ``gaps`` its gaps."""

    key: str
    gaps: dict[str, str]
    labels: dict[str, Label] = {}


class Letterhead(Part):
    """Who reports to whom."""

    superior: Label | None
    agency: Label | None
    symbol: str
    place: str
    signer: Label | None
    recipients: tuple[Label, ...]


class Seal(Part):
    """What the figures were made of, SHA-256 each."""

    inputs: str
    configuration: str
    figures: str = ""


class Approval(Part):
    """Why there is another revision, and who says so."""

    author: str
    reason: str


class Change(Part):
    """One figure that is another one than in the revision before."""

    where: str
    before: str
    after: str


class Report(Part):
    """One month's report."""

    form: int = 1
    formula_version: str
    month: str
    timezone: str
    start: datetime
    end: datetime
    until: datetime
    """Where knowledge ends."""
    complete: bool
    about: str
    """What it was narrowed to, e.g. ``carrier VNPT``; empty: everything."""
    revision: int = 1
    approved: Approval | None = None
    changes: tuple[Change, ...] = ()
    letterhead: Letterhead
    story: dict[str, tuple[str, ...]] = {}
    notes: tuple[Note, ...]
    promised: tuple[Promised, ...]
    longer: tuple[Longer, ...] = ()
    sites: tuple[SiteRow, ...]
    circuits: tuple[CircuitRow, ...]
    carriers: tuple[CarrierRow, ...]
    outages: tuple[OutageRow, ...]
    incident_sums: IncidentSums
    incidents: tuple[IncidentRow, ...]
    causes: tuple[Cause, ...]
    exclusions: tuple[ExclusionRow, ...]
    loads: tuple[LoadRow, ...]
    readings: tuple[ReadingRow, ...] = ()
    certificates: tuple[CertificateRow, ...] = ()
    rooms: tuple[RoomRow, ...] = ()
    connections: tuple[ConnectionRow, ...] = ()
    targets: tuple[TargetRow, ...]
    planned: tuple[WorkRow, ...]
    seal: Seal
