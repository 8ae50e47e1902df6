"""Bringing the dashboards into a Grafana that people use: what others changed is never lost in silence.

How a dashboard is known to be as we left it: each version has a message, and ours has the hash of what we wrote.
When the newest version's message is ours nobody has changed it since, whatever Grafana makes of the JSON.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.grafana.client import Conflict, Grafana, GrafanaError, NotThere
from dashboards.grafana.export import FOLDER
from dashboards.grafana.sources import Store

Outcome = Literal["created", "updated", "unchanged", "conflict", "failed"]
_MARK = "haidang "
_GRAFANAS = ("id", "version", "iteration", "gnetId")
"""What Grafana puts into a dashboard by itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one thing.

    Parameters:
        what: ``folder``, ``datasource`` or ``dashboard``.
        uid: which.
        outcome: created, updated … ; of a dry run what would become of it.
        words: why, where it is not plain.
        diff: what is different there from what we would write, line by line.
    """

    what: str
    uid: str
    outcome: Outcome
    words: str = ""
    diff: tuple[str, ...] = ()


def fingerprint(document: Mapping[str, Any]) -> str:
    """Return the hash of a dashboard as we write it."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


class Pusher:
    """Brings things into a Grafana.

    Parameters:
        grafana: which.
        overwrite: also what somebody else has changed.
        dry: only say what would be done.
    """

    def __init__(self, grafana: Grafana, *, overwrite: bool = False, dry: bool = False) -> None:
        self._grafana = grafana
        self._overwrite = overwrite
        self._dry = dry

    def folder(self, title: str) -> Result:
        """Make the folder where there is none; one that somebody has renamed stays as it is.

        Raises:
            GrafanaError: it cannot be.
        """
        try:
            self._grafana.call("GET", f"/folders/{FOLDER}")
        except NotThere:
            if not self._dry:
                try:
                    self._grafana.call("POST", "/folders", {"uid": FOLDER, "title": title})
                except Conflict as error:
                    raise GrafanaError(
                        f'there is a folder "{title}" with another UID than {FOLDER}: '
                        f"rename it, or choose --folder ({error})"
                    ) from error
            return Result("folder", FOLDER, "created")
        return Result("folder", FOLDER, "unchanged")

    def source(self, store: Store, uid: str) -> Result:
        """Make the data source; one that is otherwise than ours is left so unless told to overwrite.

        Raises:
            GrafanaError: it cannot be.
        """
        ours = store.source(uid)
        try:
            theirs = self._grafana.call("GET", f"/datasources/uid/{uid}")
        except NotThere:
            if not self._dry:
                self._grafana.call("POST", "/datasources", {**ours, "secureJsonData": dict(store.secrets())})
            return Result("datasource", uid, "created")
        same = {name: theirs.get(name) for name in ours}
        same["jsonData"] = {name: (theirs.get("jsonData") or {}).get(name) for name in ours["jsonData"]}
        same["name"] = ours["name"]  # people may call it what they like
        if same == ours:
            return Result("datasource", uid, "unchanged")
        diff = _diff(same, ours)
        if theirs.get("readOnly"):
            return Result("datasource", uid, "conflict", "it comes from a file (provisioned) and is otherwise", diff)
        if not self._overwrite:
            return Result("datasource", uid, "conflict", "it is otherwise; --overwrite writes ours over it", diff)
        if not self._dry:
            body = {**theirs, **ours, "name": theirs.get("name", ours["name"])}
            self._grafana.call("PUT", f"/datasources/uid/{uid}", {**body, "secureJsonData": dict(store.secrets())})
        return Result("datasource", uid, "updated", diff=diff)

    def dashboard(self, document: Mapping[str, Any]) -> Result:
        """Bring one dashboard in; what fails is in the result."""
        uid = str(document["uid"])
        try:
            return self._dashboard(uid, document)
        except Conflict as error:
            return Result("dashboard", uid, "conflict", _why(error))
        except GrafanaError as error:
            return Result("dashboard", uid, "failed", str(error))

    def _dashboard(self, uid: str, document: Mapping[str, Any]) -> Result:
        mark = _MARK + fingerprint(document)
        try:
            there = self._grafana.call("GET", f"/dashboards/uid/{uid}")
        except NotThere:
            self._write(document, mark, None)
            return Result("dashboard", uid, "created")
        theirs, meta = there["dashboard"], there.get("meta") or {}
        diff = _diff({name: value for name, value in theirs.items() if name not in _GRAFANAS}, dict(document))
        if meta.get("provisioned"):
            return Result(
                "dashboard", uid, "conflict", "it comes from a file (provisioned): export again instead", diff
            )
        message = self._message(uid)
        moved = meta.get("folderUid") not in (FOLDER, None)
        if message == mark:
            return Result("dashboard", uid, "unchanged", "somebody moved it to another folder" if moved else "")
        ours = message.startswith(_MARK)
        if not ours and not self._overwrite:
            by = f" by {meta['updatedBy']}" if meta.get("updatedBy") else ""
            words = f"changed{by} since we wrote it; --overwrite writes ours over it, its versions stay in Grafana"
            return Result("dashboard", uid, "conflict", words, diff)
        self._write(document, mark, theirs.get("version"), str(meta.get("folderUid") or FOLDER))
        return Result("dashboard", uid, "updated", diff=diff)

    def _message(self, uid: str) -> str:
        """Return what was said of the newest version."""
        found = self._grafana.call("GET", f"/dashboards/uid/{uid}/versions?limit=1")
        rows = found.get("versions", []) if isinstance(found, Mapping) else found  # since Grafana 11.? a page of them
        return str(rows[0].get("message") or "") if rows else ""

    def _write(
        self, document: Mapping[str, Any], mark: str, version: int | None, folder: str = FOLDER
    ) -> None:  # fmt: skip
        if self._dry:
            return
        wanted = {**document, "id": None}
        if version is not None:
            wanted["version"] = version  # Grafana refuses with 412 when there is a newer one by now
        self._grafana.call(
            "POST", "/dashboards/db", {"dashboard": wanted, "folderUid": folder, "message": mark, "overwrite": False}
        )


