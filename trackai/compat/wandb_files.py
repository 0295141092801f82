"""`wandb.restore`: files of stored runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO, cast

import trackai
from trackai.errors import InvalidInputError, NotFoundError
from trackai.reading.stored_run import StoredRun

# How long files that the active run has just saved are waited for, in seconds.
_LONGEST_WAIT = 10.0


def restore_file(
    active: trackai.Run | None, name: str, run_path: str | None, replace: bool, root: Any
) -> TextIO | None:
    """Write a file of a stored run into a folder, and open it; see `wandb.restore`."""
    folder = Path(root if root is not None else "." if active is None else active.dir)
    path = folder / os.fspath(name)
    if path.is_file() and not replace:
        return path.open(encoding="utf-8")
    stored = None if run_path is None else trackai.Api().run(run_path)
    try:
        run = _stored(active) if stored is None else stored
        return cast("TextIO", run.file(name).download(folder, replace=True))
    except NotFoundError:
        return None


def _stored(active: trackai.Run | None) -> StoredRun:
    """The active run, with what it has saved itself, wherever it is stored."""
    if active is None:
        raise InvalidInputError("run_path", "must be given before wandb.init()")
    active._store_now(_LONGEST_WAIT)
    source = active._place.source()
    return StoredRun(source, source.run(active.id), active.project)
