"""What all probes have in common: one try with a deadline, phases timed apart, and an end told in words.

A probe is a coroutine function ``(attempt, settings) -> None``. It talks to ``attempt.address``, times its parts with
``attempt.phase``, writes numbers into ``attempt.fields``, and

    returns        the thing answered and is well; what is worse than it should be stands in ``attempt.warnings``
    raises Down    it answered, and is not well or not what it should be
    raises OSError, TimeoutError    there was no answer; `observe` puts that into words

It never stores, alerts, retries beyond its protocol's own rules or looks at another target.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from haidang.clock import Clock
from haidang.model import FieldValue, Observation, Sample, Status
from probes.threads import in_thread

logger = structlog.get_logger(__name__)

SHOWN = 120
_OUR_OWN_FAULT = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT, errno.EINVAL,
})  # fmt: skip
"""Errors of this machine: nothing left it. Any other is an answer of the server or of the way to it."""


class Down(Exception):
    """What answered is not well; the text is the reason, in words for a person."""


class OwnFault(Exception):
    """The probe could not be made, through no fault of the peer: a file that cannot be read, a dead resolver."""


class BadSettings(ValueError):
    """The settings make no sense; the text says which and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every probe can be told.

    Parameters:
        port: TCP or UDP; 0 is the protocol's own.
        timeout_s: deadline for everything together.
        dscp: differentiated services code point of what is sent, 0 to 63 (RFC 2474).
    """

    port: int = 0
    timeout_s: float = 5.0
    dscp: int = 0


SomeSettings = TypeVar("SomeSettings", bound=Settings)


class Attempt:
    """One try of a probe.

    Parameters:
        host: as it was written, a name or an address.
        address: numeric; empty until the name is looked up.
        clock: for what is compared with the time of day.
        timeout_s: of the whole try.
        dscp: of what is sent.

    Attributes:
        fields: what was measured, the unit in the name.
        warnings: what is worse than it should be, though it answers.
        doing: what is under way, for the reason when the deadline passes.
        part: which of several steps is under way; it stands before every reason that is not UP.
        noted: what the peer said of itself, for a person.
        resolving: a name is being looked up: whoever waits then waits for this machine's resolver.
        heard: the beginning of an answer that is not whole yet; told when the deadline passes.
    """

    def __init__(self, host: str, address: str, clock: Clock, timeout_s: float, dscp: int = 0) -> None:
        self.host = host
        self.address = address
        self.clock = clock
        self.timeout_s = timeout_s
        self.dscp = dscp
        self.fields: dict[str, FieldValue] = {}
        self.warnings: list[str] = []
        self.doing = ""
        self.part = ""
        self.heard: bytearray | bytes = b""
        self.resolving = False

    @contextmanager
    def phase(self, name: str, doing: str) -> Iterator[None]:
        """Time a part as the field ``NAME_ms``; parts of the same name add up. One that fails leaves no time.

        Parameters:
            name: of the field.
            doing: the same in words: "connecting".
        """
        self.doing = doing
        began = time.perf_counter()
        yield
        key = f"{name}_ms"
        before = self.fields.get(key, 0.0)
        self.fields[key] = (before if isinstance(before, float) else 0.0) + (time.perf_counter() - began) * 1e3

    async def resolve(self, host: str) -> str:
        """Return a host's address; looking a name up is the phase ``dns``.

        Raises:
            Down: there is no such name.
            OwnFault: this machine's resolver does not say.
        """
        if is_numeric(host):
            return host
        with self.phase("dns", f"looking {shown(host)} up"):
            self.resolving = True
            try:
                found = await in_thread(
                    lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), f"look up {shown(host)}"
                )
            except (socket.gaierror, UnicodeError) as error:
                if isinstance(error, socket.gaierror) and error.errno != socket.EAI_NONAME:
                    raise OwnFault(f"this machine's resolver fails on {shown(host)}: {error.strerror}") from error
                raise Down(f"there is no name {shown(host)}") from error
        self.resolving = False
        return str(found[0][4][0])


Probe = Callable[[Attempt, SomeSettings], Awaitable[None]]


async def observe(
    name: str, run: Callable[[Attempt], Awaitable[None]], *, clock: Clock, target: str, host: str, address: str = "",
    timeout_s: float, dscp: int = 0, slot_ns: int | None = None,
) -> Observation:  # fmt: skip
    """Make one try and tell what came of it, `timeout_s` after its beginning at the latest.

    Parameters:
        name: the probe's.
        run: the probe with its settings.
        clock: stamps the observation.
        target: id for the observation.
        host: as written; looked up when it is a name and no ``address`` is given.
        address: its numeric address where that is known.
        timeout_s, dscp: see `Settings`.
        slot_ns: the scheduled time, now when ``None``.

    Raises:
        BadSettings: as the probe raises it.
    """
    slot_ns = slot_ns or clock.utc_ns()
    attempt = Attempt(host, address, clock, timeout_s, dscp)
    status, reason, no_route = Status.DOWN, "", False
    began = time.perf_counter()
    deadline = asyncio.timeout(timeout_s)
    try:
        async with deadline:
            attempt.address = address or await attempt.resolve(host)
            await run(attempt)
        status = Status.UP
        reason = "; ".join(attempt.warnings)
    except Down as down:
        reason = str(down)
        if reason.endswith(": "):  # an empty page, an empty line
            reason += "nothing"
    except TimeoutError as error:
        if not deadline.expired():  # the kernel gave up before us
            reason = f"{(error.strerror or 'timed out').lower()} while {attempt.doing}"
        else:
            reason = f"no answer within {timeout_s:g} s, while {attempt.doing}"
            if attempt.resolving:
                status = Status.UNKNOWN
            elif attempt.heard:
                reason += f", so far it said {shown(bytes(attempt.heard), 40)}"
    except OSError as error:
        no_route = error.errno in (errno.ENETUNREACH, errno.ENETDOWN)
        status = Status.UNKNOWN if error.errno in _OUR_OWN_FAULT else Status.DOWN
        words = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        reason = f"{words.lower()} while {attempt.doing}"
    except OwnFault as fault:
        status, reason = Status.UNKNOWN, str(fault)
    except BadSettings:
        raise  # settings that make no sense: the operator is told at once
    except Exception as error:  # noqa: BLE001 a fault in one probe's code is no verdict on the target
        logger.exception("probe failed", probe=name, target=target)
        status, reason = Status.UNKNOWN, f"{FAULT}: {type(error).__name__}"
    if status is not Status.UP and attempt.part:
        reason = f"{attempt.part}: {reason}"
    duration_ms = (time.perf_counter() - began) * 1e3
    # Stamped at the end, so that a step of the wall clock meanwhile does not leave a time of the old one.
    sample = Sample(clock.utc_ns() - round(duration_ms * 1e6), status is Status.UP)
    return Observation(
        target, name, slot_ns, status, reason, attempt.fields, duration_ms,
        () if status is Status.UNKNOWN else (sample,), no_route=no_route,
        warning=reason if status is Status.UP else "",
    )  # fmt: skip


FAULT = "a fault of this program, please report it with the log"


def is_numeric(host: str) -> bool:
    """Tell whether this is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def shown(text: str | bytes, most: int = SHOWN) -> str:
    """Make hostile text fit for a reason: one line, printable, not long; bytes that cannot be read in hexadecimal."""
    data = text if isinstance(text, bytes) else b""
    if isinstance(text, bytes):
        text = text[: 4 * most].decode("utf-8", "replace")
    clean = "".join(char if char.isprintable() else " " for char in text[: 4 * most]).strip()
    readable = sum(char not in " \ufffd" for char in clean)
    if data and 3 * readable < len(text):  # to an expert its bytes tell more than blanks do
        clean = data[:most].hex(" ")
    return clean if len(clean) <= most else clean[: most - 1] + "…"
