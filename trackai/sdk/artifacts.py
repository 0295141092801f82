"""Files that are kept with a run as a whole: single ones, and artifacts of many."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from trackai.errors import InvalidInputError


class Source(NamedTuple):
    """A file to keep: its name, and where it lies."""

    name: str
    path: Path

    def version(self) -> tuple[Path, int, int]:
        """What changes when the file does."""
        status = self.path.stat()
        return self.path.resolve(), status.st_mtime_ns, status.st_size


class Artifact:
    """Files under one name, such as a model with its tokenizer; `log_artifact` keeps them.

    Args:
        name: what the run calls it.
        type: such as "model" or "dataset"; comes before the name.
        description, metadata: wandb's; attributes of this object, which are not stored.
    """

    def __init__(
        self,
        name: str,
        type: str | None = None,  # noqa: A002
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        **ignored: Any,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError("name", "an artifact needs one")
        self.name = name
        self.type = type
        self.description = description
        self.metadata = dict(metadata or {})
        self.files: list[Source] = []

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add a file.

        Raises:
            InvalidInputError: there is none.
        """
        path = _existing(local_path)
        if not path.is_file():
            raise InvalidInputError("local_path", f"{str(path)!r} is no file")
        self.files.append(Source(name or path.name, path))

    def add_dir(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add all files of a folder and the folders in it.

        Raises:
            InvalidInputError: there is no such folder.
        """
        folder = _existing(local_path)
        if not folder.is_dir():
            raise InvalidInputError("local_path", f"{str(folder)!r} is no folder")
        for one in below(folder):
            self.files.append(Source((Path(name or "") / one.name).as_posix(), one.path))

    @contextmanager
    def new_file(
        self, name: str, mode: str = "w", encoding: str | None = None
    ) -> Iterator[IO[Any]]:
        """A file to write to in a `with` block; it is added at its end.

        Args:
            mode, encoding: as of `open`; a text is UTF-8 by default.
        """
        folder = tempfile.mkdtemp(prefix="trackai-artifact-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder, Path(name).name)
        with path.open(mode, encoding=encoding or (None if "b" in mode else "utf-8")) as file:
            yield file
        self.files.append(Source(name, path))

    def wait(self, *ignored: Any, **more: Any) -> Self:
        """Nothing: what is logged is kept when `log_artifact` returns."""
        return self


def below(folder: Path) -> list[Source]:
    """All files of a folder and the folders in it, named by their paths below it."""
    return [
        Source(path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def artifact_of(
    found: Artifact | str | os.PathLike[str],
    name: str | None,
    type: str | None,  # noqa: A002
) -> Artifact:
    """The artifact that is to be logged, made of a file or a folder if it is none yet.

    Raises:
        InvalidInputError: there is nothing in it.
    """
    if not isinstance(found, Artifact):
        path = _existing(found)
        artifact = Artifact(name or path.name, type)
        if path.is_dir():
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
    else:
        artifact = found
    if not artifact.files:
        raise InvalidInputError("artifact", f"there is no file in {artifact.name!r}")
    return artifact


def matching(pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None) -> list[Source]:
    """The files that a pattern matches, named by their paths below `base` or this folder.

    Raises:
        InvalidInputError: there are none.
    """
    found = [Path(one) for one in sorted(glob.glob(os.fspath(pattern), recursive=True))]  # noqa: PTH207
    files = [path for path in found if path.is_file()]
    if not files:
        raise InvalidInputError("glob_str", f"no file matches {os.fspath(pattern)!r}")
    root = Path(base or ".").resolve()
    return [
        Source(
            path.resolve().relative_to(root).as_posix()
            if path.resolve().is_relative_to(root)
            else path.name,
            path,
        )
        for path in files
    ]


def _existing(path: str | os.PathLike[str]) -> Path:
    found = Path(path)
    if not found.exists():
        raise InvalidInputError("path", f"there is no {str(found)!r}")
    return found
