"""Media with the order of arguments of trackio, in which the caption is the second one."""

from __future__ import annotations

from typing import Any

import trackai

__all__ = ["Audio", "Image"]


class Image(trackai.Image):
    """An image; see `trackai.Image`, whose second argument is that of wandb, the mode."""

    def __init__(self, value: Any, caption: str | None = None, **arguments: Any) -> None:
        super().__init__(value, caption=caption, **arguments)


class Audio(trackai.Audio):
    """A sound; see `trackai.Audio`, whose second argument is that of wandb, the rate."""

    def __init__(
        self,
        value: Any,
        caption: str | None = None,
        sample_rate: int | None = None,
        format: str | None = None,  # noqa: A002 - trackio calls it that
    ) -> None:
        super().__init__(value, sample_rate, caption, format)
