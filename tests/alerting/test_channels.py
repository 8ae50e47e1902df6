"""The ways that are not mail, against a real HTTP server, real programs and the real apprise."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from alerting.channels.base import DeliveryError, Message, Misconfigured, Refused, Retryable
from alerting.channels.command import CommandChannel, CommandSettings
from alerting.channels.service import ServiceChannel
from alerting.channels.webhook import WebhookChannel, WebhookSettings, wait_s
from haidang.clock import ManualClock
from tests.support.daemon import until
from tests.support.http_sink import DROP, HANG, http_sink

HOSTILE = "\x1b[31mred\r\nBcc: x@y\0 <script> \u202eevil $(reboot) `id`"


def message(**changes: object) -> Message:
    payload = {"subject": f"MẤT KẾT NỐI: {HOSTILE}", "text": f"Trạm {HOSTILE}\ndòng hai", "link": "https://h/ack/x"}
    given = {
        "id": 1, "incident": 7, "step": "opened", "contact": "an", "channel": "hook", "address": "+84912345678",
        "language": "vi", "message_id": "<7-opened-an-1@example.vn>", "payload": payload, "created_ns": 10**18,
        "attempts": 1, **changes,
    }  # fmt: skip
    return Message(**given)  # type: ignore[arg-type]


async def test_a_webhook_gets_signed_json_that_is_the_same_when_it_comes_again() -> None:
    clock = ManualClock()
    async with http_sink() as sink:
        channel = WebhookChannel(WebhookSettings(sink.url, "geheim"), clock)
        await channel.send(message())
        clock.advance(60)
        await channel.send(message())
    first, second = sink.requests
    assert first.body == second.body
    assert first.headers["idempotency-key"] == "7-opened-an-1@example.vn"
    seconds, mac = (part.partition("=")[2] for part in first.headers["haidang-signature"].split(","))
    expected = hmac.new(b"geheim", f"{seconds}.".encode() + first.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(mac, expected)
    assert first.headers["haidang-signature"] != second.headers["haidang-signature"]


async def test_nothing_of_a_hostile_text_acts_on_the_receiver() -> None:
    async with http_sink() as sink:
        await WebhookChannel(WebhookSettings(sink.url), ManualClock()).send(message(contact="an"))
    [came] = sink.requests
    assert not set(came.body) - set(range(0x20, 0x7F))
    said = json.loads(came.body)
    assert "MẤT KẾT NỐI" in said["subject"]
    assert not {"\x1b", "\0", "\r", "\n", "\u202e"} & set(said["subject"])
    assert said["text"].split("\n")[-1] == "dòng hai"
    assert not {"\x1b", "\0", "\r", "\u202e"} & set(said["text"])
    assert "haidang-signature" not in came.headers


@pytest.mark.parametrize(
    ("answer", "error", "dead"),
    [
        ("503 Busy", Retryable, True), ("500 Oops", Retryable, True), ("429 Slow down", Retryable, False),
        ("401 Who", Misconfigured, True), ("404 Where", Misconfigured, True), ("302 Elsewhere", Misconfigured, True),
        ("422 No", Refused, False), ("410 Gone", Refused, False), (DROP, Retryable, True), (HANG, Retryable, True),
        ("nonsense", Retryable, True),
    ],
)  # fmt: skip
async def test_what_an_answer_means_for_the_message(answer: str, error: type[DeliveryError], dead: bool) -> None:
    async with http_sink() as sink:
        sink.answer = lambda _number: answer
        channel = WebhookChannel(WebhookSettings(sink.url, timeout_s=0.5), ManualClock())
        with pytest.raises(error) as raised:
            await channel.send(message())
    assert raised.value.dead is dead
    assert "127.0.0.1" in str(raised.value)


async def test_retry_after_is_heard_in_seconds_and_as_a_date() -> None:
    clock = ManualClock(1_445_412_420 * 10**9)  # 21 October 2015 07:27:00 UTC
    assert wait_s("120", clock) == 120
    assert wait_s("Wed, 21 Oct 2015 07:28:00 GMT", clock) == 60
    assert wait_s("Wed, 21 Oct 2015 07:00:00 GMT", clock) == 0
    assert [wait_s(odd, clock) for odd in ("", "-5", "soon", "1e9")] == [None] * 4
    async with http_sink() as sink:
        sink.answer = lambda _number: "503 Busy\r\nRetry-After: 90"
        with pytest.raises(Retryable) as raised:
            await WebhookChannel(WebhookSettings(sink.url), clock).send(message())
    assert (raised.value.after_s, raised.value.dead) == (90, False)


async def test_nobody_listens() -> None:
    async with http_sink() as sink:
        url = sink.url
    with pytest.raises(Retryable) as raised:
        await WebhookChannel(WebhookSettings(url), ManualClock()).send(message())
    assert raised.value.dead


def program(tmp_path: Path, text: str) -> CommandChannel:
    script = tmp_path / "program.py"
    script.write_text(text, encoding="utf-8")
    return CommandChannel(CommandSettings((sys.executable, str(script), "$HOME; rm -rf /"), 5))


async def test_a_program_gets_the_message_on_its_input_and_its_words_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "hunter22")
    out = tmp_path / "out.json"
    keeps = "json.dump([json.load(sys.stdin), sys.argv[1:], dict(os.environ)], file)"
    await program(
        tmp_path, f"import json,os,sys\nwith open({str(out)!r}, 'w') as file: {keeps}\n"
    ).send(message())  # fmt: skip
    said, words, environment = json.loads(out.read_text())
    assert (said["address"], said["id"], said["incident"]) == ("+84912345678", "<7-opened-an-1@example.vn>", 7)
    assert words == ["$HOME; rm -rf /"]
    assert "hunter22" not in str(environment)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("sys.exit(67)", Refused), ("sys.exit(78)", Misconfigured), ("sys.exit(75)", Retryable),
        ("sys.exit(1)", Retryable), ("os.kill(os.getpid(), 9)", Retryable),
    ],
)  # fmt: skip
async def test_what_an_exit_status_means(tmp_path: Path, end: str, error: type[DeliveryError]) -> None:
    channel = program(tmp_path, f"import os,sys; print('why \\x1b[31m not', file=sys.stderr, flush=True); {end}")
    with pytest.raises(error, match=r"why +not"):
        await channel.send(message())


async def test_a_program_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    children = tmp_path / "children"
    script = tmp_path / "program.py"
    script.write_text(
        "import os,subprocess,sys,time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(children)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)\n"
    )
    with pytest.raises(Retryable, match="killed"):
        await CommandChannel(CommandSettings((sys.executable, str(script)), 1.5)).send(message())
    for pid in children.read_text().split():
        until(partial(gone, int(pid)), 5, f"the end of process {pid}")


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


async def test_a_program_that_does_not_read_and_one_that_is_not_there(tmp_path: Path) -> None:
    await program(tmp_path, "").send(message(payload={"text": "x" * 500_000}))
    with pytest.raises(Misconfigured, match="cannot be run"):
        await CommandChannel(CommandSettings((str(tmp_path / "missing"),), 5)).send(message())
    assert os.getpgid(0) != 0


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise's own, while it is imported
async def test_a_service_is_reached_through_the_real_apprise() -> None:
    async with http_sink() as sink:
        await ServiceChannel(f"json://127.0.0.1:{sink.port}/{{address}}").send(message(address="phòng/trực"))
    [came] = sink.requests
    assert came.line.startswith("POST /ph%C3%B2ng%2Ftr%E1%BB%B1c")
    said = json.loads(came.body)
    assert "MẤT KẾT NỐI" in said["title"]
    assert "\x1b" not in said["title"] + said["message"]


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
async def test_a_service_that_refuses_or_is_unknown_or_hangs_says_so() -> None:
    async with http_sink() as sink:
        sink.answer = lambda number: HANG if number > 1 else "500 Oops"
        channel = ServiceChannel(f"json://127.0.0.1:{sink.port}/", 1.0)
        with pytest.raises(Retryable, match="500"):
            await channel.send(message())
        with pytest.raises(Retryable, match="no answer within 1 s"):
            await channel.send(message())
    with pytest.raises(Misconfigured, match="does not know"):
        await ServiceChannel("nosuchservice://x").send(message())
