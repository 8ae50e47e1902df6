"""PostgreSQL (Frontend/Backend Protocol 3.0): the start of a session up to where a password would follow."""

from __future__ import annotations

from dataclasses import dataclass

from probes import starttls
from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.stream import Stream, connect
from probes.tls import secure

PORT = 5432
_LONGEST = 65_536
_MOST_MESSAGES = 100
_KEEPS_ITS_RULES = frozenset({"28000", "28P01", "3D000", "42501"})
"""No entry in pg_hba.conf or no such role, wrong password, no such database, not permitted."""
_METHODS = {
    2: "kerberos", 3: "password", 5: "md5", 7: "gssapi", 9: "sspi", 10: "scram",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings(TlsOptions):
    """How a database server is spoken to.

    Parameters:
        security: ``none``, or ``starttls``: TLS must be there, and the certificate is checked.
        username: who is said to come; nobody logs in, the server only says what it would want.
        database: which one is asked for; empty: the one of the user's name.
    """

    security: str = "none"
    username: str = "haidang"
    database: str = ""


async def postgres(attempt: Attempt, settings: PostgresSettings) -> None:
    """Begin a session, read what the server wants, and leave. That it refuses us by its rules is *up*: it lives."""
    if settings.security not in ("none", "starttls"):
        raise BadSettings(f"security is none of none, starttls: {shown(settings.security)}")
    start = startup(settings.username, settings.database)
    async with await connect(attempt, settings.port or PORT) as stream:
        if settings.security == "starttls":
            with attempt.phase("starttls", "asking for TLS"):
                await starttls.postgres(stream)
            await secure(attempt, stream, settings)
        with attempt.phase("answer", "waiting for what it wants to begin a session"):
            await stream.write(start)
            await _judge(attempt, stream)
        attempt.doing = "taking leave"
        await stream.write(b"X\x00\x00\x00\x04")


def startup(username: str, database: str) -> bytes:
    """Make StartupMessage, protocol 3.0.

    Raises:
        BadSettings: a name cannot be sent.
    """
    if not username or "\0" in username + database:
        raise BadSettings(f"{shown(username) or 'nothing'} is no name of a user")
    words = ["user", username, *(("database", database) if database else ()), "application_name", "haidang-probe"]
    body = b"\x00\x03\x00\x00" + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    return (len(body) + 4).to_bytes(4, "big") + body


async def _judge(attempt: Attempt, stream: Stream) -> None:
    for _ in range(_MOST_MESSAGES):
        kind, body = await _message(stream)
        if kind == b"R" and len(body) >= 4:
            method = int.from_bytes(body[:4], "big")
            attempt.fields["authentication"] = _METHODS.get(method, "none" if method == 0 else str(method))
            if method != 0:
                return
        elif kind == b"E":
            said = error_fields(body)
            code = said.get("C", "")
            attempt.fields["sqlstate"] = shown(code, 5)
            if code not in _KEEPS_ITS_RULES:
                raise Down(f"it refuses sessions: {shown(said.get('M', ''))} ({shown(code, 5)})")
            return
        elif kind == b"S":
            name, _, value = body.rstrip(b"\0").partition(b"\0")
            if name == b"server_version":
                attempt.fields["version"] = shown(value)
        elif kind == b"Z":
            return
    raise Down(f"{_MOST_MESSAGES} messages, and none says what it wants")


async def _message(stream: Stream) -> tuple[bytes, bytes]:
    head = await stream.exactly(5)
    size = int.from_bytes(head[1:], "big")
    if head[:1] not in (b"R", b"E", b"S", b"N", b"K", b"Z", b"v") or not 4 <= size <= _LONGEST:
        raise Down(f"its answer is not PostgreSQL's: {shown(head)}")
    return head[:1], await stream.exactly(size - 4)


def error_fields(body: bytes) -> dict[str, str]:
    """Read the fields of an ErrorResponse: ``C`` is the SQLSTATE, ``M`` what it says."""
    return {part[:1].decode("latin-1"): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
