"""What is packed comes back unchanged, and what is not ours never gets further than an error."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.embedded.chunk import Columns, FieldNumbers, decode_chunk, decode_day, encode_chunk, encode_day
from storage.embedded.codec import CodecError, decode, decode_times, encode, encode_times, pack, unpack
from storage.metrics_fold import Buckets

INT64 = st.integers(-(2**63), 2**63 - 1)
NUMBER = st.one_of(
    INT64,
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**7), 10**7).map(lambda whole: whole / 1000),
    st.integers(0, 10**9).map(lambda whole: whole / 1_000_000),
)


@given(st.lists(NUMBER))
@example([2**63 - 1, -(2**63)])
@example([0.1, 2**60, 5])
@example([1e308, -1e308, 5e-324])
@example([-0.5] * 60)
def test_a_column_comes_back_unchanged(values: list[float]) -> None:
    assert decode(encode(values)) == values


@given(st.lists(INT64, min_size=1, unique=True).map(sorted))
def test_times_come_back_unchanged(times: list[int]) -> None:
    assert decode_times(encode_times(times)) == times


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.dictionaries(st.integers(0, 2**62), NUMBER, min_size=1, max_size=20),
        min_size=1,
    )
)
def test_a_chunk_with_holes_comes_back_unchanged(content: dict[str, dict[int, float]]) -> None:
    numbers = FieldNumbers(enumerate("abcd", 1))
    columns: Columns = {
        name: (sorted(column), [column[at] for at in sorted(column)]) for name, column in content.items()
    }
    body = encode_chunk(columns, numbers.number_of)
    assert decode_chunk(body, numbers.name_of) == columns
    assert decode_chunk(body, numbers.name_of, frozenset("a")) == {k: v for k, v in columns.items() if k == "a"}


def test_a_day_comes_back_unchanged() -> None:
    day = {"a": Buckets([0, 300, 900], [5, 4, 5], [1.5, 2.25, 1e20], [0.1, 0.2, 0.3], [7, 8, 9.5])}
    numbers = FieldNumbers([(1, "a")])
    assert decode_day(encode_day(day, numbers.number_of), numbers.name_of) == day


def test_steady_decimals_take_about_a_byte() -> None:
    values = [20 + (index * 7 % 13) / 1000 for index in range(600)]
    assert len(encode(values)) < 600 + 20


@given(st.binary(max_size=200))
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    for read in (unpack, lambda raw: decode_chunk(raw, {1: "a"}), lambda raw: decode_day(raw, {1: "a"})):
        with pytest.raises(CodecError):
            read(data)


@given(st.binary(max_size=60))
def test_foreign_columns_are_an_error_or_numbers(data: bytes) -> None:
    body = pack([(0, encode_times([1, 2, 3])), (1, b"\x00" + data)])
    try:
        columns = decode_chunk(body, {1: "a"})
    except CodecError:
        return
    assert all(len(times) == len(values) for times, values in columns.values())


def test_a_chunk_that_swells_without_end_is_an_error() -> None:
    import zlib

    with pytest.raises(CodecError):
        unpack(zlib.compress(bytes(65 << 20)))
    with pytest.raises(CodecError):
        decode(struct.pack("<BBIq", 0, 0, 2**32 - 1, 0))
