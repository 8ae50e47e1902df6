"""The tables of docs/systems.md, made from the shipped roles: the page must hold them word for word."""

from __future__ import annotations

from config.role_files import Role, kinds, roles
from config.schema.probed import RoleRule
from config.schema.values import Section, say_seconds


def system_table() -> str:
    """Make the table of the kinds of systems."""
    lines = ["| kind | objective | formula |", "|---|---|---|"]
    for name, kind in kinds().items():
        formula = f"weighted, by {kind.weight}" if kind.weight else kind.formula
        lines.append(f"| `{name}` | {kind.objective:g} % | {formula} |")
    return "\n".join(lines)


def role_table(collector: str) -> str:
    """Make the table of one kind's roles."""
    lines = ["| role | why | beside ping | confirmation | rules |", "|---|---|---|---|---|"]
    lines += [_row(role) for role in roles().values() if role.collector == collector]
    return "\n".join(lines)


def _row(role: Role) -> str:
    said = role.settings
    probes = []
    for name in type(said).model_fields:
        section = getattr(said, name)
        if isinstance(section, Section) and name != "confirmation":
            probes.append(f"{name}{_said(section)}" + (" (says that it is there)" if said.alive == name else ""))
    confirmation = _said(said.confirmation).strip(" ()") if said.confirmation else ""
    rules = "; ".join(f"`{name}`: {_rule(rule)}" for name, rule in said.rules.items())
    cells = (f"`{role.name}`", role.why.language("en"), ", ".join(probes) or "–", confirmation or "–", rules or "–")
    return f"| {' | '.join(cells)} |"


def _said(section: Section) -> str:
    words = []
    for name, field in type(section).model_fields.items():
        if name in section.model_fields_set:
            value = getattr(section, name)
            text = say_seconds(value) if name.endswith("_s") else " ".join(value) if isinstance(value, tuple) else value
            words.append(f"{field.alias or name} {text}")
    return f" ({', '.join(words)})" if words else ""


def _rule(rule: RoleRule) -> str:
    what = " ".join(tag.value for tag in rule.where) or f"{rule.measurement} {rule.field}"
    what = f"{what} not ok" if rule.field == "trouble" else what
    if rule.field == "trouble":
        bound = " (critical)" if rule.above else ""
    elif rule.above is not None:
        bound = f" above {rule.above:g}"
    else:
        bound = f" below {rule.below:g}" if rule.below is not None else ": off until `above` is given"
    return f"{what}{bound}" + (f" for {say_seconds(rule.for_s)}" if rule.for_s else "") + f", {rule.severity}"
