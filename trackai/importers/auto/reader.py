"""Reads several sources as one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from trackai.errors import TrackAIError
from trackai.importers import csv, jsonl, original_trackai
from trackai.importers.trackers import TRACKERS
from trackai.structs.exchange import RunHead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from trackai.importers.auto.search import Found
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.source import Source as OneSource
    from trackai.structs.exchange import Chunk, FileHead, Item

    Read = Callable[[Receipt], Iterator[Item | Chunk]]


def is_database(found: Found) -> bool:
    """Return whether a source is a database of this version of TrackAI, which is merged."""
    return found.kind == "trackai" and not original_trackai.is_original(found.path)


class Source:
    """The runs of several sources.

    Args:
        path: the folder that all are below.
        found: the sources: those of trackers, of files, and databases of the original TrackAI.
    """

    def __init__(
        self, path: Path, found: Sequence[Found], *, receipt: Receipt, progress: Progress
    ) -> None:
        self._path = path
        self._found = found
        self._receipt = receipt
        self._progress = progress
        self._source: OneSource | None = None
        # Files are stored later than they are read: by then, another source may be read.
        self._sources: dict[str, list[OneSource]] = {}

    def read(self) -> Iterator[Item | Chunk]:
        """Yield the runs of each source. One that cannot be read is a problem in the receipt."""
        for found in self._found:
            where = relative(found.path, self._path)
            try:
                for item in self._read_one(found, where):
                    if isinstance(item, RunHead) and self._source is not None:
                        sources = self._sources.setdefault(item.uid, [])
                        if self._source not in sources:
                            sources.append(self._source)
                    yield item
            except TrackAIError as error:
                self._receipt.add_problem(where, str(error).removeprefix(f"{found.path}: "))
            except OSError as error:
                self._receipt.add_problem(where, f"cannot be read: {error.strerror}")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        paths = (source.find_bytes(head) for source in self._sources.get(head.run_uid, ()))
        return next(filter(None, paths), None)

    def _read_one(self, found: Found, where: str) -> Iterator[Item | Chunk]:
        kind, path, leave_out = found
        progress = NamedProgress(self._progress, f"{kind} {where}")
        self._source = None
        if kind in TRACKERS:
            options: dict[str, Any] = {"leave_out": leave_out} if leave_out else {}
            open_source = TRACKERS[kind].source
            self._source = open_source(path, receipt=self._receipt, progress=progress, **options)
            yield from self._source.read()
        elif kind == "trackai":
            yield from original_trackai.read(path, receipt=self._receipt, progress=progress)
        else:
            yield from _FILES[kind](path)(self._receipt)


class NamedProgress:
    """The progress of one of several sources."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name

    def share(self, done: int, total: int, unit: str) -> None:
        self._progress.share(done, total, f"{unit} of {self._name}")


def relative(path: Path, top: Path) -> str:
    """Return the path of a source for people."""
    return path.name or str(path) if path == top else os.path.relpath(path, top)


def _read_csv(path: Path) -> Read:
    return lambda receipt: csv.read(path, project=None, name=None, receipt=receipt)


_FILES: dict[str, Callable[[Path], Read]] = {
    "csv": _read_csv,
    "jsonl": lambda path: lambda receipt: jsonl.read(path),
}
