"""Write the files of artifacts: checked, never outside their folder, and never in part."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError, StoreDamagedError
from trackai.values.artifact_names import file_problem, is_portable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    Open = Callable[[], AbstractContextManager[Iterable[bytes]]]

_PART = ".trackai-part-"


def target(root: Path, name: str) -> Path:
    """The path of a file in a folder, whose parents are created.

    Raises:
        InvalidInputError: the name, or a symbolic link in the folder, leads out of it.
        OSError: a folder cannot be created.
    """
    if (problem := file_problem(name)) or (os.name == "nt" and not is_portable(name)):
        raise InvalidInputError(f"file {name[:80]!r}", problem or "has no valid name on Windows")
    path = root / name
    # One by one: a link must not be followed before it is checked.
    folder = root
    for part in Path(name).parts[:-1]:
        folder = folder / part
        if folder.is_symlink() and not folder.resolve().is_relative_to(root.resolve()):
            raise InvalidInputError(
                f"file {name[:80]!r}", f"is not written: {folder} is a link out of {root}"
            )
        folder.mkdir(exist_ok=True)
    return path


def write(root: Path, name: str, sha256: str, open_bytes: Open) -> Path:
    """Write a file, unless it is there already; a symbolic link at its path is replaced.

    Args:
        sha256: of its bytes, in hex.
        open_bytes: opens its bytes, as an iterable of chunks.

    Raises:
        InvalidInputError: the name leads out of the folder.
        StoreDamagedError: the bytes have another hash; nothing was written.
        TrackAIError: the bytes cannot be read.
        OSError: the file cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = target(root, name)
    if is_equal(path, sha256):
        return path
    # Short: the name itself may be as long as a file system allows.
    part = path.with_name(f"{_PART}{uuid.uuid4().hex}")
    try:
        digest = hashlib.sha256()
        with open_bytes() as chunks, part.open("xb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise StoreDamagedError(f"the stored bytes of {name!r} are damaged: not written")
        os.replace(part, path)  # noqa: PTH105
    finally:
        part.unlink(missing_ok=True)
    return path


def is_equal(path: Path, sha256: str) -> bool:
    """Whether there is a file with these bytes, which is not a symbolic link."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
