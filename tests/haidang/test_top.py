"""What a terminal shows: ``haidang status`` in 80 columns, ``haidang top`` in a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from haidang.commands.reading import shares
from haidang.commands.top import View
from tests.support.daemon import COMMAND
from tests.support.history import write

SITES = 209
NAME = "Bộ định tuyến Ủy ban nhân dân xã Đồng Việt và trung tâm số {:03}"
START_S = 1_763_842_000
LONG_S = 10


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A province whose first 30 routers are up and whose others are down, with names of 60 letters."""
    folder = tmp_path_factory.mktemp("province")
    targets = "".join(
        f"  - {{id: router-{number:03}, name: '{NAME.format(number)}', "
        f"address: 192.0.2.1, site: commune-{number:03}}}\n"
        for number in range(SITES)
    )
    sites = "".join(f"  - {{id: commune-{number:03}, name: Xã {number}}}\n" for number in range(SITES))
    path = folder / "haidang.yaml"
    path.write_text(f"haidang: 1\ndata_dir: data\nlanguage: vi\nsites:\n{sites}targets:\n{targets}", encoding="utf-8")
    names = [f"router-{number:03}" for number in range(SITES)]
    outages = [(name, START_S + 100, START_S + 10_000) for name in names[30:]]
    write(folder / "data", names, START_S, START_S + 1000, outages)
    return path


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, *words: str, columns: int = 80, lines: int = 24) -> None:
        self._main, inner = pty.openpty()
        self.seen = ""
        self.resize(columns, lines)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [*COMMAND, *words], stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            env={**environment, "TERM": "xterm-256color", "PYTHONUTF8": "1"},
        )  # fmt: skip
        os.close(inner)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press keys; what was seen before is forgotten."""
        self.seen = ""
        os.write(self._main, keys.encode())

    def until(self, pattern: str) -> str:
        """Read until something is seen; returns it without colours and cursor movements."""
        end_s = time.monotonic() + LONG_S
        while not re.search(pattern, self.text(), re.DOTALL):
            assert time.monotonic() < end_s, f"{pattern} is not in {self.text()!r}"
            if select.select([self._main], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._main, 65_536).decode("utf-8", "replace")
                except OSError:  # EIO: the other end is closed
                    assert re.search(pattern, self.text(), re.DOTALL), f"ended with {self.text()!r}"
        return self.text()

    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r", "", self.seen)

    def end(self) -> int:
        """Wait for the end, reading on so that nothing blocks."""
        end_s = time.monotonic() + LONG_S
        while self.process.poll() is None and time.monotonic() < end_s:
            if select.select([self._main], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self._main, 65_536).decode("utf-8", "replace")
                except OSError:
                    break
        return self.process.wait(LONG_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._main)


@pytest.fixture
def screen(config: Path) -> Iterator[Terminal]:
    opened = Terminal("top", "--every", "0.5", "-c", str(config))
    yield opened
    opened.close()


def test_status_fits_eighty_columns_with_the_worst_first(config: Path) -> None:
    opened = Terminal("status", "--all", "-c", str(config))
    try:
        assert opened.end() == 1
        lines = [line.rstrip() for line in opened.until("up +Bộ").splitlines()]
    finally:
        opened.close()
    assert lines[0].startswith("The daemon is not running")
    table = lines[next(number for number, line in enumerate(lines) if line.startswith("state")) :]
    rows = [line for line in table[1:] if line]
    assert len(rows) == SITES  # a line for each: nothing is broken over two
    assert max(map(cell_len, table)) <= 80
    assert [row.split()[0] for row in rows] == ["down"] * (SITES - 30) + ["up"] * 30
    assert all("…" in row and "Bộ định" in row for row in rows)


def test_top_scrolls_filters_and_leaves_the_terminal_as_it_was(screen: Terminal) -> None:
    first = screen.until(r"1-\d+ of 179")
    assert re.search(r"down\s+Bộ định tuyến .*…\s+icmp\s+commune-03", first)
    assert "q quit" in first
    screen.press("\x1b[B")
    screen.until(r"2-\d+ of 179")
    screen.press("\x1b[F")
    screen.until(r"-179 of 179")
    screen.press("a")
    screen.until(r"1-\d+ of 209")
    screen.press("/commune-007")
    screen.until(r"/commune-007▏")
    screen.press("\r")
    found = screen.until(r'1-1 of 1 .*only "commune-007"')
    assert "commune-0" in found
    screen.press("\x1b")
    screen.until(r"1-\d+ of 209")
    screen.press("q")
    assert screen.end() == 0
    assert "\x1b[?1049l" in screen.seen  # back from the second screen


@pytest.mark.slow
def test_top_takes_the_size_that_its_terminal_gets(screen: Terminal) -> None:
    screen.until(r"1-19 of 179")
    screen.seen = ""
    screen.resize(120, 12)
    wide = screen.until(r"1-7 of 179")
    assert any(80 < cell_len(line.rstrip()) <= 120 for line in wide.splitlines())
    screen.press("q")
    assert screen.end() == 0


@pytest.mark.slow
def test_where_there_is_no_terminal_top_looks_once(config: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "top", "-c", str(config)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == SITES - 30 + 3
    assert "\x1b" not in done.stdout


def test_without_a_ledger_top_says_so_before_it_takes_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text("haidang: 1\ndata_dir: data\ntargets: [{id: a, address: 192.0.2.1}]\n", encoding="utf-8")
    opened = Terminal("top", "-c", str(path))
    try:
        assert "haidang.db" in opened.until(r"haidang\.db")
        assert opened.end() == 2
        assert "\x1b[?1049h" not in opened.seen
    finally:
        opened.close()


def test_keys_never_lead_out_of_the_rows() -> None:
    found = {
        "targets": [
            {"name": f"t{number}", "checks": [{"state": "down", "probe": "icmp"}]} for number in range(5)
        ]
    }  # fmt: skip
    view = View()
    for key, first in (("up", 0), ("end", 2), ("down", 2), ("page-up", 0), ("j", 1), ("home", 0)):
        view.press(key, 3)
        view.rows(found, 3)
        assert view.first == first, key


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20)), min_size=4, max_size=4), st.integers(0, 300)
)  # fmt: skip
def test_columns_never_take_more_than_there_is_but_the_first_keeps_its_least(
    columns: list[tuple[int, int]], room: int
) -> None:
    wanted, least = [one for one, _ in columns], [one for _, one in columns]
    given_ = shares(wanted, least, room)
    assert all(0 <= got <= want for got, want in zip(given_, wanted, strict=True))
    assert sum(given_) <= max(room, min(wanted[0], least[0]))
    if sum(wanted) <= room:
        assert given_ == wanted
