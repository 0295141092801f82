"""Event files as runs: their points, texts, histograms, media and hyperparameters."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from trackai.importers.columns import Columns, identity
from trackai.importers.tensorboard import layout, records, values
from trackai.importers.tensorboard.hparams import Hparams
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead
from trackai.values.times import LAST_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.tensorboard.layout import EventFile, Folder
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Kind

_SAY_EVERY = 1 << 20
_KINDS: dict[type, Kind] = {
    values.Number: "number",
    values.Text: "text",
    values.Histogram: "histogram",
}


def read(
    path: Path, *, project: str | None, receipt: Receipt, progress: Progress
) -> Iterator[Item | Chunk]:
    """The runs at a path; what has no place in the store, or cannot be read, is noted.

    Args:
        project: the name of their project; by default that of the folder.

    Raises:
        InvalidInputError: there are no event files.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - without "..", but through links
    folders = layout.find(path, receipt)
    top = path if path.is_dir() else path.parent
    total = sum(file.size for folder in folders for file in folder.files)
    done = 0
    for folder in folders:
        run = _Run(folder, project or top.name, top, receipt)
        yield run.head
        for file in folder.files:
            for position, item in run.read(file):
                if item is not None:
                    yield item
                progress.share(done + position, total, "bytes")
            done += file.size
        yield run.head
    progress.share(total, total, "bytes")


class _Run:
    """A run while its files are read, one after the other."""

    def __init__(self, folder: Folder, project: str, top: Path, receipt: Receipt) -> None:
        first = folder.files[0]
        begun = round(first.begun * 1e6)
        uid = identity("tensorboard", project, folder.name, first.identity)
        self.head = RunHead(
            uid=uid, project=project, run_id=folder.name, name=folder.name, state="running",
            created_at=begun,
        )  # fmt: skip
        self._top = top
        self._receipt = receipt
        self._hparams = Hparams()
        self._last = begun
        self._attempt = 0

    def read(self, file: EventFile) -> Iterator[tuple[int, Item | Chunk | None]]:
        """What is in a file, each with how far it has been read."""
        # A file that was begun after the others had ended is a resume: where it logs the same
        # steps again, its points stand in the place of theirs.
        if self._attempt == 0 or round(file.begun * 1e6) > self._last:
            self._attempt += 1
        begun = round(file.begun * 1e6)
        writer = WriterHead(
            uid=identity(self.head.uid, file.identity), attempt=self._attempt,
            host=_host(file.path.name), started_at=begun,
        )  # fmt: skip
        reading = _File(file, self.head.uid, writer, self._receipt, self._hparams)
        where = file.path.relative_to(self._top).as_posix()
        said = 0
        try:
            for position, payload in records.read(file.path):
                for item in reading.event(payload):
                    yield position, item
                if position - said > _SAY_EVERY:
                    said = position
                    yield position, None
        except records.TruncatedError as error:
            self._receipt.remark(where, str(error))
        except records.DamagedError as error:
            self._receipt.problem(where, f"{error}: the rest of the file is not read")
        except OSError as error:
            self._receipt.problem(where, f"it cannot be read: {error.strerror}")
        for item in reading.rest():
            yield file.size, item
        self._last = max(self._last, reading.last)
        about = self._hparams
        self.head = msgspec.structs.replace(
            self.head, config=about.config, group_name=about.group, state=about.state,
            updated_at=self._last, finished_at=self._last,
        )  # fmt: skip


class _File:
    """One file's events, and what they say about those that follow."""

    def __init__(
        self, file: EventFile, uid: str, writer: WriterHead, receipt: Receipt, hparams: Hparams
    ) -> None:
        self._name = file.path.name
        self._uid = uid
        self._writer = writer
        self._receipt = receipt
        self._hparams = hparams
        self._columns = Columns(uid, writer)
        # Only the first value of a tag says what it is.
        self._plugins: dict[str, str] = {}
        self.last = writer.started_at

    def event(self, payload: bytes) -> Iterator[Item | Chunk]:
        """What an event has in it."""
        try:
            event = Event.FromString(payload)
        except DecodeError:
            raise records.DamagedError("a record is no event") from None
        what = event.WhichOneof("what")
        if what == "summary":
            if not math.isfinite(event.wall_time) or abs(event.wall_time) > _LATEST:
                self._receipt.refuse("metrics", "their time is none", len(event.summary.value))
                return
            time = round(event.wall_time * 1e6)
            self.last = max(self.last, time)
            for value in event.summary.value:
                yield from self._value(event.step, time, value)
        elif what in _NO_PLACE:
            self._receipt.refuse(_NO_PLACE[what], f"there is no place for {_NO_PLACE[what]}")
        elif what == "session_log" and event.session_log.status == SessionLog.STOP:
            self.last = max(self.last, round(event.wall_time * 1e6))

    def _value(self, step: int, time: int, value: Any) -> Iterator[Item | Chunk]:
        tag = value.tag
        if value.HasField("metadata"):
            data = value.metadata.plugin_data
            self._plugins.setdefault(tag, data.plugin_name)
            if data.plugin_name == "hparams":
                self._hparams.take(data.content)
                return
        content = values.of(value, self._plugins.get(tag, ""))
        if isinstance(content, values.Other):
            self._receipt.refuse(content.what, content.reason)
        elif isinstance(content, values.Media):
            yield from self._media(tag, step, time, content)
        else:
            yield from self._columns.add(
                tag, "step", _KINDS[type(content)], step, time, content.value
            )

    def _media(
        self, tag: str, step: int, time: int, content: values.Media
    ) -> Iterator[Item | Chunk]:
        for number, data in enumerate(content.files):
            sha256 = hashlib.sha256(data).hexdigest()
            several = f"-{number}" if len(content.files) > 1 else ""
            yield Chunk(sha256=sha256, data=data)
            yield FileHead(
                run_uid=self._uid, writer=self._writer, path=tag, kind="file_series",
                name=f"{tag.rpartition('/')[2]}-{step}{several}.{values.extension(data)}",
                step=step, timestamp=time, size=len(data), sha256=sha256, source=self._name,
            )  # fmt: skip

    def rest(self) -> Iterator[Block]:
        """The points that are left when the file ends."""
        return self._columns.rest()


_LATEST = LAST_TIME // 1_000_000
_NO_PLACE = {
    "graph_def": "graphs",
    "meta_graph_def": "graphs",
    "tagged_run_metadata": "traces of operations",
    "log_message": "messages of TensorFlow",
}


def _host(name: str) -> str:
    """The host that is part of an event file's name, which goes on as its writer likes."""
    return name.partition("tfevents.")[2].partition(".")[2] or "tensorboard"
