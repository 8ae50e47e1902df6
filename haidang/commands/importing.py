"""The inventory in and out: ``haidang import`` with its preview, and ``haidang export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from config import Configuration, SecretUnavailable, Written, read_written
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, find_config, print_json
from haidang.importing import exporting, netbox, sheets
from haidang.importing.headings import kinds
from haidang.importing.merging import Change, Plan, compare, kind_of_item
from haidang.importing.netbox import NetBoxError
from haidang.importing.records import Fault, Tables, Value, read_tables
from haidang.importing.sheets import SheetError
from haidang.importing.writing import ImportRefused, more_faults, render, write

MOST_SHOWN = 200
"""Lines of a preview for each of new, changed and missing; --json has all."""


def import_(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="CSV or XLSX.")] = None,
    from_netbox: Annotated[
        bool, typer.Option("--netbox", help="Read from the NetBox named in the configuration.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write it; else it is only shown.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="The tables are complete: take out what they do not list.")
    ] = False,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help=f"What is in the files, else told by their name: {', '.join(kinds())}.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare tables with the inventory; --apply writes it.

    Of sites, circuits, devices, cameras, rooms, systems, contacts, risks. What is new goes into imported/KIND.yaml;
    what changes is changed where it stands, comments stay. Ends with 2 when a cell is wrong, and nothing is written
    then.
    """
    if bool(files) == from_netbox:
        fail("what is to be imported? Name CSV or XLSX files, or give --netbox")
    if kind and kind not in kinds():
        fail(f"--kind {kind}: is none of {', '.join(kinds())}")
    main = find_config(config)
    written, configuration = _written(main)
    read = {path: path.read_bytes() for path in written.files}
    tables = _from_netbox(configuration) if from_netbox else _from_files(files or [], kind)
    plan = compare(written, configuration, tables)
    if plan.faults:
        faults = tuple(dict.fromkeys((*plan.faults, *more_faults(main, written, plan, tables))))
        _refuse(plan, faults, remove=remove, as_json=as_json)
    try:
        texts = render(main, written, plan, tables, remove=remove) if plan.changes or (remove and plan.missing) else {}
        if apply:
            write(texts, {path: read.get(path) for path in (main, *texts)})
    except ImportRefused as refused:
        _refuse(plan, refused.faults, remove=remove, as_json=as_json)
    if as_json:
        print_json(_as_json(plan, (), texts if apply else {}, remove=remove))
        return
    _show(plan, remove=remove)
    if apply and texts:
        for path in texts:
            typer.echo(f"wrote {path}")
        typer.echo("a running daemon takes it over on SIGHUP (systemctl reload haidang)")
    elif texts:
        typer.echo(f"nothing is written yet: --apply writes {', '.join(map(str, texts))}")


