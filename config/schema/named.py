"""The base of everything that has an id and a name for people."""

from __future__ import annotations

from pydantic import Field

from config.schema.values import Section, Slug, Text


class Named(Section):
    """Base of what has an id, and a name for people."""

    id: Slug = Field(description="how others refer to it; never changes, the ledger knows it by this")
    name: Text | None = Field(None, description="for people: a text, or one per language; default: the id")

    def label(self, language: str) -> str:
        """Return the name for a person who reads ``vi`` or ``en``."""
        return self.name.language(language) if self.name else self.id
