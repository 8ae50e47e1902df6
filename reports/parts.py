"""What every part of a report is made of: texts in all languages, moments, and the numbers of availability."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from availability.objectives import Figures

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
