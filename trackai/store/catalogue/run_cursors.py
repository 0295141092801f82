"""Cursors of tables of runs: where a page ended, as an opaque text for clients."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.filters.tree import field_text
from trackai.values.types import INT64

if TYPE_CHECKING:
    from trackai.filters.tree import Field
    from trackai.store.catalogue.filter_sql import Condition

Order = Literal["asc", "desc"]
# In characters; the name of a metric alone may take 5,500.
_MAX_LENGTH = 8192


class Cursor(msgspec.Struct, array_like=True):
    """The sort order of a page, and the sort key and row id of its last run."""

    sort_by: str
    order: Order
    key: Any
    id: int


def encode(sort_by: Field, order: Order, *, key: Any, run_id: int) -> str:
    """The cursor of a page whose last run has this sort key and row id."""
    packed = msgspec.msgpack.encode(Cursor(field_text(sort_by), order, key, run_id))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str, sort_by: Field, order: Order) -> Cursor:
    """Decode the cursor of a page with this sort order.

    Raises:
        InvalidInputError: the cursor is invalid, or from a page with another sort order.
    """
    try:
        if len(text) > _MAX_LENGTH:
            raise ValueError
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.msgpack.decode(packed, type=Cursor)
        if not -INT64 <= cursor.id < INT64:
            raise ValueError
        if not isinstance(cursor.key, float | int | str | bytes | None):
            raise ValueError
        if isinstance(cursor.key, int) and not -INT64 <= cursor.key < INT64:
            raise ValueError
    except (binascii.Error, ValueError, msgspec.DecodeError):
        problem = "invalid: pass the next_cursor of the previous page"
        raise InvalidInputError("cursor", problem) from None
    if (cursor.sort_by, cursor.order) != (field_text(sort_by), order):
        raise InvalidInputError("cursor", "the previous page had another sort order")
    return cursor


def after(cursor: Cursor, key: str, run_id: str) -> Condition:
    """The SQL condition for the runs after a cursor.

    Args:
        key: the expression of the sort key.
        run_id: the expression of the row id.
    """
    further = ">" if cursor.order == "asc" else "<"
    if cursor.key is None:
        return f"({key} IS NULL AND {run_id} {further} ?)", [cursor.id]
    return (
        f"({key} {further} ? OR ({key} = ? AND {run_id} {further} ?) OR {key} IS NULL)",
        [cursor.key, cursor.key, cursor.id],
    )
