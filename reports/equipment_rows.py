"""The rows of the annexes of what was measured beside the ledger; see `reports.model` for units."""

from __future__ import annotations

from datetime import datetime

from reports.parts import Label, Numbers, Part


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
