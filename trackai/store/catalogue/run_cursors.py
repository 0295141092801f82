"""Cursors of tables of runs: where a page ended, as an opaque text for clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.filters.tree import field_text
from trackai.store.catalogue import filter_sql
from trackai.values import cursors
from trackai.values.types import INT64

if TYPE_CHECKING:
    from trackai.filters.tree import Field
    from trackai.store.catalogue.filter_sql import Condition

Order = Literal["asc", "desc"]
_Integer = Annotated[int, msgspec.Meta(ge=-INT64, le=INT64 - 1)]


class Cursor(msgspec.Struct, array_like=True):
    """The sort order of a page, and the sort key and row id of its last run."""

    sort_by: str
    order: Order
    key: Any
    id: _Integer

    def __post_init__(self) -> None:
        is_storable = isinstance(self.key, float | str | bytes | None) or (
            isinstance(self.key, int) and -INT64 <= self.key < INT64
        )
        if not is_storable:
            raise ValueError("key: must be a value of SQLite")


def encode(sort_by: Field, order: Order, *, key: Any, run_id: int) -> str:
    """The cursor of a page whose last run has this sort key and row id."""
    return cursors.encode(Cursor(field_text(sort_by), order, key, run_id))


def decode(text: str, sort_by: Field, order: Order) -> Cursor:
    """Decode the cursor of a page with this sort order.

    Raises:
        InvalidInputError: the cursor is invalid, or from a page with another sort order.
    """
    cursor = cursors.decode(text, Cursor)
    if (cursor.sort_by, cursor.order) != (field_text(sort_by), order):
        raise InvalidInputError("cursor", "the previous page had another sort order")
    if not filter_sql.may_be_key(sort_by, cursor.key):
        raise InvalidInputError("cursor", "invalid: pass the next_cursor of the previous page")
    return cursor


def after(cursor: Cursor, sort_by: Field, key: str, run_id: str) -> Condition:
    """The SQL condition for the runs after a cursor.

    Args:
        sort_by: the field that runs are sorted by.
        key: the expression of the sort key.
        run_id: the expression of the row id.
    """
    further = ">" if cursor.order == "asc" else "<"
    if cursor.key is None:
        return f"({key} IS NULL AND {run_id} {further} ?)", [cursor.id]
    value = filter_sql.placeholder(sort_by)
    return (
        f"({key} {further} {value} OR ({key} = {value} AND {run_id} {further} ?) OR {key} IS NULL)",
        [cursor.key, cursor.key, cursor.id],
    )
