"""Rules over measurements, evaluated as the points pass; pure logic."""

from alerting.rules.engine import Change, RuleEngine
from alerting.rules.rule import Rule

__all__ = ["Change", "Rule", "RuleEngine"]
