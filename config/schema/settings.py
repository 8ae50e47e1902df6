"""The daemon's own settings: logging, storage, probing, confirmation. They stand in the main file only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from config.errors import quoted
from config.schema.network import DnsName, DnsType, Network
from config.schema.values import Bytes, Refusal, Section, Slug, line, number, say_seconds, seconds, whole
from config.secrets import Secret

DAY_S = 86400.0
MOST_ECHOES_PER_SECOND = 10


class Logging(Section):
    """How the daemon logs."""

    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else json")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least severe lines to log")


class Retention(Section):
    """How long the embedded store keeps what was measured."""

    raw_s: Annotated[float, seconds(3600, 366 * DAY_S)] = Field(
        7 * DAY_S, alias="raw", description="single measurements"
    )
    five_minutes_s: Annotated[float, seconds(DAY_S, 3660 * DAY_S)] = Field(
        400 * DAY_S, alias="five_minutes", description="five-minute summaries"
    )
    hours_s: Annotated[float, seconds(DAY_S, 18300 * DAY_S)] = Field(
        1830 * DAY_S, alias="hours", description="hourly summaries"
    )

    @model_validator(mode="after")
    def _growing(self) -> Retention:
        for finer, coarser in (("raw", "five_minutes"), ("five_minutes", "hours")):
            if getattr(self, f"{finer}_s") > getattr(self, f"{coarser}_s"):
                raise Refusal(f"summaries must be kept at least as long as what they sum up ({finer})", key=coarser)
        return self


class InfluxDb(Section):
    """The InfluxDB, or what speaks its language, that measurements are written to."""

    url: Annotated[str, line(500)] = Field("http://127.0.0.1:8086", description="where it listens")
    flavour: Literal["auto", "v1", "v2", "v3", "victoriametrics"] = Field("auto", description="auto: ask the server")
    database: Annotated[str, line()] = Field("haidang", description="database of 1.x and 3.x")
    org: Annotated[str, line()] | None = Field(None, description="organisation of 2.x")
    bucket: Annotated[str, line()] | None = Field(None, description="bucket of 2.x")
    token: Secret | None = Field(None, description="token of 2.x and 3.x")
    username: Annotated[str, line()] | None = Field(None, description="user of 1.x")
    password: Secret | None = Field(None, description="password of 1.x")
    timeout_s: Annotated[float, seconds(1, 300)] = Field(10.0, alias="timeout", description="for one request")
    spool_max_bytes: Bytes = Field(
        2 * 1024**3, alias="spool_max", description="how much may wait on disk while the store is away"
    )

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            parts, fine = None, False
        if parts is not None and (parts.username is not None or parts.password is not None):
            raise Refusal("a user or password in the address is a secret in clear: use username and password, or token")
        if not fine or " " in value:
            raise Refusal(f"{quoted(value)} is not an address of a server: write http://HOST:PORT or https://HOST:PORT")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> InfluxDb:
        if self.spool_max_bytes < 1024**2:
            raise Refusal("at least 1MiB must be allowed to wait", key="spool_max")
        if (self.username is None) != (self.password is None):
            raise Refusal(
                "username and password belong together", key="password" if self.username is None else "username"
            )
        if self.token is not None and self.username is not None:
            raise Refusal("give a token (2.x, 3.x) or username and password (1.x), not both", key="token")
        if self.flavour == "v2":
            for key in ("org", "bucket", "token"):
                if getattr(self, key) is None:
                    raise Refusal(f"InfluxDB 2.x needs {key} as well", key="flavour")
        return self


class Storage(Section):
    """Where measurements go. The ledger of availability is always in data_dir."""

    kind: Literal["embedded", "influxdb"] = Field("embedded", description="embedded: SQLite files in data_dir")
    retention: Retention = Field(default_factory=Retention, description="of the embedded store")
    influxdb: InfluxDb = Field(default_factory=InfluxDb, description="used with kind: influxdb")


class IcmpSettings(Section):
    """How targets are pinged: a burst of echoes spread over each cadence."""

    cadence_s: Annotated[float, seconds(1, DAY_S)] = Field(10.0, alias="cadence", description="time between bursts")
    echoes: Annotated[int, whole(1, 1000)] = Field(5, description="echo requests per cadence")
    timeout_s: Annotated[float, seconds(0.05, 60)] = Field(2.0, alias="timeout", description="wait for each answer")
    size: Annotated[int, whole(16, 65000)] = Field(56, description="payload in bytes")
    dscp: Annotated[int, whole(0, 63)] = Field(0, description="DSCP of the requests")

    def problems(self) -> Iterator[tuple[str, str]]:
        """Find what does not fit together, as key and message; over effective settings, not over one place's part."""
        if self.echoes > self.cadence_s * MOST_ECHOES_PER_SECOND:
            yield (
                "echoes",
                (
                    f"{self.echoes} echoes do not fit a cadence of {say_seconds(self.cadence_s)}: "
                    f"at most {MOST_ECHOES_PER_SECOND} per second are sent to one target"
                ),
            )
        yield from before_the_next(self.timeout_s, self.cadence_s)


