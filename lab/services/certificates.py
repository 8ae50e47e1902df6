"""Certificates of chosen validity and names (RFC 5280), signed by an authority of the lab's own."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import AfterValidator, Field

from haidang.clock import Clock
from lab.services.words import Words

YEAR = datetime.timedelta(days=365)
_NAME = "Haidang lab authority"
_LONGEST_NAME = 64  # ub-common-name


def _named_well(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        _general(name)
    return names


class Certificate(Words):
    """What a service shows."""

    expires_in_days: float = Field(90.0, ge=-3_650, le=3_650, description="from now; negative: expired by so many days")
    names: Annotated[tuple[str, ...], AfterValidator(_named_well)] = Field(
        (), max_length=20, description="DNS names or addresses it is for; the service's own address when empty"
    )
    self_signed: bool = Field(False, description="signed by itself instead of the lab's authority")


class Authority:
    """Signs the lab's certificates; its own goes to a file, for clients that shall trust it.

    Parameters:
        file: where its certificate is written, PEM.
        clock: what time it is in the lab.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = self._now()
        certificate = (
            _builder(_NAME, self._key, now - YEAR, now + 10 * YEAR)
            .issuer_name(_named(_NAME))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, wanted: Certificate, address: str) -> ssl.SSLContext:
        """Make a certificate and the server's TLS around it."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = wanted.names or (address,)
        until = self._now() + datetime.timedelta(days=wanted.expires_in_days)
        subject = names[0][:_LONGEST_NAME]
        issuer, signer = (subject, key) if wanted.self_signed else (_NAME, self._key)
        certificate = (
            _builder(subject, key, min(until, self._now()) - YEAR, until)
            .issuer_name(_named(issuer))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:  # the ssl module loads keys from files only
            file.write(private + certificate.public_bytes(serialization.Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._clock.utc_ns() // 1_000_000_000, datetime.UTC)


_SIGNS = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, since: datetime.datetime, until: datetime.datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
