"""TLS for probes: contexts made once, and what a server's certificates say (RFC 5280), in fields and in words."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.x509.oid import NameOID

from haidang.model import FieldValue
from probes.attempt import Attempt, OwnFault, Settings, shown

WARN_DAYS = 14.0
_DAY_S = 86_400
_MOST_NAMES = 5
_DERS = 20
_EXPIRED, _NOT_YET = 10, 9  # X509_V_ERR_… of openssl/x509_vfy.h
_SELF_SIGNED = frozenset({18, 19})
_NO_ISSUER = frozenset({2, 20, 21, 27})
_OTHER_NAME = frozenset({62, 63, 64})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions(Settings):
    """What every probe that can speak TLS can be told of it.

    Parameters:
        server_name: whom the certificate must be for, and SNI; empty: the host as written.
        verify: whether the certificate must be for it and signed by somebody who is trusted.
        trust: file with the authorities that are trusted (PEM); empty: those of this machine.
        certificate, key: files with a certificate to show, and its key (PEM); the key may be in the first.
        warn_days: warn when a certificate of the chain expires sooner.
    """

    server_name: str = ""
    verify: bool = True
    trust: str = ""
    certificate: str = ""
    key: str = ""
    warn_days: float = WARN_DAYS


def context(options: TlsOptions, *, verify: bool | None = None, weak: bool = False) -> ssl.SSLContext:
    """Return the context these options ask for; making one reads the machine's 140 authorities, so it is kept.

    Parameters:
        options: see `TlsOptions`.
        verify: instead of what the options say.
        weak: offer TLS 1.0 and 1.1 alone.

    Raises:
        OwnFault: a file cannot be read or is none of its kind.
    """
    files = tuple(name for name in (options.trust, options.certificate, options.key) if name)
    try:
        stamps = tuple(Path(name).stat().st_mtime_ns for name in files)
        return _context(
            options.verify if verify is None else verify, options.trust, options.certificate, options.key, weak, stamps
        )
    except OSError as error:
        where = error.filename or " or ".join(files)
        raise OwnFault(f"{where} cannot be read: {(error.strerror or str(error)).lower()}") from error


@lru_cache(maxsize=64)
def _context(
    verify: bool, trust: str, certificate: str, key: str, weak: bool, _stamps: tuple[int, ...]
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        if trust:
            with _usable(trust):
                made.load_verify_locations(trust)
        else:
            made.load_default_certs()
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if certificate:
        with _usable(" or ".join(filter(None, (certificate, key)))):
            made.load_cert_chain(certificate, key or None, password=lambda: _locked(key or certificate))
    if weak:
        with warnings.catch_warnings():  # old versions are deprecated, that is why they are looked for
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version, made.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


@contextmanager
def _usable(files: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        words = _FILE_WORDS.get(error.reason or "PEM lib") or (error.reason or str(error)).replace("_", " ").lower()
        raise OwnFault(f"{files} is not usable: {words}") from error


_FILE_WORDS = {
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate is in it",
    "KEY_VALUES_MISMATCH": "the key is another certificate's",
    "PEM lib": "no certificate with its key is in it",
}


def _locked(key: str) -> str:
    """Refuse to ask for a pass phrase, as OpenSSL would at the terminal and without an end."""
    raise OwnFault(f"{key} has a pass phrase: give a key without one")


def chain(tls: ssl.SSLObject) -> list[x509.Certificate]:
    """Return the certificates that a server showed, its own first; those that cannot be read are left out."""
    ders: list[bytes] = []
    if hasattr(tls, "get_unverified_chain"):  # public since Python 3.13
        ders = list(tls.get_unverified_chain())
    else:
        inner = getattr(tls, "_sslobj", None)
        for one in (inner.get_unverified_chain() or ()) if inner is not None else ():
            ders.append(ssl.PEM_cert_to_DER_cert(one.public_bytes()))
    if not ders and (own := tls.getpeercert(binary_form=True)):
        ders = [own]
    found = []
    for der in ders[:_DERS]:
        try:
            one = x509.load_der_x509_certificate(der)
            one.subject, one.issuer, one.not_valid_after_utc  # noqa: B018 read now what may be broken in it
        except ValueError:
            continue
        found.append(one)
    return found


def describe(attempt: Attempt, tls: ssl.SSLObject, warn_days: float) -> None:
    """Write what TLS came out as into the fields, and what is wrong with the certificates into the warnings."""
    fields = attempt.fields
    fields["tls_version"] = tls.version() or ""
    cipher = tls.cipher()
    fields["tls_cipher"] = cipher[0] if cipher else ""
    shown_chain = chain(tls)
    if not shown_chain:
        return
    own = shown_chain[0]
    now = datetime.fromtimestamp(attempt.clock.utc_ns() / 1e9, UTC)
    days = [(one.not_valid_after_utc - now).total_seconds() / _DAY_S for one in shown_chain]
    fields.update(_facts(own, now))
    fields["chain_length"] = len(shown_chain)
    fields["chain_expires_in_days"] = round(min(days), 3)
    soonest = min(range(len(days)), key=days.__getitem__)
    if min(days) < warn_days:
        whose = "its certificate" if soonest == 0 else f"the certificate of {_name(shown_chain[soonest].subject)}"
        verb = "expires" if days[soonest] >= 0 else "expired"
        attempt.warnings.append(f"{whose} {verb} {_when(days[soonest])}, on {_date(shown_chain[soonest])}")
    attempt.warnings += _weak(own)


def why_refused(error: ssl.SSLCertVerificationError, own: x509.Certificate | None, expected: str) -> str:
    """Say why a certificate was not taken.

    Parameters:
        error: OpenSSL's verdict.
        own: the certificate, where it is known.
        expected: whom it should be for.
    """
    code = error.verify_code
    if code in _OTHER_NAME:
        names = f"for {', '.join(names_of(own)) or 'nobody'}, not" if own is not None else "not"
        return f"its certificate is {names} for {shown(expected)}"
    if code == _EXPIRED:
        return f"its certificate expired on {_date(own)}" if own else "its certificate has expired"
    if code == _NOT_YET:
        since = f" before {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC" if own else " yet"
        return f"its certificate is not valid{since}"
    if code in _SELF_SIGNED:
        which = "its certificate is" if code == 18 else "its chain ends in a certificate that is"
        return f"{which} signed by itself, and not among those that are trusted here"
    if code in _NO_ISSUER:
        by = _name(own.issuer) if own is not None else "somebody"
        return f"its certificate is signed by {by}, who is not trusted here or whose certificate it does not send"
    return f"its certificate is refused: {error.verify_message}"


def names_of(one: x509.Certificate) -> list[str]:
    """Return the names and addresses a certificate is for, at most a few."""
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        names = [_name(one.subject)]
    return [shown(name, 60) for name in names[:_MOST_NAMES]]


def _facts(own: x509.Certificate, now: datetime) -> dict[str, FieldValue]:
    return {
        "subject": _name(own.subject), "issuer": _name(own.issuer), "names": " ".join(names_of(own)),
        "serial": f"{own.serial_number:x}",
        "valid_from": f"{own.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "valid_until": f"{own.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "expires_in_days": round((own.not_valid_after_utc - now).total_seconds() / _DAY_S, 3),
    }  # fmt: skip


def _weak(own: x509.Certificate) -> list[str]:
    """Find what is no longer thought safe (NIST SP 800-131A: RSA below 2048 bits, SHA-1 and MD5 signatures)."""
    found = []
    try:
        key = own.public_key()
        if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < 2048:
            found.append(f"its key has {key.key_size} bits, fewer than 2048")
        if isinstance(own.signature_hash_algorithm, SHA1 | MD5):
            found.append(f"its certificate is signed with {own.signature_hash_algorithm.name.upper()}")
    except (ValueError, UnsupportedAlgorithm):
        pass  # a key of a kind that the library does not know
    return found


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return shown(str(common[0].value) if common else name.rfc4514_string() or "nobody", 80)


def _date(one: x509.Certificate) -> str:
    return f"{one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _when(days: float) -> str:
    if days < 0:
        return f"{-days:.0f} days ago" if days <= -1 else f"{-days * 24:.0f} hours ago"
    return f"in {days:.0f} days" if days >= 2 else f"in {days * 24:.0f} hours"
