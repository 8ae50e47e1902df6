"""Takes traps where the lab's devices send them: prints ``ready``, then each one's source and data as JSON."""

from __future__ import annotations

import json
import socket
import sys

from lab.network.network import OBSERVER

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind((OBSERVER[0], 162))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        data, (source, _) = sock.recvfrom(65536)
        sys.stdout.write(json.dumps([source, data.hex()]) + "\n")
        sys.stdout.flush()
