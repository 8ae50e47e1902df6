"""The monthly report: for whom it is, when it is made, and what a missed objective costs whom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.schema.objectives import Clock
from config.schema.values import Refusal, Section, Slug, Text, line, number
from config.secrets import Secret, beside_the_file

Format = Literal["pdf", "html", "xlsx", "csv", "json"]
FORMATS: tuple[Format, ...] = ("pdf", "html", "xlsx", "csv", "json")


class Credit(Section):
    """One step of what a carrier owes for a line that was below what was agreed."""

    carrier: Annotated[str, line()] | None = Field(None, description="whose contract; default: every carrier's")
    below: Annotated[float, number(0, 100)] = Field(description="percent of availability of a line in the month")
    percent: Annotated[float, number(0, 100)] = Field(description="of the line's monthly fee; the highest step counts")


File = Annotated[str, AfterValidator(beside_the_file)]


class Signing(Section):
    """The key that PDF files are signed with: one PKCS#12 file, or certificate and key in PEM."""

    pkcs12: File | None = Field(None, description="PKCS#12 file (.p12, .pfx) with key, certificate and those above it")
    certificate: File | None = Field(None, description="PEM file with the certificate and those above it")
    key: File | None = Field(None, description="PEM file with its private key")
    password: Secret | None = Field(None, description="of the PKCS#12 file, or of the key")
    reason: Annotated[str, line(200)] = Field("", description="why it is signed, as PDF readers show it")

    @model_validator(mode="after")
    def _one_key(self) -> Signing:
        if (self.pkcs12 is None) == (self.certificate is None) or (self.certificate is None) != (self.key is None):
            raise Refusal("name either a pkcs12 file, or a certificate and its key")
        return self


class Band(Section):
    """Between which values something has to stay."""

    low: Annotated[float, number(-60, 1000)] = Field(description="the least that is right")
    high: Annotated[float, number(-60, 1000)] = Field(description="the most that is right")

    @model_validator(mode="after")
    def _in_order(self) -> Band:
        if self.low > self.high:
            raise Refusal("low is above high", key="low")
        return self


class Climate(Section):
    """What the air of the rooms that are measured has to be; as for server rooms in Thông tư 06/2026/TT-BKHCN."""

    temperature: Band = Field(Band(low=20, high=25), description="°C")
    humidity: Band = Field(Band(low=40, high=55), description="percent, relative")


class Reports(Section):
    """The monthly uptime report."""

    to: tuple[Slug, ...] = Field((), description="contacts who get it by mail, each in his language")
    at: Clock = Field("06:00", description="time of day on day 1 at which last month's is made")
    formats: tuple[Format, ...] = Field(
        ("pdf", "xlsx", "html", "json"), description="what is made; pdf and xlsx are mailed"
    )
    superior: Text | None = Field(None, description="the agency above, first line of the letterhead")
    agency: Text | None = Field(None, description="who reports, second line of the letterhead")
    symbol: Annotated[str, line()] = Field("BC", description="symbol behind the number left open, e.g. BC-TTTHDL")
    place: Annotated[str, line()] = Field("", description="where it is signed")
    signer: Text | None = Field(None, description="title over the signature, which stays open")
    recipients: tuple[Text, ...] = Field((), description="who gets a copy, as printed at the end")
    credits: tuple[Credit, ...] = Field((), description="what lines below their objective are credited with")
    sign: Signing | None = Field(None, description="the key that PDF files are signed with; without they are not")
    climate: Climate = Field(Climate(), description="what rooms' temperature and humidity are held against")
