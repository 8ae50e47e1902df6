"""What all tests have in common: fixtures that several rooms share, and how examples are judged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.netns import Namespace, namespace

# How long an example takes on a busy machine says nothing about the code.
settings.register_profile("haidang", deadline=None)
settings.load_profile("haidang")


@pytest.fixture
def space() -> Iterator[Namespace]:
    """A network namespace of its own with loopback up."""
    with namespace() as made:
        yield made
