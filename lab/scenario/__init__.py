"""Scenarios: what goes wrong in a province and when, what is true of it, and how well a daemon has seen it."""

from lab.scenario.action import Action, actions
from lab.scenario.cast import choose
from lab.scenario.judge import Record, Seen, Verdict, judge
from lab.scenario.play import Stage, play
from lab.scenario.script import Scenario, ScenarioInvalid, names, read_scenario
from lab.scenario.truth import Fault, Truth, faults
from lab.scenario.witness import Witness

__all__ = [
    "Action", "Fault", "Record", "Scenario", "ScenarioInvalid", "Seen", "Stage", "Truth", "Verdict", "Witness",
    "actions", "choose", "faults", "judge", "names", "play", "read_scenario",
]  # fmt: skip
