"""Certificates for tests, as PEM files: right ones, and every kind of wrong one."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """Signs certificates; its own is ``authority.pem`` in the folder.

    Parameters:
        folder: where all files go.
        name: its own.
    """

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _builder(self._name, self._name, self._key, -400, 4000).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file: str, *names: str, days: float = 90, since: float = -400, self_signed: bool = False, bits: int = 0
    ) -> Path:  # fmt: skip
        """Write a certificate with its key behind it.

        Parameters:
            file: its name in the folder.
            names: whom it is for.
            days, since: from now until it ends and begins.
            self_signed: by itself instead of the authority.
            bits: of an RSA key; 0: an elliptic one.
        """
        key: Key = ec.generate_private_key(ec.SECP256R1()) if not bits else rsa.generate_private_key(65537, bits)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        general = [_general(name) for name in names]
        made = (
            _builder(subject, subject if self_signed else self._name, key, min(since, days - 1), days)
            .add_extension(x509.SubjectAlternativeName(general), critical=False)
            .sign(key if self_signed else self._key, hashes.SHA256())
        )
        path = self.folder / file
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, since: float, until: float
) -> x509.CertificateBuilder:  # fmt: skip
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since * DAY)
        .not_valid_after(now + until * DAY)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
