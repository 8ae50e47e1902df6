"""Asking the metric store from a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from config import Configuration
from haidang.clock import SystemClock
from haidang.settings import store_settings
from storage.metrics import MetricStore, open_store

T = TypeVar("T")
CLOSE_S = 2.0


def ask_store(configuration: Configuration, question: Callable[[MetricStore, int], Awaitable[T]]) -> T:
    """Put a question to the configured store.

    Parameters:
        configuration: names the store.
        question: gets the store, to read only, and the time now in UTC nanoseconds.

    Raises:
        StoreError: the store cannot answer.
    """

    async def asking() -> T:
        store = open_store(store_settings(configuration), SystemClock())
        try:
            return await question(store, time.time_ns())
        finally:
            await store.close(CLOSE_S)

    return asyncio.run(asking())
