"""PDF signatures: PAdES (ETSI EN 319 142-1), baseline B-B, by a key of the configuration; and what a file's say.

A signature is put behind the PDF as an increment, so that the typeset bytes stay what they were. pyHanko does the work
and is an extra: without a configured key, and without a signed file to look at, nothing of it is loaded.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from config.schema.reports import Signing
from config.secrets import SecretUnavailable
from config.source import Unreadable, read_bytes

if TYPE_CHECKING:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

FIELD = "Haidang"
_LARGEST_KEY = 1024 * 1024
_MOST = 100
"""Signatures of a file that are looked at."""


class CannotSign(ValueError):
    """The configured key cannot be used; the text names the file and the cure."""


@dataclass(frozen=True, slots=True)
class Found:
    """A signature that is in a PDF file.

    Parameters:
        signer: the subject of its certificate; empty where it cannot be read.
        at: when it says that it was made; its own word, no time stamp of anybody else.
        whole: nothing that it covers was changed, and it is the key's of its certificate.
        later: something was put behind the signed part that changes what is shown; another signature does not.
        fingerprint: SHA-256 of its certificate.
        wrong: why it is not whole.
    """

    signer: str
    at: datetime | None
    whole: bool
    later: bool
    fingerprint: str
    wrong: str = ""


class Signer:
    """Signs PDF files.

    Parameters:
        signing: where the key is.

    Raises:
        CannotSign: it cannot be read, is no key, or is no key of its certificate.
    """

    def __init__(self, signing: Signing) -> None:
        self._reason = signing.reason
        key, own, above = _read(signing)
        self.certificate = own
        self._simple = _simple(key, own, above)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate (DER)."""
        return _fingerprint(self.certificate.public_bytes(serialization.Encoding.DER))

    def sign(self, pdf: bytes, at: datetime) -> bytes:
        """Return a PDF file with a signature over all of it.

        Parameters:
            pdf: the file.
            at: when it is signed.

        Raises:
            CannotSign: the certificate is not valid then.
        """
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if not begin <= at <= end:
            raise CannotSign(
                f"reports.sign: the certificate of {self.certificate.subject.rfc4514_string()} is valid from "
                f"{begin:%Y-%m-%d} to {end:%Y-%m-%d} only: renew it"
            )
        return asyncio.run(self._signed(pdf, at))

    async def _signed(self, pdf: bytes, at: datetime) -> bytes:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415 an extra
        from pyhanko.sign.fields import SigSeedSubFilter  # noqa: PLC0415
        from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner  # noqa: PLC0415
        from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes  # noqa: PLC0415

        metadata = PdfSignatureMetadata(
            field_name=FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES, reason=self._reason or None
        )
        session = PdfSigner(metadata, self._simple).init_signing_session(IncrementalPdfFileWriter(io.BytesIO(pdf)))
        session.system_time = at  # the library would ask the machine's clock
        size = await session.estimate_signature_container_size(None, tight=False)
        prepared = session.prepare_tbs_document(validation_info=None, bytes_reserved=size)
        out = io.BytesIO()
        digest, _ = prepared.digest_tbs_document(output=out)
        # PAdES has the time in the signature dictionary, not in the CMS (EN 319 142-1 §6.3).
        await (
            await prepared.perform_signature(digest.document_digest, PdfCMSSignedAttributes(signing_time=None))
        ).post_signature_processing(out)
        return out.getvalue()


def certificate_of(signing: Signing) -> str:
    """Return the SHA-256 of the configured certificate; a key in a file of its own is not opened for it.

    Raises:
        CannotSign: it cannot be read.
    """
    if signing.certificate:
        try:
            own, *_ = x509.load_pem_x509_certificates(_bytes(signing.certificate))
        except ValueError as error:
            raise CannotSign(f"reports.sign: {signing.certificate} is no certificate in PEM ({error})") from error
    else:
        _, own, _ = _read(signing)
    return _fingerprint(own.public_bytes(serialization.Encoding.DER))


