"""From the configuration to a server: the ways out as the daemon makes them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from alerting.channels.base import Message, Misconfigured
from config import load
from haidang import ways
from tests.alerting.province import START
from tests.support.certificates import Authority
from tests.support.http_sink import http_sink
from tests.support.mail import Certificate, smtp_server

CONFIG = """\
haidang: 1
contacts: [{{id: an, email: an@example.org}}]
alerting:
  mail: {{from: h@example.org, servers: [{{host: 127.0.0.1, port: {mail}, trust: {trust}}}]}}
  webhooks: [{{id: hook, url: "{hook}", trust: {trust}}}]
"""


def message(channel: str) -> Message:
    payload = {"subject": "Mất kết nối", "text": "Mất kết nối\n"}
    return Message(1, 1, "opened", "an", channel, "an@example.org", "vi", "<1-opened-an-0@h>", payload, START, 1)


async def test_an_authority_of_ones_own_is_trusted_where_the_configuration_says_so(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    file = Authority(tmp_path / "tls").issue("server.pem", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    async with smtp_server(Certificate(file, context)) as server, http_sink(context) as sink:
        for trust in ("tls/authority.pem", "null", "tls/missing.pem", "haidang.yaml"):
            text = CONFIG.format(mail=server.port, hook=sink.url, trust=trust)
            (tmp_path / "haidang.yaml").write_text(text, encoding="utf-8")
            channels = ways.channels(load(tmp_path / "haidang.yaml"))
            for name in ("mail", "hook"):
                if trust == "tls/authority.pem":
                    await channels[name].send(message(name))
                    continue
                says = "or set trust to the authority" if trust == "null" else f"{trust} cannot be read"
                with pytest.raises(Misconfigured, match=says):
                    await channels[name].send(message(name))
    assert (len(server.taken), len(sink.requests)) == (1, 1)
