"""The lab's mailbox: a Maildir that any mail program opens, and a reader for judges and tests."""

from __future__ import annotations

import asyncio
import email
import email.header
import email.message
import mailbox
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from haidang.clock import Clock

MOST_LETTERS = 50_000
_ARRIVED, _SENDER, _RECIPIENT = "X-Lab-Arrived", "Return-Path", "Delivered-To"


class Full(Exception):
    """There are too many letters already."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail that was taken.

    Parameters:
        arrived_ns: when it was complete, UTC nanoseconds of the lab's clock.
        sender, recipients: of the envelope: who sent it, and for whom this server took it.
        subject, message_id: of its head, decoded; empty when it has none.
        text: of its body, the plain one if there are several.
        source: the whole mail as it came, octets.
    """

    arrived_ns: int
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    text: str
    source: bytes


class Mailbox:
    """Letters in a folder; what another process puts in is seen too.

    Parameters:
        folder: the Maildir; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maildir = mailbox.Maildir(folder, create=True)
        self._turn = asyncio.Lock()
        self._count: int | None = None

    def letters(self) -> list[Letter]:
        """Read all letters, oldest first."""
        found = [_read(source) for key in self._maildir.keys() if (source := self._source(key))]  # noqa: SIM118 no dict
        return sorted(found, key=lambda letter: letter.arrived_ns)

    async def put(self, clock: Clock, sender: str, recipients: Sequence[str], source: bytes) -> None:
        """Keep a letter; it is on disk when this returns.

        Raises:
            Full: there are too many.
            OSError: the disk refuses.
        """
        async with self._turn:
            if self._count is None:
                self._count = await asyncio.to_thread(len, self._maildir)
            if self._count >= MOST_LETTERS:
                raise Full(f"there are {self._count} letters in {self.folder}")
            head = [f"{_ARRIVED}: {clock.utc_ns()}", f"{_SENDER}: <{_line(sender)}>"]
            head += [f"{_RECIPIENT}: {_line(recipient)}" for recipient in recipients]
            whole = "".join(f"{line}\n" for line in head).encode() + source
            await asyncio.to_thread(self._maildir.add, whole)
            self._count += 1

    def _source(self, key: str) -> bytes:
        try:
            return self._maildir.get_bytes(key)
        except (KeyError, OSError):  # taken away by a mail program meanwhile
            return b""


def _line(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\r", " ").replace("\n", " ")


def _read(whole: bytes) -> Letter:
    """Read a letter as it lies in the folder; whatever its sender wrote must not make this fail."""
    head, source = [], whole
    while source.startswith((f"{_ARRIVED}:".encode(), f"{_SENDER}:".encode(), f"{_RECIPIENT}:".encode())):
        line, _, source = source.partition(b"\n")
        head.append(line.decode("utf-8", "replace").partition(": ")[::2])
    ours = [(name, value.rstrip("\r")) for name, value in head]
    message = email.message_from_bytes(source)
    arrived = next((value for name, value in ours if name == _ARRIVED), "0")
    return Letter(
        int(arrived) if arrived.isdecimal() else 0,
        next((value[1:-1] for name, value in ours if name == _SENDER), ""),
        tuple(value for name, value in ours if name == _RECIPIENT),
        _decoded(message, "Subject"),
        _decoded(message, "Message-ID").strip(),
        _text(message),
        source,
    )


def _decoded(message: email.message.Message, name: str) -> str:
    value = str(message.get(name, ""))
    try:
        return str(email.header.make_header(email.header.decode_header(value))).replace("\n", "").replace("\r", "")
    except (LookupError, ValueError, email.errors.MessageError):
        return value


def _text(message: email.message.Message) -> str:
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    parts.sort(key=lambda part: part.get_content_subtype() != "plain")
    if not parts:
        return ""
    payload = parts[0].get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(parts[0].get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")
