"""Reads the runs of event files: points, media and hyperparameters."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from trackai.importers.block_builder import BlockBuilder
from trackai.importers.tensorboard import records, values
from trackai.importers.tensorboard.event_files import find_runs
from trackai.importers.tensorboard.hparams import Hparams
from trackai.structs.exchange import Chunk, FileHead, Rewind, RunHead, WriterHead
from trackai.values.text import without_surrogates
from trackai.values.times import LAST_TIME
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.tensorboard.event_files import EventFile, RunFolder
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Kind

_PROGRESS_BYTES = 1 << 20
_MAX_SECONDS = LAST_TIME // 1_000_000
_KINDS: dict[type, Kind] = {
    values.Number: "number",
    values.Text: "text",
    values.Histogram: "histogram",
}
# Contents of an event that are not stored, as the receipt names them.
_UNSUPPORTED = {
    "graph_def": "graphs",
    "meta_graph_def": "graphs",
    "tagged_run_metadata": "traces of operations",
    "log_message": "messages of TensorFlow",
}


class Source:
    """The runs at a path.

    Args:
        path: a folder of runs, the folder of a run, or an event file.
        project: the project of the runs; by default the name of the folder.
        leave_out: folders below the path that are not searched.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, project: str | None = None,
        leave_out: Iterable[Path] = (),
    ) -> None:  # fmt: skip
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - resolves "..", but not links
        self._receipt, self._progress = receipt, progress
        self._project = project
        self._leave_out = {Path(os.path.abspath(folder)) for folder in leave_out}  # noqa: PTH100

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no event files.
        """
        folders = find_runs(self._path, self._receipt, self._leave_out)
        root = self._path if self._path.is_dir() else self._path.parent
        total = sum(file.size for folder in folders for file in folder.files)
        done = 0
        for folder in folders:
            run = _Run(folder, self._project or root.name, root, self._receipt)
            yield run.head
            for file in folder.files:
                for position, item in run.read(file):
                    if item is not None:
                        yield item
                    self._progress.share(done + position, total, "bytes")
                done += file.size
            yield run.head
        self._progress.share(total, total, "bytes")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Files are yielded with their bytes."""
        return None


class _Run:
    """Reads the files of a run, and updates its head with what they contain."""

    def __init__(self, folder: RunFolder, project: str, root: Path, receipt: Receipt) -> None:
        first = folder.files[0]
        started_at = _microseconds(first.started_at)
        uid = stable_uid("tensorboard", project, folder.name, first.identity)
        self.head = RunHead(
            uid=uid, project=project, run_id=folder.name, name=folder.name, state="running",
            created_at=started_at,
        )  # fmt: skip
        self._root = root
        self._receipt = receipt
        self._hparams = Hparams()
        self._last_time = started_at
        self._attempt = 0
        self._has_values = False

    def read(self, file: EventFile) -> Iterator[tuple[int, Item | Chunk | None]]:
        """Yield the items of a file, each with the reader's position in bytes.

        Between items, the position alone is yielded now and then.
        """
        started_at = _microseconds(file.started_at)
        # A file that was started after all others had ended is a resumed run. In each series, its
        # points supersede earlier ones from the first step on that it logs.
        if self._attempt == 0 or started_at > self._last_time:
            self._attempt += 1
            self._has_values = False
        self._begin_session(file, 0)
        where = file.path.relative_to(self._root).as_posix()
        reported = 0
        try:
            for position, payload in records.read(file.path):
                event = _parse(payload)
                if _is_start(event):
                    for restart_item in self._restart(file, event.step, where):
                        yield position, restart_item
                for item in self._events.read(event):
                    yield position, item
                if position - reported > _PROGRESS_BYTES:
                    reported = position
                    yield position, None
        except records.TruncatedError as error:
            self._receipt.add_remark(where, str(error))
        except records.DamagedError as error:
            self._receipt.add_problem(where, f"{error}; the rest of the file is skipped")
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")
        for block in self._flush():
            yield file.size, block
        self.head = msgspec.structs.replace(
            self.head, config=self._hparams.config, group_name=self._hparams.group,
            state=self._hparams.state, updated_at=self._last_time, finished_at=self._last_time,
        )  # fmt: skip

    def _restart(self, file: EventFile, step: int, where: str) -> Iterator[Item]:
        """End a session, and supersede all earlier points from the first step of the next one."""
        yield from self._flush()
        if self._has_values:
            self._attempt += 1
            self._has_values = False
            self._begin_session(file, self._session + self._events.has_values)
        if self._attempt > 1:
            yield self._events.rewind(step)
            self._receipt.add_remark(
                where, f"restarted at step {step}: earlier points from this step on are superseded"
            )

    def _begin_session(self, file: EventFile, number: int) -> None:
        """Begin a session: a part of a file, up to the next START event."""
        self._session = number
        parts = (file.identity, f"session {number}") if number else (file.identity,)
        writer = WriterHead(
            uid=stable_uid(self.head.uid, *parts), attempt=self._attempt,
            host=_host(file.path.name), started_at=_microseconds(file.started_at),
        )  # fmt: skip
        self._events = _EventReader(file, self.head.uid, writer, self._receipt, self._hparams)

    def _flush(self) -> Iterator[Block]:
        """Yield the last points of a session, and note what it says about the run."""
        yield from self._events.flush()
        self._has_values |= self._events.has_values
        self._last_time = max(self._last_time, self._events.last_time)


