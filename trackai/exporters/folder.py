"""A folder that is complete once it has its name, and safe names of what is in it."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from typing import TYPE_CHECKING

from trackai.errors import ConflictError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.structs.exchange import FileHead

    FindBytes = Callable[[FileHead], Path | None]

# What file systems, or the trackers, do not take in a name.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|#%]+')
_MAX_NAME_BYTES = 150


class Folder:
    """The folder of an export.

    Everything is written to a temporary folder. `publish` moves it to its name: a new folder as a
    whole, and to an existing one entry by entry.

    Args:
        path: the folder; it need not exist.

    Attributes:
        staging: where to write.

    Raises:
        ConflictError: the path is a file.
        TrackAIError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._is_new = not path.exists()
        if not self._is_new and not path.is_dir():
            raise ConflictError(f"{path} is a file; choose a new folder")
        root = self.path.parent if self._is_new else self.path
        self.staging = root / f".{self.path.name}-{uuid.uuid4().hex}.part"
        self._entries: list[str] = []
        try:
            self.staging.mkdir()
        except OSError as error:
            raise TrackAIError(f"cannot write {path}: {error.strerror}") from None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was there before."""
        return self._is_new or all(path == self.staging for path in self.path.iterdir())

    def matches(self, pattern: str) -> bool:
        """Whether the folder has a file of this pattern."""
        return next(self.path.glob(pattern), None) is not None

    def add(self, name: str) -> Path:
        """Return where to write an entry: a path in the staging folder, whose parent exists.

        Raises:
            ConflictError: the folder already has this entry.
        """
        path = self.staging / name
        if path.exists() or (not self._is_new and (self.path / name).exists()):
            raise ConflictError(f"{self.path / name} already exists; choose a new folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries.append(name)
        return path

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name, written now or before."""
        return (self.staging / name).exists() or (self.path / name).exists()

    def publish(self) -> None:
        """Move everything to its name.

        Raises:
            ConflictError: something was created there meanwhile.
        """
        try:
            if self._is_new:
                self.staging.rename(self.path)
                return
            for name in self._entries:
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.staging / name).rename(target)
        except OSError as error:
            raise ConflictError(f"cannot write {self.path}: {error.strerror}") from None
        self.discard()

    def discard(self) -> None:
        """Remove what has not been published."""
        shutil.rmtree(self.staging, ignore_errors=True)


def safe_name(name: str) -> str:
    """Return a name that is a valid name of a file; a changed one ends with a hash of the name."""
    safe = _NOT_IN_NAMES.sub("-", name).strip(". ")
    safe = safe.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return safe if safe == name else f"{safe}-{digest}".lstrip("-")


def safe_path(path: str) -> str:
    """Return a relative path whose parts are valid names."""
    return "/".join(safe_name(part) for part in path.split("/") if part)


def plain_path(head: FileHead) -> str:
    """Return the path of a file, which ends with its name."""
    is_whole = head.path == head.name or head.path.endswith(f"/{head.name}")
    return head.path if is_whole else f"{head.path}/{head.name}"


def copy_file(source: Path, folder: Path, relative: str) -> str | None:
    """Copy a file into a folder, under another name if that one is taken.

    Returns:
        Its path relative to the folder; None if the file was removed meanwhile.
    """
    target = folder / relative
    number = 1
    while True:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as original, target.open("xb") as copy:
                shutil.copyfileobj(original, copy, 1 << 20)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            # Of a file "a" and a file "a/b", the second is renamed.
            number += 1
            target = folder / f"{number}" / relative
        except FileNotFoundError:
            return None
        else:
            return target.relative_to(folder).as_posix()
