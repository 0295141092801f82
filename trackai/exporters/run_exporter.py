"""What the exporters of trackers have in common: they write runs one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from trackai.structs.exchange import RunHead

if TYPE_CHECKING:
    from trackai.exporters.folder import FindBytes, Folder
    from trackai.exporters.summary import Summary
    from trackai.structs.exchange import Item


class RunWriter(Protocol):
    """Writes one run."""

    def add(self, item: Item) -> None:
        """Write one of its files, or a block of its points."""

    def finish(self) -> None:
        """Complete it."""


class RunExporter(ABC):
    """Writes runs, one after the other.

    Args:
        folder: receives what is written.
        find_bytes: returns the path of a file's bytes, or None if they are missing.
        summary: counts what is written.
    """

    def __init__(self, folder: Folder, find_bytes: FindBytes, summary: Summary) -> None:
        self._folder, self._find_bytes, self._summary = folder, find_bytes, summary
        self._run: RunWriter | None = None

    def write(self, item: Item) -> None:
        """Write the head of a run, one of its files, or a block of its points."""
        if isinstance(item, RunHead):
            self._end_run()
            self._run = self._begin(item)
        elif self._run is not None:
            self._run.add(item)

    def close(self) -> None:
        """Complete the last run."""
        self._end_run()

    def _end_run(self) -> None:
        if self._run is not None:
            self._run.finish()
        self._run = None

    @abstractmethod
    def _begin(self, head: RunHead) -> RunWriter:
        """Begin to write a run."""
