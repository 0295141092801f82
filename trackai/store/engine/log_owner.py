"""Keep SQLite from applying a write-ahead log to another file than its own.

Its own file may have been replaced by a backup, moved away or removed, after a crash or while other
processes use it. They notice before their next transaction. Their log must not be shared until
then, even if its pages fit: the shared index (`-shm`) tells which pages are in the *other* file.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trackai.store.engine import stamps, write_ahead_log
from trackai.store.engine.database_file import identity, sibling, size
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.store.engine.stamps import Header, Origin


# In the spool folder: the identities of the file and of its log.
_RECORD = "log-owner"
# How often a log is compared with the file before it is set aside, and the pause in between.
_COMPARISONS = 3
_PAUSE_SECONDS = 0.01
_MAX_COMPARISONS = 50


def record(path: Path, spool: Path) -> None:
    """Record to which file the log belongs; call it under the opening lock."""
    (spool / _RECORD).write_text(" ".join(_identities(path)))


def separate(
    path: Path, spool: Path, inspect: Callable[[Path], Header | None], *, is_outdated: bool
) -> None:
    """Rename a log that belongs to another file than the one at `path`.

    Call it under the opening lock, before SQLite opens the file.

    Args:
        inspect: reads the header of the file; None if there is no file.
        is_outdated: whether this process has seen that the file was replaced.
    """
    if not write_ahead_log.exists(path):
        return
    log, copy = sibling(path, "-wal"), sibling(path, "-wal.new")
    origin = _origin(path, log, inspect) if size(path) else "other file"
    was_replaced = _was_replaced(path, spool)
    if origin != "other file" and not was_replaced:
        return
    if origin == "same file" and not is_outdated:
        # A copy of the file has taken its place. The log may be all that has the newest points, and
        # processes that use the former file may still write to it.
        import shutil  # here: few files are replaced

        shutil.copyfile(log, copy)
        sibling(path, "-shm").unlink(missing_ok=True)
        copy.replace(log)
        return
    renamed = write_ahead_log.set_aside(path)
    if renamed is not None:
        logger.warning(
            "%s was removed, moved or replaced: the write-ahead log of the former file was renamed "
            "to %s",
            path, renamed,
        )  # fmt: skip


def _origin(path: Path, log: Path, inspect: Callable[[Path], Header | None]) -> Origin:
    """Compare a log that may be in use with a file that may be replaced meanwhile."""
    differences = 0
    for _ in range(_MAX_COMPARISONS):
        generation = stamps.generation(log)
        header = inspect(path)
        if header is None:
            return "unknown"  # the file is being replaced, and opening is retried
        origin = stamps.origin(header, log)
        if origin != "other file":
            return origin
        differences += generation == stamps.generation(log)
        if differences == _COMPARISONS:
            return "other file"
        time.sleep(_PAUSE_SECONDS)
    return "unknown"


def _was_replaced(path: Path, spool: Path) -> bool:
    """Whether the log was last opened with another file at `path`."""
    try:
        file, *log = (spool / _RECORD).read_text().split()
    except (OSError, ValueError):
        return False
    now, *log_now = _identities(path)
    return log == log_now and file != now


def _identities(path: Path) -> tuple[str, ...]:
    """The file and the files of its log."""
    paths = (path, *(sibling(path, suffix) for suffix in write_ahead_log.SUFFIXES))
    return tuple("-" if (at := identity(p)) is None else f"{at[0]}:{at[1]}" for p in paths)
