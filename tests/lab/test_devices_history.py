"""Any history of commands: what a device says at the end does not depend on who asked meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.devices import CLASSES, Device, Sink
from probes.snmp import oid

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
DAY_S = 86_400
MODELS = {kind: CLASSES[kind]() for kind in ("router", "ups", "camera")}
BOOTS = oid.encode("1.3.6.1.6.3.10.2.1.2.0")

Command = Callable[[Device, int], None]
COMMANDS: dict[str, Command] = {
    "reboot": lambda device, at: device.reboot(at),
    "restart": lambda device, at: device.restart_agent(at),
    "mains": lambda device, at: device.power("mains", at),
    "battery": lambda device, at: device.power("battery", at),
    "off": lambda device, at: device.power("off", at),
    "down": lambda device, at: device.port(1, "down", at),
    "up": lambda device, at: device.port(1, "up", at),
    "shut": lambda device, at: device.port(1, "shut", at),
    "busy": lambda device, at: device.load(1, 1.7, at),
    "quiet": lambda device, at: device.load(1, 0.2, at),
    "clear": lambda device, at: device.clear_counters(1, at),
}
kinds = st.sampled_from(sorted(MODELS))
histories = st.lists(st.tuples(st.integers(0, DAY_S), st.sampled_from(sorted(COMMANDS))), max_size=12)
questions = st.lists(st.integers(0, DAY_S), max_size=12).map(sorted)


def device(kind: str, history: list[tuple[int, str]]) -> Device:
    made = Device(MODELS[kind], f"{kind}-1", now_ns=NOW, sinks=[Sink("127.0.0.1")])
    for second, command in history:
        COMMANDS[command](made, NOW + second * SECOND)
    return made


def everything(asked: Device, second: int) -> dict[bytes, bytes | None]:
    asked.advance(NOW + second * SECOND)
    return {name: asked.state.read(name, NOW + second * SECOND) for name in asked.state.tree.names}


@given(kinds, histories, questions)
@settings(max_examples=60)
def test_asking_changes_nothing(kind: str, history: list[tuple[int, str]], seconds: list[int]) -> None:
    asked, left_alone = device(kind, history), device(kind, history)
    for second in seconds:
        everything(asked, second)
    assert everything(asked, DAY_S) == everything(left_alone, DAY_S)
    assert asked.alive == left_alone.alive
    assert asked.events(NOW + DAY_S * SECOND) == left_alone.events(NOW + DAY_S * SECOND)


@given(histories, st.lists(st.integers(0, DAY_S), min_size=2, max_size=20).map(sorted))
@settings(max_examples=60)
def test_counters_go_back_only_with_a_reason_that_the_device_gives(
    history: list[tuple[int, str]], seconds: list[int]
) -> None:
    router = device("router", history)
    counters = [oid.encode(f"1.3.6.1.2.1.31.1.1.1.{column}.1") for column in (6, 7, 10, 12)]
    discontinuity = oid.encode("1.3.6.1.2.1.31.1.1.1.19.1")
    earlier: dict[bytes, bytes | None] = {}
    for second in seconds:
        now = everything(router, second)
        if earlier and now[BOOTS] == earlier[BOOTS] and now[discontinuity] == earlier[discontinuity] and router.alive:
            for name in counters:
                assert _number(now[name]) >= _number(earlier[name])
        earlier = now if router.alive else {}


def _number(value: bytes | None) -> int:
    assert value is not None
    return int.from_bytes(value[2:], "big")
