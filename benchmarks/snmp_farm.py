"""A farm of SNMP agents in one process: every address of 127.0.0.0/8 answers, from itself, as a switch with 48 ports.

v2c (community ``public``) and v3 authPriv (`USER`), one engine per address. Answers are encoded once and cut at 1,472
bytes, as many real agents do; the farm must cost less than what it measures.

usage: benchmarks/snmp_farm.py PORT
"""

from __future__ import annotations

import bisect
import hmac
import itertools
import socket
import struct
import sys
import time

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from probes.snmp import BerError, User, ber, message, oid, usm
from probes.snmp.keys import KeyRing
from probes.snmp.message import GET, GET_BULK, GET_NEXT, REPORT, RESPONSE
from probes.sockets import SO_RCVBUFFORCE

PORTS = 48
USER = User("bench", "SHA-256", "authpass123", "AES", "privpass123")
IP_PKTINFO = 8
LARGEST = 1_472
MAC_BYTES = 24


def switch() -> dict[str, bytes]:
    """Make the MIB: OID → encoded value."""
    mib = {
        "1.3.6.1.2.1.1.1.0": ber.encode(ber.OCTET_STRING, b"switch of the benchmark"),
        "1.3.6.1.2.1.1.2.0": ber.encode(ber.OBJECT_ID, oid.encode("1.3.6.1.4.1.99999.1")),
        "1.3.6.1.2.1.1.3.0": ber.encode_integer(123_456_789, ber.TIME_TICKS),
        "1.3.6.1.2.1.1.5.0": ber.encode(ber.OCTET_STRING, b"switch"),
    }
    for port in range(1, PORTS + 1):
        for column in range(1, 23):
            if column in (2, 6):
                value = ber.encode(ber.OCTET_STRING, b"GigabitEthernet1/0/%d" % port)
            elif column in (1, 3, 4, 7, 8):
                value = ber.encode_integer(port if column == 1 else 1)
            else:
                value = ber.encode_integer(port * 7919 * column * 1009 % 0xFFFFFFFF, ber.COUNTER32)
            mib[f"1.3.6.1.2.1.2.2.1.{column}.{port}"] = value
        for column in range(1, 20):
            if column in (1, 18):
                value = ber.encode(ber.OCTET_STRING, b"Gi1/0/%d" % port)
            elif 6 <= column <= 13:
                value = ber.encode_integer((1 << 41) + port * column * 987_654_321, ber.COUNTER64)
            else:
                value = ber.encode_integer(1_000, ber.GAUGE32)
            mib[f"1.3.6.1.2.1.31.1.1.1.{column}.{port}"] = value
    return mib


class Switch:
    """Answers PDUs; the same question gets the same bytes."""

    def __init__(self) -> None:
        rows = sorted((oid.numbers(oid.encode(name)), oid.encode(name), value) for name, value in switch().items())
        self._keys = [row[0] for row in rows]
        self._names = [row[1] for row in rows]
        self._encoded = [ber.encode_varbind(name, value) for _, name, value in rows]
        self._answers: dict[bytes, bytes] = {}

    def answer(self, data: bytes, pos: int, end: int, room: int) -> bytes:
        """Answer the PDU between ``pos`` and ``end``."""
        start, stop = ber.read(data, pos, end, data[pos])
        _, after = ber.read_integer(data, start, stop)
        key = data[pos : pos + 1] + data[after:stop]
        body = self._answers.get(key)
        if body is None:
            body = self._answers[key] = b"\x02\x01\x00\x02\x01\x00" + ber.encode(
                ber.SEQUENCE, self._variables(message.read_head(data, pos, end).pdu(data), room)
            )
        return ber.encode(RESPONSE, data[start:after] + body)

    def _variables(self, asked: message.Pdu, room: int) -> bytes:
        names = [name for name, _, _ in asked.varbinds]
        if asked.tag == GET:
            return b"".join(self._get(name) for name in names)
        rounds = asked.error_index if asked.tag == GET_BULK else 1
        out: list[bytes] = []
        size = 0
        for _ in range(rounds):
            for column, name in enumerate(names):
                at = bisect.bisect_right(self._keys, oid.numbers(name))
                found = at < len(self._keys)
                encoded = self._encoded[at] if found else ber.encode_varbind(name, b"\x82\x00")
                size += len(encoded)
                if size > room and asked.tag != GET_NEXT:
                    return b"".join(out)
                out.append(encoded)
                if found:
                    names[column] = self._names[at]
        return b"".join(out)

    def _get(self, name: bytes) -> bytes:
        at = bisect.bisect_left(self._keys, oid.numbers(name))
        if at < len(self._keys) and self._names[at] == name:
            return self._encoded[at]
        return ber.encode_varbind(name, b"\x81\x00")