class SnmpSettings(Section):
    """How SNMP agents are polled."""

    cadence_s: Annotated[float, seconds(1, DAY_S)] = Field(60.0, alias="cadence", description="time between polls")
    timeout_s: Annotated[float, seconds(0.05, 60)] = Field(2.0, alias="timeout", description="wait for each answer")
    retries: Annotated[int, whole(0, 10)] = Field(2, description="further tries of a request")
    budget_s: Annotated[float, seconds(0.1, 3600)] = Field(
        30.0, alias="budget", description="for one poll; what came is kept"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """See `IcmpSettings.problems`."""
        if self.budget_s > self.cadence_s:
            budget, cadence = say_seconds(self.budget_s), say_seconds(self.cadence_s)
            yield "budget", f"the budget {budget} is longer than the cadence {cadence}"
        if self.timeout_s > self.budget_s:
            timeout, budget = say_seconds(self.timeout_s), say_seconds(self.budget_s)
            yield "timeout", f"the timeout {timeout} is longer than the budget {budget} of a whole poll"


class DnsSettings(Section):
    """What DNS servers are asked."""

    cadence_s: Annotated[float, seconds(1, DAY_S)] = Field(60.0, alias="cadence", description="time between questions")
    timeout_s: Annotated[float, seconds(0.05, 60)] = Field(3.0, alias="timeout", description="wait for the answer")
    name: DnsName = Field(".", description="the name asked for")
    type: DnsType = Field("SOA", description="the record type asked for")

    def problems(self) -> Iterator[tuple[str, str]]:
        """See `IcmpSettings.problems`."""
        yield from before_the_next(self.timeout_s, self.cadence_s)


class QualitySettings(Section):
    """How the quality of a line for voice and video is measured: bursts of marked echoes (docs/probes.md)."""

    cadence_s: Annotated[float, seconds(10, DAY_S)] = Field(300.0, alias="cadence", description="time between bursts")
    marks: tuple[Literal["best-effort", "cs3", "af31", "af41", "ef"], ...] = Field(
        ("ef",), description="one burst for each, one after the other; ef is for voice, af41 for video (RFC 4594)"
    )
    count: Annotated[int, whole(5, 3000)] = Field(50, description="echoes of a burst")
    interval_s: Annotated[float, seconds(0.01, 1)] = Field(
        0.02, alias="interval", description="their distance; voice sends a packet each 20 ms"
    )
    size: Annotated[int, whole(16, 1472)] = Field(172, description="payload in bytes; 172 is a packet of G.711 in RTP")
    timeout_s: Annotated[float, seconds(0.05, 10)] = Field(2.0, alias="timeout", description="wait after the last echo")
    codec: Literal["g711", "g711-plc", "g729a", "g723.1", "gsm-efr"] = Field(
        "g711-plc", description="whose sound the MOS is for"
    )
    jitter_buffer_s: Annotated[float, seconds(0.001, 1)] = Field(
        0.04, alias="jitter_buffer", description="how long a receiver waits for late packets"
    )
    min_mos: Annotated[float, number(1, 4.5)] = Field(3.6, description="degraded below this MOS")

    def problems(self) -> Iterator[tuple[str, str]]:
        """See `IcmpSettings.problems`."""
        if len(set(self.marks)) < max(1, len(self.marks)):
            yield "marks", "each of best-effort, cs3, af31, af41, ef at most once, and one of them at least"
        lasts_s = len(self.marks) * (self.count * self.interval_s + self.timeout_s)
        if lasts_s > self.cadence_s:
            lasts, cadence = say_seconds(lasts_s), say_seconds(self.cadence_s)
            yield "count", f"its bursts can last {lasts}, longer than the cadence {cadence}"


class HostSettings(Section):
    """How this machine is read."""

    cadence_s: Annotated[float, seconds(1, DAY_S)] = Field(30.0, alias="cadence", description="time between readings")


def before_the_next(timeout_s: float, cadence_s: float) -> Iterator[tuple[str, str]]:
    """Find a timeout that reaches into the next slot, as key and message."""
    if timeout_s >= cadence_s:
        timeout, cadence = say_seconds(timeout_s), say_seconds(cadence_s)
        yield "timeout", f"the timeout {timeout} must be shorter than the cadence {cadence}"


class Probing(Section):
    """How things are probed where a target says nothing else."""

    allow: tuple[Network, ...] = Field(
        (), description="networks that targets given by number must be in; empty: any. Guards against typing errors"
    )
    icmp: IcmpSettings = Field(default_factory=IcmpSettings, description="pings")
    snmp: SnmpSettings = Field(default_factory=SnmpSettings, description="SNMP polls")
    dns: DnsSettings = Field(default_factory=DnsSettings, description="DNS questions")
    profiles: tuple[Annotated[str, line(1000)], ...] = Field(
        (), description="own device profiles: YAML files or patterns, relative to this file (docs/profiles.md)"
    )
    host: HostSettings = Field(default_factory=HostSettings, description="this machine's own readings")

    @cached_property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The allowed networks as objects."""
        return tuple(map(ipaddress.ip_network, self.allow))


class Confirmation(Section):
    """When a failure counts as confirmed, a recovery as stable, and what is worse than well without being down."""

    failures: Annotated[int, whole(1, 1000)] = Field(5, description="failed samples in a row that are needed, and")
    span_s: Annotated[float, seconds(0, 3600)] = Field(
        54.0, alias="span", description="the time they must be spread over"
    )
    fast_cadence_s: Annotated[float, seconds(1, 60)] = Field(
        1.0, alias="fast_cadence", description="cadence while a target is suspect"
    )
    clear_span_s: Annotated[float, seconds(0, 3600)] = Field(
        30.0, alias="clear_span", description="how long it must be well again, with"
    )
    clear_samples: Annotated[int, whole(1, 1000)] = Field(3, description="at least so many good samples")
    settle_s: Annotated[float, seconds(0, 3600)] = Field(
        300.0, alias="settle", description="after what it hangs on is back: how long it may take to come back itself"
    )
    loss_percent: Annotated[float, number(0, 100)] = Field(
        5.0, alias="loss", description="percent of lost packets from which it is degraded; 0: never"
    )
    delay_s: Annotated[float, seconds(0.001, 60)] | None = Field(
        None, alias="delay", description="round-trip time from which it is degraded; default: twice its usual and 10 ms"
    )
    flap_changes: Annotated[int, whole(2, 60)] = Field(4, description="so many changes between up and down within")
    flap_window_s: Annotated[float, seconds(60, DAY_S)] = Field(
        3600.0, alias="flap_window", description="this time are flapping: one message, one when it ends"
    )
    brief_s: Annotated[float, seconds(1, 3600)] = Field(
        20.0, alias="brief", description="shorter outages than span, from this on, count toward flapping"
    )


class Confirmations(Confirmation):
    """The general rule, and what differs by role."""

    roles: dict[Slug, Confirmation] = Field(
        default_factory=dict, description="by role of a target: what differs for it"
    )

    def of_role(self, role: str) -> Confirmation | None:
        """Return what differs for a role."""
        return self.roles.get(role)
