"""What people change goes into the audit log: with the change, in one transaction, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from config import Configuration
from haidang.clock import Clock
from haidang.control import Verb
from storage.audit import Audit
from storage.database import Database

UNNAMED = "unnamed"
_NOT_KEPT = frozenset({"forecast.keep"})
"""Verbs by which nobody changes anything that people answer for."""


def audited(
    verbs: Mapping[str, Verb], audit: Audit, database: Database, clock: Clock, undone: Callable[[], None]
) -> dict[str, Verb]:
    """Return the same verbs, each of which is kept in the audit log when it was done.

    Parameters:
        verbs: what can be asked for.
        audit, database, clock: where and when it is written.
        undone: called when a change was done and could not be kept: what is in memory is read anew.
    """
    return {
        name: verb if name in _NOT_KEPT else _audited(name, verb, audit, database, clock, undone)
        for name, verb in verbs.items()
    }


def _audited(
    name: str, verb: Verb, audit: Audit, database: Database, clock: Clock, undone: Callable[[], None]
) -> Verb:  # fmt: skip
    def do(request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            with database.transaction():
                answer = verb(request)
                author = str(request.get("author") or request.get("who") or UNNAMED)
                said = {key: value for key, value in request.items() if key not in ("do", "author", "who")}
                audit.add(clock.utc_ns(), name, author, {**said, "answer": dict(answer)})
        except Exception:
            undone()
            raise
        return answer

    return do


def configuration_taken(audit: Audit, clock: Clock, configuration: Configuration, occasion: str) -> None:
    """Keep by which files the daemon goes from now on: each with the SHA-256 of what is in it.

    Parameters:
        audit, clock: where and when it is written.
        configuration: the one in force.
        occasion: ``start`` or ``reload``.
    """
    files = {}
    for path in (*configuration.files, *configuration.profiles):
        try:
            files[str(path.absolute())] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            files[str(path.absolute())] = f"cannot be read: {error.strerror}"
    audit.add(clock.utc_ns(), f"configuration.{occasion}", "haidang", {"files": files})
