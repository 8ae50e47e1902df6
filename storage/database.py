"""SQLite files: opened the one right way, one writing connection a file, schema by numbered SQL migrations.

Errors: `DatabaseError` <- `DatabaseTooNew` (by a later version), `DatabaseDamaged` (not a database, or corrupt).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

import structlog

logger = structlog.get_logger(__name__)


class DatabaseError(Exception):
    """A database file cannot be used; the text names the file and the cure."""


class DatabaseTooNew(DatabaseError):
    """The file was written by a later version of haidang."""


class DatabaseDamaged(DatabaseError):
    """The file is not a database, or is corrupt."""


class Database:
    """One SQLite file and its one writing connection.

    Opened with WAL and ``synchronous=FULL``: once `transaction` has returned, its rows survive ``kill -9`` and a power
    cut. Two writing connections to a WAL file can corrupt it in SQLite before 3.51.3, so the daemon opens each file
    once and every other process opens it by `open_reader`.

    Parameters:
        path: the file; made with its tables when missing.
        schema: name of the folder under ``storage/migrations``.
        cross_thread: allow use from another thread; the caller then guarantees one user at a time.

    Raises:
        DatabaseTooNew, DatabaseDamaged, DatabaseError: as they say.
    """

    def __init__(self, path: Path, schema: str, *, cross_thread: bool = False) -> None:
        self.path = path
        self._depth = 0
        self.outcome: Callable[[sqlite3.Error | None], None] = lambda _: None
        """Told of each outermost transaction how it ended: ``None`` when it is on disk, else why it is not."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=not cross_thread)
        except (OSError, sqlite3.Error) as error:
            raise DatabaseError(
                f"{path}: cannot be opened ({error}); check the folder's owner and free space"
            ) from error
        try:
            self._prepare(schema)
        except DatabaseError:
            self.connection.close()
            raise
        except sqlite3.OperationalError as error:
            self.connection.close()
            raise DatabaseError(
                f"{path}: cannot be used ({error}); is another daemon using it, is the disk full, do all files there "
                "belong to the daemon's user (haidang doctor)?"
            ) from error
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise DatabaseDamaged(
                f"{path}: is damaged or not a database ({error}); move it away or restore a backup, then start again"
            ) from error

    def _prepare(self, schema: str) -> None:
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("PRAGMA foreign_keys=ON")
        self.connection.execute("PRAGMA busy_timeout=200")  # whoever else writes must not hold the probes up
        scripts = migrations(schema)
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > len(scripts):
            raise DatabaseTooNew(
                f"{self.path}: has schema {version}, this haidang knows up to {len(scripts)}; "
                "install the version that wrote it, or restore the backup made before the upgrade "
                f"({self.path.name}.schema-N, N up to {len(scripts)})"
            )
        if 0 < version < len(scripts):
            self._keep_copy(version)
        if version < len(scripts):
            with self.transaction():  # whole or not at all
                for statement in (one for script in scripts[version:] for one in statements(script)):
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA user_version={len(scripts)}")
            logger.debug("database migrated", file=str(self.path), before=version, schema=len(scripts))

    def _keep_copy(self, version: int) -> None:
        """Copy the file aside before an upgrade changes it, so that the way back is a rename."""
        copy = sqlite3.connect(self.path.with_name(f"{self.path.name}.schema-{version}"))
        try:
            self.connection.backup(copy)
        finally:
            copy.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Group writes: all of them are on disk when the outermost block ends, or none is.

        Blocks nest; only the outermost commits, so that a transition, its incident and its messages are one fact.
        An error inside any block undoes the whole.
        """
        if self._depth:
            self._depth += 1
            try:
                yield self.connection
            finally:
                self._depth -= 1
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield self.connection
            finally:
                self._depth = 0
            self.connection.execute("COMMIT")
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self.outcome(error)
            raise
        self.outcome(None)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        self.connection.close()


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a table is there; not in what an older version wrote and this one's daemon has not opened yet."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a database for reading only, while the daemon may be writing it.

    Raises:
        DatabaseError: the file is missing or cannot be read.
    """
    try:
        there = path.exists()
    except OSError as error:
        raise DatabaseError(
            f"{path}: {(error.strerror or str(error)).lower()}; reading needs the rights of the daemon's user "
            "(sudo -u haidang …)"
        ) from error
    if not there:
        raise DatabaseError(f"{path}: is not there yet; has the daemon run with this configuration (haidang run)?")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        try:
            return _read_only(uri)
        except sqlite3.OperationalError:
            # After an orderly end there is no log to read, and who may not write cannot make one either.
            if path.with_name(f"{path.name}-wal").exists():
                raise
            return _read_only(f"{uri}&immutable=1")
    except sqlite3.Error as error:
        raise DatabaseError(
            f"{path}: cannot be read ({error}); reading needs the rights of the daemon's user (sudo -u haidang …)"
        ) from error


def _read_only(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout=5000")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def unread(path: Path, error: sqlite3.Error) -> str:
    """Say why a file that `open_reader` opened could not be read: of another version's form, or what SQLite says.

    Parameters:
        path: named like its schema, as all of ours are.
        error: what reading it ended with.
    """
    known = len(migrations(path.stem))
    try:
        with closing(open_reader(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except (DatabaseError, sqlite3.Error):
        version = known
    if version < known:
        return (
            f"{path}: has schema {version}, an older version's; this haidang's daemon brings it to {known} "
            "when it starts, and keeps a copy"
        )
    if version > known:
        return f"{path}: has schema {version}, a later version's; this haidang knows up to {known}"
    return f"{path}: cannot be read ({error})"


def migrations(schema: str) -> list[str]:
    """Return the SQL scripts of a schema in order; the first makes an empty file's tables."""
    folder = resources.files("storage") / "migrations" / schema
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def statements(script: str) -> Iterator[str]:
    """Split a script into statements (``executescript`` would commit each and lose the transaction)."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
