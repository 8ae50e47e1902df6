"""What a configuration watches and promises, as one document: kept whenever it changes, and part of the seal."""

from __future__ import annotations

from typing import Any

from config import Configuration


def described(configuration: Configuration) -> dict[str, Any]:
    """Return what figures depend on, and what things are called; no addresses, no secrets."""
    inventory = configuration.inventory
    return {
        "timezone": str(configuration.timezone),
        "systems": {one.id: one.model_dump(mode="json", exclude={"id"}) for one in inventory.systems.values()},
        "sites": {
            one.id: one.model_dump(mode="json", include={"name", "level", "parent", "people"})
            for one in inventory.sites.values()
        },
        "circuits": {one.id: one.model_dump(mode="json", exclude={"id"}) for one in inventory.circuits.values()},
        "objectives": {one.id: one.model_dump(mode="json", exclude={"id"}) for one in inventory.objectives.values()},
        "risks": {one.id: one.model_dump(mode="json", exclude={"id"}) for one in inventory.risks.values()},
        "credits": [one.model_dump(mode="json") for one in configuration.reports.credits],
        "targets": {
            one.id: {
                "name": one.name.model_dump(mode="json") if one.name else None, "site": one.site, "system": one.system,
                "circuit": one.circuit, "role": one.role, "check": one.primary.probe,
            }
            for one in inventory.targets.values()
        },
    }  # fmt: skip
