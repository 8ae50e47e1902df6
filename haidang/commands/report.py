"""The commands about the monthly report: make it, keep it, list what is kept, see whether a file is what was sealed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Configuration
from config.schema.reports import FORMATS
from haidang import reporting
from haidang.commands import comparing, verifying
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.commands.month import SHOWN, MonthOption, fresh_report, say_gone
from reports.archive import SUMS, Archive, rendered, revised, sums
from reports.measured import beside
from reports.model import Change, Report
from reports.seal import NotAReport
from reports.signing import CannotSign, Signer

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True,
    help="Make the monthly uptime report; list and verify kept ones.", subcommand_metavar="[COMMAND [ARGS]...]",
)  # fmt: skip


@app.callback()
def report(
    context: typer.Context,
    month: MonthOption = None,
    system: Annotated[str | None, typer.Option(metavar="ID", help="Only this system.")] = None,
    carrier: Annotated[str | None, typer.Option(metavar="NAME", help="Only this carrier's lines.")] = None,
    site: Annotated[str | None, typer.Option(metavar="ID", help="Only this site and those below it.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}; several with commas."),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="vi|en", help="Several times for both; default: the configuration's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; default: here.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it in the data directory, as the daemon does.")] = False,
    approve: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who approves a new revision, where figures changed.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why there is a new revision.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a month's report; of the month that runs, as far as it is known.

    Once a report is kept, its figures stay: when the ledger gives others now, the kept ones are written, the
    differences are named, and --approve with --reason makes them the next revision. Ends with 1 then.
    """
    if context.invoked_subcommand is not None:
        return
    configuration = read_config(config)
    wanted = _formats(formats, configuration)
    spoken = _languages(language, configuration, keep=keep)
    kind, name = _narrowed(system, carrier, site)
    if (approve is None) != (reason is None):
        fail("--approve and --reason belong together: a revision says who approved it, and why")
    if kind and (keep or approve):
        fail("only the whole report is kept and revised: leave --system, --carrier and --site out")
    if out is not None and out.exists() and not out.is_dir():
        fail(f"--out {out}: is a file, not a folder")
    signer = _signer(configuration) if "pdf" in wanted else None  # before the long work: a wrong password is said now
    month = month or reporting.month_before(time.time_ns(), configuration.timezone)
    fresh = fresh_report(configuration, month, kind, name, quiet=as_json)
    archive = Archive(configuration.data_dir)
    before = None if kind else _latest(archive, month)
    made, changed = _in_force(before, fresh, approve, reason)
    keep = keep or made.revision > (before.revision if before else 1)
    if keep and not made.complete:
        fail(f"{month} is not over: only a whole month is kept")
    files = _files(archive, made, [*wanted, *(["json"] if keep else [])], spoken, signer)
    places = []
    try:
        if keep and made != before:
            places.append(str(archive.keep(made, files)))
        if out is not None or not keep:
            places += _write(out or Path(), files)
    except OSError as error:
        fail(f"{error.filename or out}: cannot be written ({(error.strerror or str(error)).lower()})")
    if as_json:
        print_json(
            {
                "month": month, "about": made.about, "revision": made.revision, "complete": made.complete,
                "written": places, "seal": made.seal.model_dump(), "differences": changed,
                "signed_by": signer.fingerprint if signer else None, "story": made.story[spoken[0]],
            }
        )  # fmt: skip
    else:
        typer.echo("\n".join([*made.story[spoken[0]], "", *(f"wrote {place}" for place in places)]))
    raise typer.Exit(1 if changed else 0)


def _narrowed(system: str | None, carrier: str | None, site: str | None) -> tuple[str, str]:
    found = [(kind, name) for kind, name in (("system", system), ("carrier", carrier), ("site", site)) if name]
    if len(found) > 1:
        fail("name one of --system, --carrier and --site")
    return found[0] if found else ("", "")


def _signer(configuration: Configuration) -> Signer | None:
    if configuration.reports.sign is None:
        return None
    try:
        return Signer(configuration.reports.sign)
    except CannotSign as error:
        fail(str(error))


