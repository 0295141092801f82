"""The interface of a source of an import: the files of another tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.structs.exchange import Chunk, FileHead, Item


class Source(Protocol):
    """The runs below a path.

    A source is made with that path and two arguments: `receipt` notes what is not supported or
    cannot be read, and `progress` is told how much has been read.
    """

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, then its points and files, and its head again if it changed.

        Raises:
            InvalidInputError: there are no runs, or nothing of them can be read.
        """

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing.

        Files whose bytes `read` yields as chunks are not asked for.
        """
