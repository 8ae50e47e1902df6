"""What happens, moment by moment: a scenario's steps with their names filled in."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lab.scenario.cast import Cast
from lab.scenario.script import NAMELESS, Scenario, Step


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that happens to one thing.

    Parameters:
        at_s: seconds after the scenario's start.
        step: as it is written.
        name: of a line, site or unit; empty for what happens to none.
    """

    at_s: float
    step: Step
    name: str


def actions(scenario: Scenario, cast: Cast, seed: int) -> list[Action]:
    """List what happens, in order of time.

    Parameters:
        cast: as `lab.scenario.choose` found it.
        seed: of the order in which a step spreads over its cast.
    """
    out: list[Action] = []
    for number, step in enumerate(scenario.steps):
        members = [""] if step.verb in NAMELESS else list(cast[getattr(step, step.verb)])
        if step.over:
            random.Random(f"{seed}/{scenario.scenario}/{number}").shuffle(members)
        for time in range(step.times):
            for place, name in enumerate(members):
                out.append(Action(step.at + time * step.every + step.over * place / len(members), step, name))
    return sorted(out, key=lambda action: action.at_s)
