"""What notifications and log messages mean: the catalogue, which is data (``catalogue.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from collectors.receiver.event import Severity
from probes.snmp import oid

LOOKED_AT = 1_024
"""Characters of a log message in which words are looked for: what bounds the time."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """An entry.

    Parameters:
        name: short, as in the MIB.
        severity: how bad.
        poll: whether it is a reason to look at the device at once.
        words: what it means, by language (``vi``, ``en``).
    """

    name: str
    severity: Severity
    poll: bool
    words: Mapping[str, str]


class Catalogue:
    """What is known.

    Parameters:
        said: the shipped entries: ``traps``, ``objects`` and ``syslog`` as in the file.
        known: an operator's own, which go before: with an ``oid`` a trap, with ``says`` a log message.
    """

    def __init__(self, said: Mapping[str, Any], known: Sequence[Mapping[str, Any]] = ()) -> None:
        self._said = said
        own_traps = [entry for entry in known if entry.get("oid")]
        own_logs = [entry for entry in known if entry.get("says")]
        self._traps = {oid.encode(str(entry["oid"])): _meaning(entry) for entry in (*said["traps"], *own_traps)}
        self._objects = {oid.encode(str(name)): str(word) for name, word in said["objects"].items()}
        self._sayings = [
            (tuple(str(words).lower().split(" … ")), _meaning(entry))
            for entry in (*own_logs, *said["syslog"])
            for words in entry["says"]
        ]
        every = [*self._traps.values(), *(meaning for _, meaning in self._sayings)]
        self._words = {meaning.name: meaning.words for meaning in reversed([*map(_meaning, known), *every])}

    @classmethod
    @cache
    def ours(cls) -> Catalogue:
        """Return the one that comes with the program; read once, which takes some 30 ms."""
        text = (resources.files("collectors.receiver") / "catalogue.yaml").read_text(encoding="utf-8")
        return cls(YAML(typ="safe", pure=True).load(text))

    def also(self, known: Sequence[Mapping[str, Any]]) -> Catalogue:
        """Return one that knows an operator's entries too."""
        return Catalogue(self._said, known) if known else self

    def trap(self, name: bytes) -> Meaning | None:
        """Find a notification by its snmpTrapOID."""
        return self._traps.get(name)

    def message(self, text: str) -> Meaning | None:
        """Find a log message by its words."""
        head = text[:LOOKED_AT].lower()
        return next((meaning for words, meaning in self._sayings if _in_order(words, head)), None)

    def label(self, name: bytes) -> str:
        """Write a variable's name short: ``ifDescr.7``, or the numbers when it is not known."""
        for cut in range(len(name), 3, -1):
            word = self._objects.get(name[:cut])
            if word is not None:
                index = ".".join(map(str, oid.numbers(name[cut:])))
                return f"{word}.{index}" if index and index != "0" else word
        return oid.decode(name)

    def words(self, name: str, language: str) -> str:
        """Say what an event's name means; empty when it is not in the catalogue."""
        return self._words.get(name, {}).get(language, "")


def _in_order(words: tuple[str, ...], text: str) -> bool:
    """Tell whether words follow each other in a text."""
    pos = 0
    for word in words:
        pos = text.find(word, pos)
        if pos < 0:
            return False
        pos += len(word)
    return True


def _meaning(entry: Mapping[str, Any]) -> Meaning:
    words = {language: str(entry[language]) for language in ("vi", "en")}
    return Meaning(str(entry["name"]), entry["severity"], bool(entry.get("poll", True)), words)
