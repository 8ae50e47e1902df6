"""Backups at work: the newest file of a pattern, looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.points import series
from collectors.watches import Deliver, TaskWatch
from haidang.clock import Clock
from haidang.model import CheckId, Observation, Point, Status
from probes.backup import BackupSettings, look
from probes.threads import in_thread


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """How a backup is looked at.

    Parameters:
        cadence_s: seconds between looks.
        timeout_s: a folder that has not answered then is said to hang.
        files: which.
    """

    cadence_s: float
    timeout_s: float
    files: BackupSettings


class BackupWatch(TaskWatch):
    """Looks at a backup's files, in a thread; while one hangs there is no second."""

    def __init__(
        self, check: CheckId, plan: BackupPlan, tags: Mapping[str, str], *, clock: Clock, deliver: Deliver
    ) -> None:  # fmt: skip
        super().__init__(check, deliver)
        self._plan = plan
        self._series = series("backup", {**tags, "path": plan.files.pattern})
        self._clock = clock
        self._looking: asyncio.Future[Observation] | None = None

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._look(slot_ns))

    start_fast = start

    async def _look(self, slot_ns: int) -> None:
        target, plan = self.check.target, self._plan
        if self._looking is None:
            self._looking = asyncio.ensure_future(
                in_thread(lambda: look(self._clock, target, plan.files, slot_ns=slot_ns), "look at backups")
            )
        done, _ = await asyncio.wait({self._looking}, timeout=plan.timeout_s)
        if not done:
            reason = f"{plan.files.pattern}: the folder has not answered for {plan.timeout_s:g} s"
            self._deliver(Observation(target, "backup", slot_ns, Status.UNKNOWN, reason, {}, plan.timeout_s * 1e3), ())
            return
        looking, self._looking = self._looking, None
        seen = looking.result()
        values = {key: value for key, value in seen.fields.items() if key != "newest"}
        self._deliver(seen, (Point(self._series, slot_ns, values),) if "age_s" in values else ())
