"""Who wants to know how far an import has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told now and then."""

    def share(self, done: int, total: int, unit: str) -> None:
        """So much of what there is has been read."""
