"""Reasons in Vietnamese: every sentence a probe can say has one, and what a device said stays as it is."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.reasons import LONGEST, told

ROOT = Path(__file__).parents[2]
SAID = {"Down", "Closed", "OwnFault", "NotAsked", "NoAnswer", "Reported", "_ended", "phase", "append"}
"""Calls whose text is told to people."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Find what is said; a gap becomes a text that no pattern knows."""
    for node in ast.walk(tree):
        found: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAID and not (name == "append" and not re.search("warnings|troubles", ast.unparse(node.func))):
                found = node.args[-1]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).split(".")[-1] in ("reason", "doing"):
            found = node.value
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and ast.unparse(node.elts[0]).startswith("Status."):
            found = node.elts[1]
        elif isinstance(node, ast.FunctionDef) and node.name == "words":
            yield from (text for one in ast.walk(node) if isinstance(one, ast.Return) for text in _text(one.value))
        yield from _text(found)


def _text(found: ast.expr | None) -> Iterator[str]:
    if isinstance(found, ast.Constant) and isinstance(found.value, str):
        yield found.value
    elif isinstance(found, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7x" for part in found.values)


COMPOSED = ["7x 7x 7x, on 7x", "7x is 7x 7x away7x"]
"""Whose words are in their gaps: a certificate's end, hops; both are among the examples below."""
FILES = [file for room in ("probes", "collectors") for file in (ROOT / room).rglob("*.py") if file.name != "load.py"]
EVERY = sorted({text for file in FILES for text in texts(ast.parse(file.read_text("utf-8"))) if text})


def test_every_sentence_a_probe_can_say_is_known_in_vietnamese() -> None:
    assert len(EVERY) > 100
    unknown = [text for text in EVERY if told(text, "vi") == text and text.replace("7x", "").strip(" :;.")]
    assert unknown == COMPOSED


LOANWORDS = {"bind", "bit", "byte", "gatekeeper", "header", "leap", "listener", "ssl", "stratum", "systemd", "unit"}
"""Words that Vietnamese engineers have from English."""


@pytest.mark.parametrize("text", sorted(set(EVERY) - set(COMPOSED)))
def test_no_english_word_of_a_sentence_is_left_because_a_more_general_one_took_it(text: str) -> None:
    said, words = (set(re.findall(r"(?<![^\W_])[a-z]{2,}(?![^\W_])", one)) for one in (text, told(text, "vi")))
    assert said & words <= LOANWORDS


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no reply (53 tries in 55 s)", "không trả lời (53 lần trong 55 giây)"),
        (
            "no reply: host unreachable, says 10.0.0.1 (5 tries in 41 s)",
            "không trả lời: không đến được máy, theo 10.0.0.1 (5 lần trong 41 giây)",
        ),
        ("connection refused while connecting to port 443", "từ chối kết nối khi đang kết nối tới cổng 443"),
        (
            "no answer within 5 s, while waiting for an answer from port 5060",
            "không trả lời trong 5 giây, khi đang chờ trả lời từ cổng 5060",
        ),
        ("step 2, login: it answered 401, expected is 200-399", "bước 2, login: trả lời 401, cần có 200-399"),
        (
            "its certificate expires in 5 days, on 2026-12-05 19:58 UTC; its key has 1024 bits, fewer than 2048",
            "chứng thư hết hạn trong 5 ngày, ngày 2026-12-05 19:58 UTC; khóa chỉ có 1024 bit, ít hơn 2048",
        ),
        ("it answered 404 Not Found to OPTIONS", "trả lời 404 Not Found cho OPTIONS"),
        ("10.0.0.53 answered REFUSED to gov.vn SOA", "10.0.0.53 trả lời REFUSED cho gov.vn SOA"),
        (
            "10.0.0.1:161 refuses: wrong user: the agent knows no user 'x'",
            "10.0.0.1:161 từ chối: sai người dùng: thiết bị không biết người dùng 'x'",
        ),
        (
            "no answer from 10.0.0.1:161 within 1.0 s (3 tries); a wrong community looks the same",
            "10.0.0.1:161 không trả lời trong 1.0 giây (3 lần thử); sai community cũng có biểu hiện như vậy",
        ),
        (
            "this machine could not send: permission denied (a firewall on this machine?)",
            "máy này không gửi được: không có quyền (tường lửa trên chính máy này?)",
        ),
        (
            "not all of its name servers answer: a: no answer; b: it answered REFUSED to x SOA",
            "không phải mọi máy chủ tên miền đều trả lời: a: không trả lời; b: trả lời REFUSED cho x SOA",
        ),
        ("it closed the connection without a word", "máy chủ đóng kết nối mà không nói gì"),
        ("its greeting is none of IMAP: hello you", "lời chào không phải IMAP: hello you"),
        (
            "10.0.0.1 is 3 hops away, packets of 1400 bytes get through",
            "10.0.0.1 cách đây 3 chặng, gói 1400 byte đi lọt",
        ),
        ("10.0.0.1 is 1 hop away", "10.0.0.1 cách đây 1 chặng"),
        (
            "the way to 10.0.0.1 ends behind hop 2, 10.0.0.9 and says host unreachable, packets of 9 bytes get through",
            "đường tới 10.0.0.1 đứt sau chặng 2, 10.0.0.9: không đến được máy, gói 9 byte đi lọt",
        ),
        (
            "no process postgres runs; the unit chrony.service is failed (failed)",
            "không có tiến trình postgres nào chạy; dịch vụ (unit) chrony.service đang ở trạng thái failed (failed)",
        ),
        ("what nobody ever said", "what nobody ever said"),
    ],
)
def test_a_reason_is_told_in_the_reader_s_language(reason: str, words: str) -> None:
    assert told(reason, "vi") == words
    assert told(reason, "en") == told(reason, "../../x") == reason


@given(st.text(alphabet="; :,()is not while 7", max_size=LONGEST + 10))
def test_whatever_was_said_is_told_in_no_time(reason: str) -> None:
    began = time.process_time()
    told(reason, "vi")
    assert time.process_time() - began < 1
