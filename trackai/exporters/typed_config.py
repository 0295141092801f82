"""The configuration of a run as Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trackai.structs.exchange import RunHead


def typed_config(head: RunHead) -> dict[str, Any]:
    """Return the configuration with NaN and the infinities as floats."""
    return {
        key: float(value)
        if head.config_types.get(key) == "float" and isinstance(value, str)
        else value
        for key, value in head.config.items()
    }