@dataclass(frozen=True, slots=True)
class Note:
    """An incident or a piece of maintenance, as an annotation.

    Parameters:
        key: tag by which it is found again.
        kind: ``incident`` or ``maintenance``, its other tag.
        start_ms, end_ms: from and until; the end is the start while it lasts.
        text: HTML.
    """

    key: str
    kind: str
    start_ms: int
    end_ms: int
    text: str


def annotate(grafana: Grafana, notes: Iterable[Note], *, dry: bool = False) -> Mapping[str, int]:
    """Bring annotations in: those that are missing are made, those that are otherwise by now are changed.

    Annotations are the one thing in Grafana without a UID; they are found again by their tags.

    Raises:
        GrafanaError: it cannot be.
    """
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    wanted = list(notes)
    if not wanted:
        return counts
    start_ms, end_ms = min(one.start_ms for one in wanted), max(one.end_ms for one in wanted)
    path = f"/annotations?tags=haidang&type=annotation&limit=10000&from={start_ms}&to={end_ms + 1}"
    there = {
        tag: row for row in grafana.call("GET", path) for tag in row.get("tags") or () if tag.startswith("haidang-")
    }
    for note in wanted:
        body = {
            "time": note.start_ms, "timeEnd": note.end_ms, "text": note.text, "tags": ["haidang", note.kind, note.key]
        }  # fmt: skip
        old = there.get(note.key)
        if old is None:
            counts["created"] += 1
            if not dry:
                grafana.call("POST", "/annotations", body)
        elif any(old.get(name) != body[name] for name in ("time", "timeEnd", "text")):
            counts["updated"] += 1
            if not dry:
                grafana.call("PATCH", f"/annotations/{old['id']}", body)
        else:
            counts["unchanged"] += 1
    return counts


def _why(error: Conflict) -> str:
    if error.status == "version-mismatch":
        return "somebody saved it while we were at it; nothing was written: push again"
    if error.status == "name-exists":
        return f"another dashboard in the folder has this title: rename it ({error})"
    if error.status == "plugin-dashboard":
        return f"it belongs to a plugin ({error})"
    return str(error)


def _diff(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is different, in the order of a file."""
    old, new = (json.dumps(one, ensure_ascii=False, indent=1, sort_keys=True).splitlines() for one in (theirs, ours))
    return tuple(difflib.unified_diff(old, new, "in Grafana", "ours", lineterm="", n=2))
