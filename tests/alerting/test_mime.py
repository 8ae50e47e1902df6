from __future__ import annotations

import email
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerting.channels.base import Message
from alerting.channels.mime import as_mail, mail_address
from tests.alerting.province import START, ZONE

SENDER = Address("", "haidang", "example.vn")
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "X-Haidang-Incident",
    "MIME-Version", "Content-Type", "Content-Language",
]  # fmt: skip


def message(address: str = "an@example.vn", **payload: Any) -> Message:
    content = {"subject": "s", "text": "t\n", "html": "<p>t</p>\n", "references": ["<1-opened-an-0@example.vn>"]}
    return Message(
        1, 12, "resolved", "an", "mail", address, "vi", "<12-resolved-an-0a@example.vn>", content | payload, START, 1
    )


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=modern)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_reads_back_as_it_was_written() -> None:
    raw, utf8 = as_mail(
        message(subject="[Hải Đăng #12] MẤT KẾT NỐI: Router huyện Lục Ngạn (ping) từ 03:12 23/11", text="Từ …\n"),
        SENDER, "Hải Đăng", ZONE,
    )  # fmt: skip
    mail = read(raw)
    assert not utf8
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert list(mail.keys()) == HEADERS
    assert mail["Subject"] == "[Hải Đăng #12] MẤT KẾT NỐI: Router huyện Lục Ngạn (ping) từ 03:12 23/11"
    assert mail["From"] == "Hải Đăng <haidang@example.vn>"
    assert mail["Date"] == "Sun, 23 Nov 2025 03:12:05 +0700"
    assert mail["Message-ID"] == "<12-resolved-an-0a@example.vn>"
    assert mail["In-Reply-To"] == mail["References"] == "<1-opened-an-0@example.vn>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Haidang-Incident"] == "12"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert body(mail, "plain") == "Từ …\n"


def test_the_same_message_gives_the_same_bytes() -> None:
    assert as_mail(message(), SENDER, "Hải Đăng", ZONE) == as_mail(message(), SENDER, "Hải Đăng", ZONE)


@pytest.mark.parametrize("wrong", ["", "an", "@example.vn", "an@", "an@a b", "an@x\r\nBcc: e@e", "a,b@c@d e", "<a@b>"])
def test_what_is_no_mail_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a mail address"):
        mail_address(wrong)


def test_only_an_address_beyond_ascii_asks_for_smtputf8() -> None:
    assert mail_address("an@ví-dụ.vn").addr_spec == "an@xn--v-d-rma6749a.vn"
    assert as_mail(message("an@ví-dụ.vn"), SENDER, "", ZONE)[1] is False
    raw, utf8 = as_mail(message("trực.ban@example.vn"), SENDER, "", ZONE)
    assert utf8
    assert "To: trực.ban@example.vn".encode() in raw


hostile = st.one_of(
    st.text(max_size=300),
    st.text(alphabet='\r\n\0\x1b\x85\u2028=?utf8QBcc:<>,@"\\() \tế\u202e\ud800', max_size=300),
)


@given(subject=hostile, text=hostile, html=hostile, name=hostile)
@example("a\r\nBcc: evil@example.com", "\r\n.\r\nMAIL FROM:<e@e>\r\n", "--=_x\r\n", "\r\nX: y")
@example("=?utf-8?q?=0d=0aBcc:_e@e?=", "t", "h", "=?utf-8?q?x?=")
def test_headers_and_structure_are_ours_whatever_the_texts(subject: str, text: str, html: str, name: str) -> None:
    text, html = (part.encode(errors="replace").decode() for part in (text, html))
    raw, _ = as_mail(message(subject=subject, text=text, html=html or "-"), SENDER, name, ZONE)
    mail = read(raw)
    assert list(mail.keys()) == HEADERS
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert [str(address.addr_spec) for address in mail["From"].addresses] == ["haidang@example.vn"]
    assert [str(address.addr_spec) for address in mail["To"].addresses] == ["an@example.vn"]
    assert str(mail["Subject"]).isprintable()
    assert raw.isascii()
    assert b"\0" not in raw.split(b"\r\n\r\n")[0]
    assert max(map(len, raw.split(b"\r\n"))) <= 998
