"""The words of a room in one language, as its catalogue has them (``catalogues/vi.yaml``, ``catalogues/en.yaml``).

Catalogues are data, so that a translator needs no Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

LANGUAGES = ("vi", "en")


class Sentences:
    """One language of a room.

    Parameters:
        room: the package whose folder ``catalogues`` holds it.
        language: ``vi`` or ``en``; any other gets English.
    """

    def __init__(self, room: str, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self.data = _read(room, self.language)

    def at(self, key: str) -> Any:  # noqa: ANN401 a text, a list or a group, as the catalogue has it
        """Return what stands at a dotted key.

        Raises:
            KeyError: nothing does.
        """
        found: Any = self.data
        for part in key.split("."):
            found = found[part]
        return found

    def say(self, key: str, **gaps: object) -> str:
        """Return a sentence by its dotted key, its gaps filled.

        Raises:
            KeyError: there is no such sentence, or a gap has no value.
        """
        return str(self.at(key)).format(**gaps)

    def known(self, group: str, key: str) -> str:
        """Return the word for a key of an open group (a role, a level), or the key where the language has none."""
        return str(self.data[group].get(key, key))


@cache
def _read(room: str, language: str) -> Mapping[str, Any]:
    file = resources.files(room) / "catalogues" / f"{language}.yaml"
    found: Mapping[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return found
