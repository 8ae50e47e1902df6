"""Where an inventory is kept that `haidang import --netbox` reads."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from config.errors import quoted
from config.schema.values import Refusal, Section, Slug, line, note, seconds
from config.secrets import Secret

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?", re.IGNORECASE)


class NetBoxFilters(Section):
    """Which of NetBox's things are taken: query parameters of its REST API."""

    sites: Annotated[str, note(1000)] = Field("status=active", description="of /api/dcim/sites/")
    circuits: Annotated[str, note(1000)] = Field("status=active", description="of /api/circuits/circuits/")
    devices: Annotated[str, note(1000)] = Field("status=active", description="of /api/dcim/devices/, e.g. tag=haidang")


class NetBox(Section):
    """A NetBox server."""

    url: Annotated[str, line(1000)] = Field(description="where it is, e.g. https://netbox.example.org")
    token: Secret = Field(description="API token that may read; v1 or v2 (nbt_…)")
    timeout_s: Annotated[float, seconds(1, 600)] = Field(30.0, alias="timeout", description="for each page")
    trust: Annotated[str, line(1000)] | None = Field(
        None, description="PEM file of the authorities to trust, relative to the main file; default: this machine's"
    )
    only: NetBoxFilters = Field(default_factory=NetBoxFilters, description="which of its things are taken")
    roles: dict[Annotated[str, line(100)], Slug] = Field(
        default_factory=dict, description="our role by the slug of NetBox's, where they differ: {access-switch: switch}"
    )
    systems: dict[Annotated[str, line(100)], Slug] = Field(
        default_factory=dict, description="our system by the slug of a tag on a device or circuit: {tslcd: datanet}"
    )

    @field_validator("url")
    @classmethod
    def _base(cls, value: str) -> str:
        if not _URL.fullmatch(value):
            raise Refusal(f"{quoted(value)} is not the address of a server: write https://HOST or https://HOST/PATH")
        return value.rstrip("/")
