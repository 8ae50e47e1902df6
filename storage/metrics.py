"""Metric stores: the contract, and the choice between the embedded one, a remote one and the one in memory.

`MetricStore` says in English what a store does; `open_store` makes the one that the settings describe;
`offline_status` tells how it is doing from its files, whether or not the daemon runs.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from haidang.clock import Clock
from storage import spool
from storage.database import has_table, open_reader
from storage.embedded.store import EmbeddedStore
from storage.metrics_buffer import counters
from storage.metrics_memory import InMemoryStore
from storage.metrics_model import (
    Curve,
    EmbeddedSettings,
    InfluxSettings,
    MetricStore,
    Query,
    StoreError,
    StoreSettings,
    StoreStatus,
)  # fmt: skip

__all__ = [
    "Curve", "EmbeddedSettings", "InMemoryStore", "InfluxSettings", "MetricStore", "Query", "StoreError",
    "StoreSettings", "StoreStatus", "offline_status", "open_store",
]  # fmt: skip


def open_store(settings: StoreSettings, clock: Clock) -> MetricStore:
    """Make the store that the settings describe. Its file is opened by its own thread when first needed."""
    if isinstance(settings, EmbeddedSettings):
        return EmbeddedStore(settings, clock)
    from storage.influx.store import InfluxStore  # noqa: PLC0415 its client takes 22 MB that others need not pay

    return InfluxStore(settings, clock)


def offline_status(settings: StoreSettings) -> StoreStatus:
    """Tell how a store is doing, from its files, read-only. Buffers and the newest error are known to the daemon only.

    Raises:
        DatabaseError: the file is missing or cannot be read.
        StoreError: the file is damaged.
    """
    embedded = isinstance(settings, EmbeddedSettings)
    path = settings.path if isinstance(settings, EmbeddedSettings) else settings.spool
    try:
        with closing(open_reader(path)) as connection:
            if not has_table(connection, "counter"):  # made, and then the disk was full: nothing is in it yet
                counted, held = {}, spool.SpoolState(0, 0, None, {})
            elif embedded:
                counted, held = counters(connection), spool.SpoolState(0, 0, None, {})
            else:
                held = spool.state(connection)
                counted = held.counters
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error})") from error
    return StoreStatus(
        kind="embedded" if isinstance(settings, EmbeddedSettings) else settings.flavour,
        spooled=held.points,
        written=counted.get("written", 0),
        rejected=counted.get("rejected", 0),
        refused=counted.get("refused", 0),
        oldest_unsent_ns=held.oldest_ns,
        last_canary_ns=counted.get("canary"),
    )
