"""What devices and people write acts nowhere on the ways that are not mail: looked for in the bytes that come out."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from alerting.channels.base import Message, Refused
from alerting.channels.command import CommandChannel, CommandSettings
from alerting.channels.service import ServiceChannel
from alerting.channels.webhook import WebhookChannel, WebhookSettings
from haidang.clock import ManualClock
from tests.support.hostile import ACTING, EVIL
from tests.support.http_sink import Request, http_sink

PRINTABLE = frozenset(range(0x20, 0x7F))
LONGEST = 30_000
"""Bytes: what one message may come to."""


def message(evil: str) -> Message:
    text = f"Trạm {evil}\n{evil}\nxong"
    payload = {"subject": f"MẤT KẾT NỐI: {evil}", "text": text, "html": text, "link": f"https://h/ack/x{evil}"}
    return Message(1, 7, "opened", "an", "way", "an", "vi", "<7-opened-an-1@example.vn>", payload, 10**18, 1)


def harmless(body: bytes, *names: str) -> dict[str, str]:
    """Check a body of JSON by its bytes and by what a receiver makes of it, and return that."""
    assert not set(body) - PRINTABLE
    assert len(body) < LONGEST
    said: dict[str, str] = json.loads(body)
    for name in names:
        assert not ACTING.search(said[name]), name
        assert "\u0301" * 5 not in said[name]
        assert not any("\ud800" <= char <= "\udfff" for char in said[name])
    return said


def headers_are_ours(request: Request, *more: str) -> None:
    ours = {"host", "accept", "accept-encoding", "connection", "user-agent", "content-length", "content-type", *more}
    assert request.headers.keys() <= ours
    assert "\x1b" not in str(request.headers)


@pytest.mark.parametrize("kind", EVIL)
async def test_a_webhook_gets_nothing_that_acts(kind: str) -> None:
    async with http_sink() as sink:
        await WebhookChannel(WebhookSettings(sink.url, "key"), ManualClock()).send(message(EVIL[kind]))
    [came] = sink.requests
    said = harmless(came.body, "subject", "text", "link")
    assert "\n" not in said["subject"] + said["link"]
    assert len(said["text"].split("\n")[0]) <= 1000
    headers_are_ours(came, "idempotency-key", "haidang-signature")


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise's own, while it is imported
@pytest.mark.parametrize("kind", EVIL)
async def test_a_service_gets_nothing_that_acts(kind: str) -> None:
    async with http_sink() as sink:
        await ServiceChannel(f"json://127.0.0.1:{sink.port}/").send(message(EVIL[kind]))
    [came] = sink.requests
    assert len(came.body) < LONGEST
    said = json.loads(came.body)
    assert not ACTING.search(said["title"] + said["message"])
    assert "\n" not in said["title"]
    headers_are_ours(came)


@pytest.mark.parametrize("kind", EVIL)
async def test_a_command_gets_nothing_that_acts_and_none_of_it_in_words_or_environment(
    tmp_path: Path, kind: str
) -> None:
    keeps = "import os,sys;from pathlib import Path;folder=Path(sys.argv[1])"
    body = "(folder/'body').write_bytes(sys.stdin.buffer.read())"
    rest = "(folder/'rest').write_bytes(repr((sys.argv[2:],sorted(os.environb.items()))).encode())"
    argv = (sys.executable, "-c", f"{keeps};{body};{rest}", str(tmp_path), "$(id)")
    await CommandChannel(CommandSettings(argv, 10)).send(message(EVIL[kind]))
    harmless((tmp_path / "body").read_bytes(), "subject", "text", "link")
    words, environment = ast.literal_eval((tmp_path / "rest").read_text())
    assert words == ["$(id)"]
    assert {name for name, _ in environment} <= {b"PATH", b"LANG", b"HOME", b"LC_CTYPE"}
    assert not any(byte not in PRINTABLE for _, value in environment for byte in value)


@pytest.mark.parametrize("kind", EVIL)
async def test_what_the_other_side_answers_acts_nowhere_either(kind: str) -> None:
    """The refusal is kept with the incident and logged."""
    answer = EVIL[kind].encode("utf-8", "surrogateescape" if kind != "surrogate" else "replace")
    async with http_sink() as sink:
        sink.body = answer
        sink.answer = lambda _number: "422 No"
        with pytest.raises(Refused, match="HTTP 422") as raised:
            await WebhookChannel(WebhookSettings(sink.url), ManualClock()).send(message("x"))
    assert not ACTING.search(str(raised.value))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
