"""What all tests have in common: fixtures that several rooms share, and how examples are judged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.support.netns import Namespace, namespace

# How long an example takes on a busy machine says nothing about the code.
settings.register_profile("haidang", deadline=None)
settings.load_profile("haidang")


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A command that ran in this process leaves the log to a standard error that is gone by the next test."""
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


@pytest.fixture
def space() -> Iterator[Namespace]:
    """A network namespace of its own with loopback up."""
    with namespace() as made:
        yield made
