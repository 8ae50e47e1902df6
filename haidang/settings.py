"""The configuration put into the words of the rooms that do not read it: metric store, catalogue of events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from config import Configuration, Secret, SecretUnavailable
from config.schema.settings import DAY_S
from storage.metrics import EmbeddedSettings, InfluxSettings, StoreSettings

logger = structlog.get_logger(__name__)


def known_events(configuration: Configuration) -> tuple[dict[str, Any], ...]:
    """Return the operator's own entries of the catalogue of traps and log messages, as `Catalogue` takes them."""
    return tuple(
        {
            "oid": one.oid, "says": one.says, "name": one.name, "severity": one.severity, "poll": one.poll,
            "vi": one.means.language("vi"), "en": one.means.language("en"),
        }
        for one in configuration.receivers.known
    )  # fmt: skip


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
