"""The lab's mailbox: a Maildir that any mail program opens, and a reader for judges and tests."""

from __future__ import annotations

import asyncio
import email
import email.errors
import email.header
import email.message
import mailbox
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from haidang.clock import Clock

MOST_LETTERS = 50_000
_ARRIVED, _SENDER, _RECIPIENT = "X-Lab-Arrived", "Return-Path", "Delivered-To"
_BREAK = re.compile(r"[\r\n]")


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
        found = [read(source) for key in self._maildir.keys() if (source := self._source(key))]  # noqa: SIM118 no dict
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
            self._count += 1  # first: a client that goes away meanwhile does not stop the thread
            await asyncio.to_thread(self._maildir.add, frame(clock.utc_ns(), sender, recipients) + source)

    def _source(self, key: str) -> bytes:
        try:
            return self._maildir.get_bytes(key)
        except (KeyError, OSError):  # taken away by a mail program meanwhile
            return b""


def frame(arrived_ns: int, sender: str, recipients: Sequence[str]) -> bytes:
    """Write what is put before a letter: its envelope and, last, when it came."""
    rows = [*((_RECIPIENT, one) for one in recipients), (_SENDER, f"<{sender}>"), (_ARRIVED, str(arrived_ns))]
    lines = (f"{name}: {_BREAK.sub(' ', value)}\n" for name, value in rows)
    return "".join(lines).encode("utf-8", "replace")


def read(whole: bytes) -> Letter:
    """Read a letter as it lies in the folder; whatever its sender wrote must not make this fail."""
    ours: dict[str, list[str]] = {_RECIPIENT: [], _SENDER: [], _ARRIVED: []}
    source = whole
    while source and not ours[_ARRIVED]:  # what its sender may have written under the same names comes behind that
        line, _, source = source.partition(b"\n")
        name, _, value = line.decode("utf-8", "replace").partition(": ")
        ours.get(name, []).append(value)
    if not ours[_ARRIVED]:
        ours, source = {_RECIPIENT: [], _SENDER: ["<>"], _ARRIVED: ["0"]}, whole
    message = email.message_from_bytes(source)
    arrived = ours[_ARRIVED][0]
    return Letter(
        int(arrived) if re.fullmatch(r"[0-9]{1,20}", arrived) else 0,
        "".join(ours[_SENDER])[1:-1],
        tuple(ours[_RECIPIENT]),
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
