"""Finds the runs of a folder: as in TensorBoard, each folder with event files is a run."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from trackai.errors import InvalidInputError
from trackai.importers.tensorboard import records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from trackai.importers.receipt import Receipt


class EventFile(NamedTuple):
    """An event file of a run.

    Attributes:
        started_at: when its writer was created, in seconds since the epoch.
        size: in bytes.
    """

    started_at: float
    path: Path
    size: int

    @property
    def identity(self) -> str:
        """A name of the file that does not change when the file grows."""
        return f"{self.path.name}/{self.started_at!r}"


class RunFolder(NamedTuple):
    """A run: its path relative to the imported folder, and its files by start time."""

    name: str
    files: list[EventFile]


def find_runs(path: Path, receipt: Receipt, leave_out: Collection[Path] = ()) -> list[RunFolder]:
    """Find the runs of a folder or event file; unreadable files are noted in the receipt.

    Args:
        path: an absolute path.
        leave_out: folders that are not searched, as absolute paths.

    Raises:
        InvalidInputError: there are no event files.
    """
    if path.is_file():
        return [RunFolder(path.parent.name, [_open_single(path)])]
    found_any = False
    folders = []
    for folder, paths in _event_paths(path, leave_out):
        found_any = True
        files = [
            file for file_path in paths if (file := _open(file_path, path, receipt)) is not None
        ]
        if files:
            relative = folder.relative_to(path).as_posix()
            name = path.name if relative == "." else relative
            folders.append(RunFolder(name, sorted(files)))
    if not found_any:
        raise InvalidInputError(str(path), "no TensorBoard event files found (*tfevents*)")
    return folders


def _event_paths(path: Path, leave_out: Collection[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder that has event files, with their paths."""
    for name, subfolders, names in os.walk(path):
        folder = Path(name)
        subfolders[:] = sorted(name for name in subfolders if folder / name not in leave_out)
        # TensorFlow's profiler writes *.profile-empty files, which have no events.
        paths = [
            folder / name
            for name in sorted(names)
            if "tfevents" in name and not name.endswith(".profile-empty")
        ]
        if paths:
            yield folder, paths


def _open_single(path: Path) -> EventFile:
    try:
        file = _read_start(path)
    except (records.TruncatedError, records.DamagedError):
        raise InvalidInputError(str(path), "not a TensorBoard event file") from None
    if file is None:
        raise InvalidInputError(str(path), "the file has no events")
    return file


def _open(path: Path, root: Path, receipt: Receipt) -> EventFile | None:
    where = path.relative_to(root).as_posix()
    try:
        file = _read_start(path)
    except records.TruncatedError as error:
        receipt.add_remark(where, str(error))
    except records.DamagedError as error:
        receipt.add_problem(where, f"{error}; the file is skipped")
    except OSError as error:
        receipt.add_problem(where, f"cannot be read: {error.strerror}")
    else:
        if file is None:
            receipt.add_remark(where, "the file is empty")
        return file
    return None


def _read_start(path: Path) -> EventFile | None:
    """Read the first event of a file; return None if it is empty."""
    for _, payload in records.read(path):
        try:
            started_at = Event.FromString(payload).wall_time
        except DecodeError:
            raise records.DamagedError("the first record is not an event") from None
        return EventFile(
            started_at if math.isfinite(started_at) else 0.0, path, path.stat().st_size
        )
    return None
