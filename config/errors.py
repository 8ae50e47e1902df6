"""What can be wrong with a configuration.

The tree of errors::

ConfigurationInvalid          everything found wrong, at once
SecretUnavailable             a secret that cannot be read now (config.secrets)
StarterRefused                `haidang init` will not or cannot write (config.starter)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from config.tree import Value

SHOWN_CHARACTERS = 80
HINT_COMPARISONS = 200_000


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing wrong with a configuration, at its place.

    Parameters:
        file: where.
        line, column: counted from 1; in a CSV file the column is the number of the cell.
        path: the dotted path of the value, e.g. ``targets[3].site``; empty for the file as a whole.
        message: what is wrong and what is allowed.
        hint: the known word that was probably meant, empty when nothing is near.
    """

    file: Path
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: "
        where = f"{quoted(self.path)[1:-1]}: " if self.path else ""
        meant = f" (did you mean {quoted(self.hint)}?)" if self.hint else ""
        return place + where + self.message + meant


class ConfigurationInvalid(Exception):
    """The configuration cannot be used.

    Parameters:
        errors: everything found, in the order of the files and of the lines in them; never empty.
    """

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


_USUAL = {
    "ip": "address", "host": "address", "hostname": "address", "ping": "icmp", "interval": "cadence", "email": "mail",
    "description": "notes", "sha": "SHA-1", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512",
    "aes": "AES-128", "aes128": "AES-128", "aes256": "AES-256", "ssl": "tls", "smtps": "tls",
}  # fmt: skip
"""What people write who come from other programs, and what it is called here."""


class Hints:
    """Finds the known word nearest to a mistyped one.

    Comparing is slow, so the work is bounded: of thousands of wrong names only the first get a hint.
    """

    def __init__(self) -> None:
        self._comparisons_left = HINT_COMPARISONS

    def nearest(self, word: str, known: Iterable[str]) -> str:
        """Return the known word most like ``word``, or an empty string."""
        candidates = list(known)
        usual = _USUAL.get(word.lower())
        if usual in candidates:
            return str(usual)
        self._comparisons_left -= len(candidates)
        if self._comparisons_left < 0 or not 0 < len(word) <= SHOWN_CHARACTERS:
            return ""
        near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
        return near[0] if near else ""


def quoted(text: str) -> str:
    """Quote a value for a message: cut when long, control characters escaped, so that it cannot forge a line."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    plain = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in cut)
    return f'"{plain}"'


def shown(value: Value) -> str:
    """Say a value in a message; of what is not a single value only the kind."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "nothing"
