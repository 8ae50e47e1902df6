"""A message as the bytes of a mail (RFC 5322, MIME). The same message always gives the same bytes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from alerting.channels.base import Message
from alerting.text import clean

LARGEST_FILE = 20 * 1024 * 1024
"""Bytes of one attachment: what most servers still take."""

_SUBTYPES = {".pdf": "pdf", ".xlsx": "vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
_SUBJECT = "the subject of this mail"


def mail_address(text: str) -> Address:
    """Read a bare mail address; a domain in Vietnamese letters becomes its ASCII form (RFC 5891).

    Raises:
        ValueError: it is none.
    """
    local, at, domain = text.rpartition("@")
    if clean(text, 254) != text or not at or not local or not domain or " " in text:
        raise ValueError(f'"{clean(text, 80)}" is not a mail address')
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        return Address(addr_spec=f"{local}@{ascii_domain}") if local.isascii() else Address("", local, ascii_domain)
    except Exception as error:  # noqa: BLE001 the header parser raises whatever it trips over (IndexError, …)
        raise ValueError(f'"{clean(text, 80)}" is not a mail address') from error


def as_mail(message: Message, sender: Address, sender_name: str, zone: ZoneInfo) -> tuple[bytes, bool]:
    """Build the mail.

    Parameters:
        message: what was put into the outbox.
        sender: the From address.
        sender_name: the name shown beside it.
        zone: the time zone of the Date.

    Returns:
        the bytes with CRLF line ends, and whether the server must know SMTPUTF8 (RFC 6531): only when an address
        has letters beyond ASCII.

    Raises:
        ValueError: the address is none, or a file cannot be attached.
    """
    recipient = mail_address(message.address)
    utf8 = not (recipient.addr_spec.isascii() and sender.addr_spec.isascii())
    mail = EmailMessage(policy=SMTPUTF8 if utf8 else SMTP)
    mail["From"] = Address(_phrase(sender_name, 80), sender.username, sender.domain)
    mail["To"] = recipient
    mail["Subject"] = _SUBJECT
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_ns // 10**9, zone))
    mail["Message-ID"] = message.message_id
    earlier = [str(reference) for reference in message.payload.get("references", ())]
    if earlier:
        mail["In-Reply-To"] = earlier[-1]
        mail["References"] = " ".join(earlier)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: nobody's holiday responder answers
    if message.incident is not None:
        mail["X-Haidang-Incident"] = str(message.incident)
    # Quoted-printable passes every server, also one without 8BITMIME, and long lines stay within RFC 5321 §4.5.3.1.6.
    mail.set_content(str(message.payload.get("text", "")), charset="utf-8", cte="quoted-printable")
    html = str(message.payload.get("html", ""))
    if html:
        mail.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
        mail.set_boundary(f"=_{hashlib.sha256(message.message_id.encode()).hexdigest()[:32]}")
    for path in message.payload.get("files", ()):
        _attach(mail, Path(str(path)))
    if mail.get_content_type() == "multipart/mixed":
        mail.set_boundary(f"=_{hashlib.sha256(f'files {message.message_id}'.encode()).hexdigest()[:32]}")
    mail["Content-Language"] = message.language if message.language.isalpha() else "en"  # RFC 3282
    subject = _encoded(_phrase(str(message.payload.get("subject", "")), 200))
    return mail.as_bytes().replace(f"Subject: {_SUBJECT}".encode(), f"Subject: {subject}".encode(), 1), utf8


def _attach(mail: EmailMessage, path: Path) -> None:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path}: is too large to be mailed, {LARGEST_FILE // 1024**2} MiB are allowed")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be attached ({(error.strerror or str(error)).lower()})") from error
    subtype = _SUBTYPES.get(path.suffix, "octet-stream")
    mail.add_attachment(content, maintype="application", subtype=subtype, filename=path.name)


def _encoded(subject: str) -> str:
    """Encode a subject (RFC 2047). The message class's own folding drops the space between two encoded words."""
    charset = "us-ascii" if subject.isascii() else "utf-8"
    return Header(subject, charset, maxlinelen=76, header_name="Subject").encode(linesep="\r\n")


def _phrase(text: str, limit: int) -> str:
    """Clean a text for a header. An encoded word in it would be decoded by the library, line ends and all."""
    return clean(text, limit).replace("=?", "= ?")
