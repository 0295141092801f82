"""Which runs lie in a folder: each folder with event files is one, as TensorBoard has it."""

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
    from collections.abc import Iterator

    from trackai.importers.receipt import Receipt


class EventFile(NamedTuple):
    """A file of a run; `begun` is when its writer was made, in seconds."""

    begun: float
    path: Path
    size: int

    @property
    def identity(self) -> str:
        """What the file is known by, however long it grows."""
        return f"{self.path.name}/{self.begun!r}"


class Folder(NamedTuple):
    """A run: its name below the folder that is imported, and its files in order of time."""

    name: str
    files: list[EventFile]


def find(path: Path, receipt: Receipt) -> list[Folder]:
    """The runs at an absolute path, of a folder or an event file; what cannot be read is noted.

    Raises:
        InvalidInputError: there are no event files.
    """
    if path.is_file():
        try:
            file = _look(path)
        except (records.TruncatedError, records.DamagedError):
            raise InvalidInputError(str(path), "it is no event file of TensorBoard") from None
        if file is None:
            raise InvalidInputError(str(path), "it has no events in it")
        return [Folder(path.parent.name, [file])]
    found = False
    folders = []
    for folder, paths in _event_files(path):
        found = True
        files = [file for one in paths if (file := _noting(one, path, receipt)) is not None]
        if files:
            below = folder.relative_to(path).as_posix()
            name = path.name if below == "." else below
            folders.append(Folder(name, sorted(files)))
    if not found:
        raise InvalidInputError(
            str(path), "there are no event files of TensorBoard in it (*tfevents*)"
        )
    return folders


def _event_files(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder, folders, names in os.walk(path):
        folders.sort()
        here = Path(folder)
        # TensorFlow's profiler leaves files beside them that have no events.
        some = [
            here / name
            for name in sorted(names)
            if "tfevents" in name and not name.endswith(".profile-empty")
        ]
        if some:
            yield here, some


def _noting(path: Path, top: Path, receipt: Receipt) -> EventFile | None:
    where = path.relative_to(top).as_posix()
    try:
        file = _look(path)
    except records.TruncatedError as error:
        receipt.remark(where, str(error))
    except records.DamagedError as error:
        receipt.problem(where, f"{error}: nothing of the file is read")
    except OSError as error:
        receipt.problem(where, f"it cannot be read: {error.strerror}")
    else:
        if file is None:
            receipt.remark(where, "it is empty")
        return file
    return None


def _look(path: Path) -> EventFile | None:
    for _, payload in records.read(path):
        try:
            begun = Event.FromString(payload).wall_time
        except DecodeError:
            raise records.DamagedError("the first record is no event") from None
        return EventFile(begun if math.isfinite(begun) else 0.0, path, path.stat().st_size)
    return None
