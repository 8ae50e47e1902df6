"""``haidang top``: what is not well, live in a terminal."""

from __future__ import annotations

import os
import select
import sqlite3
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from config import Configuration
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, read_config
from haidang.commands.reading import how_all_is, status_table, summary_lines, worst_first
from storage.database import DatabaseError, open_reader, unread

EVERY_S = 2.0
RESIZED_S = 0.25
"""Within this a terminal of another size is noticed."""
_KEYS = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\x1b[5~": "page-up", "\x1b[6~": "page-down",
    "\x1b[H": "home", "\x1b[F": "end", "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "erase", "\b": "erase",
}  # fmt: skip
_CHROME = 5
"""Lines that are not rows: summary, incidents, heads, keys, and one below."""


@dataclass
class View:
    """What is looked at.

    Attributes:
        first: row at the top.
        words: only rows with this in them.
        typing: what is typed now goes into the words.
        everything: also what is up.
        over: leave.
    """

    first: int = 0
    words: str = ""
    typing: bool = False
    everything: bool = False
    over: bool = False

    def press(self, key: str, page: int) -> None:
        """Do what a key says.

        Parameters:
            key: a character, or a name of `_KEYS`.
            page: rows that are seen at a time.
        """
        if self.typing:
            if key == "enter":
                self.typing = False
            elif key == "escape":
                self.typing, self.words = False, ""
            elif key == "erase":
                self.words = self.words[:-1]
            elif len(key) == 1 and key.isprintable():
                self.words += key
            self.first = 0
            return
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -page, "page-down": page, " ": page}
        if key in ("q", "Q", "\x03"):
            self.over = True
        elif key == "/":
            self.typing = True
        elif key == "a":
            self.everything, self.first = not self.everything, 0
        elif key == "escape":
            self.words, self.first = "", 0
        elif key == "home":
            self.first = 0
        elif key == "end":
            self.first = sys.maxsize
        else:
            self.first += moves.get(key, 0)

    def rows(self, found: dict[str, Any], page: int) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], int]:
        """Return the rows that are seen, and how many there are in all; stays within them."""
        needle = self.words.casefold()
        every = [
            row for row in worst_first(found, everything=self.everything)
            if needle in " ".join(str(one) for part in row for one in part.values()).casefold()
        ]  # fmt: skip
        self.first = max(0, min(self.first, len(every) - page))
        return every[self.first : self.first + page], len(every)


def top(
    config: ConfigOption = None,
    every: Annotated[
        float, typer.Option("--every", "-d", min=0.2, max=3600, help="Seconds between two looks.")
    ] = EVERY_S,
    as_json: JsonOption = False,
) -> None:
    """Show live what is not well. Keys: q quit, arrows scroll, / filter, a everything.

    Where the output is no terminal, one look is printed and the command ends.
    """
    configuration = read_config(config)
    try:
        found = _look(configuration)  # what cannot be read is said before the screen is taken
        if as_json:
            print_json(found)
        elif not (sys.stdin.isatty() and sys.stdout.isatty()):
            _once(configuration, found)
        else:
            console = Console()
            with _keys() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
                _watch(configuration, console, live, keyboard, every)
    except DatabaseError as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(unread(configuration.data_dir / "haidang.db", error))


def _once(configuration: Configuration, found: dict[str, Any]) -> None:
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = int(os.environ.get("COLUMNS") or 80)
    for line in summary_lines(configuration, found):
        console.print(line, no_wrap=True, overflow="ellipsis")
    rows = list(worst_first(found, everything=False))
    if rows:
        console.print(status_table(configuration, rows, console.width))


def _watch(configuration: Configuration, console: Console, live: Live, keyboard: int, every_s: float) -> None:
    view, next_s = View(), time.monotonic()
    found: dict[str, Any] = {}
    shown: object = None
    while not view.over:
        page = max(1, console.size.height - _CHROME)
        if time.monotonic() >= next_s:
            found, next_s, shown = _look(configuration), time.monotonic() + every_s, None
        if shown != (now := (console.size, replace(view))):
            live.update(_screen(configuration, found, view, page, console.size.width), refresh=True)
            shown = (now[0], replace(view))
        wait_s = max(0.0, min(next_s - time.monotonic(), RESIZED_S))
        ready, _, _ = select.select([keyboard], [], [], wait_s)
        if ready:
            typed = os.read(keyboard, 64).decode("utf-8", "replace")
            if not typed:  # the terminal is gone
                return
            for key in _parsed(typed):
                view.press(key, page)


def _screen(configuration: Configuration, found: dict[str, Any], view: View, page: int, width: int) -> RenderableType:
    rows, count = view.rows(found, page)
    lines: list[RenderableType] = [
        Text(line, no_wrap=True, overflow="ellipsis") for line in summary_lines(configuration, found)[: _CHROME - 3]
    ]  # fmt: skip
    lines.append(status_table(configuration, rows, width) if rows else Text("nothing to show"))
    last = f"{view.first + 1}-{view.first + len(rows)} of {count}  " if rows else ""
    keys = f"/{view.words}▏ enter: keep, esc: drop" if view.typing else "q quit  ↑↓ scroll  / filter  a everything"
    if view.words and not view.typing:
        keys = f'only "{view.words}" (esc: all)  ' + keys
    lines.append(Text(last + keys, style="reverse", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def _look(configuration: Configuration) -> dict[str, Any]:
    """Read how everything is.

    Raises:
        DatabaseError, sqlite3.Error: the ledger cannot be read.
    """
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        return how_all_is(configuration, sql)


def _parsed(typed: str) -> Iterator[str]:
    """Take what a terminal sent apart into keys."""
    while typed:
        known = next((code for code in sorted(_KEYS, key=len, reverse=True) if typed.startswith(code)), None)
        if known is None:
            yield typed[0]
            typed = typed[1:]
        else:
            yield _KEYS[known]
            typed = typed[len(known) :]


@contextmanager
def _keys() -> Iterator[int]:
    """Have each key at once; the terminal is as it was before in the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
