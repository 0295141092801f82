"""Values of Python in columns of PostgreSQL: the same bits and types come back."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st

from trackai.store.postgres import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres import Databases

_numbers = st.one_of(
    st.integers(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, 10_000, 9999.0, 1e22, 5e-324, math.inf, -math.inf]),
)
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(_numbers)
def test_numbers_are_exact(number: float) -> None:
    assert repr(values.decode(values.encode(number))) == repr(number)


@pytest.fixture(scope="module")
def ask(databases: Databases, empty_postgres: str) -> Iterator[Callable[..., list[Any]]]:
    """Execute a query with our codecs, and get its first row."""

    url = databases.create(empty_postgres)

    async def connect() -> asyncpg.Connection:
        conn = await asyncpg.connect(url)
        await values.register(conn)
        return conn

    with start_blocking_portal() as portal:
        conn = portal.call(connect)
        yield lambda query, *parameters: list(portal.call(conn.fetchrow, query, *parameters))
        portal.call(conn.close)
    databases.drop(url)


@given(number=_numbers)
def test_postgres_computes_with_the_same_numbers(
    ask: Callable[..., list[Any]], number: Any
) -> None:
    same, text = ask("SELECT $1::numeric, ($1::numeric)::text", number)
    assert repr(same) == repr(number)
    if not isinstance(number, float):
        assert text == str(number)
    elif math.isfinite(number):
        assert float(text) == number


@given(one=_numbers, other=_numbers)
def test_numbers_have_their_order(ask: Callable[..., list[Any]], one: float, other: float) -> None:
    assert ask("SELECT $1::numeric < $2, $1 = $2", one, other) == [one < other, one == other]


@given(value=st.one_of(_numbers, _texts, st.binary()))
def test_any_value_comes_back(ask: Callable[..., list[Any]], value: Any) -> None:
    [same] = ask("SELECT $1::any_value", value)
    assert type(same) is type(value)
    assert repr(same) == repr(value)


def test_values_have_the_order_of_sqlite(ask: Callable[..., list[Any]]) -> None:
    ordered = [-math.inf, -1, 0.5, 1, 2.5, math.inf, "", "A", "a", "é", b"", b"\x00", b"\x01"]
    for pair in pairwise(ordered):
        assert ask("SELECT $1::any_value < $2::any_value", *pair) == [True], pair


@given(text=st.text(st.sampled_from("a01\0\U0010ffff") | st.characters(codec="utf-8")))
def test_texts_come_back(ask: Callable[..., list[Any]], text: str) -> None:
    query = "SELECT $1::text, $2::any_value, $1 = ANY($3::text[])"
    assert ask(query, text, text, [values.escaped(text)]) == [text, text, True]
