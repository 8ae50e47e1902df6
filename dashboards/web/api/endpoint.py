"""What an endpoint of the interface is: its parameters are checked by the same table that describes them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dashboards.web.access.book import Role
from dashboards.web.house import House

T = TypeVar("T")
Values = Mapping[str, Any]
MOST = 1000


class Problem(Exception):
    """What is wrong with a request (RFC 9457).

    Parameters:
        status: of HTTP.
        title: the kind of problem.
        detail: this one.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Parameters:
        name: in the query, or in the path.
        what: what it is for.
        schema: its JSON Schema: type, and pattern, enum, minimum and maximum where there are.
        place: ``query`` or ``path``.
    """

    name: str
    what: str
    schema: Mapping[str, Any]
    place: str = "query"

    def read(self, text: str | None) -> Any:  # noqa: ANN401 the schema says which type
        """Return the value of what was sent.

        Raises:
            Problem: it is none.
        """
        if text is None:
            return self.schema.get("default")
        schema = self.schema
        if schema["type"] == "integer":
            if not re.fullmatch(r"[0-9]{1,15}", text, re.ASCII):
                raise self._wrong("a whole number")
            number = int(text)
            low, high = schema.get("minimum", 0), schema.get("maximum", 10**15)
            if not low <= number <= high:
                raise self._wrong(f"from {low} to {high}")
            return number
        if schema["type"] == "boolean":
            if text not in ("true", "false"):
                raise self._wrong("true or false")
            return text == "true"
        if "enum" in schema and text not in schema["enum"]:
            raise self._wrong(f"one of {', '.join(schema['enum'])}")
        if "pattern" in schema and not re.fullmatch(schema["pattern"], text):
            raise self._wrong(f"of the form {schema['pattern']}")
        if len(text) > 200:
            raise self._wrong("at most 200 characters")
        return text

    def _wrong(self, wanted: str) -> Problem:
        return Problem(400, "Invalid parameter", f"{self.name} must be {wanted}")


ID = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"}
LIMIT = Parameter("limit", "at most so many items", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100})
AFTER = Parameter("after", "the value of next of the page before", {"type": "string", "maxLength": 200})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path.

    Parameters:
        path: under ``/api/v1``.
        what: in a sentence.
        answer: gets the house and the checked parameters, returns what is written as JSON, or a file to send.
        schema: of the answer: the name of a component (empty: a file), or of the component in ``items`` of a page.
        parameters: what it takes.
        paged: whether it answers with a page of items.
        role: who may ask.
    """

    path: str
    what: str
    answer: Callable[[House, Values], Awaitable[dict[str, Any] | Path]]
    schema: str
    parameters: tuple[Parameter, ...] = ()
    paged: bool = False
    role: Role = "viewer"


def page(
    things: Sequence[T], name: Callable[[T], object], write: Callable[[T], dict[str, Any]], values: Values
) -> dict[str, Any]:
    """Cut a page out of things that are in the order of their ids, or in any that stays; write only what is on it.

    Parameters:
        name: what a thing is called: its place to go on after.
        write: makes the item of a thing.
        values: ``limit`` and ``after``.

    Raises:
        Problem: nothing is called as ``after`` says.
    """
    start = 0
    if values["after"] is not None:
        start = next((at for at, one in enumerate(things, 1) if str(name(one)) == values["after"]), 0)
        if not start:
            raise Problem(404, "Not found", "there is nothing called so to go on after: begin anew, without after")
    chosen = things[start : start + values["limit"]]
    more = start + values["limit"] < len(things)
    return {
        "items": [write(one) for one in chosen],
        "next": str(name(chosen[-1])) if more and chosen else None,
        "total": len(things),
    }
