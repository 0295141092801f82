"""Cursors of pages: the sort key of the last item, as an opaque text for clients.

Items that are added or removed between two requests shift no page.
"""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

from trackai.errors import InvalidInputError

T = TypeVar("T")
# In characters; the name of a metric alone may take 5,500.
_MAX_LENGTH = 8192


def encode(key: msgspec.Struct) -> str:
    """The cursor of a page whose last item has this sort key."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")


def decode(text: str, type_: type[T]) -> T:
    """Decode the sort key of a cursor.

    Raises:
        InvalidInputError: the cursor is invalid.
    """
    try:
        if len(text) > _MAX_LENGTH:
            raise ValueError
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(packed, type=type_)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        problem = "invalid: pass the next_cursor of the previous page"
        raise InvalidInputError("cursor", problem) from None
