"""Many examples on one database: what each of them did is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from storage.database import Database


class _Undone(Exception):
    """Not an error: it ends a transaction without keeping it."""


@contextmanager
def undone(database: Database) -> Iterator[Database]:
    """Take everything back that is written inside; making a file anew for each example takes ten times as long."""
    with suppress(_Undone), database.transaction():
        yield database
        raise _Undone
