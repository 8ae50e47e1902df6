"""One ICMP socket of the engine: sending echoes, reading replies, and the errors that come back."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import struct
import time
from array import array
from collections.abc import Callable, Mapping
from typing import cast

from probes.icmp.burst import Address, Flight
from probes.icmp.sockets import SO_TIMESTAMPNS
from probes.meter import Meter
from probes.sockets import errors

READ_MOST = 1024
_ECHO = struct.Struct("!BBHHH8sQ")  # type, code, checksum, id, sequence, cookie, token (RFC 792; RFC 4443 section 4.1)
_REPLY = struct.Struct("!8sQ")
_STAMP = struct.Struct("@ll")  # struct timespec
_NOT_FROM_HERE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_OUR_OWN_FAULT = frozenset(
    {errno.EAGAIN, errno.ENOBUFS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMSGSIZE}
)  # fmt: skip


class Link:
    """One open socket.

    Parameters:
        sock, raw: as `probes.icmp.sockets.open_socket` gave them.
        cookie: what marks our echoes among everybody's.
        bursts: the engine's bursts in flight, by token; read here, changed only by ``finish``.
        finish: called with a burst whose last answer has come.
        meter: charged with the reading.
    """

    def __init__(
        self, sock: socket.socket, *, raw: bool, cookie: bytes, bursts: Mapping[int, Flight],
        finish: Callable[[Flight], None], meter: Meter,
    ) -> None:  # fmt: skip
        self.sock = sock
        self.raw = raw
        self.ipv4 = sock.family == socket.AF_INET
        self.kind = f"IPv{4 if self.ipv4 else 6} {'raw' if raw else 'datagram'}"
        self.names: dict[str, Address] = {}
        self.drops = 0
        self.late = self.malformed = 0
        self._cookie = cookie
        self._bursts = bursts
        self._finish = finish
        self._request = 8 if self.ipv4 else 128
        self._answer = 0 if self.ipv4 else 129
        self._id = int.from_bytes(os.urandom(2), "big")
        # The kernel fills in the checksum of datagram and of ICMPv6 sockets (RFC 4443 section 2.3); ours is RFC 1071's.
        self._sums = raw and self.ipv4
        self._base = (self._request << 8) + self._id + sum(struct.unpack("!4H", self._cookie))
        self._by_sequence = array("Q", bytes(8 * 65536))  # tokens, not bursts: those must be let go
        self._offset = time.time_ns() - time.monotonic_ns()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), meter.run, "icmp", self.read)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self.sock.fileno())
        self.sock.close()

    def send(self, burst: Flight) -> None:
        """Send a burst's next echo; the last thing before the system call is to read the clock."""
        index = burst.index
        burst.index = index + 1
        token = burst.token << 16 | index
        sequence = (burst.token + index) & 0xFFFF
        checksum = 0
        if self._sums:
            total = (
                self._base
                + sequence
                + (token >> 48)
                + (token >> 32 & 0xFFFF)
                + (token >> 16 & 0xFFFF)
                + (token & 0xFFFF)
            )
            total = (total >> 16) + (total & 0xFFFF)
            checksum = ~(total + (total >> 16)) & 0xFFFF
        packet = _ECHO.pack(self._request, 0, checksum, self._id, sequence, self._cookie, token) + burst.padding
        self._by_sequence[sequence] = burst.token
        if burst.dscp:
            self._send_marked(burst, packet)
            return
        try:
            now = time.monotonic_ns()
            self.sock.sendto(packet, burst.name)
        except OSError as error:
            self._send_again(burst, packet, error)
        else:
            burst.sent_ns.append(now)

    def _send_marked(self, burst: Flight, packet: bytes) -> None:
        level, option = (socket.IPPROTO_IP, socket.IP_TOS) if self.ipv4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        control = [(level, option, struct.pack("@i", burst.dscp << 2))]
        for last_try in (False, False, True):
            try:
                now = time.monotonic_ns()
                self.sock.sendmsg([packet], control, 0, burst.name)
            except OSError as error:
                if self._pending(error) and not last_try:
                    continue
                self._not_sent(burst, error)
            else:
                burst.sent_ns.append(now)
            return

    def _send_again(self, burst: Flight, packet: bytes, error: OSError) -> None:
        """Tell a failure to send from the error of another packet, which the socket reports to whom it meets."""
        for _ in range(8):
            if not self._pending(error):
                break
            try:
                now = time.monotonic_ns()
                self.sock.sendto(packet, burst.name)
            except OSError as again:
                error = again
            else:
                burst.sent_ns.append(now)
                return
        self._not_sent(burst, error)

    def _pending(self, error: OSError) -> bool:
        """Read the error queue; True when the error may have been about an earlier packet: try once more."""
        if error.errno in _OUR_OWN_FAULT:
            return False
        self.read_errors()
        return True

    def _not_sent(self, burst: Flight, error: OSError) -> None:
        if error.errno in _NOT_FROM_HERE:
            # The way to the target begins here: without a route it is as unreachable as behind a cut line.
            burst.sent_ns.append(time.monotonic_ns())
            # A neighbour that does not answer is EHOSTUNREACH too, so that one does not prove a fault of our own.
            burst.no_route = error.errno != errno.EHOSTUNREACH
            burst.reason = f"this machine has no way to it: {(error.strerror or str(error)).lower()}"
            return
        burst.sent_ns.append(0)
        burst.unsent += 1
        what = (error.strerror or str(error)).lower()
        hint = " (a firewall on this machine?)" if error.errno in (errno.EPERM, errno.EACCES) else ""
        burst.reason = f"this machine could not send: {what}{hint}"

    def read(self) -> int:
        """Take the replies that are here, at most `READ_MOST`, so that nobody else waits long.

        Returns:
            how many packets were taken.
        """
        recvmsg = self.sock.recvmsg
        bursts = self._bursts
        raw4 = self.raw and self.ipv4
        answer = self._answer
        now = time.monotonic_ns()
        offset = time.time_ns() - now
        for taken in range(READ_MOST):
            try:
                data, control, _, source = recvmsg(128, 64)
            except BlockingIOError:
                self._offset = offset
                return taken
            except OSError:  # an ICMP error is waiting
                self.read_errors()
                continue
            at = (data[0] & 15) << 2 if raw4 and data else 0
            if len(data) < at + 24 or data[at] != answer:
                self.malformed += 1
                continue
            cookie, token = _REPLY.unpack_from(data, at + 8)
            burst = bursts.get(token >> 16)
            index = token & 0xFFFF
            if burst is None or cookie != self._cookie or index >= burst.index:
                self.late += 1
                continue
            if source[0] != burst.address:
                burst.foreign += 1
                burst.reason = f"answered by {source[0]}, which was not asked"
                continue
            if burst.rtts_ns[index] >= 0:
                burst.duplicates += 1
                continue
            received = 0
            for level, kind, stamp in control:
                if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET:
                    seconds, nanoseconds = _STAMP.unpack(stamp)
                    received = seconds * 1_000_000_000 + nanoseconds
            rtt = received - offset - burst.sent_ns[index]
            if rtt < 0 or received - offset > now:
                rtt = self._mend(received, burst.sent_ns[index])
            burst.rtts_ns[index] = rtt
            burst.answered += 1
            if burst.answered == burst.count:
                self._finish(burst)
        self._offset = offset
        return READ_MOST

    def _mend(self, received: int, sent: int) -> int:
        """Find the round-trip time of a reply whose time stamp does not fit the clock as it is now.

        Normally the reply came while this loop was reading. But the wall clock may have been stepped between the
        kernel's stamp and now: then the offset that was true before the step gives the answer, and failing that too,
        the time of reading, which can only be too long.
        """
        now = time.monotonic_ns()
        for offset in (time.time_ns() - now, self._offset):
            rtt = received - offset - sent
            if -50_000 < rtt <= now - sent:
                return max(1, rtt)
        return now - sent

    def read_errors(self) -> None:
        """Note on each burst what routers said about its echoes. The burst goes on: an error may be a passing one."""
        for error in errors(self.sock):
            burst = None
            quoted = error.quoted
            if len(quoted) >= 24 and quoted[8:16] == self._cookie:
                burst = self._bursts.get(int.from_bytes(quoted[16:24], "big") >> 16)
            elif len(quoted) >= 8:  # RFC 792 promises only 8 bytes of our packet
                burst = self._bursts.get(self._by_sequence[int.from_bytes(quoted[6:8], "big")])
            if burst is not None and error.destination.partition("%")[0] == burst.address.partition("%")[0]:
                burst.reason = error.text


def socket_name(address: str, family: int) -> Address:
    """Check a numeric address and give it the form in which the kernel names it.

    Raises:
        ValueError: not an address, or not one of a single host.
    """
    plain = ipaddress.ip_address(address)
    if plain.is_multicast or plain.is_unspecified or address == "255.255.255.255":
        raise ValueError(f"{address} is not the address of one host")
    if family == socket.AF_INET:
        return (str(plain), 0)
    try:
        found = socket.getaddrinfo(address, None, socket.AF_INET6, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError as error:
        raise ValueError(f"{address}: {error.strerror}") from error
    return cast("Address", found[0][4])
