"""The commands about the monthly report: make it, keep it, list what is kept, see whether a file is what was sealed."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Configuration
from config.schema.reports import FORMATS
from haidang import reporting, show
from haidang.commands import comparing
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.commands.month import SHOWN, MonthOption, fresh_report
from reports.archive import SUMS, Archive, rendered, revised, same_figures, sums
from reports.model import Report
from reports.seal import LARGEST, NotAReport, differences, read

app = typer.Typer(rich_markup_mode=None, help="The monthly uptime report.", invoke_without_command=True)


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
    narrowed = [(kind, name) for kind, name in (("system", system), ("carrier", carrier), ("site", site)) if name]
    if len(narrowed) > 1:
        fail("name one of --system, --carrier and --site")
    kind, name = narrowed[0] if narrowed else ("", "")
    if (approve is None) != (reason is None):
        fail("--approve and --reason belong together: a revision says who approved it, and why")
    if kind and (keep or approve):
        fail("only the whole report is kept and revised: leave --system, --carrier and --site out")
    month = month or reporting.month_before(time.time_ns(), configuration.timezone)
    fresh = fresh_report(configuration, month, kind, name, quiet=as_json)
    archive = Archive(configuration.data_dir)
    made, changed = fresh, 0
    if not kind:
        before = _latest(archive, month)
        if before is not None:
            made, changed = before, 0 if same_figures(before, fresh) else len(differences(before, fresh)) or 1
            if changed and approve and reason:
                made, changed, keep = revised(before, fresh, approve, reason), 0, True
            elif changed:
                _say_changed(before, fresh)
            elif approve:
                fail(f"revision {before.revision} of {month} says the same as the ledger: there is nothing to approve")
    if keep and not made.complete:
        fail(f"{month} is not over: only a whole month is kept")
    files = rendered(made, [*wanted, *(["json"] if keep else [])], spoken)
    places = []
    try:
        if keep and not (archive.revisions(month) and made == _latest(archive, month)):
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
                "story": made.story[spoken[0]],
            }
        )  # fmt: skip
    else:
        typer.echo("\n".join([*made.story[spoken[0]], "", *(f"wrote {place}" for place in places)]))
    raise typer.Exit(1 if changed else 0)


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


def _say_changed(before: Report, fresh: Report) -> None:
    found = differences(before, fresh)
    lines = [
        f"{before.month}: the ledger gives other figures now than revision {before.revision}, which is written here:",
        *(f"  {one.where}: {one.before} -> {one.after}" for one in found[:SHOWN]),
        *([f"  … and {len(found) - SHOWN} more"] if len(found) > SHOWN else []),
        f"to make them revision {before.revision + 1}: --approve NAME --reason WHY",
    ]
    sys.stderr.write("".join(f"{clean(line)}\n" for line in lines))


def _write(folder: Path, files: dict[str, bytes]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text)
    stem = min(files).partition(".")[0].removesuffix("-vi").removesuffix("-en")
    (folder / f"{stem}.sha256").write_bytes(sums(files))
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
        )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report: the sealed JSON, or a document.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a file is what was sealed; of the sealed figures also whether the ledger still gives them.

    A document (PDF, HTML, XLSX, CSV) is held against the checksums beside it and those of the kept reports. Ends with 1
    when it is another one, or is not known.
    """
    try:
        if file.stat().st_size > LARGEST:
            fail(f"{file}: is too large for a report", status=1)
        text = file.read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read ({(error.strerror or str(error)).lower()})")
    if file.suffix == ".json":
        found = _verified_figures(file, text, read_config(config))
    else:
        found = _verified_document(file, hashlib.sha256(text).hexdigest(), config)
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(clean(line) for line in found["said"]))
    raise typer.Exit(0 if found["genuine"] else 1)


def _verified_figures(file: Path, text: bytes, configuration: Configuration) -> dict[str, Any]:
    try:
        sealed = read(text, str(file))
    except NotAReport as error:
        return {"file": str(file), "genuine": False, "said": [str(error)]}
    said = [f"{file}: the seal is whole: report of {sealed.month}, revision {sealed.revision}, {sealed.seal.figures}"]
    if sealed.approved:
        said.append(f"approved by {sealed.approved.author}: {sealed.approved.reason}")
    kind, _, name = sealed.about.partition(" ")
    if not sealed.complete:
        return {"file": str(file), "genuine": True, "said": [*said, "it is of a month that was not over"]}
    fresh = fresh_report(configuration, sealed.month, kind, name, quiet=True)
    for what in ("inputs", "configuration"):
        same = getattr(fresh.seal, what) == getattr(sealed.seal, what)
        said.append(f"{what}: {'the same as then' if same else 'others than then'}")
    changes = differences(sealed, fresh)
    if changes:
        said.append(f"the ledger gives other figures now, {len(changes)} in all:")
        said += [f"  {one.where}: {one.before} -> {one.after}" for one in changes[:SHOWN]]
    else:
        said.append("the ledger still gives every figure in it")
    return {
        "file": str(file), "genuine": True, "figures": sealed.seal.figures, "differences": len(changes), "said": said,
        "at": show.utc(time.time_ns()),
    }  # fmt: skip


def _verified_document(file: Path, sha256: str, config: Path | None) -> dict[str, Any]:
    known: list[tuple[str, bool]] = []
    for beside in sorted([*file.parent.glob("*.sha256"), *file.parent.glob(SUMS)]):
        lines = beside.read_text(encoding="utf-8", errors="replace").splitlines()[:10_000]
        rows = [line.partition("  ") for line in lines]
        known += [(str(beside), row[0] == sha256) for row in rows if row[2] == file.name]
    found = Archive(read_config(config).data_dir).knows(file.name, sha256)
    if found is not None:
        known.append(("the kept reports", found))
    said = [f"{where}: {'the same' if same else 'ANOTHER FILE THAN THE ONE MADE'}" for where, same in known]
    if not known:
        said = [f"{file.name}: no checksum of it is known, neither beside it nor among the kept reports"]
    genuine = bool(known) and all(same for _, same in known)
    return {"file": str(file), "genuine": genuine, "sha256": sha256, "said": said}


app.command()(comparing.compare)
