"""The report as data: every figure with its formula, frozen, the same in every language and format.

Names and sentences carry all languages, so that one sealed document gives the Vietnamese and the English report. Times
are UTC; durations are seconds; percentages are 0 to 100; ``None`` is what is not known.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from reports.equipment_rows import CertificateRow, ConnectionRow, LoadRow, ReadingRow, RoomRow
from reports.parts import Label, Numbers, Part

FORMULA_VERSION = "2"
"""Raised whenever the same ledger would give another figure."""


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
    labels: dict[str, Label] = Field(default_factory=dict)


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
    story: dict[str, tuple[str, ...]] = Field(default_factory=dict)
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
