"""The configuration put into the words of the rooms that do not read it: receiver and metric store."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import structlog

from collectors.plan import snmp_user
from collectors.receiver import Listening, ReceiverSettings
from config import Configuration, Secret, SecretUnavailable
from config.schema.receivers import SEVERITIES
from config.schema.settings import DAY_S
from storage.metrics import EmbeddedSettings, InfluxSettings, StoreSettings

logger = structlog.get_logger(__name__)


def listening(configuration: Configuration) -> Listening:
    """Say where traps and logs are received."""
    traps, syslog = configuration.receivers.traps, configuration.receivers.syslog
    logs = tuple((host, syslog.port) for host in syslog.listen) if syslog else ()
    return Listening(
        tuple((host, traps.port) for host in traps.listen) if traps else (),
        logs if syslog and syslog.udp else (), logs if syslog and syslog.tcp else (),
    )  # fmt: skip


def receiver_settings(configuration: Configuration) -> ReceiverSettings:
    """Say what is received; secrets are read now, and a user whose secret cannot be read is not heard (loudly)."""
    users = []
    for credential in configuration.trap_credentials:
        try:
            users.append(snmp_user(credential))
        except (SecretUnavailable, ValueError) as error:
            logger.error("traps of this user are not believed", credential=credential.id, reason=str(error))  # noqa: TRY400 no trace
    receivers = configuration.receivers
    severity = receivers.syslog.severity if receivers.syslog else "warning"
    return ReceiverSettings(
        tuple(users), _engine_id(), most_per_source=receivers.most_per_source, most_in_all=receivers.most_in_all,
        syslog_severity=SEVERITIES.index(severity), known=known_events(configuration),
    )  # fmt: skip


def known_events(configuration: Configuration) -> tuple[dict[str, Any], ...]:
    """Return the operator's own entries of the catalogue of traps and log messages, as `Catalogue` takes them."""
    return tuple(
        {
            "oid": one.oid, "says": one.says, "name": one.name, "severity": one.severity, "poll": one.poll,
            "vi": one.means.language("vi"), "en": one.means.language("en"),
        }
        for one in configuration.receivers.known
    )  # fmt: skip


def _engine_id() -> bytes:
    """Make our SNMP engine ID (RFC 3411): the same as long as the machine is; the number is that for examples."""
    try:
        machine = Path("/etc/machine-id").read_bytes()
    except OSError:
        machine = socket.gethostname().encode()
    return (0x80000000 | 32473).to_bytes(4, "big") + b"\x05" + hashlib.sha256(b"haidang" + machine).digest()[:12]


def store_settings(configuration: Configuration) -> StoreSettings:
    """Say where measurements go."""
    storage, folder = configuration.storage, configuration.data_dir
    if storage.kind == "embedded":
        kept = storage.retention
        return EmbeddedSettings(
            folder / "metrics.db",
            raw_days=max(1, round(kept.raw_s / DAY_S)),
            five_minute_days=round(kept.five_minutes_s / DAY_S),
            hourly_days=round(kept.hours_s / DAY_S),
        )
    influx = storage.influxdb
    return InfluxSettings(
        Path(folder, "spool.db"), influx.url, influx.flavour, influx.database, influx.bucket or "", influx.org or "",
        _secret(influx.token), influx.username or "", _secret(influx.password),
        spool_max_bytes=influx.spool_max_bytes, timeout_s=influx.timeout_s,
    )  # fmt: skip


def _secret(secret: Secret | None) -> str:
    """Read a secret of the store; a store that wants it refuses us without, and points wait in the spool."""
    if secret is None:
        return ""
    try:
        return secret.read()
    except SecretUnavailable as error:
        logger.error("the store's secret cannot be read, written to without it", reason=str(error))  # noqa: TRY400 no trace
        return ""
