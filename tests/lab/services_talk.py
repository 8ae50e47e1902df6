"""Asks services of the lab from inside it, all at once.

Argument: a JSON list of questions ``[get|resolve|options|describe|mail|log, ADDRESS, ARGUMENT]``; prints what came of
each, or the error's name.
"""

from __future__ import annotations

import http.client
import json
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import dns.exception
import dns.message
import dns.query
import dns.rcode

from lab.control import ControlClient

TIMEOUT_S = 1.0


def get(address: str, scheme: str) -> object:
    """Fetch the first page; gives its text (a certificate is not judged)."""
    address = f"[{address}]" if ":" in address else address
    if scheme == "https":
        blind = ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(address, timeout=TIMEOUT_S, context=blind)
    else:
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def resolve(address: str, name: str) -> object:
    """Ask for an address over UDP; gives the answer's lines."""
    answer = dns.query.udp(dns.message.make_query(name, "A"), address, timeout=TIMEOUT_S)
    return [dns.rcode.to_text(answer.rcode()), *(str(rrset) for rrset in answer.answer)]


def options(address: str, transport: str) -> object:
    """Ask a room whether it lives; gives the status line."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect((address, 5060))
        via = f"SIP/2.0/{transport.upper()} {sock.getsockname()[0]};branch=z9hG4bK1;rport"
        lines = ("OPTIONS sip:room SIP/2.0", f"Via: {via}", "From: <sip:a>;tag=1", "To: <sip:b>", "Call-ID: 1",
                 "CSeq: 1 OPTIONS", "", "")  # fmt: skip
        sock.sendall("\r\n".join(lines).encode())
        return sock.recv(2048).split(b"\r\n")[0].decode()


def describe(address: str, path: str) -> object:
    """Ask a camera for its stream; gives the status line."""
    with socket.create_connection((address, 554), TIMEOUT_S) as sock:
        sock.sendall(f"DESCRIBE rtsp://{address}{path} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        return sock.recv(2048).split(b"\r\n")[0].decode()


def mail(address: str, subject: str) -> object:
    """Send a mail; gives what the server said at the end."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "a@example.vn", "b@example.vn"
    with smtplib.SMTP(address, timeout=TIMEOUT_S) as client:
        client.send_message(message)
    return "taken"


def log(address: str, argument: str) -> object:
    """Have a host log to us over a transport; gives where it came from and what it was."""
    name, transport = argument.split(",")
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock, ControlClient(name) as client:
        sock.settimeout(5 * TIMEOUT_S)
        sock.bind(("10.255.255.254", 0))
        if transport == "tcp":
            sock.listen()
        words = {"from": address, "to": "10.255.255.254", "port": sock.getsockname()[1], "transport": transport}
        client.ask("log", **words, text="cổng 7 hỏng")
        if transport == "udp":
            data, source = sock.recvfrom(4096)
        else:
            accepted, source = sock.accept()
            with accepted:
                data = accepted.recv(4096)
    return [source[0], data.decode()]


TALKS: dict[str, Callable[[str, str], object]] = {
    "get": get, "resolve": resolve, "options": options, "describe": describe, "mail": mail, "log": log,
}  # fmt: skip


def ask(question: list[str]) -> object:
    """Put one question."""
    what, address, argument = question
    try:
        return TALKS[what](address, argument)
    except (OSError, dns.exception.DNSException, smtplib.SMTPException) as error:
        return type(error).__name__


if __name__ == "__main__":
    with ThreadPoolExecutor() as pool:
        sys.stdout.write(json.dumps(list(pool.map(ask, json.loads(sys.argv[1])))))
