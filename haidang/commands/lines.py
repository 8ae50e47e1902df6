"""``haidang probe quality`` and ``haidang probe path``: what a line is worth, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated

import typer

from haidang.clock import SystemClock
from haidang.commands.access import numeric
from haidang.commands.common import JsonOption, LanguageOption, clean, fail, print_json, print_table, spoken
from haidang.commands.observations import run, show
from haidang.model import Observation
from haidang.reasons import told
from probes.emodel import CODECS
from probes.icmp import IcmpEngine
from probes.path import PROTOCOLS, trace
from probes.quality import CODE_POINTS, QualitySettings, quality

Target = Annotated[str, typer.Argument(help="IPv4 or IPv6 address, or a host name.", show_default=False)]


def quality_of(
    target: Target,
    count: Annotated[int, typer.Option("--count", "-n", min=2, max=10_000, help="Echoes to send.")] = 250,
    interval: Annotated[float, typer.Option("--interval", "-i", min=0.01, max=60, help="Seconds between them.")] = 0.02,
    size: Annotated[int, typer.Option(min=16, max=65_000, help="Payload in bytes.")] = 172,
    dscp: Annotated[str, typer.Option(help=f"A number to 63, or {', '.join(CODE_POINTS)}.")] = "ef",
    codec: Annotated[str, typer.Option(help=f"{', '.join(CODECS)}.")] = "g711-plc",
    buffer: Annotated[float, typer.Option(min=0, max=1000, help="Jitter buffer of the receiver, ms.")] = 40.0,
    timeout: Annotated[float, typer.Option(min=0.01, max=60, help="Seconds to wait after the last.")] = 2.0,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a line for voice and video: loss, delay, its variation, order, R and MOS."""
    point = CODE_POINTS.get(dscp.lower(), int(dscp) if dscp.isdecimal() else -1)
    if not 0 <= point <= 63:
        fail(f"{dscp} is no code point: give a number from 0 to 63, or {', '.join(CODE_POINTS)}")
    address = numeric(target)
    settings = QualitySettings(
        count=count, interval_s=interval, size=size, dscp=point, timeout_s=timeout, codec=codec,
        jitter_buffer_ms=buffer,
    )  # fmt: skip

    async def work() -> tuple[Observation, tuple[float | None, ...]]:
        engine = IcmpEngine()
        try:
            return await quality(engine, SystemClock(), address, settings)
        finally:
            engine.close()

    seen, rtts = run(work())
    show(replace(seen, target=target), language=language, as_json=as_json, more={"rtts_ms": rtts})


def path_to(
    target: Target,
    rounds: Annotated[int, typer.Option("--rounds", "-n", min=1, max=100, help="Packets to each hop.")] = 3,
    protocol: Annotated[
        str, typer.Option(help="icmp: echoes; udp: datagrams; tcp: connections, as a firewall lets a service through.")
    ] = "icmp",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Of udp and tcp.", show_default="udp 33434, tcp 443")
    ] = 0,
    most: Annotated[int, typer.Option("--hops", min=1, max=64, help="How far.")] = 30,
    deadline: Annotated[
        float, typer.Option("--timeout", "--deadline", min=0.2, max=120, help="Seconds for everything together.")
    ] = 5.0,
    mtu: Annotated[bool, typer.Option("--mtu", help="Also find the largest packet that gets through.")] = False,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the way to a target, hop by hop, with the loss at each."""
    found = run(trace(numeric(target), deadline, rounds=rounds, most_hops=most, mtu=mtu, protocol=protocol, port=port))
    if as_json:
        print_json({"target": target, "protocol": protocol, "port": port or PROTOCOLS[protocol], **found.as_json()})
    else:
        speech = spoken(language)
        rows = [
            (
                hop.number, " ".join(hop.addresses) or "*", f"{hop.loss_percent:.0f} %",
                "" if hop.rtt_ms is None else f"{hop.rtt_ms:.2f}", told(hop.words, speech),
            )
            for hop in found.hops
        ]  # fmt: skip
        print_table(("hop", "address", "loss", "ms", ""), rows, right=(0, 2, 3))
        typer.echo(clean(told(found.words, speech)))
    raise typer.Exit(0 if found.reached else 1)


COMMANDS: Mapping[str, Callable[..., None]] = {"quality": quality_of, "path": path_to}
