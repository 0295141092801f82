"""A file of a stored run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from trackai.errors import InvalidInputError, NotFoundError
from trackai.values.text import escaped

if TYPE_CHECKING:
    from trackai.reading.source import Source
    from trackai.structs.records import FileRecord
    from trackai.values.types import Step


class StoredFile:
    """A file of a run. Returned by `StoredRun.files` and `StoredRun.file`.

    Attributes:
        name: its name in the run.
        kind: "file", "file_series", "file_set" or "artifact".
        step: the step at which it was logged, or None.
        size: its size in bytes; None if its contents are not stored.
        sha256: the hash of its contents, likewise.
    """

    def __init__(self, source: Source, record: FileRecord) -> None:
        self._source, self._record = source, record
        self.name = file_name(record)
        self.kind = record.kind
        self.step: Step | None = record.step
        self.size = record.size
        self.sha256 = record.sha256

    def download(
        self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False,
        api: object = None,
    ) -> IO[str]:  # fmt: skip
        """Write the file into a folder, under its name in the run.

        Args:
            root: the folder.
            replace: replace an existing file.
            exist_ok: keep an existing file.
            api: accepted for scripts written for wandb, and ignored.

        Returns:
            The written file, opened for reading as text; its attribute `name` is the path.

        Raises:
            InvalidInputError: the file exists, or its name leads out of the folder.
            NotFoundError: its contents are not stored.
        """
        path = _path_within(Path(root), self.name)
        if path.exists() and not replace:
            if exist_ok:
                return path.open(encoding="utf-8")
            raise InvalidInputError(
                "replace", f"{path} already exists; pass replace=True or exist_ok=True"
            )
        if self.sha256 is None:
            raise NotFoundError(f"contents of file {self.name!r} not found")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{uuid4().hex}.tmp")
        try:
            self._source.copy_file(self._record, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path.open(encoding="utf-8")

    def __repr__(self) -> str:
        return escaped(f"<File {self.name} ({self.size} bytes)>")


def file_name(file: FileRecord) -> str:
    """The name of a file in its run: media and artifacts have several files under one path."""
    return file.path if file.kind == "file" else f"{file.path}/{file.name}"


def _path_within(root: Path, name: str) -> Path:
    path = root / name.replace("\\", "/")
    if not path.resolve().is_relative_to(root.resolve()) or ":" in name[:2]:
        raise InvalidInputError("name", f"must stay within the folder, got {name!r}")
    return path
