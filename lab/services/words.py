"""Options and faults as people write them: checked, and refused in words."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

_LONGEST_QUOTE = 80


class Words(BaseModel):
    """What may be said of something: unknown words are errors, and nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fault(Words):
    """What is wrong with a service of any kind."""

    away: bool = Field(False, description="connections are refused and datagrams answered with port unreachable")
    silent: bool = Field(False, description="connections are taken and questions read, but nothing is said")
    delay_s: float = Field(0.0, ge=0, le=600, description="how much later each answer is, seconds")


def among(known: Collection[int]) -> AfterValidator:
    """Refuse numbers that are none of the known ones."""

    def check(number: int) -> int:
        if number not in known:
            raise ValueError(f"must be one of {', '.join(map(str, known))}")
        return number

    return AfterValidator(check)


Read = TypeVar("Read", bound=Words)


def read(model: type[Read], given: Mapping[str, Any], what: str) -> Read:
    """Check what was said.

    Parameters:
        model: which words there are.
        given: word → value, as read from YAML or a call.
        what: whose words they are, for the message, e.g. ``option of http``.

    Raises:
        ValueError: names the first word that is wrong, and what is allowed.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors()
        unknown = [row for row in found if row["type"] == "extra_forbidden"]
        row = (unknown or found)[0]
        path = ".".join(map(str, row["loc"]))
        if not unknown:
            value = repr(row["input"])
            quote = value if len(value) <= _LONGEST_QUOTE else f"{value[:_LONGEST_QUOTE]}…"
            reason = row["msg"].removeprefix("Value error, ")
            raise ValueError(f"{what} {path}: {reason}, not {quote}") from None
        if len(row["loc"]) > 1:
            raise ValueError(f"{what} {path}: there is no such word") from None
        near = difflib.get_close_matches(path, model.model_fields, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join(model.model_fields)
        raise ValueError(f"there is no {what} named {path!r}{hint}; there are {known}") from None
