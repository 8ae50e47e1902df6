"""Links to acknowledge: only what we signed, only as long as it lasts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.links import KEY_FILE, Link, LinkInvalid, key_of, sign, verify

KEY = bytes(range(32))
LINK = Link("incident", 17, "an.nguyen-2", 2_000_000_000)


@given(
    st.builds(
        Link, st.sampled_from(["incident", "drill"]), st.integers(1, 2**53),
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), st.integers(1, 2**40),
    )
)  # fmt: skip
def test_what_was_signed_is_read_back_until_it_expires(link: Link) -> None:
    token = sign(KEY, link)
    assert verify(KEY, token, link.expires_s - 1) == link
    with pytest.raises(LinkInvalid, match="too old"):
        verify(KEY, token, link.expires_s)


@settings(max_examples=300)
@given(st.data())
def test_no_changed_token_is_taken(data: st.DataObject) -> None:
    token = sign(KEY, LINK)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda one: one != token[place]))
    with pytest.raises(LinkInvalid):
        verify(KEY, token[:place] + letter + token[place + 1 :], 0)


@given(st.text(max_size=400))
def test_no_text_from_anybody_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(LinkInvalid):
        verify(KEY, text, 0)


def test_another_key_makes_every_link_void() -> None:
    with pytest.raises(LinkInvalid, match="changed"):
        verify(bytes(32), sign(KEY, LINK), 0)


def test_a_token_fits_into_an_address_as_it_is() -> None:
    assert set(sign(KEY, LINK)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_the_key_is_made_once_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    key = key_of(tmp_path)
    assert key_of(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_damaged_key_is_said_and_not_used(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(OSError, match="take it away"):
        key_of(tmp_path)
