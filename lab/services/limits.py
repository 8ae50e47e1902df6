"""How much of a service a client may use up, so that no client can take it from the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and deadlines of all services; those of usual servers, in the size of a lab.

    Parameters:
        connections: open at once, of all services together; further ones are closed as soon as they come.
        connections_each: of these, through one port of one address.
        request_s: how long a client may take for a request, from the end of the one before; also for a TLS handshake
            and for taking an answer. Seconds.
        conversation_s: how long a connection may last, seconds.
        head_bytes: longest request line and headers, or line of another protocol.
        body_bytes: longest body of a request.
        mail_bytes: longest mail.
        delayed: answers to datagrams that wait for their time, per port; further ones are dropped.
    """

    connections: int = 2_000
    connections_each: int = 200
    request_s: float = 30.0
    conversation_s: float = 600.0
    head_bytes: int = 16_384
    body_bytes: int = 65_536
    mail_bytes: int = 16_777_216
    delayed: int = 1_000
