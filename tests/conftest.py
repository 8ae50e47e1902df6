"""What all tests have in common."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes on a busy machine says nothing about the code.
settings.register_profile("haidang", deadline=None)
settings.load_profile("haidang")
