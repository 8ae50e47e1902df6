"""Databases: Debian's PostgreSQL and MariaDB, and peers that speak as SQL Server and an Oracle listener do."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
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
from probes.mssql import MssqlSettings, prelogin, read
from probes.mysql import MysqlSettings
from probes.oracle import OracleSettings, release
from probes.postgres import PostgresSettings
from tests.support.certificates import Authority
from tests.support.parts import require
from tests.support.peers import HOST, Talk, free_port, peer, program, saying
from tests.support.words import listener_says, mysql_greets


async def ask(kind: str, settings: Settings) -> Observation:
    found = await probe(kind, SystemClock(), "real", HOST, settings)
    assert FAULT not in found.reason
    return found


def as_user(name: str) -> list[str]:
    """What stands before a command that will not run as root."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"] if os.geteuid() == 0 else []


async def _begun(kind: str, settings: Settings) -> None:
    """Wait until a server that listens is through with starting up."""
    async with asyncio.timeout(10):
        while (await ask(kind, settings)).status is not Status.UP:  # noqa: ASYNC110 it happens in another program
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def postgres() -> Iterator[tuple[int, str]]:
    """A server that wants passwords over TCP, with TLS; its port and its authority's file."""
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin")):
        os.environ["PATH"] = f"{os.environ['PATH']}:{found}"
    initdb, server = require("initdb", "postgresql-15"), require("postgres", "postgresql-15")
    folder = Path(tempfile.mkdtemp(prefix="haidang-pg-"))
    try:
        certificate = Authority(folder).issue("server.pem", HOST)
        (folder / "password").write_text("secret-of-the-test")
        before = as_user("postgres")
        if before:
            owner = pwd.getpwnam("postgres")
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        certificate.chmod(0o600)
        options = ["-D", f"{folder}/data", "-A", "scram-sha-256", f"--pwfile={folder}/password", "--no-sync"]
        subprocess.run([*before, initdb, *options], check=True, capture_output=True, cwd=folder)
        port = free_port()
        settings = {
            "listen_addresses": HOST, "port": port, "unix_socket_directories": "", "fsync": "off", "ssl": "on",
            "ssl_cert_file": certificate, "ssl_key_file": certificate,
        }  # fmt: skip
        command = [*before, server, "-D", f"{folder}/data", *(f"--{key}={value}" for key, value in settings.items())]
        with program(command, port, folder=folder):
            asyncio.run(_begun("postgres", PostgresSettings(port=port)))
            yield port, str(folder / "authority.pem")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_postgresql_is_up_when_it_asks_for_a_password(postgres: tuple[int, str]) -> None:
    port, trust = postgres
    plain = PostgresSettings(port=port, trust=trust)
    seen = await ask("postgres", plain)
    assert (seen.status, seen.reason, seen.fields["authentication"]) == (Status.UP, "", "scram")
    assert {"connect_ms", "answer_ms"} <= seen.fields.keys()
    seen = await ask("postgres", replace(plain, security="starttls"))
    assert (seen.status, seen.fields["subject"]) == (Status.UP, HOST)
    assert float(seen.fields["tls_ms"]) > 0
    seen = await ask("postgres", replace(plain, security="starttls", server_name="db.test"))
    assert "db.test" in seen.reason
    assert seen.status is Status.DOWN


def refusing(code: str, words: str) -> Talk:
    body = b"SFATAL\0VFATAL\0C" + code.encode() + b"\0M" + words.encode() + b"\0\0"
    return saying(b"E" + (len(body) + 4).to_bytes(4, "big") + body)


