"""Reads the runs of record files: points, media, console output, configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.importers.block_builder import BlockBuilder
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.inner_files import file_inside
from trackai.importers.json_values import json_value
from trackai.importers.liveness import is_silent
from trackai.importers.swanlab import local_logs
from trackai.importers.swanlab.description import read_config, read_facts
from trackai.importers.swanlab.folders import HEADER, find_runs, records
from trackai.importers.swanlab.messages import CUSTOM, ERROR, FINISHED, MEDIA_FOLDERS
from trackai.importers.wandb.messages import microseconds
from trackai.importers.wandb.records import Log
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.own_keys import JOB_TYPE
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.swanlab.folders import FoundRun, RunFile
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State

_PROGRESS_BYTES = 1 << 20
_MAX_FILE_NAME = 100
_MAX_TEXT_BYTES = 1 << 20
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f/\\:]+")
# In the configuration, what SwanLab has beside it.
_PREFIX = "_swanlab"
# The names of the metrics of the machine begin with it.
_SYSTEM = "__swanlab__."
_METADATA = "swanlab-metadata.json"


class Source:
    """The runs below a path.

    Args:
        path: a folder of runs, its parent, the folder of a run, or a record file.
        receipt: notes what is not supported or cannot be read.
    """

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._paths: dict[str, Path] = {}

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        runs = find_runs(self._path, self._receipt)
        total = sum(file.size for run in runs for file in run.files)
        done = 0
        for found in runs:
            run = _Run(found, self._receipt, self._paths)
            yield run.head
            for attempt, file in enumerate(found.files, start=1):
                reported = 0
                for position, item in run.read(file, attempt):
                    if item is not None:
                        yield item
                    if position - reported >= _PROGRESS_BYTES:
                        reported = position
                        self._progress.share(done + position, total, "bytes")
                done += file.size
            yield run.head
        self._progress.share(total, total, "bytes")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(head.source)


class _Run:
    """Reads the files of a run.

    Attributes:
        head: the run; complete once all its files have been read.
    """

    def __init__(self, run: FoundRun, receipt: Receipt, paths: dict[str, Path]) -> None:
        starts = [file.start for file in run.files if file.start is not None]
        last = starts[-1] if starts else None
        self.head = RunHead(
            uid=stable_uid("swanlab", run.project, run.run_id), project=run.project,
            run_id=run.run_id, name=(last and last.name) or run.run_id,
            group_name=(last and last.group) or None, state="running",
            created_at=run.files[0].started_at, notes=(last and last.description) or None,
            tags=list(dict.fromkeys(tag for start in starts for tag in start.tags)),
        )  # fmt: skip
        self._receipt = receipt
        self._paths = paths
        self._config: dict[str, Any] = {}

    def read(self, file: RunFile, attempt: int) -> Iterator[tuple[int, Item | None]]:
        """Yield the items of a file, each with the position in bytes, or only the position."""
        session = _Session(self.head.uid, file, attempt, self._receipt, self._paths)
        log = Log(file.path, HEADER)
        try:
            for position, record in records(log):
                if record is None:
                    self._receipt.add_problem(file.path.name, f"a record at {position} is damaged")
                    continue
                for item in session.read(record):
                    yield position, item
                yield position, None
        except OSError as error:
            self._receipt.add_problem(file.path.name, f"cannot be read: {error.strerror}")
        for item in session.finish():
            yield file.size, item
        if file.size > 0:  # a killed process has written nothing
            log.report(self._receipt)
        self._update_head(session, file, attempt)

    def _update_head(self, session: _Session, file: RunFile, attempt: int) -> None:
        head = self.head
        head.state = session.state
        head.updated_at = max(session.last_time, head.updated_at or 0)
        head.finished_at = None if head.state == "running" else head.updated_at
        self._read_config(file)
        if session.axes:
            self._config.setdefault(_PREFIX, {}).setdefault("x_axis", {}).update(session.axes)
        if file.start is not None and file.start.job_type:
            self._config[JOB_TYPE] = file.start.job_type
        head.config = flat(self._config, json_value)
        if facts := self._facts(file):
            head.environment[attempt] = facts

    def _read_config(self, file: RunFile) -> None:
        path = file.folder / "files" / "config.yaml"
        where = f"{file.folder.name}/files/config.yaml"
        if path.is_symlink() or not path.is_file():
            return
        try:
            config, unsigned = read_config(path)
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")
        except ValueError as error:
            self._receipt.add_problem(where, str(error))
        else:
            self._config |= config
            for key in unsigned:
                remark = f"{key} has an infinity, of which SwanLab does not keep the sign"
                self._receipt.add_remark(where, remark)

    def _facts(self, file: RunFile) -> dict[str, Any]:
        path = file.folder / "files" / _METADATA
        if path.is_symlink() or not path.is_file():
            return {}
        try:
            return read_facts(path)
        except (OSError, ValueError):
            self._receipt.add_problem(f"{file.folder.name}/files/{_METADATA}", "is not JSON")
            return {}


class _Session:
    """Reads the records of one process.

    Attributes:
        state: how the process ended.
        last_time: the latest time, in microseconds since the epoch.
        axes: the metrics that are the x axes of others.
    """

    def __init__(
        self, run_uid: str, file: RunFile, attempt: int, receipt: Receipt, paths: dict[str, Path]
    ) -> None:
        self.last_time = file.started_at
        self.state: State = "failed" if _is_silent(file.folder) else "running"
        self.axes: dict[str, str] = {}
        self._file = file
        self._folder = file.folder
        self._uid = run_uid
        self._writer = WriterHead(
            uid=stable_uid(run_uid, file.folder.name), attempt=attempt, host="swanlab",
            started_at=file.started_at,
        )  # fmt: skip
        self._blocks = BlockBuilder(run_uid, self._writer)
        self._receipt = receipt
        self._paths = paths
        self._has_end = False
        self._saved: set[str] = set()
        # By column, in the order in which they begin: the time of the last point that was read.
        self._columns: dict[str, int] = {}

    def read(self, record: Any) -> Iterator[Item]:
        """Yield the items of a record."""
        match record.WhichOneof("content"):
            case "scalar":
                yield from self._read_scalar(record.scalar)
            case "media":
                yield from self._read_media(record.media)
            case "log":
                yield from self._read_line(record.log)
            case "column" if not record.column.column_key.startswith(_SYSTEM):
                self._columns.setdefault(record.column.column_key, -1)
                if record.column.x_axis:
                    self.axes[record.column.column_key] = record.column.x_axis
            case "save" if record.save.type == CUSTOM:
                self._saved.add(f"files/{record.save.name}")
            case "finish":
                yield from self._read_end(record.finish)

    def finish(self) -> Iterator[Item]:
        """Yield what follows from all records."""
        if not self._has_end and self.state == "failed":
            yield from self._read_local_logs()
        yield from self._blocks.flush()
        yield from self._read_files()
        for name in sorted(self._saved):
            if file_inside(self._folder, name) is None:
                # `swanlab.save` only links a file, which stays where it was.
                self._receipt.refuse(TYPE, MISSING)
                self._receipt.add_problem(f"{self._folder.name}/{name}", MISSING)

    def _read_scalar(self, scalar: Any) -> Iterator[Block]:
        at = microseconds(scalar.timestamp)
        if not self._is_valid(at, "metrics"):
            return
        value = scalar.value.number
        if scalar.key.startswith(_SYSTEM):
            metric = "system/" + scalar.key.removeprefix(_SYSTEM).replace(".", "/")
            yield from self._blocks.add(metric, "time", "number", at, at, value)
        else:
            self._columns[scalar.key] = max(at, self._columns.get(scalar.key, -1))
            yield from self._blocks.add(scalar.key, "step", "number", scalar.step, at, value)

    def _read_media(self, media: Any) -> Iterator[Item]:
        at = microseconds(media.timestamp)
        if not self._is_valid(at, TYPE, len(media.value.items)):
            return
        folder = MEDIA_FOLDERS.get(media.type, "unknown")
        for item in media.value.items:
            name = f"media/{folder}/{item.filename}"
            path = file_inside(self._folder, name)
            if path is None:
                self._receipt.refuse(TYPE, MISSING)
                self._receipt.add_problem(f"{self._folder.name}/{name}", MISSING)
            elif folder == "text" and (text := _read_text(path)) is not None:
                yield from self._blocks.add(media.key, "step", "text", media.step, at, text)
                if item.caption:
                    caption = f"{media.key}/caption"
                    yield from self._blocks.add(
                        caption, "step", "text", media.step, at, item.caption
                    )
            else:
                yield self._media_head(media, item, name, path, at)

    def _media_head(self, media: Any, item: Any, name: str, path: Path, at: int) -> FileHead:
        source = f"{self._folder.name}/{name}"
        self._paths[source] = path
        stem = _NOT_IN_NAMES.sub(" ", item.caption).strip(". ")[:_MAX_FILE_NAME]
        suffix = "".join(path.suffixes)
        return FileHead(
            run_uid=self._uid, writer=self._writer, path=media.key, kind="file_series",
            name=f"{stem}{suffix}" if stem else path.name, step=media.step, timestamp=at,
            size=item.size, sha256=item.sha256 or None, source=source,
        )  # fmt: skip

    def _read_line(self, line: Any) -> Iterator[Block]:
        at = microseconds(line.timestamp)
        if self._is_valid(at, "texts"):
            metric = "logs/stderr" if line.level == ERROR else "logs/stdout"
            yield from self._blocks.add(metric, "time", "text", at, at, line.line)

    def _read_end(self, end: Any) -> Iterator[Block]:
        self._has_end = True
        self.state = "completed" if end.state == FINISHED else "failed"
        at = microseconds(end.finished_at)
        if end.error and self._is_valid(at, "texts"):
            yield from self._blocks.add("logs/error", "time", "text", at, at, end.error)
        elif FIRST_TIME <= at <= LAST_TIME:
            self.last_time = max(self.last_time, at)

    def _read_local_logs(self) -> Iterator[Block]:
        """Yield the points of a killed run that have not reached its record file."""
        names = list(self._columns)
        unnamed = points = 0
        for number, folder in local_logs.columns(self._folder):
            is_named = number <= len(names)
            metric = names[number - 1] if is_named else f"unnamed/{number}"
            known_until = self._columns[metric] if is_named else -1
            count = 0
            try:
                for point in local_logs.read(folder):
                    # SwanLab names the folders by the order of columns, also of those of media.
                    if point.value is None or point.time <= known_until:
                        continue
                    self.last_time = max(self.last_time, point.time)
                    yield from self._blocks.add(
                        metric, "step", "number", point.step, point.time, point.value
                    )
                    count += 1
            except OSError as error:
                where = f"{self._folder.name}/logs/{number}"
                self._receipt.add_problem(where, f"cannot be read: {error.strerror}")
            points += count
            unnamed += count > 0 and not is_named
        if points:
            remark = f"killed before its last records were written: {points} points are from `logs`"
            self._receipt.add_remark(self._folder.name, remark)
        if unnamed:
            remark = f"the names of {unnamed} metrics were not written; they are called unnamed/..."
            self._receipt.add_remark(self._folder.name, remark)

    def _is_valid(self, at: int, type_: str, rows: int = 1) -> bool:
        """Check a time; refuse the rows if it is not valid."""
        if not FIRST_TIME <= at <= LAST_TIME:
            self._receipt.refuse(type_, "invalid time", rows)
            return False
        self.last_time = max(self.last_time, at)
        return True

    def _read_files(self) -> Iterator[FileHead]:
        root = self._folder / "files"
        for folder, names, files in os.walk(root):
            names.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if path.is_symlink() or not path.is_file():
                    continue
                relative = path.relative_to(root).as_posix()
                source = f"{self._folder.name}/files/{relative}"
                self._paths[source] = path
                yield FileHead(
                    run_uid=self._uid, writer=self._writer, path=relative, kind="file", name=name,
                    timestamp=self._file.started_at, source=source,
                )  # fmt: skip


def _read_text(path: Path) -> str | None:
    """Return a text; None if it is too large for a point, or not a text."""
    try:
        if path.stat().st_size > _MAX_TEXT_BYTES:
            return None
        return path.read_bytes().decode()
    except (OSError, ValueError):
        return None


def _is_silent(folder: Path) -> bool:
    """Whether nothing in the folder of a run has changed lately."""
    latest = 0.0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                latest = max(latest, Path(parent, name).lstat().st_mtime)
            except OSError:
                continue
    return is_silent(latest)
