"""What a web server shows: pages by their path, and what can be wrong with them."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from lab.services.certificates import Certificate
from lab.services.words import Fault, Words, among

STATUSES = tuple(int(status) for status in HTTPStatus if status >= 200)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[!-~]([ \t!-~]{0,2000}[!-~])?|")
_OURS = frozenset(("connection", "content-length", "date", "transfer-encoding"))


def _paths(pages: dict[str, Page]) -> dict[str, Page]:
    for path in pages:
        if not re.fullmatch(r"/[!-~]*", path):
            raise ValueError(f"a path begins with / and has no spaces ({path!r})")
    return pages


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
            raise ValueError(f"{name} cannot be set to this")
    return headers


class Page(Words):
    """One answer."""

    status: Annotated[int, among(STATUSES)] = 200
    body: str = Field("", max_length=10_000_000, description="text, sent as UTF-8")
    json_body: Any = Field(None, alias="json", description="sent as JSON instead of a text")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field({}, description="further ones, e.g. Location")

    @model_validator(mode="after")
    def _one_body(self) -> Page:
        if self.body and self.json_body is not None:
            raise ValueError("a page has a body or a json, not both")
        try:
            json.dumps(self.json_body, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"that cannot be written as JSON ({error})") from error
        return self

    @property
    def bare(self) -> bool:
        """Whether its status has no body, nor a length of one (RFC 9110 §8.6)."""
        return self.status in (204, 304)

    @property
    def content(self) -> bytes:
        """The body's octets; an error without a body says its name."""
        if self.bare:
            return b""
        text = self.body if self.json_body is None else json.dumps(self.json_body, ensure_ascii=False)
        return (text or ("" if self.status == 200 else f"{HTTPStatus(self.status).phrase}\n")).encode()

    @property
    def kind(self) -> str:
        """Its media type, unless its headers have one."""
        return "text/html; charset=utf-8" if self.json_body is None else "application/json"


Pages = Annotated[dict[str, Page], AfterValidator(_paths)]


class HttpOptions(Words):
    """What a web server is."""

    pages: Pages = Field(
        {"/": Page(body="<!DOCTYPE html><title>Haidang lab</title>\n")},
        description="path → page; the path may carry a query; others are not found",
    )


class HttpFault(Fault):
    """What is wrong with a web server."""

    status: Annotated[int, among(STATUSES)] | None = Field(None, description="of every answer")
    pages: Pages = Field({}, description="instead of the usual ones")


class HttpsOptions(HttpOptions):
    """What a web server with TLS is."""

    certificate: Certificate = Field(Certificate(), description="what it shows")


class HttpsFault(HttpFault):
    """What is wrong with a web server with TLS."""

    certificate: Certificate | None = Field(None, description="instead of the usual one")