def _in_force(before: Report | None, fresh: Report, approve: str | None, reason: str | None) -> tuple[Report, int]:
    """Return what goes out, the kept report where there is one, and how many figures the ledger gives otherwise."""
    if before is None:
        if approve:
            fail(f"no report of {fresh.month} is kept: there is nothing to approve; --keep makes the first")
        return fresh, 0
    fresh, gone, found = beside(before, fresh)
    if gone:
        sys.stderr.write(f"{say_gone(gone, before.revision)}\n")
    changed = len(found)
    if approve and not changed:
        fail(f"revision {before.revision} of {fresh.month} says the same as the ledger: there is nothing to approve")
    if changed and approve and reason:
        return revised(before, fresh, approve, reason), 0
    if changed:
        _say_changed(before, found)
    return before, changed


def _files(
    archive: Archive, made: Report, formats: list[str], languages: list[str], signer: Signer | None
) -> dict[str, bytes]:
    """Make the files of a report, PDFs signed where there is a key; those that are kept go out as they were kept."""
    found: dict[str, bytes] = {}
    try:
        for form in dict.fromkeys(formats):
            for name, text in rendered(made, [form], languages).items():
                kept = archive.kept(made, name)
                if kept is None and form == "pdf" and signer is not None:
                    kept = signer.sign(text, datetime.now(UTC))
                found[name] = text if kept is None else kept
    except (CannotSign, NotAReport) as error:
        fail(str(error), status=1)
    except OSError as error:
        fail(f"{error.filename}: cannot be read ({(error.strerror or str(error)).lower()})")
    return found


def _formats(asked: list[str] | None, configuration: Configuration) -> list[str]:
    wanted = [one for words in asked or configuration.reports.formats for one in words.split(",")]
    for one in wanted:
        if one not in FORMATS:
            fail(f"--format {one}: there are {', '.join(FORMATS)}")
    return wanted


def _languages(asked: list[str] | None, configuration: Configuration, *, keep: bool) -> list[str]:
    for one in asked or ():
        if one not in ("vi", "en"):
            fail(f"--language {one}: there are vi and en")
    return asked or (reporting.languages(configuration) if keep else [configuration.language])


def _latest(archive: Archive, month: str) -> Report | None:
    try:
        return archive.latest(month)
    except NotAReport as error:
        fail(str(error), "restore the folder from a backup: what was sealed is not written over", status=1)
    except OSError as error:
        fail(f"{error.filename}: cannot be read ({(error.strerror or str(error)).lower()})")


def _say_changed(before: Report, found: Sequence[Change]) -> None:
    lines = [
        f"{before.month}: the ledger gives other figures now than revision {before.revision}, which is written here:",
        *(f"  {one.where}: {one.before} -> {one.after}" for one in found[:SHOWN]),
        *([f"  … and {len(found) - SHOWN} more"] if len(found) > SHOWN else []),
        f"to make them revision {before.revision + 1}: --approve NAME --reason WHY",
    ]
    sys.stderr.write("".join(f"{clean(line)}\n" for line in lines))


def _write(folder: Path, files: dict[str, bytes]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    stem = min(files).partition(".")[0].removesuffix("-vi").removesuffix("-en")
    for name, text in {**files, f"{stem}.sha256": sums(files)}.items():
        aside = folder / f".{name}.part"  # a disk that is full leaves the file of before, or none
        try:
            aside.write_bytes(text)
            aside.replace(folder / name)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            error.filename = str(folder / name)
            raise
    return [str(folder / name) for name in files]


@app.command("list")
def kept(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the reports that are kept."""
    configuration = read_config(config)
    archive = Archive(configuration.data_dir)
    rows: list[dict[str, Any]] = []
    try:
        for month in archive.months():
            for folder in archive.revisions(month):
                names = sorted(one.name for one in folder.iterdir() if one.name != SUMS)
                rows.append({"month": month, "revision": folder.name, "folder": str(folder), "files": names})
    except OSError as error:
        fail(f"{error.filename}: cannot be read ({(error.strerror or str(error)).lower()})")
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("month", "revision", "folder", "files"),
            [(row["month"], row["revision"], row["folder"], ", ".join(row["files"])) for row in rows],
            none="no report is kept yet: haidang report makes one",
        )  # fmt: skip


app.command()(verifying.verify)
app.command()(comparing.compare)
