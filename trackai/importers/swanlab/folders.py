"""Finds the runs of SwanLab below a path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError

from trackai.errors import InvalidInputError
from trackai.importers.swanlab.local_logs import first_time
from trackai.importers.swanlab.messages import Record
from trackai.importers.wandb.messages import microseconds
from trackai.importers.wandb.records import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.receipt import Receipt

# ":SWL", the number 0xE1D6, and the version 2.
HEADER = b":SWL\xd6\xe1\x02"
# The project of a run whose record file does not name one.
_NO_PROJECT = "uncategorized"


class RunFile(NamedTuple):
    """A record file, and how it begins.

    Attributes:
        path: the file.
        size: its size in bytes.
        start: the message `Start`; None if nothing of the file was written.
        run_id: the id of the run.
        started_at: when its process began, in microseconds since the epoch.
    """

    path: Path
    size: int
    start: Any
    run_id: str
    started_at: int

    @property
    def folder(self) -> Path:
        """The folder of the process."""
        return self.path.parent


class FoundRun(NamedTuple):
    """A run, and its record files, oldest first. A run that was resumed has several."""

    project: str
    run_id: str
    files: list[RunFile]


def find_runs(path: Path, receipt: Receipt) -> list[FoundRun]:
    """Return the runs below a path, oldest first.

    Raises:
        InvalidInputError: there are none.
    """
    root = path.resolve()  # the name of a folder identifies its process
    paths = [root] if root.is_file() else sorted(_walk(root))
    if not paths:
        raise InvalidInputError(str(path), "no runs of SwanLab found (run-*.swanlab)")
    files = []
    for file in paths:
        try:
            files.append(_open(file))
        except OSError as error:
            receipt.add_problem(file.name, f"cannot be read: {error.strerror}")
        except InvalidInputError as error:
            if len(paths) == 1:
                raise
            receipt.add_problem(file.name, str(error).partition(": ")[2])
    projects = {file.run_id: file.start.project for file in files if file.start is not None}
    runs: dict[tuple[str, str], list[RunFile]] = {}
    for run_file in sorted(files, key=lambda file: (file.started_at, file.folder.name)):
        project = run_file.start.project if run_file.start else projects.get(run_file.run_id)
        runs.setdefault((project or _NO_PROJECT, run_file.run_id), []).append(run_file)
    return [FoundRun(*key, run_files) for key, run_files in runs.items()]


def records(log: Log) -> Iterator[tuple[int, Any]]:
    """Yield the messages of a log, with their positions; None for one that cannot be decoded."""
    for position, payload in log.read():
        try:
            yield position, Record.FromString(payload)
        except DecodeError:
            yield position, None


def _walk(root: Path) -> Iterator[Path]:
    """Yield the record files below a folder; links are not followed."""
    for folder, names, files in os.walk(root):
        found = [name for name in files if name.startswith("run-") and name.endswith(".swanlab")]
        if found:
            names.clear()  # below it are the files of the run
        for path in (Path(folder, name) for name in found):
            if path.is_file() and not path.is_symlink():
                yield path


def _open(path: Path) -> RunFile:
    status = path.stat()
    for _, record in records(Log(path, HEADER)):
        if record is not None and record.HasField("start"):
            start = record.start
            run_id = start.id or path.stem[len("run-") :]
            return RunFile(path, status.st_size, start, run_id, microseconds(start.started_at))
    started_at = first_time(path.parent) or status.st_mtime_ns // 1000
    return RunFile(path, status.st_size, None, path.stem[len("run-") :], started_at)
