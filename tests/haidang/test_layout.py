"""Tables fit the terminal, and what matters of them stays readable."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from haidang.commands import common
from haidang.commands.common import print_table
from haidang.commands.layout import layout

Printed = Callable[..., list[str]]
INCIDENTS = ("no.", "now", "severity", "what", "site", "since", "lasts", "reason", "hidden", "acknowledged", "told")
ROW = (
    "#12", "down", "critical", "Đầu kênh FPT, Lục Ngạn (icmp)", "Lục Ngạn", "14:32:51", "00:03:00",
    "no reply (55 tries in 54 s)", "234", "", "2/2 sent",
)  # fmt: skip


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Print into a terminal of a width; returns its lines."""

    def lines(width: int, *words: Any, **more: Any) -> list[str]:
        out = io.StringIO()
        console = Console(file=out, width=width, force_terminal=True, no_color=True, soft_wrap=False)
        monkeypatch.setattr(common, "Console", lambda **_: console)
        print_table(*words, **more)
        return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in out.getvalue().splitlines()]

    return lines


def test_an_incident_is_told_whole_in_80_columns(printed: Printed) -> None:
    found = printed(80, INCIDENTS, [ROW, ROW], right=(6, 8), spare=(10, 8, 6, 4))
    assert max(map(cell_len, found)) <= 80
    heads = found[0].split()
    assert {"no.", "now", "severity", "what", "since", "reason"} <= set(heads)
    assert "acknowledged" not in heads  # nobody has: it needs no room
    text = " ".join(found)
    for word in ("#12", "critical", "kênh", "Lục", "14:32:51", "tries"):
        assert word in text


def test_where_there_is_room_everything_is_shown_in_one_line_each(printed: Printed) -> None:
    heads, line = printed(200, INCIDENTS, [ROW])
    assert heads.split() == list(INCIDENTS)
    assert line == (
        "#12  down  critical  Đầu kênh FPT, Lục Ngạn (icmp)  Lục Ngạn  14:32:51  00:03:00  "
        "no reply (55 tries in 54 s)  234                   2/2 sent"
    )


def test_of_nothing_it_says_so_in_words(printed: Printed, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(80, ("a", "b"), [], none="there is none") == []
    assert capsys.readouterr().out == "there is none\n"


@given(
    st.lists(st.lists(st.text("abc xyz", max_size=40), min_size=3, max_size=3), min_size=2, max_size=8),
    st.integers(40, 200),
)
def test_no_line_is_longer_than_the_room_and_no_room_is_wasted(columns: list[list[str]], room: int) -> None:
    lengths = [[max(1, len(cell)) for cell in column] for column in columns]
    short = [max(map(len, column)) <= 14 for column in columns]
    given_ = layout(columns, lengths, short, (), room)
    shown = [number for number, column in enumerate(columns) if any(column[1:])]
    assert list(given_) == shown
    taken = sum(given_.values()) + len(shown) - 1
    least = sum(min(8, max(lengths[number])) for number in shown) + len(shown) - 1
    assert taken <= max(room, least)
    if shown and taken < room:
        assert all(given_[number] >= max(lengths[number]) for number in shown)
