"""Splits the items of history and summary records without a protobuf message for each.

These items are most of a file, and messages for them would take most of the time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.message import DecodeError

from trackai.importers.wandb.messages import Item
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

# The tags of an item, and of the value in it, which comes after its name.
_ITEM = 0x0A
_VALUE = b"\x82\x01"
_LONGEST = 0x7F  # the largest length that is one byte
_MAX_KNOWN = 20_000
_NUMBERS = frozenset({int, float})
_decode = msgspec.json.Decoder(list[Any]).decode


class Splitter:
    """Splits messages that begin with items; most items begin like earlier ones."""

    def __init__(self) -> None:
        # By the bytes of an item before its value: its encoded name, the length of the value, and
        # where the next item begins.
        self._known: dict[bytes, tuple[bytes, int, int]] = {}

    def split(self, message: bytes) -> tuple[dict[bytes, bytes], bytes] | None:
        """Return the values by their encoded names, and the fields after the items.

        Returns:
            None if it takes a decoder: an item is long or has no value, or two have the same name.
        """
        known = self._known.get
        values: dict[bytes, bytes] = {}
        head, *pieces = message.split(_VALUE)
        for piece in pieces:
            name, length, end = known(head) or self._learn(head)
            if not piece or piece[0] != length:
                return None
            values[name] = piece[1:end]
            head = piece[end:]
        return (values, head) if len(values) == len(pieces) else None

    def _learn(self, head: bytes) -> tuple[bytes, int, int]:
        """Return what `_known` holds; the length is -1 if it takes a decoder."""
        if len(head) < 2 or head[0] != _ITEM or head[1] > _LONGEST:
            return b"", -1, 0
        name = head[2:]
        length = head[1] - len(name) - len(_VALUE) - 1
        try:
            decoded = Item.FromString(name)
        except DecodeError:
            return b"", -1, 0
        if decoded.value_json or decoded.SerializeToString() != name:
            return b"", -1, 0
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[head] = name, length, length + 1
        return self._known[head]


def name_parts(encoded: bytes) -> list[str]:
    """Return the parts of an encoded name; flat names are one part, also with "/"."""
    item = Item.FromString(encoded)
    return list(item.nested_key) or [item.key]


def same_names(names: Collection[bytes]) -> Callable[[bytes], object]:
    """Return a function that says whether a message has items of these names, and numbers only.

    Equal sets of names have the same pattern, which `re` compiles once.
    """
    pattern = b"(?:\n.(?:%b)\x82\x01.[-+.0-9eE]+){%d}" % (
        b"|".join(map(re.escape, sorted(names))),
        len(names),
    )
    return re.compile(pattern, re.DOTALL).fullmatch


def decode_numbers(values: Sequence[bytes]) -> list[int | float] | None:
    """Decode JSON values that are all finite numbers; None if some may not be."""
    text = b"[%b]" % b",".join(values)
    try:
        numbers: list[Any] = _decode(text)
    except msgspec.DecodeError:
        return None
    types = set(map(type, numbers))
    if not types <= _NUMBERS or len(numbers) != len(values):
        return None
    if int in types:
        if not (min(numbers) >= -INT64 and max(numbers) < INT64):
            return None
        if b"-0" in text and 0 in numbers:  # -0.0 is written like an integer
            return None
    return numbers
