"""The files of a run, in a folder or in a zip archive."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.inner_files import file_inside
from trackai.structs.exchange import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trackai.structs.exchange import FileHead

_CHUNK = 1 << 20
# What an archive may expand to, in bytes, beside a multiple of its size. More is a zip bomb.
_ALLOWANCE = 1 << 30
_MAX_RATIO = 100
# What `zipfile` raises for damaged, encrypted and unsupported members.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip


class Bundle(Protocol):
    """Files by their names, which have slashes.

    Attributes:
        path: the folder or the archive.
    """

    path: Path

    def names(self) -> list[str]:
        """Return the names of the files, without links."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file.

        Raises:
            OSError: it is missing or cannot be read; reading raises it, too.
        """

    def items(self, name: str, head: FileHead) -> Iterator[Chunk | FileHead]:
        """Yield the bytes of a file and its head.

        Raises:
            OSError: the file is missing or cannot be read.
        """

    def close(self) -> None:
        """Close what is open; it is opened again when it is needed."""


class Contents:
    """The bytes of the files of a source: of some their paths, and others are sent as chunks."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._sent: set[str] = set()

    def at(self, path: Path, head: FileHead) -> FileHead:
        """Return the head of a file whose bytes are in a file."""
        self._paths[head.source] = path
        return head

    def find(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if they are missing or sent."""
        return self._paths.get(head.source)

    def send(
        self, sha256: str, size: int, chunks: Iterable[bytes], head: FileHead
    ) -> Iterator[Chunk | FileHead]:
        """Yield the bytes of a file, each content only once, and its head."""
        if sha256 not in self._sent:
            self._sent.add(sha256)
            for data in chunks:
                yield Chunk(sha256=sha256, data=data)
            if not size:
                yield Chunk(sha256=sha256, data=b"")
        yield msgspec.structs.replace(head, sha256=sha256, size=size)

    def send_bytes(self, data: bytes, head: FileHead) -> Iterator[Chunk | FileHead]:
        """Yield bytes that are in the memory, and the head of their file."""
        yield from self.send(hashlib.sha256(data).hexdigest(), len(data), [data], head)


class Folder:
    """The files below a folder. Links are not followed."""

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path = path
        self._contents = contents

    def names(self) -> list[str]:
        return [
            Path(folder, name).relative_to(self.path).as_posix()
            for folder, _, names in os.walk(self.path)
            for name in sorted(names)
            if not Path(folder, name).is_symlink()
        ]

    def open(self, name: str) -> IO[bytes]:
        return self._find(name).open("rb")

    def items(self, name: str, head: FileHead) -> Iterator[Chunk | FileHead]:
        yield self._contents.at(self._find(name), head)

    def close(self) -> None:
        pass

    def _find(self, name: str) -> Path:
        path = file_inside(self.path, name)
        if path is None:
            raise FileNotFoundError(2, "file not found", name)
        return path


class Archive:
    """The members of a zip archive, read as streams."""

    def __init__(self, path: Path, contents: Contents) -> None:
        """Open an archive.

        Raises:
            InvalidInputError: it is not one, or is damaged.
        """
        self.path = path
        self._contents = contents
        self._zip: zipfile.ZipFile | None = None
        try:
            self._left = _ALLOWANCE + _MAX_RATIO * path.stat().st_size
            self._opened()
        except OSError as error:
            raise InvalidInputError(str(path), f"cannot be read: {error.strerror}") from None
        except _DAMAGE:
            raise InvalidInputError(str(path), "not a zip archive, or damaged") from None

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            self._zip = zipfile.ZipFile(self.path)
        return self._zip

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()
            self._zip = None

    def names(self) -> list[str]:
        return [info.filename for info in self._opened().infolist() if not info.is_dir()]

    def open(self, name: str) -> IO[bytes]:
        try:
            return io.BufferedReader(_Member(self, self._opened().open(name)))
        except KeyError:
            raise FileNotFoundError(2, "file not found", name) from None
        except _DAMAGE as error:
            raise OSError(5, f"damaged: {error}") from None

    def items(self, name: str, head: FileHead) -> Iterator[Chunk | FileHead]:
        digest, size = hashlib.sha256(), 0
        with self.open(name) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
                size += len(data)
        with self.open(name) as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            yield from self._contents.send(digest.hexdigest(), size, chunks, head)

    def count(self, size: int) -> None:
        """Count bytes that were read.

        Raises:
            OSError: the archive expands to too many.
        """
        self._left -= size
        if self._left < 0:
            raise OSError(27, f"expands to more than {_MAX_RATIO} times the size of the archive")


class _Member(io.RawIOBase):
    """A member of an archive that raises OSError if it is damaged."""

    def __init__(self, archive: Archive, file: IO[bytes]) -> None:
        self._archive = archive
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except _DAMAGE as error:
            raise OSError(5, f"damaged: {error}") from None
        self._archive.count(len(data))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def archive_names(path: Path) -> set[str]:
    """Return the names of the members of an archive; none if a file is not one, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except (OSError, *_DAMAGE):
        return set()


def walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders below a path, with the names of their files; links are not followed."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield (
            Path(folder),
            sorted(name for name in names if not Path(folder, name).is_symlink()),
        )
