"""Signed PDF files: as pyHanko, pdfsig and openssl see them, and what the commands say of them."""

from __future__ import annotations

import io
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext
from typer.testing import CliRunner

from config.schema.reports import Signing
from config.secrets import Secret
from haidang.cli import app
from reports.documents import as_pdf
from reports.signing import CannotSign, Signer, found
from reports.words import Words
from tests.reports.ledgers import HANOI, TEXT, october, reported
from tests.support.certificates import Authority
from tests.support.parts import require

NOW = datetime.now(UTC).replace(microsecond=0)
SIGNED = TEXT.replace("reports:\n", "reports:\n  sign: {pkcs12: key.p12, password: {file: password}}\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def pem(authority: Authority) -> Path:
    return authority.issue("signer.pem", "trung-tam.bacgiang.gov.vn", bits=2048)


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return as_pdf(reported(october(tmp_path_factory.mktemp("month"))), Words("vi", HANOI))


def put_p12(folder: Path, pem: Path, authority: Authority, password: str = "đèn biển") -> None:
    """Write ``key.p12`` and its password beside a configuration."""
    text = pem.read_bytes()
    own, above = x509.load_pem_x509_certificate(text), x509.load_pem_x509_certificate(authority.file.read_bytes())
    key: Any = load_pem_private_key(text, None)
    (folder / "key.p12").write_bytes(
        serialize_key_and_certificates(b"k", key, own, [above], BestAvailableEncryption(password.encode()))
    )
    (folder / "password").write_text(f"{password}\n", encoding="utf-8")


def test_the_signature_is_valid_to_pyhankos_own_validator(pdf: bytes, pem: Path, authority: Authority) -> None:
    made = Signer(Signing(certificate=str(pem), key=str(pem), reason="Báo cáo tháng")).sign(pdf, NOW)
    [one] = PdfFileReader(io.BytesIO(made)).embedded_regular_signatures
    root = load_cert_from_pemder(str(authority.file))  # type: ignore[no-untyped-call]
    status = validate_pdf_signature(
        one, ValidationContext(trust_roots=[root]), key_usage_settings=KeyUsageConstraints(key_usage=set())
    )
    assert status.bottom_line, status.pretty_print_details()  # type: ignore[no-untyped-call]
    assert one.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert one.sig_object["/Reason"] == "Báo cáo tháng"
    attributes = {attribute["type"].native for attribute in one.signer_info["signed_attrs"]}
    assert {"message_digest", "content_type", "signing_certificate_v2"} <= attributes
    assert "signing_time" not in attributes, "PAdES has it in the dictionary (EN 319 142-1)"


def test_the_signature_is_valid_to_pdfsig_and_openssl(
    pdf: bytes, pem: Path, authority: Authority, tmp_path: Path
) -> None:
    made = Signer(Signing(certificate=str(pem), key=str(pem))).sign(pdf, NOW)
    (tmp_path / "signed.pdf").write_bytes(made)
    said = subprocess.run(
        [require("pdfsig", "poppler-utils"), "-nocert", str(tmp_path / "signed.pdf")],
        capture_output=True, timeout=60, check=False,
    ).stdout.decode()  # fmt: skip
    assert "Signature is Valid." in said
    assert "Total document signed" in said
    match = re.search(rb"/ByteRange ?\[ ?(\d+) (\d+) (\d+) (\d+)", made)
    assert match
    first, length, second, rest = map(int, match.groups())
    covered, signature = made[first : first + length] + made[second : second + rest], made[first + length : second]
    (tmp_path / "covered").write_bytes(covered)
    (tmp_path / "cms").write_bytes(bytes.fromhex(signature.strip(b"<>").decode()))
    openssl = [
        require("openssl", "openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "cms"),
        "-content", str(tmp_path / "covered"), "-CAfile", str(authority.file), "-purpose", "any", "-cades",
        "-out", "/dev/null",
    ]  # fmt: skip
    done = subprocess.run(openssl, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "covered").write_bytes(covered.replace(b"/Title", b"/Titel", 1))
    assert subprocess.run(openssl, capture_output=True, timeout=60, check=False).returncode != 0


def test_signing_leaves_the_typeset_bytes_as_they_were(pdf: bytes, pem: Path) -> None:
    assert Signer(Signing(certificate=str(pem), key=str(pem))).sign(pdf, NOW).startswith(pdf)


@pytest.mark.parametrize("bits", [0, 2048])
def test_keys_of_both_kinds_sign_and_a_changed_byte_is_noticed(pdf: bytes, authority: Authority, bits: int) -> None:
    pem = authority.issue(f"kind-{bits}.pem", "signer", bits=bits)
    signer = Signer(Signing(certificate=str(pem), key=str(pem)))
    made = signer.sign(pdf, NOW)
    [one] = found(made)
    assert (one.whole, one.later, one.at, one.signer, one.fingerprint) == (
        True,
        False,
        NOW,
        "CN=signer",
        signer.fingerprint,
    )
    spot = made.index(b"stream") + 40
    [one] = found(made[:spot] + bytes([made[spot] ^ 1]) + made[spot + 1 :])
    assert (one.whole, one.wrong) == (False, "what it covers was changed after it was signed")


def test_a_second_signature_leaves_the_first_whole(pdf: bytes, pem: Path) -> None:
    """As a director signs what the daemon has signed already."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, sign_pdf

    made = Signer(Signing(certificate=str(pem), key=str(pem))).sign(pdf, NOW)
    his = SimpleSigner.load(str(pem), str(pem))  # type: ignore[no-untyped-call]
    both = sign_pdf(IncrementalPdfFileWriter(io.BytesIO(made)), PdfSignatureMetadata(field_name="Director"), his)
    assert [(one.whole, one.later) for one in found(both.getvalue())] == [(True, False)] * 2


def test_a_key_that_cannot_be_used_is_named_with_its_cure(
    pem: Path, authority: Authority, folder: Path, pdf: bytes, tmp_path: Path
) -> None:
    put_p12(tmp_path, pem, authority)
    (tmp_path / "wrong").write_text("false")
    other = authority.issue("other.pem", "other")
    (tmp_path / "text.pem").write_text("hello")
    for signing, message in (
        ({"pkcs12": tmp_path / "key.p12", "password": Secret(file=str(tmp_path / "wrong"))}, "is its password right"),
        ({"pkcs12": tmp_path / "key.p12", "password": Secret(file=str(tmp_path / "gone"))}, "reports.sign.password: "),
        ({"pkcs12": tmp_path / "none.p12"}, "none.p12: there is no such file"),
        ({"certificate": pem, "key": other}, "is not the one of CN="),
        ({"certificate": tmp_path / "text.pem", "key": pem}, "cannot be used"),
    ):
        with pytest.raises(CannotSign) as raised:
            Signer(Signing(**{key: str(value) if isinstance(value, Path) else value for key, value in signing.items()}))
        assert message in str(raised.value)
        assert ("password" in str(raised.value)) == ("such" not in message and "CN=" not in message)
    with pytest.raises(CannotSign, match=r"valid from .* renew it"):
        Signer(Signing(certificate=str(pem), key=str(pem))).sign(pdf, NOW + timedelta(days=400))


def test_what_is_no_pdf_or_has_no_signature_is_said() -> None:
    assert found(b"%PDF-1.7 nothing") == []
    with pytest.raises(ValueError, match="no PDF file"):
        found(b"%PDF-1.7 /ByteRange")


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["report", *words])


def test_the_commands_sign_keep_and_verify(pem: Path, authority: Authority, tmp_path: Path) -> None:
    october(tmp_path, text=SIGNED)
    put_p12(tmp_path, pem, authority)
    asked = ["--month", "2026-10", "--config", str(tmp_path / "haidang.yaml")]
    done = run(*asked, "--keep")
    assert done.exit_code == 0, done.output
    [kept] = (tmp_path / "data" / "reports").rglob("*.pdf")
    done = run(*asked, "--format", "pdf", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    [made] = (tmp_path / "out").glob("*.pdf")
    assert made.read_bytes() == kept.read_bytes(), "what is kept is what goes out"
    done = run("verify", str(made), "--config", str(tmp_path / "haidang.yaml"), "--json")
    assert done.exit_code == 0, done.output
    [signature] = json.loads(done.stdout)["signatures"]
    assert (signature["whole"], signature["ours"]) == (True, True)

    made.write_bytes(made.read_bytes().replace(b"/Title", b"/Titel", 1))
    done = run("verify", str(made), "--config", str(tmp_path / "haidang.yaml"))
    assert done.exit_code == 1
    assert "ANOTHER FILE THAN THE ONE MADE" in done.stdout
    assert "SIGNATURE BROKEN: what it covers was changed after it was signed" in done.stdout
    kept.chmod(0o600)
    kept.write_bytes(made.read_bytes())
    done = run(*asked, "--format", "pdf", "--out", str(tmp_path / "out"))
    assert (done.exit_code, "was changed after it was kept" in done.stderr) == (1, True)


def test_a_wrong_password_is_said_before_the_long_work(pem: Path, authority: Authority, tmp_path: Path) -> None:
    october(tmp_path, text=SIGNED)
    put_p12(tmp_path, pem, authority)
    (tmp_path / "password").write_text("sai")
    done = run("--month", "2026-10", "--config", str(tmp_path / "haidang.yaml"))
    assert (done.exit_code, "reports.sign: " in done.stderr, "is its password right" in done.stderr) == (2, True, True)
    assert not list(tmp_path.glob("*.pdf"))


def test_a_key_that_cannot_be_opened_does_not_keep_anybody_from_verifying(
    pem: Path, authority: Authority, tmp_path: Path
) -> None:
    put_p12(tmp_path, pem, authority)
    (tmp_path / "signer.crt").write_bytes(pem.read_bytes()[pem.read_bytes().index(b"-----BEGIN CERTIFICATE") :])
    (tmp_path / "signer.key").write_bytes(pem.read_bytes())
    october(tmp_path, text=SIGNED)
    config = tmp_path / "haidang.yaml"
    done = run("--month", "2026-10", "--format", "pdf", "--config", str(config), "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    [made] = (tmp_path / "out").glob("*.pdf")

    (tmp_path / "password").write_text("sai")
    done = run("verify", str(made), "--config", str(config))
    assert done.exit_code == 0, done.output
    assert "is its password right" in done.stderr
    assert "which signature is by this configuration" in done.stderr
    assert "the signature is whole; by a certificate, SHA-256 " in done.stdout

    start = SIGNED.index("sign:")
    end = SIGNED.index("\n", start)
    two = f"sign: {{certificate: {tmp_path}/signer.crt, key: {tmp_path}/signer.key}}"
    config.write_text(SIGNED[:start] + two + SIGNED[end:], encoding="utf-8")
    (tmp_path / "signer.key").unlink()
    done = run("verify", str(made), "--config", str(config))
    assert (done.exit_code, done.stderr) == (0, ""), "the certificate does"
    assert "the signature is whole; by this configuration's certificate" in done.stdout


def test_without_a_key_nothing_is_signed(pdf: bytes) -> None:
    assert found(pdf) == []
