"""Backups by their files: of those that match a pattern, how old the newest is and how large.

A backup that is still being written is no backup yet: a file counts once it has not changed for a while. Two things are
told apart: there is none (*down*), and we cannot tell (*unknown*: the folder may not be read, or does not answer).
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from haidang.clock import Clock
from haidang.model import FieldValue, Observation, Sample, Status

MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Which files are looked at.

    Parameters:
        pattern: absolute path with ``*``, ``?``, ``[…]``, and ``**`` for folders at any depth.
        settle_s: a file that changed later than this is still being written, seconds.
    """

    pattern: str
    settle_s: float = 60.0


def look(clock: Clock, target: str, settings: BackupSettings, *, slot_ns: int | None = None) -> Observation:
    """Look at the files. Not for the event loop: a dead network file system can hold it for long.

    Fields: ``age_s`` and ``size_bytes`` of the newest, ``files`` that match, ``newest`` its name.
    """
    began, now_ns = clock.monotonic_ns(), clock.utc_ns()
    fields: dict[str, FieldValue] = {}
    try:
        status, reason = _judge(settings, now_ns, fields)
    except OSError as error:
        status, reason = (
            Status.UNKNOWN,
            f"{error.filename or settings.pattern}: {(error.strerror or str(error)).lower()}",
        )
    samples = () if status is Status.UNKNOWN else (Sample(now_ns, ok=status is Status.UP),)
    took_ms = (clock.monotonic_ns() - began) / 1e6
    return Observation(target, "backup", slot_ns or now_ns, status, reason, fields, took_ms, samples)


def _judge(settings: BackupSettings, now_ns: int, fields: dict[str, FieldValue]) -> tuple[Status, str]:
    settled_ns = now_ns - round(settings.settle_s * 1e9)
    count = writing = 0
    newest: tuple[int, int, str] | None = None
    for name, found in islice(_files(settings.pattern), MOST_FILES + 1):
        count += 1
        if found.st_mtime_ns > settled_ns and found.st_mtime_ns <= now_ns:
            writing += 1
        elif newest is None or found.st_mtime_ns > newest[0]:
            newest = (found.st_mtime_ns, found.st_size, name)
    if count > MOST_FILES:
        return Status.UNKNOWN, f"more than {MOST_FILES} files match {settings.pattern}: name fewer"
    fields["files"] = count
    if newest is not None:
        changed_ns, size, name = newest
        fields |= {
            "age_s": round(max(0, now_ns - changed_ns) / 1e9, 1), "size_bytes": size, "newest": Path(name).name
        }  # fmt: skip
        return Status.UP, ""
    if writing:
        return Status.UNKNOWN, f"the only file that matches {settings.pattern} is still being written"
    try:
        _look_into_folder(settings.pattern)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Status.DOWN, f"there is no folder {error.filename}: a share that is not mounted?"
    return Status.DOWN, f"no file matches {settings.pattern}"


def _files(pattern: str) -> Iterator[tuple[str, os.stat_result]]:
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 a pattern with an absolute start is no Path.glob
        try:
            found = Path(name).stat()
        except FileNotFoundError:  # deleted meanwhile, or a link to nothing
            continue
        if stat.S_ISREG(found.st_mode):
            yield name, found


def _look_into_folder(pattern: str) -> None:
    """Look whether the folder before the first sign of the pattern is there and may be read: glob says nothing.

    Raises:
        OSError: it may not.
    """
    folder = Path(pattern)
    while glob.has_magic(str(folder)) or folder == Path(pattern):
        folder = folder.parent
    with os.scandir(folder) as entries:
        next(entries, None)
