"""Syslog messages as devices send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.receiver.syslog import SyslogMessage, parse


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # RFC 5424 §6.5
        (
            b"<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - \xef\xbb\xbf'su root' failed on /dev/pts/8",
            SyslogMessage(2, "su", "'su root' failed on /dev/pts/8"),
        ),
        (
            b'<165>1 2003-10-11T22:14:15Z host evntslog - ID47 [a@32473 i="3" s="App\\"]x"][b@32473 c="high"] An entry',
            SyslogMessage(5, "evntslog", "An entry"),
        ),
        (b"<165>1 2003-10-11T22:14:15.003Z host - - - -", SyslogMessage(5, "", "")),
        # RFC 3164 §5.4
        (b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", SyslogMessage(2, "su", "'su root' failed")),
        (b"<13>Feb  5 17:32:18 10.0.0.99 sshd[311]: Use the BFG!", SyslogMessage(5, "sshd", "Use the BFG!")),
        (b"Use the BFG!", SyslogMessage(5, "", "Use the BFG!")),
        (b"<999>odd", SyslogMessage(5, "", "<999>odd")),
        # Cisco IOS, with and without a set clock; Huawei; MikroTik
        (
            b"<187>45: *Mar  1 00:12:17.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
            SyslogMessage(3, "%LINK-3-UPDOWN", "Interface Gi0/1, changed state to down"),
        ),
        (
            b"<189>Nov 24 2026 03:12:05 UTC: %SYS-5-CONFIG_I: Configured from console",
            SyslogMessage(5, "%SYS-5-CONFIG_I", "Configured from console"),
        ),
        (
            b"<188>Nov 24 2026 03:12:05 HUAWEI %%01IFNET/4/IF_STATE(l)[7]:GE0/0/1 has turned into DOWN state.",
            SyslogMessage(4, "", "%%01IFNET/4/IF_STATE(l)[7]:GE0/0/1 has turned into DOWN state."),
        ),
        (b"<30>interface,info ether1 link down", SyslogMessage(6, "", "interface,info ether1 link down")),
        (b"<30>2026-11-24T03:12:05+07:00 nas smartd[9]: bad sector", SyslogMessage(6, "smartd", "bad sector")),
        ("<27>Nov 24 03:12:05 máy-chủ tiến trình lỗi".encode(), SyslogMessage(3, "", "máy-chủ tiến trình lỗi")),
        (b"<27>\xff\xfe latin", SyslogMessage(3, "", "\xff\xfe latin")),
    ],
)
def test_messages_are_read(line: bytes, expected: SyslogMessage) -> None:
    assert parse(line) == expected


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: b"<13>1 - - - - - " + text.encode()))
def test_there_is_no_wrong_message(data: bytes) -> None:
    assert 0 <= parse(data).severity <= 7
