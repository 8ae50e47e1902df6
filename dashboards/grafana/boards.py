"""Every dashboard there is. Measurements and fields are what the daemon writes: docs/grafana.md lists them."""

from __future__ import annotations

from dataclasses import replace

from dashboards.grafana.model import Board, Panel, Query, Variable

CAPACITY_PERCENT = 90
"""Thông tư 06/2026/TT-BKHCN: the P95 of seven days stays at or below this share of the contracted capacity."""
_BUDGET = ((None, "red"), (0.0, "orange"), (600.0, "green"))
_LOSS = ((None, "green"), (1.0, "yellow"), (5.0, "red"))
_ZERO_IS_WELL = ((None, "green"), (1.0, "red"))
_LOAD = ((None, "green"), (70.0, "yellow"), (float(CAPACITY_PERCENT), "red"))

_SYSTEM = Variable("system", "haidang_targets", "targets")
_AREA = Variable("area", "ping", "percent_packet_loss")
_CIRCUIT = Variable("circuit", "ping", "percent_packet_loss", every=".+")
_CARRIER = Variable("carrier", "ping", "percent_packet_loss")
_STATES = ("up", "degraded", "down", "unreachable", "unknown")
_HOURLY_S = 3600


def _system(first: str) -> Variable:
    return replace(_SYSTEM, first=first)


def _ping(field: str, by: tuple[str, ...], **where: str) -> Query:
    return Query("ping", (field,), by, where)


def _sensor(kind: str) -> Query:
    return Query("sensor", ("value",), ("target", "sensor"), {"kind": kind, "system": "$system"})


def _standing(field: str, *, now: bool = True) -> Query:
    return Query("haidang_system", (field,), ("name",), {"system": "$system"}, fold="max", now=now)


def _own(*fields: str) -> tuple[Query, ...]:
    return tuple(Query("haidang", (field,), ("host",), fold="max") for field in fields)


def _targets(system: str = "$system") -> Query:
    return Query("haidang_targets", ("targets", *_STATES), ("system", "role"), {"system": system}, "max", now=True)


def _bad(by: tuple[str, ...]) -> tuple[Query, ...]:
    where = {"system": "$system"}
    return tuple(Query("haidang_targets", (field,), by, where, "max") for field in ("down", "unreachable", "degraded"))


_TARGETS = Panel("targets_by_state", "table", (_targets(),), 12, 8)
_AVAILABILITY = Panel(
    "availability_month", "stat", (_standing("availability_percent"),), 24, 5, "percent",
    ((None, "red"), (95.0, "orange"), (99.0, "green")), 3,
)  # fmt: skip
_BUDGET_LEFT = Panel("budget_left", "stat", (_standing("budget_left_s"),), 24, 5, "s", _BUDGET)