def export(
    out: Annotated[Path, typer.Argument(metavar="FILE.xlsx|DIR", help="A workbook, or a folder for CSV files.")],
    language: Annotated[
        Literal["vi", "en", "keys"], typer.Option(help="Of the headings; keys: as in the configuration.")
    ] = "vi",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the inventory as tables.

    One for each kind; importing them again changes nothing.
    """
    written, _ = _written(find_config(config))
    found = exporting.tables(written, "" if language == "keys" else language)
    if not found:
        if as_json:
            print_json({"files": [], "rows": {}})
        fail("there is nothing to export: no systems, sites, circuits, targets, contacts", status=1)
    try:
        if out.suffix.lower() == ".xlsx":
            exporting.write_xlsx(found, out)
            paths = [out]
        elif out.suffix.lower() in (".csv", ".xls", ".ods"):
            fail(f"{out}: there are several tables: name a folder for CSV files, or FILE.xlsx")
        else:
            paths = exporting.write_csv(found, out)
    except OSError as error:
        fail(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})")
    counts = {table.kind: len(table.rows) for table in found}
    if as_json:
        print_json({"files": [str(path) for path in paths], "rows": counts})
    else:
        typer.echo(f"wrote {', '.join(map(str, paths))}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))


def _written(main: Path) -> tuple[Written, Configuration]:
    written = read_written(main)
    if written.configuration is None:
        fail(*map(str, written.errors))
    return written, written.configuration


def _from_files(files: list[Path], kind: str) -> Tables:
    found, errors = [], []
    for file in files:
        try:
            found += sheets.read(file)
        except SheetError as error:
            errors.append(str(error))
    if errors:
        fail(*errors)
    return read_tables(found, kind)


def _from_netbox(configuration: Configuration) -> Tables:
    settings = configuration.netbox
    if settings is None:
        fail("the configuration names no NetBox: add netbox: {url: https://…, token: {file: secrets/netbox}}")
    trust = str(configuration.path.parent / settings.trust) if settings.trust else None
    try:
        return netbox.read(settings, settings.token.read(), trust)
    except (SecretUnavailable, NetBoxError) as error:
        fail(str(error))


def _refuse(plan: Plan, faults: tuple[Fault, ...], *, remove: bool, as_json: bool) -> NoReturn:
    if as_json:
        print_json(_as_json(plan, faults, {}, remove=remove))
        raise typer.Exit(2)
    wrong = f"{len(faults)} {'error' if len(faults) == 1 else 'errors'}: nothing is written"
    fail(*(clean(str(fault)) for fault in faults), wrong)


def _show(plan: Plan, *, remove: bool) -> None:
    for note in plan.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    new = [change for change in plan.changes if change.item is None]
    changed = [change for change in plan.changes if change.item is not None]
    for number, change in enumerate(new):
        if number < MOST_SHOWN:
            said = ", ".join(f"{key}={_said(value)}" for key, (_, value) in change.fields.items())
            typer.echo(clean(f"+ {change.record.kind.name} {change.record.id}: {said}"))
    _more(new)
    for change in changed[:MOST_SHOWN]:
        typer.echo(clean(f"~ {change.record.kind.name} {change.record.id}"))
        for key, (was, value) in change.fields.items():
            typer.echo(clean(f"    {key}: {_said(was)} → {_said(value)}"))
    _more(changed)
    for item in plan.missing[:MOST_SHOWN]:
        kept = "" if remove else " is in no table: kept (--remove takes it out)"
        typer.echo(clean(f"{'-' if remove else '='} {kind_of_item(item).name} {item.id}{kept}"))
    _more(plan.missing)
    word = "removed" if remove else "in no table"
    typer.echo(f"{len(new)} new, {len(changed)} changed, {len(plan.missing)} {word}, {plan.unchanged} as they are")


def _more(rows: object) -> None:
    count = len(rows) if isinstance(rows, list | tuple) else 0
    if count > MOST_SHOWN:
        typer.echo(f"  … and {count - MOST_SHOWN} more")


def _said(value: Value) -> str:
    return "(nothing)" if not value else " ".join(value) if isinstance(value, tuple) else value.replace("\n", " ⏎ ")


def _as_json(plan: Plan, faults: tuple[Fault, ...], texts: dict[Path, str], *, remove: bool) -> dict[str, Any]:
    def named(change: Change) -> dict[str, Any]:
        return {"kind": change.record.kind.name, "id": change.record.id, "place": change.record.places[""]}

    missing = [{"kind": kind_of_item(item).name, "id": item.id} for item in plan.missing]
    return {
        "added": [
            {**named(change), "fields": {key: value for key, (_, value) in change.fields.items()}}
            for change in plan.changes if change.item is None
        ],
        "changed": [
            {
                **named(change),
                "fields": [
                    {"field": key, "was": was, "becomes": value, "place": change.record.places.get(key)}
                    for key, (was, value) in change.fields.items()
                ],
            }
            for change in plan.changes if change.item is not None
        ],
        "removed": missing if remove else [], "kept": [] if remove else missing, "unchanged": plan.unchanged,
        "errors": [
            {"place": fault.place, "field": fault.field, "message": fault.message, "hint": fault.hint or None}
            for fault in faults
        ],
        "notes": list(plan.notes), "written": [str(path) for path in texts], "applied": bool(texts),
    }  # fmt: skip
