"""What cameras and database servers say, for peers of tests: written after the protocols' own documents."""

from __future__ import annotations


def camera_says(year: int, month: int = 11, day: int = 30, hour: int = 2, minute: int = 3, second: int = 4) -> bytes:
    """Make GetSystemDateAndTimeResponse as devicemgmt.wsdl and onvif.xsd have it."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"><s:Body>'
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>ICT-7</tt:TZ></tt:TimeZone><tt:UTCDateTime>"
        f"<tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute><tt:Second>{second}</tt:Second></tt:Time>"
        f"<tt:Date><tt:Year>{year}</tt:Year><tt:Month>{month}</tt:Month><tt:Day>{day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse></s:Body></s:Envelope>"
    ).encode()


def camera_refuses(code: str, reason: str) -> bytes:
    """Make a fault of SOAP 1.2 with a subcode of ONVIF."""
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:{code}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>'
    ).encode()


def mysql_greets(version: str) -> bytes:
    """Make HandshakeV10 without TLS, in its packet."""
    body = b"\x0a" + version.encode() + b"\0" + bytes(4) + b"saltsalt\0" + b"\0\x82\x21\x02\0\x08\0\x15" + bytes(10)
    body += b"saltsaltsalt\0mysql_native_password\0"
    return len(body).to_bytes(3, "little") + b"\0" + body


def listener_says(kind: int, body: bytes) -> bytes:
    """Make a packet of TNS: 2 accept, 4 refuse, 5 redirect, 11 resend."""
    return (8 + len(body)).to_bytes(2, "big") + b"\0\0" + bytes((kind, 0, 0, 0)) + body
