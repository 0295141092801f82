"""Finds the files of an export by the names of its folders and files.

Names do not give project and run ids, because the exporter sanitizes them; the columns of the files
have the ids. The exporter writes the parts of a run with the highest number first, so part 0 exists
only if all parts do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

# A run id may itself contain "_part_0": only the last one counts.
_PART = re.compile(r"(?P<stem>.+)_part_(?P<number>[0-9]+)\.parquet", re.DOTALL)

Kind: TypeAlias = Literal["run", "model", "model_version"]


class Part(msgspec.Struct, frozen=True):
    """A Parquet file of an export.

    Attributes:
        name: the path relative to the export's folder, for messages.
        stem: the file name without the number of the part; the parts of a run share it.
        files: the folder that `file_value.path` is relative to.
    """

    path: Path
    name: str
    kind: Kind
    stem: str
    number: int
    files: Path

    @property
    def run_key(self) -> tuple[Path, str]:
        """The folder and stem, which the parts of a run share."""
        return self.path.parent, self.stem


class Problem(msgspec.Struct, frozen=True):
    """A file of the export that was not imported completely.

    Attributes:
        remark: whether nothing is lost by it.
    """

    file: str
    problem: str
    remark: bool = False


class Layout(msgspec.Struct):
    """The parts of an export, in the order in which they are imported."""

    root: Path
    parts: list[Part]
    problems: list[Problem]


def find(path: Path, files: Path | None = None) -> Layout:
    """Find the parts of an export.

    Args:
        path: the folder of the export, or the `data` folder in it.
        files: the folder of the files; by default `files` in the export.

    Raises:
        InvalidInputError: the path has no export.
    """
    path = path.absolute()
    root = _root(path)
    layout = Layout(root, [], [])
    data = path if root != path else root / "data"
    for project in _subfolders(data):
        _add_folder(layout, project, "run", (files or root / "files") / project.name)
    if root == path:
        for project in _subfolders(root / "model_data"):
            model_files = root / "model_files" / project.name
            _add_folder(layout, project / "models", "model", model_files)
            _add_folder(layout, project / "model_versions", "model_version", model_files)
    layout.parts.sort(
        key=lambda part: (part.kind != "run", part.path.parent, part.stem, part.number)
    )
    if not layout.parts:
        layout.problems.append(Problem(str(data.name), "no Parquet files found"))
    return layout


def _root(path: Path) -> Path:
    """Return the folder of the export."""
    if not path.is_dir():
        raise InvalidInputError("PATH", f"must be the folder of an export, got {path}")
    if (path / "data").is_dir() or (path / "model_data").is_dir():
        return path
    if not any(path.glob("*/*.parquet*")):
        raise InvalidInputError(
            "PATH",
            f"not an export of neptune-exporter: {path}; it must contain a `data` folder with a "
            "folder of Parquet files for each project",
        )
    return path.parent


def _subfolders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []


def _add_folder(layout: Layout, folder: Path, kind: Kind, files: Path) -> None:
    """Add the parts in a folder, and the problems with other files in it."""
    if not folder.is_dir():
        return
    empty = True
    for path in sorted(folder.iterdir()):
        name = path.relative_to(layout.root).as_posix()
        if path.name.endswith(".tmp"):
            problem = "ignored: an unfinished file of an interrupted export"
            layout.problems.append(Problem(name, problem, remark=True))
        elif match := _PART.fullmatch(path.name):
            empty = False
            layout.parts.append(Part(path, name, kind, match["stem"], int(match["number"]), files))
        elif path.suffix == ".parquet":
            problem = "the file name must end in _part_<number>.parquet"
            layout.problems.append(Problem(name, problem))
    if empty:
        name = folder.relative_to(layout.root).as_posix()
        layout.problems.append(Problem(name, "the folder has no parts", remark=True))


def missing_parts(parts: list[Part]) -> list[str]:
    """Return the names of parts that are missing between those of one run."""
    missing = []
    for stem in dict.fromkeys(part.stem for part in parts):
        same_stem = [part for part in parts if part.stem == stem]
        numbers = {part.number for part in same_stem}
        folder = same_stem[0].name.rpartition("/")[0]
        missing += [
            f"{folder}/{stem}_part_{number}.parquet"
            for number in range(max(numbers))
            if number not in numbers
        ]
    return missing
