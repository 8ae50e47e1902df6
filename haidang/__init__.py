"""Haidang, the lighthouse: watches networks and services, keeps the ledger of what was available, warns in time."""

__version__ = "0.1.0"
