"""Bytes of files as files of the file system, wherever they are stored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.store.blobs.blob_store import BlobStore


class Copies:
    """The bytes of files as files: those of a bucket are copied, one at a time."""

    def __init__(self, blobs: BlobStore, path: Path) -> None:
        """Args: path: of the copy."""
        self._blobs, self._path = blobs, path

    def find(self, sha256: str | None) -> Path | None:
        """Return a path of bytes that is valid until the next call; None if they are missing."""
        stored = self._blobs.find(sha256)
        if stored is None or isinstance(stored, Path):
            return stored
        self._path.unlink(missing_ok=True)  # it may have been linked
        with stored.open("rb") as source, self._path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        return self._path
