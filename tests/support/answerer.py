"""A DNS server that can be switched off: what the web tests cut, without a right to change the network."""

from __future__ import annotations

import socket
import threading


class Answerer:
    """Answers every DNS question with *no error* and no records (RFC 1035, 4.1.1) while it is on.

    Attributes:
        port: where it listens on 127.0.0.1.
        on: whether it answers.
    """

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self.on = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                question, peer = self._sock.recvfrom(4096)
            except OSError:
                return
            if self.on and len(question) > 12:
                flags = (0x8180 | (question[2] << 8 & 0x7900)).to_bytes(2, "big")
                end = question.index(b"\0", 12) + 5
                answer = question[:2] + flags + b"\0\1" + b"\0" * 6 + question[12:end]
                self._sock.sendto(answer, peer)

    def close(self) -> None:
        """End it."""
        self._sock.close()
