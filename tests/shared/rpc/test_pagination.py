"""Page tokens: only a token that this server made for the same query is accepted."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rpc.errors import InvalidArgument, InvalidPageToken
from shared.rpc.pagination import Cursor, Page, asked_page, page_size, read_token, write_token

QUERY = ("ListThings", "hot", 7, None)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

texts = st.text()
integers = st.integers(-(2**63), 2**63 - 1)
times = st.datetimes(timezones=st.just(UTC))
keys = st.one_of(texts, integers, times)
queries = st.tuples(st.text(), st.integers() | st.none(), st.booleans())


@dataclass
class ListOf:
    """A request for a list, as generated code has them."""

    page_size: int
    page_token: str = ""


def forged(*cursor: object, query: tuple[object, ...] = QUERY) -> str:
    """Returns a token with the right digest and any cursor: the digest is no secret."""
    digest = json.loads(base64.urlsafe_b64decode(write_token(query)))[0]
    return base64.urlsafe_b64encode(json.dumps([digest, *cursor]).encode()).decode()


@given(queries, st.lists(keys, max_size=4))
def test_a_token_returns_the_cursor_it_was_made_of(
    query: tuple[object, ...], cursor: list[str | int | datetime]
) -> None:
    token = write_token(query, *cursor)
    assert read_token(query, token, *map(type, cursor)) == tuple(cursor)


@given(queries, queries)
def test_the_token_of_another_query_is_refused(query: tuple[object, ...], other: tuple[object, ...]) -> None:
    token = write_token(query, "cursor")
    if json.dumps(query) == json.dumps(other):
        assert read_token(other, token, str) == ("cursor",)
    else:
        with pytest.raises(InvalidPageToken):
            read_token(other, token, str)


@given(st.lists(st.integers(0, 1000), unique=True), st.integers(1, 5))
def test_pages_contain_every_item_once_and_the_last_page_has_no_token(items: list[int], size: int) -> None:
    items.sort()
    seen: list[int] = []
    page = asked_page(ListOf(size), QUERY, int, default=3, limit=4)
    while True:
        left = [item for item in items if not page.after or item > int(str(page.after[0]))]
        held, token = page.cut(left[: page.limit], lambda item: (item,))
        assert len(held) <= min(size, 4)
        seen += held
        if not token:
            break
        page = asked_page(ListOf(size, token), QUERY, int, default=3, limit=4)
        assert page == Page(QUERY, min(size, 4), (seen[-1],))
    assert seen == items


def test_an_empty_token_means_the_first_page() -> None:
    assert read_token(QUERY, "", str, int) == ()


def test_a_token_is_safe_in_a_url_and_hides_its_query() -> None:
    token = write_token(("secret filter",), "ä?/" * 50, 2**62)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
    assert b"secret" not in base64.urlsafe_b64decode(token)


@given(st.text())
def test_random_text_is_refused(token: str) -> None:
    refuse_or_begin(token)


@given(st.binary())
def test_random_bytes_are_refused(data: bytes) -> None:
    refuse_or_begin(base64.urlsafe_b64encode(data).decode())


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_random_json_is_refused(value: object) -> None:
    refuse_or_begin(base64.urlsafe_b64encode(json.dumps(value).encode()).decode())


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_token_is_refused_or_holds_a_valid_cursor(index: int, byte: int) -> None:
    whole = base64.urlsafe_b64decode(write_token(QUERY, "lead-17", NOW, 2**40))
    damaged = whole[: index % len(whole)] + bytes([byte]) + whole[index % len(whole) + 1 :]
    read_askable(base64.urlsafe_b64encode(damaged).decode(), str, datetime, int)


@given(st.lists(st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text()), max_size=3))
def test_a_forged_token_is_refused_or_holds_a_valid_cursor(cursor: list[object]) -> None:
    for kind in (str, int, datetime):
        read_askable(forged(*cursor), kind)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("\ud800", str),
        (1, str),
        (None, str),
        (2**63, int),
        (-(2**63) - 1, int),
        (True, int),
        (1.0, int),
        ("1", int),
        (1, datetime),
        ("yesterday", datetime),
        ("2026-03-01T12:00:00", datetime),
        ("2026-03-01T12:00:00+01:00", datetime),
        ("\ud800", datetime),
        ([], str),
        ({}, str),
    ],
)
def test_a_key_of_another_kind_is_refused(key: object, kind: type[str | int | datetime]) -> None:
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, forged(key), kind)


@pytest.mark.parametrize("cursor", [[], ["a", "b"]])
def test_too_few_or_too_many_keys_are_refused(cursor: list[str]) -> None:
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, write_token(QUERY, *cursor), str)


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, base64.urlsafe_b64encode(b"[" * 100_000).decode(), str)


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)])
def test_a_page_has_the_requested_size_within_limits(asked: int, size: int) -> None:
    assert page_size(asked, default=50, limit=200) == size


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^page_size: is -1, must not be negative$"):
        page_size(-1, default=50, limit=200)


def refuse_or_begin(token: str) -> None:
    """Reads a token that cannot be of this query."""
    if not token:
        return
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, token, str)


def read_askable(token: str, *kinds: type[str | int | datetime]) -> None:
    """Reads a token that somebody has tampered with; what is taken must be of the kinds, and fit into BSON."""
    try:
        cursor: Cursor = read_token(QUERY, token, *kinds)
    except InvalidPageToken:
        return
    for key, kind in zip(cursor, kinds, strict=True):
        assert type(key) is kind
        if isinstance(key, str):
            key.encode()
        elif isinstance(key, datetime):
            assert key.utcoffset() == timedelta(0)
        else:
            assert -(2**63) <= key < 2**63
