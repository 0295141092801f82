"""`wandb.sklearn`: charts of models, which TrackAI does not draw."""

from __future__ import annotations

from functools import partial
from typing import Any

from trackai.sdk.ignored_calls import warn_ignored


def __getattr__(name: str) -> Any:
    if not name.startswith("plot_"):
        raise AttributeError(name)
    return partial(_ignore, name)


def _ignore(name: str, *args: Any, **kwargs: Any) -> None:
    warn_ignored(f"wandb.sklearn.{name}()")
