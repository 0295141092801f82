"""Identities of imported runs and writers."""

from __future__ import annotations

import uuid

from trackai.values.text import without_surrogates

# Any fixed UUID would do. Changing it would import every run a second time.
_NAMESPACE = uuid.UUID("0b9d7a52-9d0c-4a5e-8a55-6d2c0f6f3c11")


def stable_uid(*parts: str) -> str:
    """Return the same uid for the same parts, so that a repeated import finds what it stored."""
    return uuid.uuid5(_NAMESPACE, without_surrogates("\0".join(parts))).hex
