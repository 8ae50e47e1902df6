"""What a link in a message opens: one button, for whom the message was written, without signing in."""

from __future__ import annotations

from starlette.responses import Response

from alerting import records
from alerting.links import Link, LinkInvalid, key_of, verify
from dashboards.web.seat import Refused, Seat


async def page(seat: Seat) -> Response:
    """Show what a link is for; acknowledge when the button is pressed: who only follows links does nothing."""
    link = _link(seat)
    name = ""
    if link.kind == "incident":
        incident = await seat.house.desk.ask(lambda sql: records.incident(sql, link.number))
        if incident is None:
            raise Refused(404)
        name = seat.words.name(incident.subject.name, incident.check.target)
    done = False
    problem = ""
    if seat.request.method == "POST":
        await seat.fields()
        try:
            seat.house.do(f"{link.kind}.ack", {"number": link.number, "who": link.contact, "note": ""})
        except ValueError as error:
            problem = str(error)
        else:
            done = True
            seat.house.book.note(link.contact, seat.address, "acknowledge", f"{link.kind} {link.number} by a link")
            seat.house.hub.changed()
    return seat.page(
        "acknowledge.html", status=409 if problem else 200, link=link, name=name, done=done, problem=problem
    )


def _link(seat: Seat) -> Link:
    """Read the link; nobody can guess one, so tries are not counted.

    Raises:
        Refused: it is none of ours, or too old.
    """
    try:
        return verify(key_of(seat.house.configuration.data_dir), seat.request.path_params["token"], seat.now_ns / 1e9)
    except LinkInvalid:
        raise Refused(404, "acknowledge.invalid") from None
    except OSError:
        raise Refused(503) from None
