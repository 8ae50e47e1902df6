"""The seal of a report: SHA-256 over its figures in one canonical form, beside those of what they were made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from reports.model import Change, Report

LARGEST = 256 * 1024 * 1024
"""Bytes of a sealed report; anything larger is not one."""

_SAID_AT_MOST = 500


LATER = ("longer", "readings", "certificates", "rooms", "connections")
"""Parts that the first reports had not; where they are empty the seal is as it was, so that old ones stay whole."""


class NotAReport(ValueError):
    """A file is no sealed report of a version this program knows; the text says why."""


def digest(report: Report) -> str:
    """Return the SHA-256 of everything in a report except this value itself."""
    data = report.model_dump(mode="json")
    data["seal"].pop("figures")
    for part in LATER:
        if not data[part]:
            del data[part]
    for row in (*data.get("rooms", ()), *data.get("connections", ())):
        if row["quality"]["mos"] is None:
            del row["quality"]["mos"]
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(report: Report) -> Report:
    """Return the report with its seal set."""
    return report.model_copy(update={"seal": report.seal.model_copy(update={"figures": digest(report)})})


def written(report: Report) -> bytes:
    """Write a report as JSON; the same report gives the same bytes."""
    text = json.dumps(report.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, indent=1)
    return f"{text}\n".encode()


def read(text: bytes, name: str) -> Report:
    """Read a sealed report and see that nothing in it was changed.

    Parameters:
        text: the file.
        name: for the error.

    Raises:
        NotAReport: it is none, or its seal is broken.
    """
    try:
        report = Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise NotAReport(f"{name}: is no sealed report ({where}: {first['msg']})") from error
    if digest(report) != report.seal.figures:
        raise NotAReport(f"{name}: THE SEAL IS BROKEN: something in it was changed after it was sealed")
    return report


def differences(before: Report, after: Report) -> tuple[Change, ...]:
    """Return every figure that is another one than before, at most 500; rows are found again by what they are about."""
    found: list[Change] = []
    skipped = {"seal", "revision", "approved", "changes", "story", "letterhead"}
    old, new = (report.model_dump(mode="json", exclude=skipped) for report in (before, after))
    _compare("", old, new, found)
    if [one.where for one in found] == ["formula_version"]:
        return ()  # the formulas of today give the same figures
    return tuple(found[:_SAID_AT_MOST])


def _compare(where: str, old: object, new: object, found: list[Change]) -> None:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            _compare(f"{where}.{key}" if where else str(key), old.get(key), new.get(key), found)
    elif isinstance(old, list) and isinstance(new, list):
        before, after = _by_name(old), _by_name(new)
        for key in [*before, *(key for key in after if key not in before)]:
            _compare(f"{where}[{key}]", before.get(key), after.get(key), found)
    else:
        found.append(Change(where=where, before=_said(old), after=_said(new)))


_NAMES = (
    ("id",), ("number",), ("name",), ("month",), ("day",), ("circuit", "start"), ("about", "start"),
    ("group", "kind", "id", "sensor"), ("id", "probe"), ("circuit", "target"),
    ("circuit", "target", "interface", "direction"),
)  # fmt: skip
"""What rows may be named by, tried in this order."""


def _by_name(rows: list[Any]) -> dict[str, Any]:
    """Name rows by what they are about; by their place where that is not one of a kind."""
    for keys in _NAMES:
        if all(isinstance(row, dict) and all(key in row for key in keys) for row in rows):
            names = [" ".join(_said(row[key]) for key in keys) for row in rows]
            if len(set(names)) == len(names):
                return dict(zip(names, rows, strict=True))
    return {str(number): row for number, row in enumerate(rows)}


def _said(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict) and "vi" in value:
        return str(value["vi"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:199]}…"
