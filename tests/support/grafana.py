"""A server that follows Grafana's documented HTTP API, as far as dashboards are brought in by it.

Source: Grafana's HTTP API manual (dashboard, dashboard versions, folder, data source, annotations): its paths, bodies,
status codes and messages. It is no Grafana: what it makes of queries and pictures is not tried with it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
TOKEN = "glsa_right"
_RIGHTS = {"Viewer": 0, "Editor": 1, "Admin": 2}


@dataclass
class Grafana:
    """What the server holds, and how it behaves.

    Attributes:
        role: of the token.
        slow_s: how long each answer takes.
        pages: version histories come as a page, as newer Grafanas do.
        unique_titles: two dashboards of a folder may not have one title, as older Grafanas want it.
        before_save: called with the dashboard's UID right before it is saved: somebody else is at work, too.
        writes: every request that changed something, as method and path.
        broken: what is answered instead of anything: status, content type, body.
    """

    url: str = ""
    prefix: str = ""
    role: str = "Admin"
    slow_s: float = 0
    pages: bool = False
    unique_titles: bool = False
    before_save: Any = None
    broken: tuple[int, str, bytes] | None = None
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def edit(self, uid: str, by: str = "lan", **changes: object) -> None:
        """Save a dashboard as somebody who uses Grafana's own editor."""
        newest = self.versions[uid][-1]
        self._save({**newest["data"], **changes}, newest["folder"], "", by)

    def dashboard(self, uid: str) -> dict[str, Any]:
        """Return the newest version of a dashboard."""
        found: dict[str, Any] = self.versions[uid][-1]["data"]
        return found

    def _save(self, data: Mapping[str, Any], folder: str, message: str, by: str) -> dict[str, Any]:
        rows = self.versions.setdefault(str(data["uid"]), [])
        number = len(rows) + 1
        kept = {**data, "version": number, "id": 100 + len(self.versions)}
        rows.append({"data": kept, "version": number, "message": message, "createdBy": by, "folder": folder})
        return kept

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Any, token: str) -> Answer:
        """Answer one request."""
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        if method != "GET":
            needed = "Admin" if path.startswith("/datasources") else "Editor"
            if _RIGHTS[self.role] < _RIGHTS[needed]:
                return 403, {
                    "message": "You'll need additional permissions to perform this action. Permissions needed: …"
                }
            self.writes.append((method, path))
        parts = path.strip("/").split("/")
        if parts[0] == "folders":
            return self._folder(method, parts[1:], body)
        if parts[0] == "datasources":
            return self._source(method, parts[1:], body)
        if parts[0] == "annotations":
            return self._annotation(method, parts[1:], query, body)
        if parts[:2] == ["dashboards", "db"] and method == "POST":
            return self._store(body)
        if parts[:2] == ["dashboards", "uid"] and method == "GET":
            return self._dashboard(parts[2:])
        return 404, {"message": "Not found"}

    def _folder(self, method: str, parts: list[str], body: Any) -> Answer:
        if method == "GET":
            found = self.folders.get(parts[0])
            return (200, found) if found else (404, {"message": "folder not found"})
        if any(one["title"] == body["title"] for one in self.folders.values()):
            return 409, {"message": "a folder with the same name already exists in the current location"}
        self.folders[body["uid"]] = {"id": 1, **body}
        return 200, self.folders[body["uid"]]

    def _source(self, method: str, parts: list[str], body: Any) -> Answer:
        if self.role != "Admin":
            return 403, {"message": "Permissions needed: datasources:read"}
        if method == "POST":
            if any(one["name"] == body["name"] for one in self.sources.values()):
                return 409, {"message": "data source with the same name already exists"}
            self.sources[body["uid"]] = {"id": 7, "readOnly": False, "typeLogoUrl": "", **body}
            return 200, {"message": "Datasource added"}
        if parts[1] not in self.sources:
            return 404, {"message": "Data source not found"}
        if method == "PUT":
            self.sources[parts[1]] = {**self.sources[parts[1]], **body}
            return 200, {"message": "Datasource updated"}
        shown = {name: value for name, value in self.sources[parts[1]].items() if name != "secureJsonData"}
        return 200, shown

    def _dashboard(self, parts: list[str]) -> Answer:
        rows = self.versions.get(parts[0])
        if not rows:
            return 404, {"message": "Dashboard not found", "status": "not-found"}
        if parts[1:] == ["versions"]:
            listed = [{k: v for k, v in row.items() if k != "data"} for row in reversed(rows)][:1]
            return 200, {"continueToken": "", "versions": listed} if self.pages else listed
        meta = {
            "folderUid": rows[-1]["folder"], "updatedBy": rows[-1]["createdBy"], "version": rows[-1]["version"],
            "provisioned": parts[0] in self.provisioned,
        }  # fmt: skip
        return 200, {"dashboard": rows[-1]["data"], "meta": meta}

    def _store(self, body: Any) -> Answer:
        data, uid = body["dashboard"], body["dashboard"]["uid"]
        if self.before_save is not None:
            self.before_save(uid)
        if body["folderUid"] not in self.folders:
            return 404, {"message": "folder not found"}
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if not body.get("overwrite"):
            rows = self.versions.get(uid)
            if rows and data.get("version") != rows[-1]["version"]:
                words = "The dashboard has been changed by someone else"
                return 412, {"status": "version-mismatch", "message": words}
            same = (
                other for other, rows in self.versions.items()
                if other != uid and rows[-1]["folder"] == body["folderUid"]
                and rows[-1]["data"]["title"] == data["title"]
            )  # fmt: skip
            if self.unique_titles and next(same, None):
                words = "A dashboard with the same name in the folder already exists"
                return 412, {"status": "name-exists", "message": words}
        kept = self._save(data, body["folderUid"], body.get("message", ""), "haidang")
        return 200, {"uid": uid, "id": kept["id"], "version": kept["version"], "status": "success"}

    def _annotation(self, method: str, parts: list[str], query: Mapping[str, list[str]], body: Any) -> Answer:
        if method == "GET":
            wanted, first, last = set(query.get("tags", [])), int(query["from"][0]), int(query["to"][0])
            found = [one for one in self.annotations if wanted <= set(one["tags"])]
            return 200, [one for one in found if one["time"] <= last and one["timeEnd"] >= first]
        if method == "POST":
            self.annotations.append({"id": len(self.annotations) + 1, **body})
            return 200, {"message": "Annotation added", "id": len(self.annotations)}
        self.annotations[int(parts[0]) - 1].update(body)
        return 200, {"message": "Annotation patched"}


@contextmanager
def grafana() -> Iterator[Grafana]:
    """Serve one on a free port of 127.0.0.1."""
    held = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if held.slow_s:
                held.released.wait(held.slow_s)
            address = urlsplit(self.path)
            path = address.path.removeprefix(held.prefix)
            if held.broken is not None:
                status, kind, content = held.broken
            elif not address.path.startswith(f"{held.prefix}/api/"):
                status, kind, content = 404, "text/html", b"<html>nothing here</html>"
            else:
                query, token = parse_qs(address.query), self.headers.get("Authorization", "")
                status, said = held.answer(self.command, path.removeprefix("/api"), query, body, token)
                kind, content = "application/json", json.dumps(said).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # whoever asked did not wait
                pass

        do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        held.released.set()
        server.shutdown()
        server.server_close()
