"""Observations as points: measurement and field names are Telegraf's where it has them, so that its dashboards work."""

from __future__ import annotations

from collections.abc import Mapping

from haidang.model import FieldValue, Observation, Point, Series, Status

_PING = {
    "packets_sent": "packets_transmitted",
    "packets_received": "packets_received",
    "loss_percent": "percent_packet_loss",
    "rtt_min_ms": "minimum_response_ms",
    "rtt_mean_ms": "average_response_ms",
    "rtt_median_ms": "percentile50_ms",
    "rtt_p95_ms": "percentile95_ms",
    "rtt_max_ms": "maximum_response_ms",
    "jitter_ms": "jitter_ms",
    "packets_unknown": "packets_unknown",
    "duplicates": "duplicates",
}
_RESULT = {Status.UP: 0, Status.DOWN: 1, Status.UNKNOWN: 2}


def series(measurement: str, tags: Mapping[str, str]) -> Series:
    """Name a series; tags without a value are left out, the order is fixed."""
    return Series(measurement, tuple(sorted((key, value) for key, value in tags.items() if value)))


def ping_point(line: Series, observation: Observation) -> Point:
    """Make the point of a ping burst (Telegraf's inputs.ping)."""
    fields: dict[str, FieldValue] = {
        _PING[name]: round(value, 6) if isinstance(value, float) else value
        for name, value in observation.fields.items()
        if name in _PING
    }
    fields["result_code"] = _RESULT[observation.status]
    return Point(line, observation.slot_ns, fields)


def dns_point(line: Series, observation: Observation) -> Point:
    """Make the point of a DNS question (Telegraf's inputs.dns_query)."""
    fields: dict[str, FieldValue] = {"result_code": _RESULT[observation.status]}
    if "query_time_ms" in observation.fields:
        fields["query_time_ms"] = observation.fields["query_time_ms"]
    if "rcode" in observation.fields:
        fields["rcode_value"] = observation.fields["rcode"]
    return Point(line, observation.slot_ns, fields)


_SERVICE = {"status_code": "http_response_code", "content_bytes": "content_length"}
_DAY_S = 86_400


def service_point(line: Series, observation: Observation) -> Point:
    """Make the point of a service (Telegraf's net_response, http_response, x509_cert), with each phase beside it."""
    web = line.measurement == "http_response"
    fields: dict[str, FieldValue] = {
        (_SERVICE.get(name, name) if web else name): round(value, 6) if isinstance(value, float) else value
        for name, value in observation.fields.items()
        if not isinstance(value, str)
    }
    fields["result_code"] = _RESULT[observation.status]
    if observation.status is Status.UP:
        fields["response_time"] = round(observation.duration_ms / 1e3, 6)
    days = observation.fields.get("expires_in_days")
    if isinstance(days, float | int):
        fields["expiry"] = round(days * _DAY_S)
    return Point(line, observation.slot_ns, fields)
