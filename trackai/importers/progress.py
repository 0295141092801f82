"""The interface for progress reports of imports."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of an import."""

    def share(self, done: int, total: int, unit: str) -> None:
        """Report that `done` of `total` units have been read; units are rows, bytes or runs."""
