"""How this process may open a database: it may lack the permission to write the file or its folder.

SQLite creates a write-ahead log even to read. In a folder that a reader may write, that log would
belong to the reader, and the owner of the database could not write to it any more. A reader
without the permission to write therefore never lets SQLite create a file.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from trackai.store.engine.database_file import identity, sibling, size

if TYPE_CHECKING:
    from collections.abc import Iterator

# "write": as the owner does. "read": through the log that other processes have open, or have left.
# "frozen": there is no log, and the file must not change while it is read. "copy": there is a log,
# but no index of it, which SQLite could not create here.
Access: TypeAlias = Literal["write", "read", "frozen", "copy"]


def of(path: Path) -> Access:
    """Decide how to open the database at `path`, which need not exist."""
    file, log = identity(path), sibling(path, "-wal")
    if _may_write(path) and (_may_write(log.parent) or log.exists()):
        return "write"
    if file is None or file != identity(path) or not size(path):
        return "write"  # it does not exist, or is being replaced
    if not size(log):
        return "frozen"
    return "read" if sibling(path, "-shm").exists() else "copy"


@contextmanager
def uri(path: Path, access: Access) -> Iterator[str]:
    """The SQLite URI of the database, or of a temporary copy that exists inside the block."""
    if access != "copy":
        mode = {"write": "rw", "read": "ro", "frozen": "ro&immutable=1"}[access]
        yield f"{path.absolute().as_uri()}?mode={mode}"
        return
    # Imported here: few databases are read in this way.
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="trackai-copy-") as folder:
        copy = Path(folder, path.name)
        shutil.copyfile(path, copy)
        shutil.copyfile(sibling(path, "-wal"), sibling(copy, "-wal"))
        yield f"{copy.as_uri()}?mode=ro"  # what is written here would be lost


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
