"""ONVIF: GetSystemDateAndTime (Device Management, devicemgmt.wsdl), which a camera answers before anybody logs in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat

from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.http import HttpSettings, Page, absolute, fetch

PATH = "/onvif/device_service"
MAX_OFFSET_S = 5.0
_REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_FAULTS = frozenset(
    f"{envelope} Fault"
    for envelope in ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")
)
"""Of SOAP 1.2, and of 1.1, in which old cameras refuse whatever they are asked in."""
_DEEPEST, _LONGEST, _MOST_BYTES = 50, 400, 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class OnvifSettings(TlsOptions):
    """Where the device service is, and how far its clock may be off.

    Parameters:
        path: of the device service.
        security: ``none``, or ``tls``.
        max_offset_s: warn when its clock is further from this machine's: pictures with a wrong time are no evidence.
    """

    path: str = PATH
    security: str = "none"
    max_offset_s: float = MAX_OFFSET_S


async def onvif(attempt: Attempt, settings: OnvifSettings) -> None:
    """Ask a camera for its time. One that wants a password even for that is *up*: it lives."""
    if settings.security not in ("none", "tls"):
        raise BadSettings(f"security is none of none, tls: {shown(settings.security)}")
    scheme = "http" if settings.security == "none" else "https"
    asked = HttpSettings(
        method="POST", body=_REQUEST, headers={"Content-Type": "application/soap+xml; charset=utf-8"},
        server_name=settings.server_name, verify=settings.verify, trust=settings.trust,
        certificate=settings.certificate, key=settings.key, warn_days=settings.warn_days,
    )  # fmt: skip
    url = absolute(settings.path, attempt.host, settings.port, scheme)
    began_ns, began = attempt.clock.utc_ns(), time.perf_counter()
    page = await fetch(attempt, asked, url, attempt.address)
    attempt.fields["status_code"] = page.status
    if page.status == 401:
        attempt.fields["authentication"] = True
        return
    said = _read(page)
    if "fault" in said:
        if "NotAuthorized" in said["fault"]:
            attempt.fields["authentication"] = True
            return
        raise Down(f"it refuses GetSystemDateAndTime: {shown(said.get('reason', '')) or shown(said['fault'])}")
    if page.status != 200:
        raise Down(f"it answered {page.status} to GetSystemDateAndTime")
    # Its seconds are whole ones, so half a second is the best guess of what was cut off.
    middle_s = began_ns / 1e9 + (time.perf_counter() - began) / 2
    _judge(attempt, said, middle_s - 0.5, settings.max_offset_s)


def _judge(attempt: Attempt, said: Mapping[str, str], ours_s: float, max_offset_s: float) -> None:
    if said.get("DateTimeType"):
        attempt.fields["time_source"] = shown(said["DateTimeType"], 20)
    if said.get("TZ"):
        attempt.fields["time_zone"] = shown(said["TZ"], 60)
    parts = [said.get(f"UTCDateTime/{name}", "") for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    if not any(parts):
        attempt.warnings.append("it does not say its time in UTC")
        return
    try:
        year, month, day, hour, minute, second = (int(part) for part in parts)
        theirs_s = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise Down(f"its time is none: {shown('-'.join(parts[:3]))} {shown(':'.join(parts[3:]))}") from error
    offset_s = theirs_s - ours_s
    attempt.fields["offset_ms"] = offset_s * 1e3
    if abs(offset_s) > max_offset_s:
        ahead = "ahead of" if offset_s > 0 else "behind"
        attempt.warnings.append(f"its clock is {abs(offset_s):.0f} s {ahead} this machine's: one of the two is wrong")


def _read(page: Page) -> dict[str, str]:
    if len(page.body) > _MOST_BYTES:
        raise Down(f"its answer is longer than {_MOST_BYTES} bytes")
    try:
        said = read(page.body)
    except ValueError as error:
        if page.status != 200:
            raise Down(f"it answered {page.status} to GetSystemDateAndTime") from error
        raise Down(f"its answer is not ONVIF: {shown(page.body, 60)}") from error
    if not said and page.status != 200:
        raise Down(f"it answered {page.status} to GetSystemDateAndTime")
    if not said:
        raise Down(f"its answer is not ONVIF: {shown(page.body, 60)}")
    return said


def read(body: bytes) -> dict[str, str]:
    """Read an answer.

    Returns:
        ``UTCDateTime/Year`` to ``UTCDateTime/Second``, ``DateTimeType``, ``TZ``; of a fault ``fault`` (its codes) and
        ``reason``; nothing when it is XML, but no such answer.

    Raises:
        ValueError: it is no XML, or has a document type, which SOAP forbids and with which bombs are made.
    """
    found: dict[str, str] = {}
    path: list[str] = []
    # Whatever encoding it declares: its numbers are ASCII, and a name of a codec is not for it to choose.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True

    def doctype(*_: object) -> None:
        raise ValueError("a document type")

    def begin(name: str, _attributes: object) -> None:
        path.append(name)
        if len(path) > _DEEPEST:
            raise ValueError("too deep")
        if name in _FAULTS:
            found["fault"] = ""
        if name == f"{_DEVICE} GetSystemDateAndTimeResponse":
            found["answered"] = ""

    def end(_name: str) -> None:
        path.pop()

    def text(data: str) -> None:
        local = [one.rpartition(" ")[2] for one in path]
        key = ""
        if "fault" in found and local[-1] in ("Value", "faultcode"):
            key = "fault"
        elif "fault" in found and local[-1] in ("Text", "faultstring"):
            key = "reason"
        elif "answered" in found and local[-1] in ("DateTimeType", "TZ"):
            key = local[-1]
        elif "answered" in found and "UTCDateTime" in local:
            key = f"UTCDateTime/{local[-1]}"
        if key and len(found.get(key, "")) < _LONGEST and len(found) < 20:
            found[key] = (found.get(key, "") + (f" {data}" if key == "fault" else data)).strip()

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from error
    return found
