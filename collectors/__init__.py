"""Collectors: which probes a target gets, how often, and which metrics come of the answers."""
