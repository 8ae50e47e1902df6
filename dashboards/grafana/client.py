"""Speaking to Grafana, by ``grafana-client`` or by the older ``grafana-api``: whichever the customer has installed.

Both give the same four calls on the same paths; everything else here is ours, by UIDs. Source: Grafana's HTTP API.

Errors::

    GrafanaError             the words say what to do
    ├── Away                 no answer, or none in time
    ├── Refused              401, 403: the token may not do this
    ├── NotThere             404
    └── Conflict             409, 412: somebody has changed or taken what we wanted to change
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

Client = Literal["grafana-client", "grafana-api"]
TIMEOUT_S = 10.0
_OTHER = " does not answer as Grafana does: is a proxy or another page in front of it?"


class GrafanaError(Exception):
    """Grafana did not do what it was asked; the words say why and what to do."""


class Away(GrafanaError):
    """Nobody answers."""


class Refused(GrafanaError):
    """The token may not do this."""


class NotThere(GrafanaError):
    """There is no such thing."""


class Conflict(GrafanaError):
    """It is not as we thought it was.

    Parameters:
        words: why.
        status: Grafana's word for it: ``version-mismatch``, ``name-exists``, …
    """

    def __init__(self, words: str, status: str) -> None:
        super().__init__(words)
        self.status = status


class Grafana:
    """One Grafana.

    Parameters:
        url: where it is, with the path it is under.
        token: of a service account.
        client: by which library; ``None``: the first that is installed.
        timeout_s: for each answer.

    Raises:
        GrafanaError: neither library is installed, or the address is none.
    """

    def __init__(
        self, url: str, token: str, client: Client | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise GrafanaError(f"{url!r} is not an address of Grafana: write http://HOST:3000 or https://HOST/grafana")
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self.client, self._http = _opened(parts.scheme, parts, token, client, timeout_s)

    def call(self, method: Literal["GET", "POST", "PUT", "PATCH"], path: str, body: object = None) -> Any:  # noqa: ANN401 JSON
        """Ask for something under ``/api``.

        Raises:
            GrafanaError: see the tree above.
        """
        send = getattr(self._http, method)
        try:
            answer = send(path) if body is None else send(path, json=body)
        except Exception as error:  # noqa: BLE001 each library has exceptions of its own, and lets its HTTP library's through
            raise self._translated(error, path) from error
        if isinstance(answer, str):
            raise GrafanaError(f"{self.url}{_OTHER}")
        return answer

    def _translated(self, error: Exception, path: str) -> GrafanaError:
        status = getattr(error, "status_code", None)
        response = getattr(error, "response", None)
        body: Mapping[str, Any] = response if isinstance(response, Mapping) else {}
        said = str(body.get("message") or getattr(error, "message", "") or error)[:300]
        if not isinstance(status, int) or status == 0:
            name = type(error).__name__
            if "Timeout" in name or "timed out" in str(error):
                return Away(f"{self.url}: no answer within {self._timeout_s:g} s")
            if isinstance(error, ValueError):
                return GrafanaError(f"{self.url}{_OTHER}")
            return Away(f"{self.url} does not answer: {str(error)[:200] or name}")
        if status == 401:
            return Refused(
                f"{self.url} does not know the token: make a service account with a token in Grafana (role Editor)"
            )
        if status == 403:
            cure = "; give an Admin's token, or --datasource UID of one that is there" if "datasources" in path else ""
            return Refused(f"the token may not do this ({path}): {said}{cure}")
        if status == 404 and not body:
            return GrafanaError(f"{self.url}/api is not there: is that Grafana's address, with the path it is under?")
        if status == 404:
            return NotThere(f"{self.url}/api{path}: {said}")
        if status in (409, 412):
            return Conflict(said, str(body.get("status") or ""))
        if status >= 500:
            return Away(f"{self.url} has trouble of its own ({status}): {said}")
        return GrafanaError(f"{self.url} refuses {path} ({status}): {said}")


def _opened(
    scheme: str, parts: Any, token: str, client: Client | None, timeout_s: float  # noqa: ANN401 SplitResult
) -> tuple[Client, Any]:  # fmt: skip
    """Open the library's own HTTP client, which both libraries have under another name."""
    place: dict[str, Any] = {
        "auth": token, "host": parts.hostname, "port": parts.port, "protocol": scheme, "timeout": timeout_s,
        "url_path_prefix": f"{parts.path.strip('/')}/" if parts.path.strip("/") else "",
    }  # fmt: skip
    if ":" in parts.hostname:
        place["host"] = f"[{parts.hostname}]"
    wanted: tuple[Client, ...] = (client,) if client else ("grafana-client", "grafana-api")
    for name in wanted:
        try:
            if name == "grafana-client":
                return name, importlib.import_module("grafana_client.client").GrafanaClient(**place)
            return name, importlib.import_module("grafana_api.grafana_api").GrafanaAPI(**place)
        except ModuleNotFoundError:
            continue
    raise GrafanaError(
        f"{' and '.join(wanted)}: not installed; pip install 'haidang[grafana]', "
        "or write files: haidang dashboards export"
    )
