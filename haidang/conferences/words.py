"""The words about rooms in one language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML


def say(language: str, key: str, **gaps: object) -> str:
    """Return a text by its dotted key, its gaps filled."""
    found: Any = _catalogue(language)
    for part in key.split("."):
        found = found[part]
    return str(found).format(**gaps)


@cache
def _catalogue(language: str) -> Mapping[str, Any]:
    file = resources.files("haidang.conferences") / "catalogues" / f"{language}.yaml"
    found: Mapping[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return found
