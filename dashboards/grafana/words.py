"""The words of the dashboards, from ``catalogues/*.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML


@lru_cache(maxsize=4)
def words(language: str) -> Mapping[str, Any]:
    """Return the catalogue of a language, ``vi`` or ``en``; read once."""
    file = resources.files("dashboards.grafana") / "catalogues" / f"{language}.yaml"
    found: Mapping[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return found
