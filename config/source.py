"""Reads a file that may be anything: only regular files, only so many bytes, only clean UTF-8."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path

from config.tree import Mark

MEBIBYTE = 1024 * 1024
LARGEST_FILE = MEBIBYTE
"""bytes of one YAML file"""
LARGEST_TABLE = 16 * MEBIBYTE
"""bytes of one CSV file: reading it costs a tenth of what YAML costs"""
LARGEST_WHOLE = 64 * MEBIBYTE
"""bytes of all files of one configuration"""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Unreadable(Exception):
    """A file's content cannot be taken.

    Parameters:
        message: why, with the cure.
        mark: where in the file; ``None`` when it is about the file as a whole.
    """

    def __init__(self, message: str, mark: Mark | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes; never waits on a FIFO or a device.

    Raises:
        Unreadable: it is not there, may not be read, is no regular file, or is too large.
    """
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise Unreadable("there is no such file") from error
    except PermissionError as error:
        raise Unreadable("no permission to read this file") from error
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise Unreadable("this is a directory, not a file")
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("this is not a regular file")
        if facts.st_size > limit:
            raise too_large(facts.st_size, limit)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(content) > limit:  # it grew meanwhile
        raise too_large(len(content), limit)
    return content


def too_large(size: int, limit: int) -> Unreadable:
    """Say that a file has more bytes than are read, and the cure."""
    return Unreadable(
        f"the file has {size:,} bytes, more than the {limit:,} ({limit // MEBIBYTE} MiB) allowed in one file: "
        "split it and list the parts under include or inventory"
    )


def decode(content: bytes) -> str:
    """Turn a file's bytes into text, with or without a byte order mark.

    Raises:
        Unreadable: not UTF-8, or a character that has no place in a configuration, with its place.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("the file is UTF-16, not UTF-8: save it as UTF-8", Mark(1, 1))
    content = content.removeprefix(codecs.BOM_UTF8)
    if (at := content.find(0)) >= 0:
        raise Unreadable(f"NUL byte at offset {at}: this is no text file", _mark(content[:at].decode(errors="replace")))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="replace")
        raise Unreadable(
            f"not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}: save the file as UTF-8",
            _mark(before),
        ) from error
    if found := _CONTROL.search(text):
        raise Unreadable(f"control character U+{ord(found[0]):04X} is not allowed", _mark(text[: found.start()]))
    return text


def _mark(before: str) -> Mark:
    """Return the place right behind a text."""
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
