"""Lets a scenario happen in a running province."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from haidang.clock import Clock
from lab.devices import Behaviour, Power
from lab.province import RunningProvince
from lab.scenario.action import Action

logger = structlog.get_logger(__name__)

FIRST_PORT = 1


class Stage(Protocol):
    """What a scenario can do beside the province."""

    def mail(self, state: str) -> None:
        """Let the mail server be ``away``, ``greylist``, or ``well``."""
        ...

    def step_clock(self, seconds: float) -> None:
        """Move the daemon's wall clock."""
        ...


async def play(running: RunningProvince, script: Sequence[Action], lasts_s: float, clock: Clock, stage: Stage) -> None:
    """Do everything at its time, and return at the end of the scenario.

    Parameters:
        running: the province.
        script: from `lab.scenario.actions`.
        lasts_s: how long it goes on after the start, which is now.
        clock: times are monotonic.
        stage: for what is not the province's.

    Raises:
        ValueError: a step asks for what the thing it happens to cannot do; names both.
    """
    began_ns = clock.monotonic_ns()
    for action in script:
        await _until(clock, began_ns + round(action.at_s * 1e9))
        try:
            perform(running, action, stage)
        except ValueError as error:
            raise ValueError(f"{action.step.verb} {action.name} at {action.at_s:g} s: {error}") from error
        logger.info("happens", what=action.step.verb, to=action.name or None, at_s=action.at_s)
    await _until(clock, began_ns + round(lasts_s * 1e9))


async def _until(clock: Clock, at_ns: int) -> None:
    left_ns = at_ns - clock.monotonic_ns()
    if left_ns > 0:
        await asyncio.sleep(left_ns / 1e9)


def perform(running: RunningProvince, action: Action, stage: Stage) -> None:
    """Do one thing, now.

    Raises:
        ValueError: it cannot be done.
    """
    step, name = action.step, action.name
    match step.verb:
        case "cut":
            running.cut(name, step.answer)
        case "mend":
            running.mend(name)
        case "set":
            running.set_line(name, **step.conditions)
        case "power":
            running.power(name, step.state or "on")
        case "device":
            running.device(name).power(Power.OFF if step.state == "off" else Power.MAINS, running.now_ns())
            running.advance()
        case "reboot":
            running.reboot(name)
        case "clear_counters":
            running.device(name).clear_counters(FIRST_PORT, running.now_ns())
            running.advance()
        case "agent":
            running.behave(name, Behaviour(**step.behaviour))  # type: ignore[arg-type]  # checked there
        case "service":
            running.service(name, **step.fault)
        case "mail":
            stage.mail(step.mail or "well")
        case "clock":
            stage.step_clock(step.clock or 0.0)
