"""Files to store with a run: single files, and artifacts of several files."""

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


class NamedFile(NamedTuple):
    """A file to store: its name in the run, and its path."""

    name: str
    path: Path

    def version(self) -> tuple[Path, int, int]:
        """A value that changes when the content does: path, modification time and size."""
        status = self.path.stat()
        return self.path.resolve(), status.st_mtime_ns, status.st_size


class Artifact:
    """Files under one name, such as a model with its tokenizer, stored by `log_artifact`.

    Args:
        name: its name in the run.
        type: its kind, such as "model" or "dataset"; stored in front of the name.
        description: accepted for scripts written for wandb; not stored.
        metadata: likewise.
        ignored: further arguments of wandb, which are ignored.

    Attributes:
        name, type, description, metadata: the arguments.
        files: the added files, as (name, path).

    Raises:
        InvalidInputError: `name` is not a str, or blank.

    Example:
        model = trackai.Artifact("digits", type="model")
        model.add_dir("checkpoints/last")
        trackai.log_artifact(model)
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
            raise InvalidInputError("name", f"must be a str that is not empty, got {name!r}")
        self.name = name
        self.type = type
        self.description = description
        self.metadata = dict(metadata or {})
        self.files: list[NamedFile] = []

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add a file. It is read when the artifact is logged.

        Args:
            local_path: the path of the file.
            name: its name in the artifact; default the name of the file.

        Raises:
            InvalidInputError: the file does not exist.
        """
        path = _existing(local_path)
        if not path.is_file():
            raise InvalidInputError("local_path", f"{str(path)!r} is not a file")
        self.files.append(NamedFile(name or path.name, path))

    def add_dir(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add all files of a folder and its subfolders, named by their paths relative to it.

        Args:
            local_path: the path of the folder.
            name: a folder of the artifact to put them in; default its root.

        Raises:
            InvalidInputError: the folder does not exist.
        """
        folder = _existing(local_path)
        if not folder.is_dir():
            raise InvalidInputError("local_path", f"{str(folder)!r} is not a folder")
        for file in files_in(folder):
            self.files.append(NamedFile((Path(name or "") / file.name).as_posix(), file.path))

    @contextmanager
    def new_file(
        self, name: str, mode: str = "w", encoding: str | None = None
    ) -> Iterator[IO[Any]]:
        """Open a temporary file for writing in a `with` block, and add it at the end of the block.

        Args:
            name: its name in the artifact.
            mode: as for `open`.
            encoding: as for `open`; default UTF-8 in text mode.

        Returns:
            A context manager that gives the open file.
        """
        folder = tempfile.mkdtemp(prefix="trackai-artifact-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder, Path(name).name)
        with path.open(mode, encoding=encoding or (None if "b" in mode else "utf-8")) as file:
            yield file
        self.files.append(NamedFile(name, path))

    def wait(self, *args: Any, **kwargs: Any) -> Self:
        """Return the artifact; `log_artifact` has stored it already. Accepted for wandb scripts."""
        return self


def files_in(folder: Path) -> list[NamedFile]:
    """List the files of a folder and its subfolders, named by their paths relative to it."""
    return [
        NamedFile(path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def as_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None,
    type: str | None,  # noqa: A002
) -> Artifact:
    """Return an artifact as is, or make one of a file or a folder.

    Args:
        name: for a path; default the name of the file or folder.
        type: for a path.

    Raises:
        InvalidInputError: the path does not exist, or the artifact has no files.
    """
    if isinstance(artifact_or_path, Artifact):
        artifact = artifact_or_path
    else:
        path = _existing(artifact_or_path)
        artifact = Artifact(name or path.name, type)
        if path.is_dir():
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
    if not artifact.files:
        raise InvalidInputError("artifact", f"{artifact.name!r} has no files")
    return artifact


def empty_artifact(
    artifact_or_path: Any,
    name: Any,
    type: str | None,  # noqa: A002
) -> Artifact:
    """Return an artifact as is, or one without files for a path."""
    if isinstance(artifact_or_path, Artifact):
        return artifact_or_path
    return Artifact(str(name or artifact_or_path).strip() or "artifact", type)


def matching_files(
    pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None
) -> list[NamedFile]:
    """List the files that match a glob pattern, named by their paths relative to a folder.

    Args:
        pattern: a path or a glob pattern.
        base: the folder; default the working directory. Files elsewhere are named without folders.

    Raises:
        InvalidInputError: no file matches.
    """
    matches = map(Path, sorted(glob.glob(os.fspath(pattern), recursive=True)))  # noqa: PTH207
    files = [path for path in matches if path.is_file()]
    if not files:
        raise InvalidInputError("glob_str", f"no file matches {os.fspath(pattern)!r}")
    root = Path(base or ".").resolve()
    return [NamedFile(_relative_name(path.resolve(), root) or path.name, path) for path in files]


def _relative_name(path: Path, root: Path) -> str | None:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _existing(path: str | os.PathLike[str]) -> Path:
    existing = Path(path)
    if not existing.exists():
        raise InvalidInputError("path", f"{str(existing)!r} not found")
    return existing
