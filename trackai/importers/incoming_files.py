"""Files of imported runs: why their bytes are not stored, and which of them are repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from trackai.structs.exchange import FileHead, NumberedFile

if TYPE_CHECKING:
    from trackai.store.blobs.blob_store import Blob

FindBytes: TypeAlias = Callable[[FileHead], Path | None]
MISSING = "file content not found"
DAMAGED = "file content does not match its SHA-256"
TYPE = "files"


class Content(NamedTuple):
    """The content of a file.

    Attributes:
        blob: the stored bytes; None if there are none.
        source: the path the bytes were copied from.
        reason: why the bytes are not stored.
    """

    blob: Blob | None = None
    source: Path | None = None
    reason: str | None = None


class Occurrences:
    """Numbers the files of an import that are repeated."""

    def __init__(self) -> None:
        # By the hashes of identities, which take less memory.
        self._counts: Counter[int] = Counter()

    def number(self, head: FileHead, blob: Blob | None) -> NumberedFile:
        """Return the file with the numbers of such files that came before."""
        identity = (
            head.run_uid, head.writer.uid, head.path, head.kind, head.name, head.step,
            head.timestamp, head.source,
        )  # fmt: skip
        size, sha256 = (None, None) if blob is None else (blob.size, blob.sha256)
        # A file without bytes may be any of those with the same identity.
        own = hash(identity if blob is None else (*identity, sha256))
        numbered = NumberedFile(
            head=msgspec.structs.replace(head, size=size, sha256=sha256),
            earlier=self._counts[own],
            without_bytes=self._counts[hash((*identity, None))],
        )
        self._counts[hash(identity)] += 1
        self._counts[hash((*identity, sha256))] += 1
        return numbered
