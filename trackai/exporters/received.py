"""Keeps the bytes of files that a server sends, until the export is done."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.structs.exchange import Chunk, FileHead

_SHA256 = re.compile("[0-9a-f]{64}")


class ReceivedFiles:
    """Bytes by their hash.

    Args:
        folder: a new folder, which is removed at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._complete: set[str] = set()
        self._current = ""

    def add(self, chunk: Chunk) -> None:
        """Append bytes. The chunks of a file follow each other."""
        if not _SHA256.fullmatch(chunk.sha256):
            raise InvalidInputError("the answer of the server", "has a hash that is not a SHA-256")
        if chunk.sha256 != self._current:
            self._complete.add(self._current)
            self._current = chunk.sha256
        if chunk.sha256 in self._complete:
            return  # a file of several runs is sent with each
        with (self._folder / chunk.sha256).open("ab") as file:
            file.write(chunk.data)

    def find(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if they were not sent."""
        if head.sha256 is None or not _SHA256.fullmatch(head.sha256):
            return None
        path = self._folder / head.sha256
        return path if path.exists() else None

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder)
