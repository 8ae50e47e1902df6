"""How bad an incident is: judged by what it takes from people, not by which device failed.

The words are those of ITU-T X.733 (perceived severity), from the least to the worst: warning, minor, major, critical.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad. They compare by `rank`, not as texts."""

    WARNING = "warning"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least, 3 for the worst."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Impact:
    """What cannot be used while an incident lasts.

    Parameters:
        targets: how many, the failed one included.
        sites: places of which nothing that is watched can be reached.
        people: served at these places, as far as the configuration says.
        system_percent: of that system which lost the largest part, how many percent of its targets.
        budget_percent: how much of the month's downtime budget is left; ``None`` when there is no objective.
        meeting_rooms: rooms among them in which a meeting by video is being held.
    """

    targets: int = 1
    sites: int = 0
    people: int = 0
    system_percent: float = 0.0
    budget_percent: float | None = None
    meeting_rooms: int = 0

    def as_json(self) -> Mapping[str, float | int | None]:
        """Return it as plain data, to be kept with an incident."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on an incident has a severity: any one of these suffices; ``None`` is never reached.

    Parameters:
        targets, sites, people, system_percent, meeting_rooms: at least so many.
        budget_percent: at most so much is left of the month's budget.
    """

    targets: int | None = None
    sites: int | None = None
    people: int | None = None
    system_percent: float | None = None
    budget_percent: float | None = None
    meeting_rooms: int | None = None

    def reached(self, impact: Impact) -> str:
        """Return the name of the figure that reaches it, an empty text when none does."""
        for name in ("sites", "people", "system_percent", "meeting_rooms", "targets"):
            least = getattr(self, name)
            if least is not None and getattr(impact, name) >= least:
                return name
        if self.budget_percent is not None and impact.budget_percent is not None:
            return "budget_percent" if impact.budget_percent <= self.budget_percent else ""
        return ""


Rules = Sequence[tuple[Severity, Threshold]]
"""From the worst to the least; what reaches none of them is a warning."""

RULES: Rules = (
    (Severity.CRITICAL, Threshold(sites=10, people=20_000, system_percent=50)),
    (Severity.MAJOR, Threshold(sites=3, people=3_000, system_percent=20, budget_percent=0, meeting_rooms=1)),
    (Severity.MINOR, Threshold(sites=1, people=1, targets=5, budget_percent=50)),
)


def severity(impact: Impact, rules: Rules = RULES) -> tuple[Severity, str]:
    """Judge an impact.

    Returns:
        the severity, and the name of the figure it comes of (empty for a warning).
    """
    for level, threshold in rules:
        if why := threshold.reached(impact):
            return level, why
    return Severity.WARNING, ""
