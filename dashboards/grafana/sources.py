"""Which data source Grafana needs for a store, and in which language it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dashboards.grafana.languages import Flux, InfluxQl, Language, MetricsQl

Kind = Literal["v1", "v2", "v2-influxql", "v3", "victoriametrics"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UID = "haidang"


@dataclass(frozen=True, slots=True)
class Store:
    """A store as Grafana reaches it.

    Parameters:
        kind: which one; ``v2`` is asked in Flux.
        url: where Grafana finds it.
        database: of 1.x, 3.x and VictoriaMetrics.
        org, bucket: of 2.x.
        username: of 1.x; empty: none.
        token, password: the secrets, or what Grafana puts in their place (``$__file{…}``); empty: none.
    """

    kind: Kind
    url: str
    database: str = "haidang"
    org: str = ""
    bucket: str = ""
    username: str = ""
    token: str = ""
    password: str = ""

    @property
    def language(self) -> Language:
        """What it is asked in."""
        if self.kind == "victoriametrics":
            return MetricsQl(self.database)
        return Flux() if self.kind == "v2" else InfluxQl()

    @property
    def type(self) -> str:
        """Grafana's name of the data source's kind; both come with Grafana."""
        return "prometheus" if self.kind == "victoriametrics" else "influxdb"

    def source(self, uid: str = UID) -> dict[str, Any]:
        """Write the data source as Grafana's interface and its files take it, secrets apart (see `secrets`)."""
        return {
            "name": "Haidang", "uid": uid, "type": self.type, "access": "proxy", "url": self.url,
            "jsonData": self._json(), **self._login(),
        }  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        """Return what Grafana keeps encrypted: ``secureJsonData``."""
        if self.kind == "v2" and self.token:
            return {"token": self.token}
        if self.token:
            scheme = "Token" if self.kind == "v2-influxql" else "Bearer"
            return {"httpHeaderValue1": f"{scheme} {self.token}"}
        if self.password:
            return {"basicAuthPassword": self.password}
        return {}

    def _login(self) -> dict[str, Any]:
        return {"basicAuth": True, "basicAuthUser": self.username} if self.username else {}

    def _json(self) -> dict[str, Any]:
        header = {"httpHeaderName1": "Authorization"} if self.token and self.kind != "v2" else {}
        if self.kind == "victoriametrics":
            return {"httpMethod": "POST", "timeInterval": "60s", **header}
        if self.kind == "v2":
            return {"version": "Flux", "organization": self.org, "defaultBucket": self.bucket, "timeInterval": "60s"}
        database = self.bucket if self.kind == "v2-influxql" else self.database
        return {"version": "InfluxQL", "dbName": database, "httpMode": "POST", "timeInterval": "60s", **header}
