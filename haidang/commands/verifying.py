"""The command that tells whether a report is what was made: by its seal, its checksum, its signature, the ledger."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from config import Configuration
from haidang import show
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, read_config
from haidang.commands.month import SHOWN, fresh_report, say_gone
from reports import signing
from reports.archive import SUMS, Archive
from reports.measured import beside
from reports.seal import LARGEST, NotAReport, read
from reports.signing import CannotSign


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report: the sealed JSON, or a document.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a report is as it was sealed.

    Of the sealed figures (JSON) also whether the ledger still gives them. A document (PDF, HTML, XLSX, CSV) is held
    against the checksums beside it and those of the kept reports, and a PDF's signatures are checked. Ends with 1
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
        found = _verified_document(file, text, config)
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
    fresh, gone, changes = beside(sealed, fresh_report(configuration, sealed.month, kind, name, quiet=True))
    if gone:
        said.append(say_gone(gone, sealed.revision))
    for what in ("inputs", "configuration"):
        same = getattr(fresh.seal, what) == getattr(sealed.seal, what)
        others = (
            "others than then" if what != "inputs" or not gone else "not the same as then: measurements are among them"
        )
        said.append(f"{what}: {'the same as then' if same else others}")
    if changes:
        said.append(f"the ledger gives other figures now, {len(changes)} in all:")
        said += [f"  {one.where}: {one.before} -> {one.after}" for one in changes[:SHOWN]]
    else:
        said.append("the ledger still gives every figure in it")
    return {
        "file": str(file), "genuine": True, "figures": sealed.seal.figures, "differences": len(changes), "said": said,
        "at": show.utc(time.time_ns()),
    }  # fmt: skip


def _verified_document(file: Path, text: bytes, config: Path | None) -> dict[str, Any]:
    sha256 = hashlib.sha256(text).hexdigest()
    configuration = read_config(config)
    known: list[tuple[str, bool]] = []
    for listed in sorted([*file.parent.glob("*.sha256"), *file.parent.glob(SUMS)]):
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()[:10_000]
        rows = [line.partition("  ") for line in lines]
        known += [(str(listed), row[0] == sha256) for row in rows if row[2] == file.name]
    found = Archive(configuration.data_dir).knows(file.name, sha256)
    if found is not None:
        known.append(("the kept reports", found))
    said = [f"{where}: {'the same' if same else 'ANOTHER FILE THAN THE ONE MADE'}" for where, same in known]
    if not known:
        said = [f"{file.name}: no checksum of it is known, neither beside it nor among the kept reports"]
    signatures = _signatures(file, text, configuration) if file.suffix == ".pdf" else []
    said += [one["said"] for one in signatures]
    ours = any(one["ours"] for one in signatures)
    # Whoever signs our PDF as well makes another file of it: our signature under his says more than a checksum.
    genuine = (ours or (bool(known) and all(same for _, same in known))) and all(one["whole"] for one in signatures)
    return {"file": str(file), "genuine": genuine, "sha256": sha256, "signatures": signatures, "said": said}


def _signatures(file: Path, text: bytes, configuration: Configuration) -> list[dict[str, Any]]:
    """Judge the signatures of a PDF file; ours is one by the certificate of this configuration."""
    try:
        rows = signing.found(text)
    except CannotSign as error:
        fail(str(error))
    except ValueError as error:
        return [{"signer": None, "whole": False, "ours": False, "said": f"{file.name}: {error}"}]
    configured = None
    if rows and configuration.reports.sign:
        try:
            configured = signing.certificate_of(configuration.reports.sign)
        except CannotSign as error:  # what is signed can be checked all the same
            sys.stderr.write(f"{clean(str(error))}\nnot known, therefore: which signature is by this configuration\n")
    return [_signature(one, configured) for one in rows] or [
        {"signer": None, "whole": True, "ours": False, "said": f"{file.name}: is not signed"}
    ]


def _signature(one: signing.Found, configured: str | None) -> dict[str, Any]:
    who = f"signed by {one.signer or 'nobody who can be read'}{f' at {one.at.isoformat()}' if one.at else ''}"
    whole = one.whole and not one.later
    said = f"SIGNATURE BROKEN: {one.wrong}" if not one.whole else (
        "CHANGED AFTER IT WAS SIGNED" if one.later else "the signature is whole"
    )  # fmt: skip
    known = one.fingerprint == configured
    other = "another certificate" if configured else "a certificate"
    whose = "this configuration's certificate" if known else f"{other}, SHA-256 {one.fingerprint or '–'}"
    return {
        "signer": one.signer, "at": one.at.isoformat() if one.at else None, "whole": whole, "ours": whole and known,
        "certificate_sha256": one.fingerprint, "said": f"{who}: {said}; {'by' if whole else 'as if by'} {whose}",
    }  # fmt: skip
