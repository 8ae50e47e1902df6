"""Incidents at work: the configuration in their words, and what people ask for over the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any

from alerting.incidents import Incidents
from alerting.policy import Policy
from alerting.records import Owner
from alerting.severity import Severity, Threshold
from config import Configuration
from haidang.control import Verb
from haidang.maintaining import one_line


def policy(configuration: Configuration) -> Policy:
    """Say how incidents are handled by a configuration."""
    said, levels = configuration.alerting.incidents, configuration.alerting.severity
    return Policy(
        hold_s=said.hold_s, storm_from=said.storm, storm_window_s=said.storm_window_s,
        slow_storm_from=said.slow_storm, slow_storm_window_s=said.slow_storm_window_s, together_s=said.together_s,
        reopen_s=said.reopen_s, settle_s=said.settle_s, remind_s=said.remind_s, remind_from=_hour(said.remind_from),
        remind_to=_hour(said.remind_to), zone=configuration.timezone,
        severities=tuple(
            (level, Threshold(**getattr(levels, level.value).model_dump()))
            for level in (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)
        ),
        least={rule.id: Severity(rule.severity) for rule in configuration.alerting.rules}
        | {
            f"{target.id}/{name}": Severity(rule.severity)
            for target in configuration.inventory.targets.values()
            for name, rule in target.rules.items()
        },
    )  # fmt: skip


def _hour(text: str) -> time:
    return time(23, 59, 59) if text == "24:00" else time.fromisoformat(text)


def verbs(incidents: Incidents) -> dict[str, Verb]:
    """Return what can be asked for: to take an incident on, to say something of it, whose fault it is."""

    def ack(request: Mapping[str, Any]) -> Mapping[str, Any]:
        until_ns = request.get("until_ns")
        if until_ns is not None and not isinstance(until_ns, int):
            raise ValueError("until_ns is UTC nanoseconds, or left out")
        found = incidents.acknowledge(
            _number(request), one_line(request, "who", 100), until_ns, one_line(request, "note", 500, empty=True)
        )  # fmt: skip
        return {"number": found.number, "until_ns": found.acknowledged_until_ns}

    def note(request: Mapping[str, Any]) -> Mapping[str, Any]:
        incidents.remark(_number(request), one_line(request, "who", 100), one_line(request, "note", 1000))
        return {}

    def own(request: Mapping[str, Any]) -> Mapping[str, Any]:
        owner = one_line(request, "owner", 20)
        if owner not in tuple(Owner):
            raise ValueError(f"the fault is one of {', '.join(Owner)}; not {owner}")
        incidents.attribute(
            _number(request), one_line(request, "who", 100), Owner(owner), one_line(request, "note", 500, empty=True)
        )  # fmt: skip
        return {}

    return {"incident.ack": ack, "incident.note": note, "incident.own": own}


def _number(request: Mapping[str, Any]) -> int:
    number = request.get("number")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError("the number of an incident is needed")  # noqa: TRY004 words for the one who asked
    return number
