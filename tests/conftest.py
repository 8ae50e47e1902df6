"""Fixtures that several rooms' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.netns import Namespace, namespace


@pytest.fixture
def space() -> Iterator[Namespace]:
    """A network namespace of its own with loopback up."""
    with namespace() as made:
        yield made
