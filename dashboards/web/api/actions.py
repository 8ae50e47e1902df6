"""What programs may do with scope ``operate``: the verbs that the pages use, taken from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.web.api.endpoint import Parameter, Problem

_LINE = {"type": "string", "minLength": 1, "maxLength": 500}
_FREE = {"type": "string", "maxLength": 500}
_TIME = {"type": "string", "format": "date-time", "maxLength": 40}
OF_NUMBER = Parameter("number", "of it", {"type": "integer", "minimum": 1, "maximum": 10**12}, "path")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body.

    Parameters:
        name: as it is sent.
        schema: its JSON Schema: a string, a time or a boolean.
        needed: whether it may not be left out.
    """

    name: str
    schema: Mapping[str, Any]
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Parameters:
        path: under ``/api/v1``, taken by POST.
        what: in a sentence.
        verb: of the control socket.
        fields: of the body; times are handed on as ``NAME_ns``.
        said_by: the verb's word for who does it.
    """

    path: str
    what: str
    verb: str
    fields: tuple[Field, ...]
    said_by: str = "who"

    @property
    def name(self) -> str:
        """What it is called in the description and on record."""
        return self.verb.replace(".", "_")

    def read(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verb's words.

        Raises:
            Problem: a field is not known, missing or not right.
        """
        known = {field.name for field in self.fields}
        if unknown := sorted(set(sent) - known):
            raise Problem(400, "Invalid field", f"{unknown[0][:50]} is not a field; {', '.join(sorted(known))} are")
        words: dict[str, Any] = {}
        for field in self.fields:
            value = sent.get(field.name)
            if value is None:
                if field.needed:
                    raise Problem(400, "Invalid field", f"{field.name} is needed")
                continue
            if field.schema is _TIME:
                words[f"{field.name}_ns"] = _moment(field.name, value)
            elif field.schema["type"] == "boolean":
                if not isinstance(value, bool):
                    raise Problem(400, "Invalid field", f"{field.name} is true or false")
                words[field.name] = value
            elif not isinstance(value, str) or len(value) > field.schema["maxLength"]:
                raise Problem(400, "Invalid field", f"{field.name} is text of at most {field.schema['maxLength']}")
            else:
                words[field.name] = " ".join(value.split())
        return words


ACTIONS = (
    Action(
        "/incidents/{number}/acknowledge",
        "Take an incident on: escalation stops",
        "incident.ack",
        (Field("note", _FREE), Field("until", _TIME)),
    ),
    Action("/incidents/{number}/notes", "Say something of an incident", "incident.note", (Field("note", _LINE, True),)),
    Action(
        "/incidents/{number}/owner",
        "Say whose fault an incident is",
        "incident.own",
        (Field("owner", _LINE, True), Field("note", _FREE)),
    ),
    Action(
        "/maintenance",
        "Plan maintenance",
        "maintenance.add",
        (
            Field("kind", _LINE, True),
            Field("name", _LINE, True),
            Field("start", _TIME, True),
            Field("end", _TIME, True),
            Field("reason", _LINE, True),
            Field("excluded", {"type": "boolean"}),
        ),
        "author",
    ),
    Action(
        "/maintenance/{number}/cancel",
        "Call maintenance off",
        "maintenance.cancel",
        (Field("reason", _LINE, True),),
        "author",
    ),
)


def _moment(name: str, value: object) -> int:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return round(at.timestamp()) * 10**9
    except (ValueError, OverflowError):
        pass
    raise Problem(400, "Invalid field", f"{name} is a time with its zone, as 2026-12-01T22:00:00+07:00")