BOARDS: tuple[Board, ...] = (
    Board(
        "overview",
        (
            Panel(
                "systems_up", "stat", (_standing("up"),), 18, 5, "percentunit",
                ((None, "red"), (0.5, "orange"), (1.0, "green")),
            ),
            Panel(
                "incidents_open", "stat",
                (
                    Query("haidang_incidents", ("open",), fold="max", now=True),
                    Query("haidang_incidents", ("unacknowledged",), fold="max", now=True),
                ), 6, 5, "none", _ZERO_IS_WELL,
            ),
            _AVAILABILITY,
            _BUDGET_LEFT,
            _TARGETS,
            Panel("not_well", "lines", _bad(("system", "role")), 12, 8, "none"),
            Panel("loss", "lines", (_ping("percent_packet_loss", ("system",), system="$system"),), 12, 8, "percent"),
            Panel("rtt", "lines", (_ping("percentile50_ms", ("system",), system="$system"),), 12, 8, "ms"),
        ),
        (_SYSTEM,),
    ),
    Board(
        "wan",
        (
            Panel(
                "circuit_p95", "table",
                (
                    Query(
                        "circuit_load",
                        ("capacity_bps", "in_p95_bps", "out_p95_bps", "in_p95_percent", "out_p95_percent",
                         "coverage_percent"),
                        ("circuit", "target"), {"circuit": "$circuit"}, "max", now=True,
                    ),
                ), 24, 9, steps=_LOAD,
                units={
                    "capacity_bps": "bps", "in_p95_bps": "bps", "out_p95_bps": "bps", "in_p95_percent": "percent",
                    "out_p95_percent": "percent", "coverage_percent": "percent",
                },
            ),
            Panel(
                "circuit_p95_course", "lines",
                tuple(
                    Query("circuit_load", (field,), ("circuit", "target"), {"circuit": "$circuit"}, "max",
                          every_s=_HOURLY_S)
                    for field in ("in_p95_percent", "out_p95_percent")
                ), 24, 8, "percent", ((None, "green"), (float(CAPACITY_PERCENT), "red")), limit=True,
            ),
            Panel(
                "interface_load", "lines",
                tuple(
                    Query("interface", (field,), ("target", "ifName"), {"circuit": "$circuit"}, every_s=300)
                    for field in ("in_bps", "out_bps")
                ), 24, 9, "bps",
            ),
            Panel(
                "circuit_loss", "lines",
                (_ping("percent_packet_loss", ("circuit", "target"), circuit="$circuit", carrier="$carrier"),),
                12, 8, "percent", _LOSS,
            ),
            Panel(
                "circuit_rtt", "lines",
                (_ping("percentile95_ms", ("circuit", "target"), circuit="$circuit", carrier="$carrier"),),
                12, 8, "ms",
            ),
            Panel(
                "carrier_loss", "lines",
                (_ping("percent_packet_loss", ("carrier",), circuit="$circuit", carrier="$carrier"),),
                12, 8, "percent", _LOSS,
            ),
            Panel(
                "interface_errors", "lines",
                tuple(
                    Query("interface", (field,), ("target", "ifName"), {"circuit": "$circuit"}, counter=True,
                          every_s=300)
                    for field in ("ifInErrors", "ifOutErrors")
                ), 12, 8, "pps",
            ),
        ),
        (_CIRCUIT, _CARRIER), "now-24h",
    ),
    Board(
        "datanet",
        (
            Panel(
                "sites_by_area", "table",
                (
                    Query("haidang_site", ("state_code", "targets", "bad"), ("area_name", "name"), {"area": "$area"},
                          "max", now=True),
                ), 12, 12, units={"state_code": "states"},
            ),
            Panel(
                "site_states", "states",
                (Query("haidang_site", ("state_code",), ("name",), {"area": "$area"}, "max"),), 12, 12, states=True,
            ),
            Panel(
                "area_loss", "lines",
                (_ping("percent_packet_loss", ("area",), area="$area", system="$system"),), 12, 8, "percent", _LOSS,
            ),
            Panel(
                "area_rtt", "lines", (_ping("percentile50_ms", ("area",), area="$area", system="$system"),),
                12, 8, "ms",
            ),
            Panel(
                "area_jitter", "lines", (_ping("jitter_ms", ("area",), area="$area", system="$system"),), 12, 8, "ms"
            ),
            Panel(
                "area_worst", "lines",
                (replace(_ping("percent_packet_loss", ("area",), area="$area", system="$system"), fold="max"),),
                12, 8, "percent", _LOSS,
            ),
        ),
        (_AREA, _system("datanet")),
    ),
    Board(
        "conference",
        (
            _TARGETS,
            Panel(
                "room_loss", "lines", (_ping("percent_packet_loss", ("target",), system="$system", area="$area"),),
                12, 8, "percent", _LOSS,
            ),
            Panel(
                "room_jitter", "lines", (_ping("jitter_ms", ("target",), system="$system", area="$area"),), 12, 8,
                "ms", ((None, "green"), (30.0, "red")), limit=True,
            ),
            Panel(
                "room_rtt", "lines", (_ping("percentile95_ms", ("target",), system="$system", area="$area"),), 12, 8,
                "ms", ((None, "green"), (300.0, "red")), limit=True,
            ),
            Panel(
                "sip_answer", "lines",
                (Query("net_response", ("response_time",), ("target",), {"probe": "sip", "system": "$system"}),),
                12, 8, "s",
            ),
            Panel(
                "sip_result", "lines",
                (Query("net_response", ("result_code",), ("target",), {"probe": "sip", "system": "$system"}, "max"),),
                12, 8, "none", _ZERO_IS_WELL,
            ),
        ),
        (_system("videoconf"), _AREA),
    ),
    Board(
        "datacentre",
        (
            Panel(
                "temperature", "lines", (_sensor("temperature"),), 12, 8, "celsius",
                ((None, "green"), (25.0, "red")), limit=True,
            ),
            Panel(
                "humidity", "lines", (_sensor("humidity"),), 12, 8, "percent", ((None, "green"), (55.0, "red")),
                limit=True,
            ),
            Panel("ups_charge", "lines", (_sensor("ups_charge"),), 8, 8, "percent"),
            Panel("ups_load", "lines", (_sensor("ups_load"),), 8, 8, "percent"),
            Panel("ups_runtime", "lines", (_sensor("ups_runtime"),), 8, 8, "m"),
            Panel("cpu", "lines", (_sensor("cpu"),), 8, 8, "percent"),
            Panel("memory", "lines", (_sensor("memory"),), 8, 8, "percent"),
            Panel("storage", "lines", (_sensor("storage"),), 8, 8, "percent"),
            Panel(
                "sensor_status", "table",
                (
                    Query("sensor", ("status_code", "value"), ("target", "kind", "sensor"), {"system": "$system"},
                          "max", now=True),
                ), 12, 9,
            ),
            _TARGETS,
            Panel(
                "pages", "lines",
                (Query("http_response", ("response_time",), ("target",), {"system": "$system"}),), 12, 8, "s",
            ),
            Panel(
                "certificates", "stat",
                (Query("x509_cert", ("expiry",), ("target",), {"system": "$system"}, "min", now=True),),
                12, 8, "s", ((None, "red"), (7 * 86_400.0, "orange"), (30 * 86_400.0, "green")),
            ),
        ),
        (_system("datacentre"),),
    ),
    Board(
        "cameras",
        (
            _TARGETS,
            Panel("not_well", "lines", _bad(("role",)), 12, 8, "none"),
            Panel(
                "area_loss", "lines",
                (_ping("percent_packet_loss", ("area",), area="$area", system="$system"),), 12, 8, "percent", _LOSS,
            ),
            Panel(
                "camera_loss_now", "table",
                (
                    Query("ping", ("percent_packet_loss", "percentile50_ms"), ("area", "site", "target"),
                          {"area": "$area", "system": "$system"}, "max", now=True),
                ), 12, 12, units={"percent_packet_loss": "percent", "percentile50_ms": "ms"},
            ),
            Panel("ups_runtime", "lines", (_sensor("ups_runtime"),), 12, 8, "m"),
        ),
        (_system("cameras"), _AREA),
    ),
    Board(
        "slo",
        (
            _AVAILABILITY,
            _BUDGET_LEFT,
            Panel("availability_course", "lines", (_standing("availability_percent", now=False),), 12, 9, "percent",
                  decimals=3),
            Panel("budget_course", "lines", (_standing("budget_left_s", now=False),), 12, 9, "s",
                  ((None, "red"), (0.0, "green")), limit=True),
            Panel("miss", "stat", (_standing("miss_percent"),), 12, 5, "percent",
                  ((None, "green"), (10.0, "orange"), (50.0, "red")), 1),
            Panel("unknown_time", "stat", (_standing("unknown_s"),), 12, 5, "s"),
            Panel(
                "objectives", "table",
                (
                    Query(
                        "haidang_system",
                        ("objective_percent", "availability_percent", "budget_s", "budget_left_s", "down_s",
                         "unknown_s"),
                        ("name",), {"system": "$system"}, "max", now=True,
                    ),
                ), 24, 9,
                units={
                    "objective_percent": "percent", "availability_percent": "percent", "budget_s": "s",
                    "budget_left_s": "s", "down_s": "s", "unknown_s": "s",
                },
            ),
        ),
        (_SYSTEM,), "now-30d",
    ),
    Board(
        "prober",
        (
            Panel(
                "written", "stat", (Query("haidang", ("written_ms",), ("host",), fold="max", now=True),), 24, 4,
                "dateTimeFromNow",
            ),
            Panel("lag", "lines", _own("lag_mean_ms", "lag_max_ms"), 12, 8, "ms",
                  ((None, "green"), (2000.0, "red")), limit=True),
            Panel("slots", "lines", _own("slots", "slots_skipped"), 12, 8, "none"),
            Panel("own_losses", "lines", _own("icmp_dropped", "rates_dropped"), 12, 8, "none"),
            Panel("suspects", "lines", _own("suspects", "transitions_waiting"), 12, 8, "none"),
            Panel("spool", "lines", _own("store_buffered", "store_spooled", "store_rejected", "store_refused"), 12, 8,
                  "none"),
            Panel("processor", "lines", (Query("haidang", ("cpu_s",), ("host",), fold="max", counter=True,
                                               every_s=300),), 6, 8, "percentunit"),
            Panel("memory", "lines", (Query("haidang", ("rss_max_kib",), ("host",), fold="max", factor=1024),), 6, 8,
                  "bytes"),
        ),
    ),
)  # fmt: skip