@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        ("57P03", "the database system is starting up", Status.DOWN),
        ("53300", "sorry, too many clients already", Status.DOWN), ("28000", "no pg_hba.conf entry", Status.UP),
        ("3D000", "database does not exist", Status.UP),
    ],
)  # fmt: skip
async def test_what_postgresql_refuses_by_its_rules_is_up_and_all_else_down(
    code: str, words: str, status: Status
) -> None:
    async with peer(refusing(code, words)) as port:
        seen = await ask("postgres", PostgresSettings(port=port))
    assert (seen.status, seen.fields["sqlstate"]) == (status, code)
    assert seen.reason == ("" if status is Status.UP else f"it refuses sessions: {words} ({code})")


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A server with its own tables and TLS, that shuts out whoever breaks one handshake off."""
    server = require("mariadbd", "mariadb-server-core")
    folder = tmp_path_factory.mktemp("mariadb")
    who = ["--user=root"] if os.geteuid() == 0 else []
    (folder / "data").mkdir()
    both = [server, "--no-defaults", f"--datadir={folder}/data", *who, "--innodb-log-file-size=4M"]
    tables = [Path("/usr/share/mysql") / f"mysql_{name}.sql" for name in ("system_tables", "system_tables_data")]
    words = "create database mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"
    words += "\n".join(one.read_text() for one in tables)
    subprocess.run([*both, "--bootstrap"], input=words.encode(), check=True, capture_output=True, cwd=folder)
    certificate, port = Authority(folder).issue("server.pem", HOST), free_port()
    command = [
        *both, f"--bind-address={HOST}", f"--port={port}", f"--socket={folder}/s", f"--pid-file={folder}/pid",
        f"--ssl-cert={certificate}", f"--ssl-key={certificate}", "--max-connect-errors=1",
    ]  # fmt: skip
    with program(command, port, folder=folder):
        yield port, str(folder / "authority.pem")


async def test_mariadb_is_up_and_does_not_shut_us_out_however_often_we_come(mariadb: tuple[int, str]) -> None:
    port, trust = mariadb
    plain = MysqlSettings(port=port, trust=trust)
    for _ in range(5):
        seen = await ask("mysql", plain)
        assert (seen.status, seen.reason, seen.fields["error_code"]) == (Status.UP, "", 1045)
    assert "MariaDB" in str(seen.fields["version"])
    assert seen.fields["starttls"] is True
    seen = await ask("mysql", replace(plain, security="starttls"))
    assert (seen.status, seen.reason, seen.fields["subject"]) == (Status.UP, "", HOST)


def error(code: int, words: bytes, number: int = 0) -> bytes:
    body = b"\xff" + code.to_bytes(2, "little") + words
    return len(body).to_bytes(3, "little") + bytes((number,)) + body


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ((error(1040, b"Too many connections"),), Status.DOWN, "it refuses connections: Too many connections (1040)"),
        ((error(1129, b"Host is blocked"),), Status.DOWN, "it refuses connections: Host is blocked (1129)"),
        ((error(1130, b"Host is not allowed"),), Status.UP, ""),
        ((mysql_greets("8.0.40"), error(1045, b"#28000no", 2)), Status.UP, ""),
        ((mysql_greets("8.0.40"), b"\x16\0\0\2\xfecaching_sha2_password", error(1045, b"no", 4)), Status.UP, ""),
        ((mysql_greets("8.0.40"), error(1053, b"Server shutdown in progress", 2)), Status.DOWN,
         "it refuses connections: Server shutdown in progress (1053)"),
    ],
)  # fmt: skip
async def test_what_mysql_says_is_judged(said: tuple[bytes, ...], status: Status, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in said:
            writer.write(one)
            await writer.drain()
            await reader.read(65_536)

    async with peer(talk) as port:
        seen = await ask("mysql", MysqlSettings(port=port))
    assert (seen.status, seen.reason) == (status, reason)


async def test_sql_server_tells_its_version_and_whether_it_encrypts() -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        # Version 16.0.1000, encryption on; packet id 1, as a server of 2022 sends it.
        writer.write(prelogin({0: bytes.fromhex("100003e80000"), 1: b"\x01", 2: b"\0", 3: b"", 4: b"\0"}, 4))
        await writer.drain()

    async with peer(talk) as port:
        seen = await ask("mssql", MssqlSettings(port=port))
    assert (seen.status, seen.fields["version"], seen.fields["encryption"]) == (Status.UP, "16.0.1000", "on")
    assert heard[0][:2] == b"\x12\x01"
    assert int.from_bytes(heard[0][2:4], "big") == len(heard[0])
    assert read(heard[0][8:]) == {0: bytes(6), 1: b"\0"}


SERVICE = b"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"
ALIVE = b"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=0)(ALIAS=LISTENER))"


def refused(text: bytes) -> bytes:
    return listener_says(4, b"\4\0" + len(text).to_bytes(2, "big") + text)


@pytest.mark.parametrize(
    ("service", "said", "status", "reason"),
    [
        ("", (refused(ALIVE),), Status.UP, ""),
        ("", (listener_says(11, b""), refused(ALIVE)), Status.UP, ""),
        ("", (listener_says(11, b""),) * 4, Status.DOWN, "it asks for the same again and again, 4 times"),
        ("orcl", (listener_says(2, bytes(24)),), Status.UP, ""),
        ("orcl", (listener_says(5, b"\0\1x"),), Status.UP, ""),
        ("orcl", (refused(SERVICE),), Status.DOWN, "it refuses: ORA-12514, the listener does not know this service"),
    ],
)
async def test_an_oracle_listener_is_asked_as_tnsping_asks(
    service: str, said: tuple[bytes, ...], status: Status, reason: str
) -> None:
    async with peer(saying(*said)) as port:
        seen = await ask("oracle", OracleSettings(port=port, service=service))
    assert (seen.status, seen.reason) == (status, reason)
    if b"VSNNUM" in said[-1]:
        assert seen.fields["version"] == "19.0.0.0.0"


def test_old_and_new_numbers_of_releases_are_read() -> None:
    assert release(186647552) == "11.2.0.4.0"
    assert release(318767104) == "19.0.0.0.0"
