"""Says in the operator's words what the schema refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.errors import Hints, quoted, shown
from config.schema.values import Refusal
from config.tree import Mapping, Mark, Refused, locate

Finding = tuple[Mark, str, str, str]
"""Place, dotted path, message, hint."""

_EXPECTED = {
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
}


def explain(
    error: ErrorDetails, model: type[BaseModel], root: Mapping, prefix: Sequence[str | int], hints: Hints
) -> Finding | None:
    """Turn one of the schema's errors into a message with its place.

    Parameters:
        error: as pydantic gives it.
        model: the section that was checked.
        root: the file's data.
        prefix: where in it that section stands.
        hints: for "did you mean".

    Returns:
        ``None`` for a value that was reported already.
    """
    place, kind = list(error["loc"]), error["type"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Refusal) and cause.key:
        place.append(cause.key)
    whole = [*prefix, *place]
    mark, path, value = locate(root, whole, key=kind == "extra_forbidden")
    if isinstance(value, Refused):
        return None
    if kind == "extra_forbidden":
        key, known = str(place[-1]), known_keys(model, place[:-1])
        if key.isdecimal():  # {objective: 99,9}
            return mark, path, f"unknown key {quoted(key)}: a comma begins a new key; numbers take a point, as 99.9", ""
        hint = hints.nearest(key, known)
        listed = "" if hint or len(known) > 12 else f": {', '.join(known)} are known here"
        return mark, path, f"unknown key {quoted(key)}{listed}", hint
    if kind == "missing":
        cure = ": write haidang: 1 at the top of the main file" if whole == ["haidang"] else ""
        return mark, path, f"the key {place[-1]} is missing{cure}", ""
    if isinstance(cause, Refusal):
        return mark, path, str(cause), cause.hint
    if kind == "literal_error":
        allowed = [str(word) for word in _literals(model, place)]
        hint = hints.nearest(value, allowed) if isinstance(value, str) else ""
        return mark, path, f"{shown(value)} is not one of {', '.join(filter(None, allowed))}", hint
    if kind in _EXPECTED:
        if value is None:
            return mark, path, f"a value is missing: {_EXPECTED[kind]} is expected", ""
        cure = f": write [{shown(value)}]" if _EXPECTED[kind] == "a list" and isinstance(value, str) else ""
        return mark, path, f"{shown(value)} where {_EXPECTED[kind]} is expected{cure}", ""
    return mark, path, error["msg"], ""


def is_about_absence(error: ErrorDetails) -> bool:
    """Tell whether an error is about what a section lacks, not about something in it."""
    cause = error.get("ctx", {}).get("error")
    return error["type"] == "missing" or (isinstance(cause, Refusal) and not error["loc"] and not cause.key)


def known_keys(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Return the keys a section has, found by the way that leads to it."""
    section = _section(model, place)
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _section(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    free = False  # inside a mapping whose keys are anybody's: the next step names none of ours
    for step in place:
        if free or not isinstance(step, str) or found is None:
            free = False
            continue
        annotation = _annotation(found, step)
        found, free = _model_in(annotation), get_origin(annotation) is dict
    return found


def _annotation(model: type[BaseModel], key: str) -> object:
    return next((field.annotation for name, field in model.model_fields.items() if key in (name, field.alias)), None)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _literals(model: type[BaseModel], place: Sequence[str | int]) -> list[Any]:
    """Return the words a place allows."""
    words = [step for step in place if isinstance(step, str)]
    section = _section(model, words[:-1])
    annotation = _annotation(section, words[-1]) if section and words else None

    def flat(part: object) -> list[Any]:
        parts = get_args(part)
        return [word for inner in parts for word in flat(inner)] if parts else [part]

    return [word for word in flat(annotation) if isinstance(word, str)]
