"""Rules over measurements, evaluated as the points pass; pure logic."""

from alerting.rules.engine import Change, RuleEngine
from alerting.rules.rule import GONE_UNKNOWN_NS, Rule
from alerting.rules.states import STATE, StateEngine

__all__ = ["GONE_UNKNOWN_NS", "STATE", "Change", "Rule", "RuleEngine", "StateEngine"]
