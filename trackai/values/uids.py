"""Identities of runs and writers, which are unique in all databases: 32 hexadecimal digits."""

from __future__ import annotations

import os
import time
import uuid

from trackai.values.text import without_surrogates

# Any fixed UUID would do. Changing it would import every run a second time.
_NAMESPACE = uuid.UUID("0b9d7a52-9d0c-4a5e-8a55-6d2c0f6f3c11")
_RANDOM_BITS = 80
# Those of version 7 and of its variant, in place of six random bits.
_MARKS, _MARKED = 0x7000_8000_0000_0000_0000, 0xF000_C000_0000_0000_0000


def new_uid() -> str:
    """Return a UUID of version 7 (RFC 9562): milliseconds since the epoch and 74 random bits.

    Runs of the same time are neighbours in the index of identities, so that creating or deleting
    them changes a few of its pages. The last digits tell runs apart, not the first.
    """
    random = int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big") & ~_MARKED | _MARKS
    return f"{time.time_ns() // 1_000_000 << _RANDOM_BITS | random:032x}"


def stable_uid(*parts: str) -> str:
    """Return the same uid for the same parts, so that a repeated import finds what it stored."""
    return uuid.uuid5(_NAMESPACE, without_surrogates("\0".join(parts))).hex
