"""What every command shares: finding the configuration, saying errors, printing JSON or tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config import Configuration, ConfigurationInvalid, language_of, load
from haidang.commands.layout import layout

PLACES = (Path("haidang.yaml"), Path("/etc/haidang/haidang.yaml"))

UNBROKEN = 14
"""Columns whose cells are no longer than this are never broken over lines: states, times, numbers."""
WIDEST = 240

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        readable=False,
        help="Configuration; else ./haidang.yaml or /etc/haidang/haidang.yaml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
LanguageOption = Annotated[
    Literal["vi", "en"] | None, typer.Option("--language", "-l", help="Of what people read; else the configuration's.")
]


def fail(*lines: str, status: int = 2) -> NoReturn:
    """Say what is wrong on standard error and end."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise typer.Exit(status)


def find_config(given: Path | None) -> Path:
    """Return the configuration file to use; ends the command when there is none."""
    if given is not None:
        return given
    for place in PLACES:
        try:
            if place.exists():
                return place
        except PermissionError:  # the service's own folder is nobody else's to look into
            fail(f"{place}: permission denied; say sudo -u haidang before the command, or give --config FILE")
    fail(f"no configuration: neither {PLACES[0]} here nor {PLACES[1]}; make one with: haidang init DIR")


def read_config(given: Path | None) -> Configuration:
    """Load the configuration; ends the command with every error when it is invalid."""
    try:
        return load(find_config(given))
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))


def spoken(given: str | None) -> str:
    """Return the language of a command that can do without a configuration: given, else configured, else English."""
    if given is not None:
        return given
    for place in PLACES:
        with suppress(OSError):  # the service's own folder is nobody else's to look into
            if place.exists():
                return language_of(place)
    return "en"


def print_json(data: object) -> None:
    """Print data as one JSON document; what is not to be seen stands escaped, so that it acts on no terminal."""
    text = json.dumps(data, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n".join(map(_visible, text.split("\n"))) + "\n")


def _visible(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = (), *, spare: Sequence[int] = (),
    none: str = "",
) -> None:  # fmt: skip
    """Print rows as a table that fits the terminal.

    Parameters:
        heads: column titles.
        rows: cells; ``Text`` as it is, anything else as plain text that is never read as markup.
        right: numbers of the columns aligned right.
        spare: numbers of the columns that a narrow terminal can do without, in that order.
        none: what is said instead when there are no rows.
    """
    aligned = set(right)
    cells = [[cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in row] for row in rows]
    if not cells and none:
        sys.stdout.write(f"{none}\n")
        return
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = WIDEST  # a file or a pipe has no edge
    columns = [[head, *(row[number].plain for row in cells)] for number, head in enumerate(heads)]
    lengths = [[cell_len(cell) for cell in column] for column in columns]
    short = [max(column[1:], default=0) <= UNBROKEN for column in lengths]
    wide = sum(map(max, lengths)) + 2 * (len(heads) - 1) <= console.width
    widths = (
        {number: max(column) for number, column in enumerate(lengths)} if wide or not cells
        else layout(columns, lengths, short, spare, console.width)
    )  # fmt: skip
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2 if wide else 1, 0, 0))
    for number, width in widths.items():
        aligns: Literal["left", "right"] = "right" if number in aligned else "left"
        table.add_column(heads[number], justify=aligns, overflow="fold", width=width)
    for row in cells:
        table.add_row(*(row[number] for number in widths))
    console.print(table)


def measured(value: float | None) -> str:
    """Write a measured number as people read it: no exponent, at most two decimals where it is 1 or more."""
    if value is None:
        return ""
    return f"{value:.4g}" if 0 < abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def clean(text: str) -> str:
    """Make text from devices safe for a terminal: no control characters, no escape sequences."""
    return "".join(char if char.isprintable() else "?" for char in text)


_COLOURS = {
    "up": "green", "ok": "green", "down": "bold red", "bad": "bold red", "critical": "bold red",
    "unreachable": "red", "degraded": "yellow", "warning": "yellow", "unknown": "magenta", "maintenance": "blue",
}  # fmt: skip


def coloured(state: str) -> Text:
    """Show a state in its colour; the word itself says the same."""
    return Text(state, style=_COLOURS.get(state, ""))
