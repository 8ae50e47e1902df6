"""Reasons in Vietnamese: every sentence a probe can say has one, and what a device said stays as it is."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.reasons import LONGEST, told

PROBES = Path(__file__).parents[2] / "probes"
SAID = {"Down", "OwnFault", "phase", "append"}
"""Calls whose text is told to people."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Find what is said; a gap becomes a text that no pattern knows."""
    for node in ast.walk(tree):
        found: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAID and not (name == "append" and "warnings" not in ast.unparse(node.func)):
                found = node.args[-1]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("reason", "attempt.doing", "self.doing"):
            found = node.value
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.value
        elif isinstance(found, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7x" for part in found.values)


COMPOSED = ["7x 7x 7x, on 7x", "it closed the connection7x"]
"""Whose words are in their gaps: a certificate's end, and what was said before; both are among the examples below."""
EVERY = sorted({text for file in PROBES.rglob("*.py") for text in texts(ast.parse(file.read_text("utf-8"))) if text})


def test_every_sentence_a_probe_can_say_is_known_in_vietnamese() -> None:
    assert len(EVERY) > 100
    unknown = [text for text in EVERY if told(text, "vi") == text and text.replace("7x", "").strip(" :;.")]
    assert unknown == COMPOSED


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
        ("it closed the connection without a word", "máy chủ đóng kết nối mà không nói gì"),
        ("its greeting is none of IMAP: hello you", "lời chào không phải IMAP: hello you"),
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
