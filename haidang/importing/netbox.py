"""Reads sites, circuits and devices with their addresses out of NetBox, through its REST API.

Shapes: NetBox's REST API reference (https://netboxlabs.com/docs/netbox/integrations/rest-api/). Lists are pages of
``{count, next, previous, results}``. A token of version 1 goes as ``Authorization: Token …``, one of version 2
(``nbt_``, since 4.5) as ``Bearer …``. A circuit's end names its site as ``site`` up to 4.1, as ``termination`` since
4.2; a device's role is ``device_role`` up to 3.5 and ``role`` since.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from alerting.text import clean
from config.schema.netbox import NetBox
from haidang.importing.headings import kind_of, kinds, plain
from haidang.importing.records import Fault, Record, Tables, Value

PAGE = 500
MOST_PAGES = 200
LARGEST_PAGE = 32 * 1024 * 1024
Row = Mapping[str, Any]


class NetBoxError(Exception):
    """NetBox cannot be read; the text says why, and the cure."""


def read(settings: NetBox, token: str, trust: str | None = None, *, transport: Any = None) -> Tables:  # noqa: ANN401 httpx's
    """Read what the settings ask for.

    Parameters:
        settings: where and which.
        token: the API token.
        trust: path of a PEM file, absolute.
        transport: instead of the network.

    Raises:
        NetBoxError: it cannot be reached, refuses, or answers something else.
    """
    scheme = "Bearer" if token.startswith("nbt_") else "Token"
    try:
        context = ssl.create_default_context(cafile=trust)
        with httpx2.Client(
            headers={"Authorization": f"{scheme} {token}", "Accept": "application/json"},
            timeout=settings.timeout_s, verify=context, follow_redirects=False, transport=transport,
        ) as client:  # fmt: skip
            sites = _all(client, settings.url, "dcim/sites/", settings.only.sites)
            circuits = _all(client, settings.url, "circuits/circuits/", settings.only.circuits)
            devices = _all(client, settings.url, "dcim/devices/", settings.only.devices)
            lacking = any(_primary(one) is None for one in devices)
            addresses = _all(client, settings.url, "ipam/ip-addresses/", "status=active") if lacking else []
    except (OSError, ssl.SSLError) as error:
        raise NetBoxError(f"netbox.trust: {trust} cannot be used: {error}") from error
    except (UnicodeError, ValueError) as error:
        raise NetBoxError(f"netbox.token: cannot stand in a request: {error}") from error
    found = Tables(kinds={name: kinds()[name] for name in ("sites", "circuits")})
    found.records += [_site(one) for one in sites]
    found.records += [_circuit(one, settings) for one in circuits]
    spare = _by_device(addresses)
    for one in devices:
        record = _device(one, settings, spare)
        if record.values["address"] is None:
            message = "has no primary IP address and none on an interface: not taken"
            found.notes.append(f"{record.places['']}: {record.id} {message}")
        else:
            found.kinds[record.kind.name] = record.kind
            found.records.append(record)
    _twice(found)
    return found


def _all(client: httpx2.Client, url: str, what: str, only: str) -> list[Row]:
    """Read every page of a list."""
    place = f"{url}/api/{what}"
    asked = place
    words: dict[str, Any] | None = {}
    query = [*parse_qsl(only, keep_blank_values=True), ("limit", str(PAGE))]
    rows: list[Row] = []
    for _ in range(MOST_PAGES):
        data = _page(client, asked, query if words is not None else None)
        results = data.get("results")
        if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
            raise NetBoxError(f"{place}: answers JSON without a list of results: is this NetBox?")
        rows += results
        following = data.get("next")
        if following is None:
            return rows
        if not isinstance(following, str) or not results:
            raise NetBoxError(f"{place}: its pages do not end")
        there, here = urlsplit(following), urlsplit(url)
        # Behind a proxy NetBox may name itself otherwise; the token goes only where the operator said.
        asked = here._replace(path=there.path, query=there.query).geturl()
        words = None
    raise NetBoxError(f"{place}: more than {MOST_PAGES} pages of {PAGE}: narrow it by netbox.only")


def _page(client: httpx2.Client, place: str, query: Sequence[tuple[str, str]] | None) -> Row:
    shown = place.partition("?")[0]
    try:
        with client.stream("GET", place, params=list(query) if query is not None else None) as answer:
            content = bytearray()
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > LARGEST_PAGE:
                    raise NetBoxError(f"{shown}: a page of more than {LARGEST_PAGE // 1024**2} MiB")
            status, moved = answer.status_code, answer.headers.get("location", "")
            answer._content = bytes(content)  # noqa: SLF001
            if status == 200:
                data = answer.json()
    except httpx2.TimeoutException as error:
        raise NetBoxError(f"{shown}: no answer in time (netbox.timeout)") from error
    except httpx2.HTTPError as error:
        raise NetBoxError(f"{shown}: cannot be reached: {clean(str(error), 200)}") from error
    except ValueError as error:
        raise NetBoxError(f"{shown}: answers something that is not JSON: is this NetBox? Check netbox.url") from error
    if status in (401, 403):
        raise NetBoxError(
            f"{shown}: refused ({status}{_detail(content)}): "
            "netbox.token must be a valid one with the right to view these"
        )
    if status in (301, 302, 307, 308):
        raise NetBoxError(f"{shown}: moved to {clean(moved, 200)}: write that address under netbox.url")
    if status == 400:
        raise NetBoxError(f"{shown}: does not take the filter{_detail(content)}: see netbox.only")
    if status == 404:
        raise NetBoxError(f"{shown}: not there (404): netbox.url must be NetBox's own address, without /api")
    if status != 200:
        raise NetBoxError(f"{shown}: answered {status}{_detail(content)}")
    if not isinstance(data, dict):
        raise NetBoxError(f"{shown}: answers no object: is this NetBox?")
    return data


def _detail(content: bytes | bytearray) -> str:
    text = clean(bytes(content[:300]).decode("utf-8", "replace"), 200)
    return f", {text}" if text and "<" not in text else ""


def _site(one: Row) -> Record:
    values: dict[str, Value] = {
        "id": _slug(one.get("slug") or one.get("name")), "name": _text(one.get("name")),
        "latitude": _text(one.get("latitude")), "longitude": _text(one.get("longitude")),
        "address": _line(one.get("physical_address")),
    }  # fmt: skip
    return _record("sites", values, f"netbox:dcim/sites/{one.get('id')}")


def _circuit(one: Row, settings: NetBox) -> Record:
    rate = one.get("commit_rate")  # Kbit/s
    values: dict[str, Value] = {
        "id": _slug(one.get("cid")), "name": _text(one.get("cid")), "carrier": _text(_in(one, "provider", "name")),
        "a": _end(one.get("termination_a")), "b": _end(one.get("termination_z")),
        "mbps": f"{rate / 1000:g}" if isinstance(rate, int) and rate > 0 else None,
    }  # fmt: skip
    return _record("circuits", _with_system(values, one, settings), f"netbox:circuits/circuits/{one.get('id')}")


def _device(one: Row, settings: NetBox, spare: Mapping[int, str]) -> Record:
    role = str(_in(one, "role", "slug") or _in(one, "device_role", "slug") or "")
    ours = settings.roles.get(role, role)
    number = one.get("id")
    values: dict[str, Value] = {
        "id": _slug(one.get("name") or f"device-{number}"), "name": _text(one.get("name")),
        "address": _primary(one) or (spare.get(number) if isinstance(number, int) else None),
        "site": _slug(_in(one, "site", "slug")) or None, "role": ours or None,
    }  # fmt: skip
    kind = kind_of("targets", ours)
    return _record(kind.name, _with_system(values, one, settings), f"netbox:dcim/devices/{number}")


def _with_system(values: dict[str, Value], one: Row, settings: NetBox) -> dict[str, Value]:
    tags = [_text(_in(tag, "slug") if isinstance(tag, dict) else tag) for tag in one.get("tags") or ()]
    system = next((settings.systems[tag] for tag in tags if tag in settings.systems), None)
    return {**values, "system": system} if system else values


def _record(kind: str, values: Mapping[str, Value], place: str) -> Record:
    return Record(kinds()[kind], str(values["id"]), values, {"": place, **{key: f"{place}:{key}" for key in values}})


def _primary(one: Row) -> str | None:
    for key in ("primary_ip", "primary_ip4", "primary_ip6"):
        if isinstance(found := _in(one, key, "address"), str):
            return found.partition("/")[0]
    return None


def _by_device(addresses: Sequence[Row]) -> Mapping[int, str]:
    """Return an address of each device: the first on any of its interfaces."""
    found: dict[int, str] = {}
    for one in addresses:
        device = _in(one, "assigned_object", "device", "id")
        if isinstance(device, int) and isinstance(one.get("address"), str):
            found.setdefault(device, one["address"].partition("/")[0])
    return found


def _end(end: object) -> str | None:
    if not isinstance(end, dict):
        return None
    site = end.get("site")
    if site is None and end.get("termination_type") == "dcim.site":
        site = end.get("termination")
    return (_slug(site.get("slug")) or None) if isinstance(site, dict) else None


def _in(one: object, *keys: str) -> object:
    for key in keys:
        one = one.get(key) if isinstance(one, dict) else None
    return one


def _text(value: object) -> str | None:
    return None if value is None or value == "" else clean(str(value), 200)


def _line(value: object) -> str | None:
    return " ".join(str(value).split())[:500] or None if value else None


def _slug(value: object) -> str:
    return plain(str(value or "")).replace(" ", "-")[:64]


def _twice(found: Tables) -> None:
    first: dict[tuple[str, str], Record] = {}
    for record in found.records:
        before = first.setdefault((record.kind.section, record.id), record)
        if before is not record:
            message = f"{record.id} is there twice, also at {before.places['']}: two names differ by signs only"
            found.faults.append(Fault(record.places[""], "id", message))
