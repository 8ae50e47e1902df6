"""How a target is probed and judged, why, and where each of it is written, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collectors.plan import CheckPlan, plan
from config.loader import Loaded
from config.origins import Origin, origins
from config.role_files import roles
from config.schema.values import Section


def checks(loaded: Loaded, target: str) -> list[CheckPlan]:
    """Return what is planned for a target."""
    return [check for check in plan(loaded.configuration) if check.check.target == target]


def explained(loaded: Loaded, target: str, found: Sequence[Origin] | None = None) -> dict[str, Any]:
    """Explain a target.

    Parameters:
        loaded: the configuration with its places.
        target: id of a configured target.
        found: where its settings come from, if that is known already.
    """
    inventory, language = loaded.configuration.inventory, loaded.configuration.language
    one = inventory.targets[target]
    role = roles().get(one.role)
    system = inventory.systems.get(one.system or "")
    return {
        "target": target, "role": one.role, "why": role.why.language(language) if role else None,
        "system": one.system, "objective_percent": system.objective if system else None,
        "formula": system.formula if system else None, "alive": one.primary.probe,
        "checks": [
            {
                "probe": check.check.probe, "cadence_s": check.cadence_s, "suspect_cadence_s": check.fast_s,
                "hidden_behind": [str(parent) for parent in (*check.parents, *check.needs)],
            } for check in checks(loaded, target)
        ],
        "rules": {
            name: {key: value for key, value in rule.model_dump(mode="json").items() if value not in (None, [], ())}
            for name, rule in one.rules.items()
        },
        "settings": [
            {
                "key": origin.key, "value": plain(origin.value), "level": origin.level,
                "name": origin.name or None, "place": origin.place or None,
            } for origin in (origins(loaded, target) if found is None else found)
        ],
    }  # fmt: skip


def plain(value: object) -> Any:  # noqa: ANN401 whatever a setting can be, as JSON
    """Write a setting for programs."""
    if isinstance(value, Section):
        return {key: one for key, one in value.model_dump(mode="json").items() if one not in (None, "", [])}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return value if isinstance(value, str | int | float | bool) else str(value)
