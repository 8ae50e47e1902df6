"""The command that puts a carrier's own figures beside ours."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from haidang import reporting, show
from haidang.commands.accounts import percent
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, print_table, read_config
from haidang.commands.month import MonthOption, fresh_report
from reports import theirs
from reports.theirs import NotAComparison


def compare(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or XLSX: line, availability or minutes of downtime.")
    ],
    month: MonthOption = None,
    carrier: Annotated[str | None, typer.Option(metavar="NAME", help="Only this carrier's lines.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a carrier's own figures beside ours. Ends with 1 when some are outside our bounds."""
    configuration = read_config(config)
    month = month or reporting.month_before(time.time_ns(), configuration.timezone)
    try:
        said = _theirs(file)
    except NotAComparison as error:
        fail(str(error))
    made = fresh_report(configuration, month, "carrier" if carrier else "", carrier or "", quiet=as_json)
    found = theirs.compare(made, said)
    rows = [_beside(one) for one in found]
    if as_json:
        print_json({"month": month, "complete": made.complete, "lines": rows})
    else:
        heads = ("line", "verdict", "theirs", "at least", "at most", "outside by", "their downtime less ours")
        print_table(
            heads,
            [
                (
                    row["circuit"], row["verdict"], percent(row["theirs_percent"], 3),
                    percent(row["lowest_percent"], 3), percent(row["highest_percent"], 3),
                    percent(row["difference_percent"], 3),
                    "" if row["difference_down_s"] is None else show.span(row["difference_down_s"]),
                )
                for row in rows
            ],
            right=range(2, 7),
        )  # fmt: skip
    raise typer.Exit(1 if any(row["verdict"].startswith("theirs is") for row in rows) else 0)


def _theirs(file: Path) -> list[theirs.Theirs]:
    try:
        if file.stat().st_size > theirs.LARGEST:
            raise NotAComparison(f"{file}: is larger than {theirs.LARGEST // 1024**2} MiB")
        text = file.read_bytes()
    except OSError as error:
        raise NotAComparison(f"{file}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    if file.suffix.lower() != ".xlsx":
        return theirs.read_csv(text, str(file))
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 an extra that few need
    except ImportError:
        raise NotAComparison(
            f"{file}: XLSX needs the extra xlsx ({sys.prefix}/bin/pip install 'haidang[xlsx]'); CSV needs nothing"
        ) from None
    try:
        return theirs.rows(
            CalamineWorkbook.from_filelike(io.BytesIO(text)).get_sheet_by_index(0).to_python(), str(file)
        )
    except CalamineError as error:
        raise NotAComparison(f"{file}: is no XLSX file ({error})") from error


def _beside(one: theirs.Compared) -> dict[str, Any]:
    numbers = one.ours and (one.ours.contractual or one.ours.measured)
    return {
        "circuit": one.circuit, "carrier": one.ours.carrier if one.ours else None, "verdict": one.verdict,
        "theirs_percent": one.theirs.availability_percent if one.theirs else None,
        "theirs_down_s": one.theirs.down_s if one.theirs else None,
        "view": None if one.ours is None else "contractual" if one.ours.contractual else "measured",
        "lowest_percent": numbers.lowest_percent if numbers else None,
        "highest_percent": numbers.highest_percent if numbers else None, "down_s": numbers.down_s if numbers else None,
        "difference_percent": one.difference_percent, "difference_down_s": one.difference_down_s,
    }  # fmt: skip