class _EventReader:
    """Reads the events of one session of a file.

    Attributes:
        last_time: the latest time of an event, in microseconds since the epoch.
        has_values: whether there was a value.
    """

    def __init__(
        self, file: EventFile, uid: str, writer: WriterHead, receipt: Receipt, hparams: Hparams
    ) -> None:
        self._name = without_surrogates(file.path.name)
        self._uid = uid
        self._writer = writer
        self._receipt = receipt
        self._hparams = hparams
        self._blocks = BlockBuilder(uid, writer)
        # By tag: only its first value in a file names the plugin.
        self._plugins: dict[str, str] = {}
        self.last_time = writer.started_at
        self.has_values = False

    def read(self, event: Any) -> Iterator[Item | Chunk]:
        """Yield the items of an event."""
        content = event.WhichOneof("what")
        if content == "summary":
            if not math.isfinite(event.wall_time) or abs(event.wall_time) > _MAX_SECONDS:
                self._receipt.refuse("metrics", "invalid time", len(event.summary.value))
                return
            time = _microseconds(event.wall_time)
            self.last_time = max(self.last_time, time)
            self.has_values = True
            for value in event.summary.value:
                yield from self._read_value(event.step, time, value)
        elif content in _UNSUPPORTED:
            type_ = _UNSUPPORTED[content]
            self._receipt.refuse(type_, f"{type_} are not supported")
        elif content == "session_log" and event.session_log.status == SessionLog.STOP:
            self.last_time = max(self.last_time, _microseconds(event.wall_time))

    def _read_value(self, step: int, time: int, value: Any) -> Iterator[Item | Chunk]:
        tag = value.tag
        if value.HasField("metadata"):
            data = value.metadata.plugin_data
            self._plugins.setdefault(tag, data.plugin_name)
            if data.plugin_name == "hparams":
                self._hparams.add(data.content)
                return
        content = values.decode(value, self._plugins.get(tag, ""))
        if isinstance(content, values.Unsupported):
            self._receipt.refuse(content.type, content.reason)
        elif isinstance(content, values.Media):
            yield from self._read_media(tag, step, time, content)
        else:
            yield from self._blocks.add(
                tag, "step", _KINDS[type(content)], step, time, content.value
            )

    def _read_media(
        self, tag: str, step: int, time: int, media: values.Media
    ) -> Iterator[Item | Chunk]:
        for number, data in enumerate(media.files):
            sha256 = hashlib.sha256(data).hexdigest()
            suffix = f"-{number}" if len(media.files) > 1 else ""
            yield Chunk(sha256=sha256, data=data)
            yield FileHead(
                run_uid=self._uid, writer=self._writer, path=tag, kind="file_series",
                name=f"{tag.rpartition('/')[2]}-{step}{suffix}.{values.extension(data)}",
                step=step, timestamp=time, size=len(data), sha256=sha256, source=self._name,
            )  # fmt: skip

    def rewind(self, step: int) -> Rewind:
        """Return an item that supersedes all earlier points from a step on."""
        return Rewind(run_uid=self._uid, writer=self._writer, step=step)

    def flush(self) -> Iterator[Block]:
        """Yield the points that have not been yielded yet."""
        return self._blocks.flush()


def _parse(payload: bytes) -> Any:
    try:
        return Event.FromString(payload)
    except DecodeError:
        raise records.DamagedError("a record is not an event") from None


def _is_start(event: Any) -> bool:
    """Return whether an event purges all earlier values from its step on, as in TensorBoard.

    Writers log it when they continue from a checkpoint: `SummaryWriter(purge_step=...)`, and
    TensorFlow's supervisors.
    """
    if event.WhichOneof("what") != "session_log":
        return False
    return bool(event.session_log.status == SessionLog.START)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _host(name: str) -> str:
    """Return the host in the name of an event file: events.out.tfevents.TIME.HOST."""
    return without_surrogates(name.partition("tfevents.")[2].partition(".")[2]) or "tensorboard"
