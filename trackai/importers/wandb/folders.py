"""Finds the runs of wandb below a path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError

from trackai.errors import InvalidInputError
from trackai.importers.wandb.messages import Record, microseconds
from trackai.importers.wandb.records import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.receipt import Receipt

# ":W&B", the number 0xBEE1, and the version 0.
HEADER = b":W&B\xe1\xbe\x00"


class RunFile(NamedTuple):
    """A record file, and what its first `Run` says.

    Attributes:
        path: the file.
        size: its size in bytes.
        run: the message.
        started_at: when its process began, in microseconds since the epoch.
    """

    path: Path
    size: int
    run: Any
    started_at: int

    @property
    def folder(self) -> str:
        """The name of the folder, which is unique to the process."""
        return self.path.parent.name

    @property
    def key(self) -> tuple[str, str]:
        """The project and the id of the run."""
        return self.run.project or "uncategorized", self.run.run_id


def find_runs(path: Path, receipt: Receipt) -> list[list[RunFile]]:
    """Return the files of each run, oldest first. A run that was resumed has several.

    Raises:
        InvalidInputError: there are none.
    """
    root = path.resolve()  # the name of a folder identifies its process
    paths = [root] if root.is_file() else sorted(_walk(root))
    if not paths:
        raise InvalidInputError(str(path), "no runs of wandb found (run-*.wandb)")
    runs: dict[tuple[str, str], list[RunFile]] = {}
    for file in paths:
        try:
            run_file = _open(file)
        except OSError as error:
            receipt.add_problem(file.name, f"cannot be read: {error.strerror}")
            continue
        except InvalidInputError as error:
            if len(paths) == 1:
                raise
            receipt.add_problem(file.name, str(error).partition(": ")[2])
            continue
        if run_file is None:
            receipt.add_remark(file.parent.name or file.name, "has no records of a run")
        else:
            runs.setdefault(run_file.key, []).append(run_file)
    for files in runs.values():
        files.sort(key=lambda file: (file.started_at, file.folder))
    return sorted(runs.values(), key=lambda files: files[0].started_at)


def _walk(root: Path) -> Iterator[Path]:
    """Yield the record files below a folder; links, such as `latest-run`, are not followed."""
    for folder, names, files in os.walk(root):
        found = [name for name in files if name.startswith("run-") and name.endswith(".wandb")]
        if found:
            names.clear()  # below it are the files of the run
        yield from (Path(folder, name) for name in found if not Path(folder, name).is_symlink())


def _open(path: Path) -> RunFile | None:
    log = Log(path, HEADER)
    for _, payload in log.read():
        try:
            record = Record.FromString(payload)
        except DecodeError:
            continue
        if record.HasField("run"):
            run = record.run
            if not run.run_id:
                return None
            return RunFile(path, path.stat().st_size, run, microseconds(run.start_time))
    return None
