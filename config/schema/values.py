"""The kinds of single values. Values arrive as the text that was written; each kind says what it takes.

Attributes carry the unit in their name (``cadence_s``), keys in the file do not (``cadence: 10s``).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from config.errors import quoted

SLUG = r"[a-z0-9][a-z0-9._-]{0,63}"
_SLUG = re.compile(SLUG)
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]{1,15}) ?(B|KiB|MiB|GiB|TiB)?")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_NOT_IN_A_LINE = frozenset(("Cc", "Cs", "Zl", "Zp"))
# Characters that turn the reading direction round: a name could show as another one.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Refusal(ValueError):
    """Why a value is not taken.

    Parameters:
        message: what is wrong and what is allowed.
        key: for a check over a whole section: the key it is about.
        hint: what was probably meant.
    """

    def __init__(self, message: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.hint = hint


class Section(BaseModel):
    """Base of every section: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def say_seconds(seconds: float) -> str:
    """Write a duration as the file does: ``90s`` for 90, ``5m`` for 300."""
    for unit, size in reversed(_UNITS.items()):
        if seconds >= size and math.isclose(seconds / size, round(seconds / size)):
            return f"{round(seconds / size)}{unit}"
    return f"{seconds:g}s"


def _text(value: object, what: str) -> str:
    if value is None:
        raise Refusal(f"a value is missing: {what} is expected")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refusal(f"{_kind(value)} where {what} is expected")
    return str(value)


def _kind(value: object) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else "this value"


class Kind:
    """Metadata for ``Annotated``: checks the written text, and describes itself in the JSON Schema.

    Parameters:
        check: turns what was written into the value, raising `Refusal`.
        form: the JSON Schema of what may be written.
    """

    def __init__(self, check: Callable[[Any], Any], form: dict[str, Any]) -> None:
        self._check = check
        self._form = form

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Run the check before the type's own."""
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe what may be written."""
        return dict(self._form)


def seconds(least: float, most: float) -> Kind:
    """Make the kind of a duration between two bounds, in seconds."""
    bounds = f"{say_seconds(least)} to {say_seconds(most)}"

    def check(value: object) -> float:
        match = _DURATION.fullmatch(_text(value, "a duration"))
        if match is None:
            raise Refusal(
                f"{quoted(str(value))} is not a duration: write 500ms, 10s, 5m, 1h, 7d or a number of seconds"
            )
        found = float(match[1]) * _UNITS[match[2] or "s"]
        if not least <= found <= most:
            raise Refusal(f"{quoted(str(value))} is out of bounds: {bounds} is allowed")
        return found

    return Kind(check, {"type": ["string", "number"], "pattern": f"^{_DURATION.pattern}$"})


def _size(value: object) -> int:
    match = _SIZE.fullmatch(_text(value, "a size"))
    if match is None:
        raise Refusal(f"{quoted(str(value))} is not a size: write 500MiB, 2GiB or a number of bytes")
    return int(match[1]) * _BYTES[match[2] or "B"]


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Refusal(f"{quoted(str(value)) if isinstance(value, str) else _kind(value)} is neither true nor false")


def whole(least: int, most: int) -> Kind:
    """Make the kind of a whole number between two bounds."""
    return _between(least, most, int, r"-?[0-9]{1,18}", "whole number", "integer")


def number(least: float, most: float) -> Kind:
    """Make the kind of a decimal number between two bounds."""
    return _between(least, most, float, r"-?[0-9]{1,15}(\.[0-9]{1,15})?", "number", "number")


def _between(least: float, most: float, kind: type[float], pattern: str, words: str, form: str) -> Kind:
    def check(value: object) -> float:
        text = _text(value, f"a {words}")
        if not re.fullmatch(pattern, text):
            raise Refusal(f"{quoted(text)} is not a {words}: {least} to {most} is allowed")
        if not least <= kind(text) <= most:
            raise Refusal(f"{quoted(text)} is out of bounds: {least} to {most} is allowed")
        return kind(text)

    return Kind(check, {"type": form, "minimum": least, "maximum": most})


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        rule = "1 to 64 of a–z, 0–9, '.', '_' and '-', the first a letter or a digit"
        near = re.sub(r"[^a-z0-9._-]+", "-", _plain(value)).strip("-._")[:64]
        raise Refusal(f"{quoted(value)} is not an id: {rule}", hint=near if len(value) <= 64 else "")
    return value


def _plain(value: str) -> str:
    """Strip the marks off letters: Hải Đăng becomes hai dang."""
    spread = unicodedata.normalize("NFD", value.lower().replace("đ", "d"))
    return "".join(character for character in spread if not unicodedata.combining(character))


def written(check: Callable[[str], str], form: dict[str, Any] | None = None) -> Kind:
    """Make a kind of text; numbers become text again, anything else is left to the type's own message."""

    def prepare(value: object) -> object:
        return check(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else value

    return Kind(prepare, form or {"type": "string"})


def line(most: int = 200) -> Kind:
    """Make the kind of one line of text."""

    def check(value: str) -> str:
        if not value.strip():
            raise Refusal(f"empty: 1 to {most} characters are expected")
        if len(value) > most:
            raise Refusal(f"{len(value)} characters: 1 to {most} are allowed")
        if not value.isprintable():
            bad = next((c for c in value if c in _TURNING or unicodedata.category(c) in _NOT_IN_A_LINE), None)
            if bad is not None:
                raise Refusal(f"the control character U+{ord(bad):04X} is not allowed in a line of text")
        return value.strip()

    return written(check, {"type": "string", "minLength": 1, "maxLength": most})


def note(most: int = 10_000) -> Kind:
    """Make the kind of a text of several lines."""

    def check(value: str) -> str:
        if len(value) > most:
            raise Refusal(f"{len(value)} characters: at most {most} are allowed")
        return value

    return written(check, {"type": "string", "maxLength": most})


Boolean: TypeAlias = Annotated[bool, Kind(_boolean, {"type": "boolean"})]
Bytes: TypeAlias = Annotated[int, Kind(_size, {"type": ["string", "integer"], "pattern": f"^{_SIZE.pattern}$"})]
Slug: TypeAlias = Annotated[str, written(_slug, {"type": "string", "pattern": f"^{SLUG}$"})]


class Text(Section):
    """A name in one or several languages; a single text is the same in all."""

    vi: Annotated[str, line()] | None = Field(None, description="in Vietnamese")
    en: Annotated[str, line()] | None = Field(None, description="in English")

    @model_validator(mode="before")
    @classmethod
    def _from_one(cls, value: object) -> object:
        return {"vi": value, "en": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some(self) -> Text:
        if self.vi is None and self.en is None:
            raise Refusal("no language given: write a text, or {vi: …, en: …}")
        return self

    def language(self, language: str) -> str:
        """Return the text in this language, else in the one that is there."""
        return (self.en if language == "en" else self.vi) or self.vi or self.en or ""
