"""`wandb.plot`: the charts of `trackai.plot`."""

from __future__ import annotations

from typing import Any

import trackai

_names: Any = trackai


def __getattr__(name: str) -> Any:
    return getattr(_names.plot, name)