def found(pdf: bytes) -> list[Found]:
    """Return the signatures of a PDF file, in the order in which they were made.

    Whether anybody trusts their certificates is not judged: see `Signer.fingerprint`.

    Raises:
        CannotSign: pyHanko is not installed.
        ValueError: it is no PDF file that can be read.
    """
    if b"/ByteRange" not in pdf:  # none can be there; spares loading the library
        return []
    try:
        from pyhanko.pdf_utils.misc import PdfError  # noqa: PLC0415 an extra
        from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415
    except ImportError:
        raise CannotSign(_MISSING) from None
    try:
        reader = PdfFileReader(io.BytesIO(pdf))
        return _all(reader)
    except (PdfError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"is no PDF file that can be read ({error})") from error


_MISSING = f"signatures need the extra report ({sys.prefix}/bin/pip install 'haidang[report]')"


def _all(reader: PdfFileReader) -> list[Found]:
    return [_one(one) for one in reader.embedded_regular_signatures[:_MOST]]


def _one(signature: EmbeddedPdfSignature) -> Found:
    from pyhanko.sign.diff_analysis import ModificationLevel  # noqa: PLC0415 an extra
    from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
    from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415
    from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

    at, signer, fingerprint = None, "", ""
    try:
        at = signature.self_reported_timestamp
        der = signature.signer_cert.dump()
        signer, fingerprint = x509.load_der_x509_certificate(der).subject.rfc4514_string(), _fingerprint(der)
        alone = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
        status = validate_pdf_signature(signature, alone)
    except Exception as error:  # noqa: BLE001 the file is hostile: whatever is wrong in it, it is no whole signature
        return Found(signer, at, whole=False, later=False, fingerprint=fingerprint, wrong=f"unreadable: {error}")
    level = status.modification_level
    later = level is None or level > ModificationLevel.FORM_FILLING
    if status.coverage is SignatureCoverageLevel.UNCLEAR:
        wrong = "it does not cover the document"
    elif not status.intact:
        wrong = "what it covers was changed after it was signed"
    elif not status.valid:
        wrong = "it is not by the key of its certificate"
    else:
        wrong = ""
    return Found(signer, at, whole=not wrong, later=later, fingerprint=fingerprint, wrong=wrong)


def _read(signing: Signing) -> tuple[PrivateKeyTypes, x509.Certificate, list[x509.Certificate]]:
    try:
        password = signing.password.read().encode() if signing.password else None
    except SecretUnavailable as error:
        raise CannotSign(f"reports.sign.password: {error}") from error
    place = signing.pkcs12 or signing.key or ""
    try:
        if signing.pkcs12:
            key, own, above = pkcs12.load_key_and_certificates(_bytes(signing.pkcs12), password)
        else:
            key = serialization.load_pem_private_key(_bytes(signing.key or ""), password)
            own, *above = x509.load_pem_x509_certificates(_bytes(signing.certificate or ""))
    except CannotSign:
        raise  # the file cannot be read
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # What the library says of a wrong password differs by the kind of file.
        cure = "is its password right, and the file a PKCS#12 or PEM one?"
        raise CannotSign(f"reports.sign: {place} cannot be used ({error}): {cure}") from error
    if key is None or own is None:
        raise CannotSign(f"reports.sign: {place} has no private key with its certificate")
    if key.public_key() != own.public_key():
        raise CannotSign(f"reports.sign: the key in {place} is not the one of {own.subject.rfc4514_string()}")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise CannotSign(f"reports.sign: {place} is no key for signatures: RSA, ECDSA and Ed25519 are")
    return key, own, above


def _bytes(place: str) -> bytes:
    try:
        return read_bytes(Path(place), _LARGEST_KEY)
    except Unreadable as error:
        raise CannotSign(f"reports.sign: {place}: {error.message}") from error


def _simple(key: PrivateKeyTypes, own: x509.Certificate, above: list[x509.Certificate]) -> SimpleSigner:
    try:
        from asn1crypto import keys  # noqa: PLC0415 an extra
        from asn1crypto import x509 as asn1  # noqa: PLC0415
        from pyhanko.sign.signers import SimpleSigner  # noqa: PLC0415
        from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415
    except ImportError:
        raise CannotSign(f"reports.sign: {_MISSING}") from None
    der, plain = serialization.Encoding.DER, serialization.NoEncryption()
    store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple(asn1.Certificate.load(one.public_bytes(der)) for one in above)
    return SimpleSigner(
        signing_cert=asn1.Certificate.load(own.public_bytes(der)), cert_registry=store,
        signing_key=keys.PrivateKeyInfo.load(key.private_bytes(der, serialization.PrivateFormat.PKCS8, plain)),
    )  # fmt: skip


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
