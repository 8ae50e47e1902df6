"""A device of the lab: what a scenario does to it, what a manager asks it, what it tells by itself.

::

    datagram ──► receive ──► Agent ──► Reader ──► Tree (of the model) ──► State (of the device)
    command  ──► Schedule ──► State ──► Trap ──► Notifier ──► events

Time is given by the caller with every call (UTC ns, from `Timeline` or any other source) and never goes back. A month
may pass between two calls: nothing has to be stepped.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from lab.devices.agent import Access, Agent, Reply
from lab.devices.behaviour import HONEST, Behaviour
from lab.devices.engine_id import engine_id
from lab.devices.model import ENTERPRISE, Model
from lab.devices.notifier import Event, Notifier, Sink
from lab.devices.state import Power, State
from lab.devices.traps import Trap
from probes.snmp import oid
from probes.snmp.authority import Authority, Engine
from probes.snmp.ber import Value
from probes.snmp.keys import KeyRing

DAY_S = 86_400


class Device:
    """One simulated device.

    Commands take ``at_ns``, when they happen; a moment that has passed means at once. They are carried out in the order
    of time by `advance`, which every call that looks at the device makes first.

    Parameters:
        model: what it is; shared.
        name: sysName, and with the seed what makes it differ from others of its model.
        now_ns: when its world begins.
        seed: the same seed gives the same device, to the byte (only v3 informs have a random salt).
        up_for_s: how long it is up by then; drawn from the seed if not given. After 497.1 days sysUpTime has wrapped.
        location, contact: of the system group.
        aliases: ifAlias by ifIndex, e.g. the circuit's number.
        address: IPv4 address, for v1 traps; without one they say 0.0.0.0 (RFC 3584 §3.2).
        access: who may ask.
        sinks: where its traps go.
        ring: share one between devices: a password costs a hash over 1 MiB.
        behaviour: how it treats requests.
        planned: told when something will happen to it, whoever commanded it: call `events` then.

    Raises:
        ValueError: a sink's v3 user is not one of the device's.
    """

    def __init__(
        self, model: Model, name: str, *, now_ns: int, seed: int = 0, up_for_s: float | None = None,
        location: str = "", contact: str = "", aliases: Mapping[int, str] | None = None, address: str | None = None,
        access: Access | None = None, sinks: Sequence[Sink] = (), ring: KeyRing | None = None,
        behaviour: Behaviour = HONEST, planned: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        access = access or Access()
        ring = ring or KeyRing()
        rng = random.Random(f"{seed}/{name}")
        boots = rng.randint(1, 40)
        drawn = rng.uniform(DAY_S, 300 * DAY_S)
        known = {grant.user.name for grant in access.grants}
        for sink in sinks:
            if sink.user is not None and not sink.inform and sink.user.name not in known:
                raise ValueError(f"{name} has no user {sink.user.name!r} to sign traps with")
        self.name = name
        self.state = State(
            model, name=name, location=location, contact=contact, aliases=aliases or {}, seed=seed, now_ns=now_ns,
            up_for_s=drawn if up_for_s is None else up_for_s, boots=boots, announce=self._announce,
            planned=planned,
        )  # fmt: skip
        self.authority = Authority(engine_id(name), (grant.user for grant in access.grants), ring)
        self.agent = Agent(self.state, access, self.authority, self._engine, rng)
        self.agent.behaviour = behaviour
        self._notifier = Notifier(
            sinks, self.authority, self._engine, ring, oid.encode(model.object_id or ENTERPRISE), address, rng
        )

    # what a manager sees

    def receive(self, data: bytes, now_ns: int) -> list[Reply]:
        """Take a datagram that came to UDP port 161."""
        self.advance(now_ns)
        return self.agent.receive(data, self.state.schedule.now_ns)

    def events(self, now_ns: int) -> list[Event]:
        """Give the traps and informs that were to be sent until now, each with its time, oldest first."""
        self.advance(now_ns)
        return self._notifier.take(now_ns)

    def acknowledge(self, data: bytes, now_ns: int) -> None:
        """Take a datagram that came back to where informs are sent from."""
        self.advance(now_ns)
        if self.state.alive:
            self._notifier.acknowledge(data, now_ns)

    def advance(self, now_ns: int) -> None:
        """Let everything happen that was planned until now."""
        self.state.schedule.run(now_ns)
        if not self.state.alive:
            self._notifier.forget()

    @property
    def alive(self) -> bool:
        """Whether it has power and has booted, as of the last `advance`: only then does it answer pings."""
        return self.state.alive

    @property
    def next_ns(self) -> int | None:
        """When something will happen by itself: call `events` then. Commands and datagrams may bring it forward."""
        times = [time for time in (self.state.schedule.next_ns, self._notifier.next_ns) if time is not None]
        return min(times, default=None)

    @property
    def unacknowledged(self) -> int:
        """Informs that wait for their receipt."""
        return self._notifier.unacknowledged

    # what a scenario does

    def reboot(self, at_ns: int) -> None:
        """Restart the device: silent for the model's ``boot_s``, then everything counts from 0."""
        self.state.schedule.add(at_ns, self.state.reboot)

    def restart_agent(self, at_ns: int) -> None:
        """Restart only the agent: sysUpTime and snmpEngineTime begin anew, the counters go on."""
        self.state.schedule.add(at_ns, self.state.restart_agent)

    def power(self, power: Power | str, at_ns: int) -> None:
        """Change where the current comes from: ``mains``, ``battery`` or ``off``."""
        source = Power(power)
        self.state.schedule.add(at_ns, lambda now_ns: self.state.supply(source, now_ns))

    def port(self, index: int, status: str, at_ns: int) -> None:
        """Bring a port's line ``up`` or ``down``, or ``shut`` the port (ifAdminStatus down; ``up`` opens it again).

        Raises:
            ValueError: no such port or status.
        """
        if status not in ("up", "down", "shut"):
            raise ValueError(f"a port is up, down or shut, not {status!r}")
        self._known(index)
        self.state.schedule.add(at_ns, lambda now_ns: self.state.turn_port(index, status, now_ns))

    def load(self, index: int, factor: float, at_ns: int) -> None:
        """Multiply a port's usual traffic; its line's speed is the limit."""
        self._known(index)
        self.state.schedule.add(at_ns, lambda now_ns: self.state.port(index).load(factor, now_ns))

    def clear_counters(self, index: int, at_ns: int) -> None:
        """Set a port's counters to 0 without a reboot; ifCounterDiscontinuityTime tells it."""
        self._known(index)
        self.state.schedule.add(at_ns, lambda now_ns: self.state.port(index).clear(now_ns))

    def fault(self, part: str, at_ns: int, *, mended: bool = False) -> None:
        """Break a fan, power supply or sensor, or mend it.

        Raises:
            ValueError: the model has no such part.
        """
        names = [one.name for one in self.state.model.parts]
        if part not in names:
            raise ValueError(f"a {self.state.model.kind} has no part {part!r}; it has {', '.join(names) or 'none'}")
        self.state.schedule.add(at_ns, lambda _: self.state.fault(part, mended=mended))

    def set(self, name: str, value: Value | tuple[int, Value], at_ns: int) -> None:
        """Hold a variable at a value.

        Parameters:
            name: its OID, with the instance. One that does not exist is added.
            value: of the variable's own type, or a pair of BER tag and value; ``None`` takes the variable away.
        """
        encoded = oid.encode(name)
        self.state.schedule.add(at_ns, lambda now_ns: self.state.hold(encoded, value, now_ns))

    def unset(self, name: str, at_ns: int) -> None:
        """Let a variable go its own way again."""
        encoded = oid.encode(name)
        self.state.schedule.add(at_ns, lambda _: self.state.release(encoded))

    def behave(self, behaviour: Behaviour, at_ns: int) -> None:
        """Change how requests are treated."""

        def change(_: int) -> None:
            self.agent.behaviour = behaviour

        self.state.schedule.add(at_ns, change)

    def _known(self, index: int) -> None:
        if not any(port.index == index for port in self.state.model.ports):
            raise ValueError(f"{self.name} has no port {index}")

    def _engine(self, now_ns: int) -> Engine:
        return Engine(self.authority.engine_id, self.state.boots, self.state.engine_time(now_ns))

    def _announce(self, trap: Trap, at_ns: int) -> None:
        self._notifier.announce(trap, at_ns, self.state.ticks(at_ns))
