"""Opens the source of an import; a large one is read by another process, while this one stores.

Each of the two takes about half of the time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import queue
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import TrackAIError
from trackai.importers.receipt import Receipt
from trackai.importers.trackers import TRACKERS
from trackai.structs.exchange import ArtifactHead, Block, FileHead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.source import Source
    from trackai.structs.exchange import Chunk, Item

# Below this size, starting a process would take longer than it saves.
_LARGE_BYTES = 32 << 20
_POINTS_PER_MESSAGE = 50_000
_MESSAGES_AHEAD = 2
# Sources make many objects and hardly any cycles.
_OBJECTS_PER_COLLECTION = 100_000


class _Message(msgspec.Struct):
    """A part of what a source yields.

    Attributes:
        paths: where the bytes of the files in `items` are, see `_key`.
        progress: the arguments of the last report.
        receipt: with the last message, what the source has noted.
        error: why the source ended.
    """

    items: list[Item | Chunk] = []
    paths: dict[tuple[Any, ...], Path | None] = {}
    progress: tuple[int, int, str] | None = None
    receipt: Receipt | None = None
    error: Exception | None = None


@contextmanager
def reading(
    tracker: str, path: Path, *, receipt: Receipt, progress: Progress, **options: Any
) -> Iterator[Source]:
    """Open the source of a tracker's files.

    Args:
        options: further arguments of the source.
    """
    if not (TRACKERS[tracker].is_often_large and _is_large(path)):
        yield TRACKERS[tracker].source(path, receipt=receipt, progress=progress, **options)
        return
    # Not fork: this process has threads.
    context = multiprocessing.get_context("spawn")
    pipe, other_end = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(other_end, tracker, path, options), daemon=True)
    process.start()
    other_end.close()
    try:
        yield _RemoteSource(pipe, receipt, progress)
    finally:
        process.terminate()
        process.join()
        process.close()
        pipe.close()


def _is_large(path: Path) -> bool:
    size = 0
    paths = [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())
    for file in paths:
        size += file.stat().st_size
        if size >= _LARGE_BYTES:
            return True
    return False


class _RemoteSource:
    """A source that another process reads."""

    def __init__(self, pipe: Connection, receipt: Receipt, progress: Progress) -> None:
        self._pipe = pipe
        self._receipt = receipt
        self._progress = progress
        self._paths: dict[tuple[Any, ...], Path | None] = {}

    def read(self) -> Iterator[Item | Chunk]:
        """Yield what the source yields."""
        while True:
            try:
                message: _Message = self._pipe.recv()
            except (EOFError, OSError):
                raise TrackAIError(
                    "the process that reads the source has died, perhaps for lack of memory"
                ) from None
            self._paths |= message.paths
            if message.progress is not None:
                self._progress.share(*message.progress)
            yield from message.items
            if message.error is not None:
                raise message.error
            if message.receipt is not None:
                self._receipt.add(message.receipt)
                return

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(_key(head))


def _key(head: FileHead) -> tuple[Any, ...]:
    return head.run_uid, head.kind, head.path, head.name, head.source, head.sha256


class _Sender:
    """Sends what a source yields, in messages; a thread waits for the pipe.

    Use it as a context manager.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._message = _Message()
        self._points = 0
        self._encoded: queue.Queue[bytes | None] = queue.Queue(_MESSAGES_AHEAD)
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> _Sender:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._encoded.put(None)
        self._thread.join()

    def add(self, item: Item | Chunk, source: Source) -> None:
        self._message.items.append(item)
        files = [item] if isinstance(item, FileHead) else []
        if isinstance(item, ArtifactHead):
            files = item.file_heads()
        self._message.paths |= {_key(file): source.find_bytes(file) for file in files}
        self._points += len(item.steps) if isinstance(item, Block) else 1
        # Texts and bytes may be large.
        is_number = isinstance(item, Block) and item.kind in ("number", "bool")
        if self._points >= _POINTS_PER_MESSAGE or not (is_number or files):
            self.flush()

    def share(self, done: int, total: int, unit: str) -> None:
        """Note the progress, which the next message tells."""
        self._message.progress = (done, total, unit)

    def flush(self, receipt: Receipt | None = None, error: Exception | None = None) -> None:
        message, self._message, self._points = self._message, _Message(), 0
        message.receipt, message.error = receipt, error
        self._encoded.put(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def _send(self) -> None:
        try:
            while (encoded := self._encoded.get()) is not None:
                self._pipe.send_bytes(encoded)
        except OSError:  # the process that stores has ended
            os._exit(1)


def _serve(pipe: Connection, tracker: str, path: Path, options: dict[str, Any]) -> None:
    """Read a source in this process."""
    # An interrupt ends the process that stores, and that one ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    receipt = Receipt("", "")
    with _Sender(pipe) as sender:
        try:
            source = TRACKERS[tracker].source(path, receipt=receipt, progress=sender, **options)
            for item in source.read():
                sender.add(item, source)
        except (TrackAIError, OSError) as error:
            sender.flush(error=error)
        else:
            sender.flush(receipt)
