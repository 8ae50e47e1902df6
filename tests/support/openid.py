"""OpenID providers: one that is right until it is told to be wrong, and Canaille, a real one."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import secrets
import select
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from tests.support.daemon import until

CLIENT, SECRET = "haidang", "một bí mật & một dấu +"
PLAIN = "0a1b2c3d4e5f6071"
"""Canaille's: it does not undo the encoding of what is no letter and no digit."""


def segment(data: object) -> str:
    """Write a part of a token (RFC 7515 section 2)."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(claims: Mapping[str, Any], key: RSAKey, algorithm: str = "RS256", **head: Any) -> str:
    """Sign a token as a provider does."""
    header = {"alg": algorithm, "kid": key.kid, **head}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[algorithm])


class OpenidProvider:
    """Answers at once in the name of `person`, and checks client, redirect, code and PKCE as a provider has to.

    Parameters:
        tls: its certificate; without it speaks in clear.

    Attributes:
        person: claims of whoever is sent here.
        only_userinfo: claims that the ID token leaves out.
        clock_s: what it takes for the time.
        change: what becomes of the claims before they are signed.
        sign: what becomes of the claims.
        instead: answers by path: status and body, or a function that writes to the socket by itself.
        asked: paths, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.key = RSAKey.generate_key(2048, auto_kid=True)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._answer(self)

            def do_POST(self) -> None:
                provider._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.issuer = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}/realms/tinh"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.reset()

    def reset(self) -> None:
        """Be right again."""
        self.person: dict[str, Any] = {"sub": "1", "preferred_username": "binh", "groups": ["/vận hành"]}
        self.only_userinfo: frozenset[str] = frozenset()
        self.clock_s: Callable[[], float] = time.time
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: signed(claims, self.key)
        self.keys: list[Any] = [self.key.as_dict(private=False, use="sig", alg="RS256")]
        self.describes: dict[str, Any] = {}
        self.instead: dict[str, tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._access: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        name = parts.path.rpartition("/")[2]
        self.asked.append(name)
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0)).decode()
        instead = self.instead.get(name)
        if callable(instead):
            instead(handler)
        elif instead is not None:
            self._send(handler, instead[0], instead[1])
        elif name == "auth":
            handler.send_response(302)
            handler.send_header("location", self.authorize(parts.query))
            handler.send_header("content-length", "0")
            handler.end_headers()
        else:
            answers: dict[str, Callable[[], tuple[int, dict[str, Any]]]] = {
                "openid-configuration": lambda: (200, self._description()),
                "certs": lambda: (200, {"keys": self.keys}),
                "token": lambda: self._token(handler.headers.get("authorization", ""), dict(parse_qsl(body))),
                "userinfo": lambda: self._userinfo(handler.headers.get("authorization", "")),
            }
            status, said = answers[name]() if name in answers else (404, {"error": "not_found"})
            self._send(handler, status, json.dumps(said).encode())

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _description(self) -> dict[str, Any]:
        start = f"{self.issuer}/protocol"
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{start}/auth", "token_endpoint": f"{start}/token",
            "jwks_uri": f"{start}/certs", "userinfo_endpoint": f"{start}/userinfo",
            "end_session_endpoint": f"{start}/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"], **self.describes,
        }  # fmt: skip

    def authorize(self, query: str) -> str:
        """Return where a browser goes back to that came with this query."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def _token(self, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        wanted = urlencode({CLIENT: SECRET}).replace("=", ":", 1)
        if (
            authorization != f"Basic {base64.b64encode(wanted.encode()).decode()}"
            and form.get("client_secret") != SECRET
        ):
            return 401, {"error": "invalid_client", "error_description": "wrong\x1b[31m secret"}
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = segment(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
            or form.get("grant_type") != "authorization_code"
        ):
            return 400, {"error": "invalid_grant"}
        now_s = int(self.clock_s())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": now_s + 300, "iat": now_s, "nonce": asked["nonce"], **self.person,
        }  # fmt: skip
        access = secrets.token_urlsafe(16)
        self._access[access] = dict(self.person)
        kept = {name: value for name, value in claims.items() if name not in self.only_userinfo}
        return 200, {"access_token": access, "token_type": "Bearer", "id_token": self.sign(self.change(kept))}

    def _userinfo(self, authorization: str) -> tuple[int, dict[str, Any]]:
        found = self._access.get(authorization.removeprefix("Bearer "))
        return (200, found) if found else (401, {"error": "invalid_token"})


class Canaille:
    """Canaille, an identity provider of its own: sign-in page, consent, groups, sign-out.

    Parameters:
        folder: for its log.
        port: where it listens on 127.0.0.1.
        redirect, left: the addresses that it sends people back to.
        people: by name: password and groups.
    """

    def __init__(self, folder: Path, port: int, redirect: str, left: str, people: Mapping[str, Any]) -> None:
        if importlib.util.find_spec("canaille") is None:
            message = "Canaille is not installed: make venv"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        self.issuer = f"http://127.0.0.1:{port}"
        told = {"port": port, "redirect": redirect, "left": left, "people": people, "client": CLIENT, "secret": PLAIN}
        with (folder / "canaille.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("openid_canaille.py")), json.dumps(told)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder,
            )  # fmt: skip
        self._heard()

    def join(self, person: str, *groups: str) -> None:
        """Let somebody be in these groups from now on, and in no other."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([person, groups]).encode() + b"\n")
        self._process.stdin.flush()
        self._heard()

    def _heard(self) -> None:
        out = self._process.stdout
        assert out is not None
        until(lambda: select.select([out], [], [], 0)[0], 30, "Canaille is ready")
        assert out.readline() == b"ready\n"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
