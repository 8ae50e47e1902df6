"""Which kind of store answers: each has its own meaning of an error, so it is asked again after each silence."""

from __future__ import annotations

import json

from storage.influx.replies import MAY_NOT
from storage.influx.transport import Transport
from storage.metrics_model import FlavourName, StoreError


async def detect(transport: Transport) -> FlavourName:
    """Ask a server what it is.

    Raises:
        Unreachable: it does not answer.
        StoreError: it answers, but not as a store we know.
    """
    ping = await transport.request("GET", "/ping", "auto", {})
    if ping.status in {401, 403}:
        raise StoreError(f"the server refuses to say what it is ({ping.status} on /ping); {MAY_NOT}")
    version = ping.headers.get("X-Influxdb-Version", "")
    if not ping.headers.get("X-Influxdb-Build") and await _is_victoriametrics(transport):
        return "victoriametrics"
    if not version:
        version = await _health_version(transport)
    known: dict[str, FlavourName] = {"1": "v1", "2": "v2", "3": "v3"}
    flavour = known.get(version.lstrip("v")[:1]) if version.lstrip("v")[1:2] == "." else None
    if flavour is None:
        raise StoreError(
            f"neither InfluxDB 1 to 3 nor VictoriaMetrics answers there (/ping: {ping.status}, version "
            f"{version[:40]!r}): check the url, or name the flavour in the configuration"
        )
    return flavour


async def _is_victoriametrics(transport: Transport) -> bool:
    answer = await transport.request("GET", "/metrics", "auto", {})
    return answer.status == 200 and b"vm_app_version" in answer.body


async def _health_version(transport: Transport) -> str:
    answer = await transport.request("GET", "/health", "auto", {})
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(content, dict) and content.get("name") == "influxdb":
        return str(content.get("version", ""))
    return ""
