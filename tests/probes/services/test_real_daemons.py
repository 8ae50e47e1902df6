"""SSH, LDAP, time and mailbox servers of Debian, started by the test on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT, Settings
from probes.kinds import probe
from probes.ldap import LdapSettings
from probes.mail import MailSettings
from probes.ntp import NtpSettings
from probes.sip import SipSettings
from probes.ssh import SshSettings
from probes.tls import TlsSettings
from tests.support.certificates import Authority
from tests.support.parts import require
from tests.support.peers import HOST, free_port, program


async def ask(kind: str, settings: Settings) -> Observation:
    found = await probe(kind, SystemClock(), "real", HOST, settings)
    assert FAULT not in found.reason
    return found


@pytest.fixture
def host_key(tmp_path: Path) -> Path:
    keygen = require("ssh-keygen", "openssh-client")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    return tmp_path / "key"


async def test_openssh_says_who_it_is(tmp_path: Path, host_key: Path) -> None:
    sshd = require("sshd", "openssh-server")
    port = free_port()
    options = ["-o", f"ListenAddress={HOST}:{port}", "-o", "PidFile=none", "-o", "UsePAM=no"]
    with program([sshd, "-D", "-e", "-f", "/dev/null", "-h", str(host_key), *options], port, folder=tmp_path):
        seen = await ask("ssh", SshSettings(port=port, expect="OpenSSH"))
        assert seen.status is Status.UP, seen.reason
        assert str(seen.fields["banner"]).startswith("SSH-2.0-OpenSSH_")
        assert (await ask("ssh", SshSettings(port=port, expect="Cisco"))).status is Status.DOWN


@pytest.fixture
def directory(tmp_path: Path) -> str:
    certificate = Authority(tmp_path).issue("ldap.pem", HOST)
    (tmp_path / "db").mkdir()
    return (
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {certificate}\n"
        f'database mdb\nsuffix "dc=test"\ndirectory {tmp_path}/db\n'
    )


async def test_openldap_is_bound_to_in_clear_and_over_tls(tmp_path: Path, directory: str) -> None:
    slapd = require("slapd", "slapd")
    (tmp_path / "slapd.conf").write_text(directory)
    port, safe = free_port(), free_port()
    command = [
        slapd,
        "-d",
        "0",
        "-f",
        str(tmp_path / "slapd.conf"),
        "-h",
        f"ldap://{HOST}:{port} ldaps://{HOST}:{safe}",
    ]
    with program(command, port, folder=tmp_path):
        trust = str(tmp_path / "authority.pem")
        plain = LdapSettings(port=port, anonymous=True, trust=trust)
        for settings in (plain, replace(plain, security="starttls"), replace(plain, port=safe, security="tls")):
            seen = await ask("ldap", settings)
            assert (seen.status, seen.reason, seen.fields["result_code"]) == (Status.UP, "", 0)
        seen = await ask("tls", TlsSettings(port=port, starttls="ldap", trust=trust))
        assert (seen.status, seen.fields["subject"]) == (Status.UP, HOST)
    (tmp_path / "slapd.conf").write_text(f"disallow bind_anon\n{directory}")
    with program(command, port, folder=tmp_path):
        assert (await ask("ldap", replace(plain, anonymous=False))).status is Status.UP
        seen = await ask("ldap", plain)
        assert seen.status is Status.DOWN
        assert seen.reason.startswith("it refuses an anonymous bind: code 48")


async def test_chrony_gives_the_time_of_this_machine(tmp_path: Path) -> None:
    chronyd = require("chronyd", "chrony")
    port = free_port()
    lines = (
        f"port {port}", f"bindaddress {HOST}", "allow", "local stratum 5", "cmdport 0", "bindcmdaddress /",
        f"pidfile {tmp_path}/pid", "",
    )  # fmt: skip
    (tmp_path / "chrony.conf").write_text("\n".join(lines))
    command = [chronyd, "-d", "-x", "-u", "root", "-f", str(tmp_path / "chrony.conf")]
    with program(command, port, udp=True, folder=tmp_path):
        async with asyncio.timeout(10):
            while (  # noqa: ASYNC110 what is waited for happens in another program
                seen := await ask("ntp", NtpSettings(port=port, timeout_s=1))
            ).status is Status.DOWN:
                await asyncio.sleep(0.05)  # it does not listen yet, or has no time yet
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert seen.fields["stratum"] == 5
    assert abs(float(seen.fields["offset_ms"])) < 50


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a daemon's own users may enter; pytest's are for root alone."""
    with tempfile.TemporaryDirectory(prefix="haidang-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_dovecot_is_spoken_to_in_clear_and_over_tls(open_folder: Path) -> None:
    tmp_path = open_folder
    dovecot = require("dovecot", "dovecot-imapd")
    port, safe = free_port(), free_port()
    certificate = Authority(tmp_path).issue("imap.pem", HOST)
    (tmp_path / "dovecot.conf").write_text(
        f"protocols = imap\nbase_dir = {tmp_path}/run\nstate_dir = {tmp_path}/run\n"
        f"log_path = /dev/stderr\nlisten = {HOST}\n"
        f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{certificate}\nssl_dh =\n"
        "first_valid_uid = 0\n"
        f"service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {port}\n  }}\n"
        f"  inet_listener imaps {{\n    port = {safe}\n  }}\n}}\nservice anvil {{\n  chroot =\n}}\n"
        "passdb {\n  driver = static\n  args = password=x\n}\nuserdb {\n  driver = static\n  args = uid=0 gid=0\n}\n"
    )
    with program([dovecot, "-F", "-c", str(tmp_path / "dovecot.conf")], port, folder=tmp_path):
        plain = MailSettings(port=port, trust=str(tmp_path / "authority.pem"))
        for settings in (plain, replace(plain, security="starttls"), replace(plain, port=safe, security="tls")):
            seen = await ask("imap", settings)
            assert (seen.status, seen.reason) == (Status.UP, "")
        assert "Dovecot" in str(seen.fields["banner"])


async def test_opensmtpd_is_spoken_to_up_to_where_a_letter_would_begin(tmp_path: Path) -> None:
    smtpd = require("smtpd", "opensmtpd")
    port = free_port()
    (tmp_path / "smtpd.conf").write_text(
        f"listen on {HOST} port {port} hostname mail.test\n"
        'action "drop" maildir\nmatch from local for local action "drop"\n'
    )
    with program([smtpd, "-d", "-f", str(tmp_path / "smtpd.conf")], port, folder=tmp_path):
        seen = await ask("smtp", MailSettings(port=port))
        assert (seen.status, seen.reason, seen.fields["starttls"]) == (Status.UP, "", False)
        assert "OpenSMTPD" in str(seen.fields["banner"])
        seen = await ask("smtp", MailSettings(port=port, security="starttls"))
        assert (seen.status, seen.reason) == (Status.DOWN, "it does not offer STARTTLS")


async def test_the_certificate_of_dovecot_s_submission_after_starttls_is_judged_as_any_other(open_folder: Path) -> None:
    dovecot = require("dovecot", "dovecot-submissiond")
    require("/usr/lib/dovecot/submission-login", "dovecot-submissiond")
    authority = Authority(open_folder)
    # One address for each certificate: Dovecot has no other way to tell them apart before it knows a name.
    hosts = {name: f"127.0.0.{number}" for number, name in enumerate(("right", "soon", "expired", "name", "own"), 11)}
    kinds = {
        "right": authority.issue("right.pem", hosts["right"]),
        "soon": authority.issue("soon.pem", hosts["soon"], days=5.5),
        "expired": authority.issue("expired.pem", hosts["expired"], days=-3),
        "name": authority.issue("name.pem", "mail.test"),
        "own": authority.issue("own.pem", hosts["own"], self_signed=True),
    }
    ports = {name: free_port() for name in kinds}
    listeners = "".join(
        f"  inet_listener {name} {{\n    address = {hosts[name]}\n    port = {port}\n  }}\n"
        for name, port in ports.items()
    )
    local = "".join(
        f"local {hosts[name]} {{\n  ssl_cert = <{file}\n  ssl_key = <{file}\n}}\n" for name, file in kinds.items()
    )
    (open_folder / "dovecot.conf").write_text(
        f"protocols = submission\nbase_dir = {open_folder}/run\nstate_dir = {open_folder}/run\n"
        f"log_path = /dev/stderr\nssl = yes\nssl_cert = <{kinds['right']}\nssl_key = <{kinds['right']}\nssl_dh =\n"
        f"hostname = mail.test\nsubmission_relay_host = {HOST}\nfirst_valid_uid = 0\n"
        f"service submission-login {{\n  chroot =\n  inet_listener submission {{\n    port = 0\n  }}\n{listeners}}}\n"
        f"service anvil {{\n  chroot =\n}}\n{local}"
        "passdb {\n  driver = static\n  args = password=x\n}\nuserdb {\n  driver = static\n  args = uid=0 gid=0\n}\n"
    )
    trust, clock = str(authority.file), SystemClock()
    with program([dovecot, "-F", "-c", str(open_folder / "dovecot.conf")], 0, udp=True, folder=open_folder):
        found = {}
        for name, port in ports.items():
            mail_settings = MailSettings(port=port, security="starttls", trust=trust)
            async with asyncio.timeout(10):
                while True:
                    mail = await probe("smtp", clock, "real", hosts[name], mail_settings)
                    if "refused" not in mail.reason:  # it does not listen yet
                        break
                    await asyncio.sleep(0.05)
            tls = await probe("tls", clock, "real", hosts[name], TlsSettings(port=port, starttls="smtp", trust=trust))
            assert (mail.status, mail.warning) == (tls.status, tls.warning), (name, mail.reason, tls.reason)
            found[name] = mail.reason or mail.warning or "well"
    assert found.pop("soon").startswith("its certificate expires in 5 days, on 20")
    assert found == {
        "right": "well", "expired": "its certificate has expired",
        "name": f"its certificate is not for {hosts['name']}",
        "own": "its certificate is signed by itself, and not among those that are trusted here",
    }  # fmt: skip


@pytest.fixture
def modules() -> Path:
    """Where Kamailio's are, TLS among them."""
    found = next(Path("/usr/lib").glob("*/kamailio/modules/tls.so"), None)
    if found is None:
        require("the TLS module of Kamailio", "kamailio-tls-modules")
    assert found is not None
    return found.parent


async def test_kamailio_answers_options_over_udp_tcp_and_tls(tmp_path: Path, modules: Path) -> None:
    kamailio = require("kamailio", "kamailio")
    certificate = Authority(tmp_path).issue("sip.pem", HOST)
    plain, safe = free_port(), free_port()
    (tmp_path / "kamailio.cfg").write_text(
        "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nfork=yes\nchildren=1\ntcp_children=1\nenable_tls=yes\n"
        f"listen=udp:{HOST}:{plain}\nlisten=tcp:{HOST}:{plain}\nlisten=tls:{HOST}:{safe}\n"
        f'mpath="{modules}/"\nloadmodule "sl.so"\nloadmodule "pv.so"\nloadmodule "tls.so"\n'
        'modparam("tls", "tls_method", "TLSv1.2+")\n'
        f'modparam("tls", "certificate", "{certificate}")\nmodparam("tls", "private_key", "{certificate}")\n'
        'request_route {\n  if ($rU == "gone") { sl_send_reply("404", "Not here"); exit; }\n'
        '  if (method == "OPTIONS") { sl_send_reply("200", "Lives"); exit; }\n  sl_send_reply("405", "No");\n}\n'
    )
    command = [kamailio, "-DD", "-E", "-Y", str(tmp_path), "-P", str(tmp_path / "pid"), "-m", "32", "-M", "8",
               "-f", str(tmp_path / "kamailio.cfg")]  # fmt: skip
    with program(command, safe, folder=tmp_path):
        tls = SipSettings(port=safe, transport="tls", trust=str(tmp_path / "authority.pem"))
        for settings in (tls, SipSettings(port=plain), SipSettings(port=plain, transport="tcp")):
            seen = await ask("sip", settings)
            assert (seen.status, seen.reason, seen.fields.get("status_code")) == (Status.UP, "", 200)
            assert "kamailio" in str(seen.fields["agent"]).lower()
            gone = await ask("sip", replace(settings, user="gone"))
            assert (gone.status, gone.reason) == (Status.DOWN, "it answered 404 Not here to OPTIONS")
        untrusted = await ask("sip", replace(tls, trust=""))
        assert (untrusted.status, "who is not trusted here" in untrusted.reason) == (Status.DOWN, True)
        clear = await ask("sip", replace(tls, port=plain, timeout_s=0.3))  # it waits for SIP to begin
        assert clear.reason == "no answer within 0.3 s, while shaking hands for TLS"
