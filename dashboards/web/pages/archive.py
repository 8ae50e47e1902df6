"""The report archive: what was kept, and each file of it to take away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import FileResponse, Response

from dashboards.web.seat import Refused, Seat
from probes.threads import in_thread
from reports.archive import Archive, Kept

MOST_MONTHS = 60


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a month's report, with its files."""

    month: str
    number: int
    files: list[Kept]


def revisions(data_dir: Path) -> list[Revision]:
    """Return what is kept, the newest month and revision first.

    Raises:
        OSError: it cannot be read.
    """
    archive = Archive(data_dir)
    return [
        Revision(month, int(folder.name.rpartition("-")[2]), archive.files(folder))
        for month in reversed(archive.months()[-MOST_MONTHS:])
        for folder in reversed(archive.revisions(month))
    ]


def file_of(data_dir: Path, month: str, number: int, name: str) -> Path | None:
    """Return a kept file; names that are not in the archive's own lists lead nowhere, whatever they look like."""
    archive = Archive(data_dir)
    if month not in archive.months():
        return None
    for folder in archive.revisions(month):
        if folder.name == f"revision-{number}" and any(one.name == name for one in archive.files(folder)):
            return folder / name
    return None


async def page(seat: Seat) -> Response:
    """Answer with the list."""
    seat.require("viewer")
    data_dir = seat.house.configuration.data_dir
    found: list[Revision] = []
    problem = ""
    try:
        found = await in_thread(lambda: revisions(data_dir), "archive")
    except OSError as error:
        problem = str(error)
    months: dict[str, list[Revision]] = {}
    for one in found:
        months.setdefault(one.month, []).append(one)
    return seat.page("reports.html", months=months, problem=problem)


async def file(seat: Seat) -> Response:
    """Answer with one file."""
    user = seat.require("viewer")
    data_dir, given = seat.house.configuration.data_dir, seat.request.path_params
    try:
        path = await in_thread(lambda: file_of(data_dir, given["month"], given["number"], given["name"]), "archive")
    except OSError:
        raise Refused(503) from None
    if path is None:
        raise Refused(404)
    seat.house.book.note(user.name, seat.address, "took a report", f"{given['month']} {given['number']} {path.name}")
    return FileResponse(path, filename=path.name)
