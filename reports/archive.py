"""The reports that were made, kept in the data directory: one folder a revision, never changed afterwards.

``reports/2026-11/revision-1/`` holds the sealed figures (JSON), the documents made of them, and ``SHA256SUMS`` over all
of them, so that ``sha256sum -c`` can check a copy without this program.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from reports import documents, spreadsheets
from reports.model import Approval, Report
from reports.seal import LARGEST, NotAReport, differences, read, sealed, written
from reports.words import Words

SUMS = "SHA256SUMS"
_REVISION = re.compile(r"revision-([1-9][0-9]{0,4})")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_ENDINGS = {"pdf": "pdf", "html": "html", "xlsx": "xlsx", "csv": "csv.zip"}


def rendered(report: Report, formats: Iterable[str], languages: Iterable[str]) -> dict[str, bytes]:
    """Return the files of a report by their names; the figures (JSON) are one file for all languages.

    Parameters:
        formats: of ``pdf``, ``html``, ``xlsx``, ``csv``, ``json``.
        languages: of ``vi``, ``en``.
    """
    stem = "-".join(["report", report.month, *re.findall(r"[\w.-]+", report.about)])
    if report.revision > 1:
        stem += f"-r{report.revision}"
    found: dict[str, bytes] = {}
    makers = {
        "pdf": documents.as_pdf, "html": documents.as_html, "xlsx": spreadsheets.as_xlsx, "csv": spreadsheets.as_csv,
    }  # fmt: skip
    for form in dict.fromkeys(formats):
        if form == "json":
            found[f"{stem}.json"] = written(report)
            continue
        for language in dict.fromkeys(languages):
            words = Words(language, ZoneInfo(report.timezone))
            found[f"{stem}-{language}.{_ENDINGS[form]}"] = makers[form](report, words)
    return found


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the checksums of files as ``sha256sum`` writes them."""
    return "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in sorted(files.items())).encode()


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a revision; its size in bytes, and the hash it had when it was kept."""

    name: str
    sha256: str
    size: int


class Archive:
    """The kept reports.

    Parameters:
        data_dir: the data directory.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "reports"

    def months(self) -> list[str]:
        """Return the months there are reports of, in order."""
        if not self._folder.is_dir():
            return []
        return sorted(
            one.name for one in self._folder.iterdir() if _MONTH.fullmatch(one.name) and self.revisions(one.name)
        )

    def revisions(self, month: str) -> list[Path]:
        """Return the folders of a month's revisions, in order."""
        folder = self._folder / month
        if not folder.is_dir():
            return []
        found = {int(match[1]): one for one in folder.iterdir() if (match := _REVISION.fullmatch(one.name))}
        return [found[number] for number in sorted(found)]

    def files(self, folder: Path) -> list[Kept]:
        """Return the files of a revision by its own list; one that is gone has the size 0.

        Raises:
            OSError: the list cannot be read.
        """
        found = []
        for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
            sha256, _, name = line.partition("  ")
            if name and "/" not in name:
                path = folder / name
                found.append(Kept(name, sha256, path.stat().st_size if path.is_file() else 0))
        return found

    def latest(self, month: str) -> Report | None:
        """Return a month's newest revision.

        Raises:
            NotAReport: its file was changed.
            OSError: it cannot be read.
        """
        revisions = self.revisions(month)
        return self._read(revisions[-1]) if revisions else None

    def kept(self, report: Report, name: str) -> bytes | None:
        """Return a file of a kept revision as it was kept; ``None`` where there is none of that name.

        Raises:
            NotAReport: it was changed since.
            OSError: it cannot be read.
        """
        folder = self._folder / report.month / f"revision-{report.revision}"
        if report.about or not (folder / name).is_file():
            return None
        text = (folder / name).read_bytes()
        if f"{hashlib.sha256(text).hexdigest()}  {name}" not in (folder / SUMS).read_text(encoding="utf-8").split("\n"):
            raise NotAReport(f"{folder / name}: was changed after it was kept")
        return text

    def keep(self, report: Report, files: Mapping[str, bytes]) -> Path:
        """Keep a revision, complete or not at all.

        Raises:
            FileExistsError: this revision is there already.
            OSError: it cannot be written.
        """
        month = self._folder / report.month
        place = month / f"revision-{report.revision}"
        if place.exists():
            raise FileExistsError(f"{place}: is there already; reports are never overwritten")
        month.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=month))
        try:
            for name, text in {**files, SUMS: sums(files)}.items():
                with (aside / name).open("wb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
            aside.chmod(0o750)
            aside.rename(place)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return place

    def knows(self, name: str, sha256: str) -> bool | None:
        """Tell whether a file is one that was kept; ``None`` when no file of that name was."""
        known = [
            line.partition("  ")[0]
            for month in self.months() for folder in self.revisions(month)
            for line in (folder / SUMS).read_text(encoding="utf-8").splitlines() if line.partition("  ")[2] == name
        ]  # fmt: skip
        return sha256 in known if known else None

    def _read(self, folder: Path) -> Report:
        for file in sorted(folder.glob("report-*.json")):
            if file.stat().st_size > LARGEST:
                raise NotAReport(f"{file}: is too large for a report")
            return read(file.read_bytes(), str(file))
        raise NotAReport(f"{folder}: the sealed figures (report-….json) are missing")


def revised(before: Report, fresh: Report, author: str, reason: str) -> Report:
    """Return the next revision: the fresh figures, with every one that is another, and who approved it and why."""
    return sealed(
        fresh.model_copy(
            update={
                "revision": before.revision + 1, "approved": Approval(author=author, reason=reason),
                "changes": differences(before, fresh),
            }
        )
    )  # fmt: skip
