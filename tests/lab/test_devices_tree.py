"""Trees and answers: GETNEXT and GETBULK over any tree give what a sorted list gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.devices import Access, Device, Model
from lab.devices.tree import Tree, parent, suffix
from probes.snmp import ber, message, oid
from probes.snmp.message import GET, GET_BULK, GET_NEXT, V1, V2C, Pdu

NOW = 1_790_000_000_000_000_000
PREFIX = (1, 3, 6, 1)
parts = st.one_of(st.integers(0, 3), st.sampled_from((127, 128, 16_383, 16_384, 0xFFFFFFFF)))
names = st.lists(parts, min_size=1, max_size=4).map(lambda rest: (*PREFIX, *rest))
mibs = st.dictionaries(names, st.integers(-5, 5), min_size=1, max_size=30)


def text(name: tuple[int, ...]) -> str:
    return ".".join(map(str, name))


def device(mib: dict[tuple[int, ...], int], access: Access | None = None) -> Device:
    rows = [(oid.encode(text(name)), ber.encode_integer(value)) for name, value in mib.items()]
    return Device(Model("other", "", "", 72, tree=Tree.of(rows)), "random", now_ns=NOW, access=access)


def ask(
    agent: Device,
    tag: int,
    asked: list[str],
    *,
    version: int = V2C,
    first: int = 0,
    second: int = 0,
    who: str = "public",
) -> Pdu:
    varbinds = [(oid.encode(name), ber.NULL, None) for name in asked]
    packet = message.community_message(version, who.encode(), message.encode_pdu(tag, 7, first, second, varbinds))
    (reply,) = agent.receive(packet, NOW)
    _, pos, end = message.open_message(reply.data)
    _, pos = ber.read_octets(reply.data, pos, end)
    return message.read_head(reply.data, pos, end).pdu(reply.data)


@given(mibs)
def test_a_getnext_walk_is_the_sorted_list(mib: dict[tuple[int, ...], int]) -> None:
    agent = device(mib)
    found, last = [], "1.3"
    while True:
        ((name, tag, value),) = ask(agent, GET_NEXT, [last]).varbinds
        if tag == ber.END_OF_MIB_VIEW:
            break
        last = oid.decode(name)
        found.append((last, value))
    assert found == [(text(name), mib[name]) for name in sorted(mib)]


@given(mibs, names, st.integers(0, 3), st.integers(0, 12))
def test_getbulk_is_getnext_repeated(
    mib: dict[tuple[int, ...], int], start: tuple[int, ...], once: int, repetitions: int
) -> None:
    agent = device(mib)
    asked = [text(start), "1.3", text(max(mib))]
    expected = list(ask(agent, GET_NEXT, asked[:once]).varbinds) if once else []
    last = asked[once:]
    for _ in range(repetitions if last else 0):
        row = ask(agent, GET_NEXT, last).varbinds
        expected += row
        last = [oid.decode(name) for name, _, _ in row]
        if all(tag == ber.END_OF_MIB_VIEW for _, tag, _ in row):
            break
    assert ask(agent, GET_BULK, asked, first=once, second=repetitions).varbinds == expected


@given(mibs, names)
def test_get_finds_what_is_there_and_says_what_is_not(mib: dict[tuple[int, ...], int], name: tuple[int, ...]) -> None:
    ((_, tag, value),) = ask(device(mib), GET, [text(name)]).varbinds
    if name in mib:
        assert value == mib[name]
    elif any(one[:-1] == name[:-1] for one in mib):
        assert tag == ber.NO_SUCH_INSTANCE
    else:
        assert tag == ber.NO_SUCH_OBJECT


@given(mibs, st.lists(st.tuples(names, st.booleans()), max_size=4, unique_by=lambda one: one[0]))
def test_a_community_sees_its_view_and_nothing_else(
    mib: dict[tuple[int, ...], int], subtrees: list[tuple[tuple[int, ...], bool]]
) -> None:
    view = tuple((text(root), shown) for root, shown in subtrees)
    agent = device(mib, Access(communities={"narrow": view}))

    def shows(name: tuple[int, ...]) -> bool:
        fitting = [(len(root), shown) for root, shown in subtrees if name[: len(root)] == root]
        return max(fitting)[1] if fitting else False

    answer = ask(agent, GET_BULK, ["1.3"], second=50, who="narrow").varbinds
    found = [oid.decode(name) for name, tag, _ in answer if tag != ber.END_OF_MIB_VIEW]
    assert found == [text(name) for name in sorted(mib) if shows(name)]


def test_v1_has_no_counter64_and_ends_with_no_such_name() -> None:
    rows = {"1.3.6.1.1": (ber.INTEGER, 1), "1.3.6.1.2": (ber.COUNTER64, 1 << 40), "1.3.6.1.3": (ber.INTEGER, 3)}
    tree = Tree.of((oid.encode(name), ber.encode_value(*value)) for name, value in rows.items())
    agent = Device(Model("other", "", "", 72, tree=tree), "v1", now_ns=NOW)
    ((name, _, value),) = ask(agent, GET_NEXT, ["1.3.6.1.1"], version=V1).varbinds
    assert (oid.decode(name), value) == ("1.3.6.1.3", 3)
    refused = ask(agent, GET, ["1.3.6.1.1", "1.3.6.1.2"], version=V1)
    assert (refused.error_status, refused.error_index) == (2, 2)
    assert [oid.decode(name) for name, _, _ in refused.varbinds] == ["1.3.6.1.1", "1.3.6.1.2"]
    assert ask(agent, GET_NEXT, ["1.3.6.1.3"], version=V1).error_status == 2


def test_an_answer_never_exceeds_what_fits_a_frame() -> None:
    rows = [(oid.encode(f"1.3.6.1.4.{number}"), ber.encode(ber.OCTET_STRING, b"x" * 200)) for number in range(50)]
    agent = Device(Model("other", "", "", 72, tree=Tree.of(rows)), "wide", now_ns=NOW)
    varbinds = [(oid.encode("1.3"), ber.NULL, None)]
    packet = message.community_message(V2C, b"public", message.encode_pdu(GET_BULK, 7, 0, 50, varbinds))
    (reply,) = agent.receive(packet, NOW)
    assert 1_200 < len(reply.data) <= 1_472
    assert ask(agent, GET, [f"1.3.6.1.4.{number}" for number in range(20)]).error_status == 1


def test_a_write_is_refused() -> None:
    agent = device({(1, 3, 6, 1, 1): 5})
    assert ask(agent, 0xA3, ["1.3.6.1.1"]).error_status == 6
    assert ask(agent, 0xA3, ["1.3.6.1.1"], version=V1).error_status == 2
    assert ask(agent, GET, ["1.3.6.1.1"]).varbinds[0][2] == 5


@given(names, st.integers(0, 0xFFFFFFFF))
@settings(max_examples=50)
def test_a_row_and_its_column_fit_together(name: tuple[int, ...], index: int) -> None:
    column = oid.encode(text(name))
    assert parent(column + suffix(index)) == column
