"""Canaille as a process of its own; see `tests.support.openid.Canaille`, which starts it and talks to it by lines."""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys
import threading
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def join(app: Any, name: str, wanted: list[str]) -> None:
    """Let somebody be in these groups and in no other."""
    with app.app_context():
        backend = Backend.instance
        person = backend.get(models.User, user_name=name)
        groups = {group.display_name: group for group in backend.query(models.Group)}
        for known in set(groups) | set(wanted):
            group = groups.get(known) or models.Group(display_name=known)
            others = [one for one in group.members or [] if one.user_name != name]
            group.members = [*others, person] if known in wanted else others
            backend.save(group)


def main() -> None:
    told = json.loads(sys.argv[1])
    app = create_app(
        config={
            "SECRET_KEY": "for the tests only, and never anywhere else", "SERVER_NAME": f"127.0.0.1:{told['port']}",
            "PREFERRED_URL_SCHEME": "http",
            # The session is a cookie: one sent again with each picture, or with a field checked while it is typed,
            # comes late on a busy machine and undoes the step just made.
            "SESSION_REFRESH_EACH_REQUEST": False,
            "CANAILLE": {"NAME": "Tỉnh", "DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False},
            "CANAILLE_OIDC": {"TRUSTED_DOMAINS": ["haidang.example"]},
        }
    )  # fmt: skip
    with app.app_context():
        backend = Backend.instance
        for name, (password, _) in told["people"].items():
            person = models.User(
                user_name=name, formatted_name=name, family_name=name, display_name=name, password=password,
                emails=[f"{name}@example.org"],
            )  # fmt: skip
            backend.save(person)
        client = models.Client(
            client_id=told["client"], client_secret=told["secret"], client_name="Haidang",
            client_uri="https://haidang.example", redirect_uris=[told["redirect"]],
            post_logout_redirect_uris=[told["left"]], grant_types=["authorization_code"], response_types=["code"],
            scope=["openid", "profile", "email", "groups"], token_endpoint_auth_method="client_secret_basic",
        )  # fmt: skip
        backend.save(client)
        client.audience = [client]  # whom its ID tokens are for
        backend.save(client)
    for name, (_, groups) in told["people"].items():
        join(app, name, groups)
    server = make_server("127.0.0.1", told["port"], app, Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say_ready()
    for line in sys.stdin:
        name, groups = json.loads(line)
        join(app, name, groups)
        say_ready()


if __name__ == "__main__":
    main()
