"""Copies the files of a run to the folders of its attempts: media of a step, and others."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.exporters.folder import copy_file, plain_path, safe_name, safe_path
from trackai.exporters.images import image_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.exporters.folder import FindBytes
    from trackai.exporters.summary import RunRemarks
    from trackai.structs.exchange import FileHead, RunHead
    from trackai.values.types import Step

_TYPES = {
    "image-file": ("png", "jpg", "jpeg", "gif", "bmp", "webp"),
    "audio-file": ("wav", "mp3", "ogg", "flac"),
    "video-file": ("mp4", "webm", "ogv"),
    "html-file": ("html",),
    "object3D-file": ("glb", "gltf", "obj", "stl", "babylon"),
    "molecule-file": ("pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf"),
}
_TYPE_BY_SUFFIX = {suffix: type_ for type_, suffixes in _TYPES.items() for suffix in suffixes}
_FOLDERS = {"image-file": "images", "table-file": "table", "html-file": "html"}
_TABLE = ".table.json"


class MediaPoint(NamedTuple):
    """A file, or several, that was logged as a metric; `value` is wandb's JSON."""

    metric: str
    attempt: int
    step: Step
    time: int
    value: str


class _Key(NamedTuple):
    """What a file is recognised by."""

    path: str
    step: Step | None
    name: str
    sha256: str | None


_Copies = dict[_Key, str | None]


class RunFiles:
    """The files of a run.

    Attributes:
        written: number of files that were copied.
        paths: of the files of each attempt, relative to its folder of files.
    """

    def __init__(self, head: RunHead, find_bytes: FindBytes, remarks: RunRemarks) -> None:
        self._head, self._find_bytes, self._remarks = head, find_bytes, remarks
        self._heads: list[FileHead] = []
        self.written = 0
        self.paths: dict[int, list[str]] = {}

    def add(self, head: FileHead) -> None:
        """Add a file."""
        self._heads.append(head)

    def write(self, attempt: int, folder: Path) -> Iterator[MediaPoint]:
        """Copy the files of an attempt to a folder; yield those that are shown at a step."""
        self._folder, self._paths = folder, self.paths.setdefault(attempt, [])
        self._copies: dict[str, str | None] = {}
        heads = [head for head in self._heads if head.writer.attempt == attempt]
        media = [head for head in heads if head.kind == "file_series" and head.step is not None]
        for head in heads:
            if head.kind != "file_series" or head.step is None:
                self._copy(head, plain_path(head))
        self._write_environment(attempt)
        media.sort(key=lambda head: (head.path, head.step, head.timestamp or 0))
        copied: _Copies = {}
        for head in media:
            if not head.name.endswith(_TABLE):
                copied[_key(head)] = self._copy(head, self._media_path(head))
        cells = {(key.path, key.step, key.name): key for key in copied}
        in_tables: set[_Key] = set()
        for head in media:
            if head.name.endswith(_TABLE):
                copied[_key(head)] = self._write_table(head, copied, cells, in_tables)
        shown = [head for head in media if _key(head) not in in_tables]
        for _, group in groupby(shown, key=lambda head: (head.path, head.step, head.timestamp)):
            yield from self._points([(head, copied[_key(head)]) for head in group])

    def _points(self, files: list[tuple[FileHead, str | None]]) -> Iterator[MediaPoint]:
        present = [(head, path) for head, path in files if path is not None]
        if not present:
            return
        if len(present) == 1:
            contents = [self._content(*present[0])]
        elif {media_type(head.name) for head, _ in present} == {"image-file"}:
            contents = [self._content_of_images([path for _, path in present])]
        else:
            contents = [self._content(head, path) for head, path in present]
        head = files[0][0]
        for content in contents:
            step = 0 if head.step is None else head.step
            time = head.timestamp if head.timestamp is not None else head.writer.started_at
            yield MediaPoint(head.path, head.writer.attempt, step, time, json.dumps(content))

    def _content(self, head: FileHead, path: str) -> dict[str, Any]:
        content: dict[str, Any] = {
            "_type": media_type(head.name), "path": path, "sha256": head.sha256, "size": head.size,
        }  # fmt: skip
        if content["_type"] == "image-file":
            content["format"] = path.rpartition(".")[2]
            if size := image_size(self._folder / path):
                content["width"], content["height"] = size
        return content

    def _content_of_images(self, paths: list[str]) -> dict[str, Any]:
        width, height = image_size(self._folder / paths[0]) or (0, 0)
        return {
            "_type": "images/separated", "filenames": paths, "count": len(paths), "width": width,
            "height": height, "format": paths[0].rpartition(".")[2],
        }  # fmt: skip

    def _media_path(self, head: FileHead) -> str:
        """Return a path whose last part is the name, which wandb shows and an import keeps."""
        folder = _FOLDERS.get(media_type(head.name), "files")
        name = safe_name(head.name)
        return f"media/{folder}/{(head.sha256 or '')[:12]}/{name}"

    def _write_table(
        self, head: FileHead, copied: _Copies, cells: dict[Any, _Key], in_tables: set[_Key]
    ) -> str | None:
        """Write a table, with its cells that are files as wandb has them.

        Args:
            copied: where the files are.
            cells: the files by what a cell says of them, with the step of the table.
            in_tables: receives the files that are in cells.
        """
        source = self._find_bytes(head)
        if source is None:
            self._remarks.add("files without their bytes are left out")
            return None
        try:
            table = json.loads(source.read_bytes())
            for row in table["data"]:
                for column, cell in enumerate(row):
                    key = cells.get(_cell_key(cell, head.step))
                    if key is not None and copied[key] is not None:
                        in_tables.add(key)
                        row[column] = {"_type": media_type(key.name), "path": copied[key]}
        except (ValueError, KeyError, TypeError):
            return self._copy(head, self._media_path(head))
        path = self._folder / self._media_path(head)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(table), encoding="utf-8")
        return self._written(path.relative_to(self._folder).as_posix())

    def _copy(self, head: FileHead, relative: str) -> str | None:
        relative = safe_path(relative)
        if self._copies.get(relative) == head.sha256 is not None:
            return relative  # the same bytes under the same name, at another step
        source = self._find_bytes(head)
        path = None if source is None else copy_file(source, self._folder, relative)
        if path is None:
            self._remarks.add("files without their bytes are left out")
            return None
        self._copies[path] = head.sha256
        return self._written(path)

    def _written(self, path: str) -> str:
        self._paths.append(path)
        self.written += 1
        return path

    def _write_environment(self, attempt: int) -> None:
        facts = self._head.environment.get(attempt)
        if facts:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / "wandb-metadata.json"
            path.write_bytes(msgspec.json.format(msgspec.json.encode(facts)))
            self._written(path.name)


def media_type(name: str) -> str:
    """Return the `_type` of a file in a history of wandb, by its name."""
    if name.endswith(_TABLE):
        return "table-file"
    return _TYPE_BY_SUFFIX.get(name.rpartition(".")[2].lower(), "file")


def _key(head: FileHead) -> _Key:
    return _Key(head.path, head.step, head.name, head.sha256)


def _cell_key(cell: Any, step: Step | None) -> tuple[Any, ...]:
    is_file = isinstance(cell, dict) and cell.keys() == {"file", "name"}
    return (str(cell["file"]), step, str(cell["name"])) if is_file else ()