class Engine:
    """One address's SNMPv3 engine, the side that answers."""

    def __init__(self, address: bytes, keys: KeyRing) -> None:
        self.engine_id = b"\x80\x00\x1f\x88\x01" + address
        self._auth = keys.authentication_key(USER, self.engine_id)
        self._aes = algorithms.AES(keys.privacy_key(USER, self.engine_id))
        self._began = time.monotonic() - 1_000
        self._salts = itertools.count(1)

    def answer(self, data: bytes, header: usm.Header, switch: Switch) -> bytes:
        """Answer a v3 message; what is wrong with it is reported (RFC 3414 §3.2)."""
        start, after = ber.read(data, header.start, header.end, ber.OCTET_STRING)
        pos, end = ber.read(data, start, after, ber.SEQUENCE)
        engine_id, pos = ber.read_octets(data, pos, end)
        boots, pos = ber.read_integer(data, pos, end)
        seconds, pos = ber.read_integer(data, pos, end)
        user, pos = ber.read_octets(data, pos, end)
        mac, mac_end = ber.read(data, pos, end, ber.OCTET_STRING)
        salt, _ = ber.read_octets(data, mac_end, end)
        now = int(time.monotonic() - self._began)
        if engine_id != self.engine_id or header.flags & 3 != 3:
            return self._report(header, usm.UNKNOWN_ENGINE, now)
        signed = data[:mac] + bytes(mac_end - mac) + data[mac_end:]
        if hmac.digest(self._auth, signed, "sha256")[:MAC_BYTES] != data[mac:mac_end]:
            return self._report(header, usm.UNKNOWN_ENGINE[:-2] + b"\x05\x00", now)
        start, stop = ber.read(data, after, header.end, ber.OCTET_STRING)
        plain = self._crypt(data[start:stop], boots, seconds, salt, encrypt=False)
        pos, end = ber.read(plain, 0, len(plain), ber.SEQUENCE)
        _, after_engine = ber.read_octets(plain, pos, end)
        _, pdu_at = ber.read_octets(plain, after_engine, end)
        pdu = switch.answer(plain, pdu_at, end, LARGEST - 160)
        return self._message(header, ber.encode(ber.SEQUENCE, plain[pos:pdu_at] + pdu), now, user)

    def _report(self, header: usm.Header, name: bytes, now: int) -> bytes:
        pdu = message.encode_pdu(REPORT, 0, 0, 0, [(name, ber.COUNTER32, 1)])
        scoped = ber.encode(ber.SEQUENCE, ber.encode(ber.OCTET_STRING, self.engine_id) + b"\x04\x00" + pdu)
        parameters = self._parameters(now, b"", b"", b"")
        return ber.encode(ber.SEQUENCE, _front(header, 0) + ber.encode(ber.OCTET_STRING, parameters) + scoped)

    def _message(self, header: usm.Header, scoped: bytes, now: int, user: bytes) -> bytes:
        salt = struct.pack("!Q", next(self._salts))
        secret = ber.encode(ber.OCTET_STRING, self._crypt(scoped, 1, now, salt, encrypt=True))
        parameters = self._parameters(now, user, bytes(MAC_BYTES), salt)
        whole = ber.encode(ber.SEQUENCE, _front(header, 3) + ber.encode(ber.OCTET_STRING, parameters) + secret)
        end = len(whole) - len(secret) - 10
        return whole[: end - MAC_BYTES] + hmac.digest(self._auth, whole, "sha256")[:MAC_BYTES] + whole[end:]

    def _parameters(self, now: int, user: bytes, mac: bytes, salt: bytes) -> bytes:
        strings = b"".join(ber.encode(ber.OCTET_STRING, text) for text in (user, mac, salt))
        engine = ber.encode(ber.OCTET_STRING, self.engine_id)
        return ber.encode(ber.SEQUENCE, engine + b"\x02\x01\x01" + ber.encode_integer(now) + strings)

    def _crypt(self, text: bytes, boots: int, seconds: int, salt: bytes, *, encrypt: bool) -> bytes:
        cipher = Cipher(self._aes, CFB(struct.pack("!II", boots, seconds) + salt))
        context = cipher.encryptor() if encrypt else cipher.decryptor()
        return context.update(text) + context.finalize()


def _front(header: usm.Header, flags: int) -> bytes:
    numbers = ber.encode_integer(header.message_id) + ber.encode_integer(65_507)
    return b"\x02\x01\x03" + ber.encode(ber.SEQUENCE, numbers + b"\x04\x01" + bytes((flags,)) + b"\x02\x01\x03")


def answer(data: bytes, address: bytes, switch: Switch, engines: dict[bytes, Engine], keys: KeyRing) -> bytes:
    """Answer one datagram."""
    version, pos, end = message.open_message(data)
    if version == message.V3:
        engine = engines.get(address)
        if engine is None:
            engine = engines[address] = Engine(address, keys)
        return engine.answer(data, usm.read_header(data, pos, end), switch)
    _, pdu_at = ber.read_octets(data, pos, end)
    start, _ = ber.read(data, 0, len(data), ber.SEQUENCE)
    return ber.encode(ber.SEQUENCE, data[start:pdu_at] + switch.answer(data, pdu_at, end, LARGEST - 60))


def serve(port: int) -> None:
    """Answer until ended."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("0.0.0.0", port))
    agent, engines, keys = Switch(), dict[bytes, Engine](), KeyRing()
    print("ready", flush=True)
    while True:
        data, control, _, source = sock.recvmsg(65_535, 64)
        asked = control[0][2][8:12]  # the address that was asked answers
        try:
            packet = answer(data, asked, agent, engines, keys)
        except BerError as error:
            print("bad request:", error, file=sys.stderr, flush=True)
            continue
        sock.sendmsg([packet], [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("I4s4s", 0, asked, bytes(4)))], 0, source)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
