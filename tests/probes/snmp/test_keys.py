"""Keys against the RFCs' examples and pysnmp."""

from __future__ import annotations

from typing import Any

import pytest
from pysnmp.entity import config as _pysnmp_first  # noqa: F401 without it pysnmp imports itself in a circle
from pysnmp.proto import rfc1902
from pysnmp.proto.secmod.eso.priv import aes192, aes256, des3
from pysnmp.proto.secmod.rfc3414.auth import hmacmd5, hmacsha
from pysnmp.proto.secmod.rfc3414.priv import des
from pysnmp.proto.secmod.rfc7860.auth import hmacsha2

from probes.snmp import User
from probes.snmp.keys import KeyRing

ENGINE = bytes.fromhex("000000000000000000000002")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("MD5", "526f5eed9fcce26f8964c2930787d82b"),  # RFC 3414 A.3.1
        ("SHA", "6695febc9288e36282235fc7151f128497b38f3f"),  # RFC 3414 A.3.2
    ],
)
def test_the_rfc_s_examples_come_out(auth: str, expected: str) -> None:
    assert KeyRing().authentication_key(User("u", auth, "maplesyrup"), ENGINE).hex() == expected


@pytest.mark.parametrize("priv", ["AES-192", "AES-256", "AES-192-C", "AES-256-C"])
@pytest.mark.parametrize("auth", ["SHA", "SHA-224", "SHA-256", "SHA-512"])
def test_stretched_privacy_keys_are_pysnmp_s(auth: str, priv: str) -> None:
    module = aes256 if "256" in priv else aes192
    theirs = {
        "AES-192": "AesBlumenthal192", "AES-256": "AesBlumenthal256", "AES-192-C": "Aes192", "AES-256-C": "Aes256"
    }[priv]  # fmt: skip
    cipher = getattr(module, theirs)()
    protocols = {
        "SHA": hmacsha.HmacSha.SERVICE_ID, "SHA-224": hmacsha2.HmacSha2.SHA224_SERVICE_ID,
        "SHA-256": hmacsha2.HmacSha2.SHA256_SERVICE_ID, "SHA-512": hmacsha2.HmacSha2.SHA512_SERVICE_ID,
    }  # fmt: skip
    master = rfc1902.OctetString(cipher.hash_passphrase(protocols[auth], b"privpass456"))
    expected = bytes(cipher.localize_key(protocols[auth], master, rfc1902.OctetString(ENGINE)))
    user = User("u", auth, "authpass123", priv, "privpass456")
    ours = KeyRing().privacy_key(user, ENGINE)
    assert ours == expected[: len(ours)]
    assert len(ours) == (32 if "256" in priv else 24)


@pytest.mark.parametrize("auth", ["MD5", "SHA", "SHA-256"])
@pytest.mark.parametrize(("priv", "theirs"), [("DES", des.Des()), ("3DES", des3.Des3())])
def test_what_des_encrypts_pysnmp_decrypts_and_the_other_way_round(auth: str, priv: str, theirs: Any) -> None:
    protocols = {
        "MD5": hmacmd5.HmacMd5.SERVICE_ID, "SHA": hmacsha.HmacSha.SERVICE_ID,
        "SHA-256": hmacsha2.HmacSha2.SHA256_SERVICE_ID,
    }  # fmt: skip
    master = rfc1902.OctetString(theirs.hash_passphrase(protocols[auth], b"privpass456"))
    key = rfc1902.OctetString(theirs.localize_key(protocols[auth], master, rfc1902.OctetString(ENGINE)))
    ours = KeyRing().cipher(User("u", auth, "authpass123", priv, "privpass456"), ENGINE)
    assert ours is not None
    salt = ours.salt(7, 41)
    text = b"a scoped PDU of no round length"
    encrypted = ours.encrypt(text, 7, 1_000, salt)
    times = (rfc1902.Integer(7), rfc1902.Integer(1_000), rfc1902.OctetString(salt))
    assert bytes(theirs.decrypt_data(key, times, rfc1902.OctetString(encrypted)))[: len(text)] == text
    found, salt = theirs.encrypt_data(key, times, text)
    assert ours.decrypt(bytes(found), 7, 1_000, bytes(salt))[: len(text)] == text
    assert ours.salt(7, 42) != ours.salt(7, 41) != ours.salt(8, 41)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (("", None), "1 to 32 bytes"),
        (("u", "SHA-3", "password1"), "'SHA-3' is not an authentication algorithm; one of MD5, SHA,"),
        (("u", "SHA", "short"), "at least 8 characters"),
        (("u", None, "", "AES", "password1"), "needs authentication"),
        (("u", "SHA", "password1", "RC4", "password1"), "'RC4' is not a privacy algorithm; one of AES, AES-192"),
    ],
)
def test_a_user_that_cannot_be_is_refused_in_words(user: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        User(*user)


def test_spellings_are_understood_and_passwords_are_not_printed() -> None:
    user = User("u", "sha256", "password1", "aes-128")
    assert (user.auth, user.priv, user.priv_password) == ("SHA-256", "AES", "password1")
    assert "password1" not in repr(user)
