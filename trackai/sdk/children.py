"""The journals of processes that were forked while a run was being logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.ingest.journal import SUFFIX
from trackai.ingest.reader import JournalReader

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.ingest.drain import JournalDrain
    from trackai.sdk.destination import Destination


class Children:
    """Stores the journals of forked processes that inherited a run, in the process of its writer.

    A forked process has no event loop and no connection, and may end in any way.
    """

    def __init__(self, destination: Destination, uid: str) -> None:
        self._destination = destination
        self._uid = uid
        self._drains: dict[Path, JournalDrain] = {}
        self._unrelated: set[Path] = set()

    async def store(self, journal: str) -> None:
        """Store everything that the forked processes have logged so far.

        Args:
            journal: the name of a journal of the writer.
        """
        paths = set(self._destination.spool.glob(f"*{SUFFIX}"))
        self._unrelated &= paths
        for path in sorted(paths - self._unrelated):
            if path not in self._drains:
                if not self._is_child(path):
                    self._unrelated.add(path)
                    continue
                self._drains[path] = await self._destination.drain(path, journal)
            await self._drains[path].store_all()
        for path in self._drains.keys() - paths:
            del self._drains[path]

    def _is_child(self, path: Path) -> bool:
        try:
            opened = JournalReader(path).peek()
        except OSError:
            return False
        return opened is not None and opened.parent == self._uid

    async def collect(self) -> None:
        """Store and remove the journals of forked processes that have ended."""
        await self._destination.collect(list(self._drains))
