"""Where an export's files lie: what its folders and file names say, before any is opened.

Project and run ids cannot be read from names, which are sanitized: the columns have them. A run's
parts are written highest number first, so the part 0 says that they are all there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

# A run id may itself contain "_part_0": only what stands at the end counts.
_PART = re.compile(r"(?P<stem>.+)_part_(?P<number>[0-9]+)\.parquet", re.DOTALL)

Kind: TypeAlias = Literal["run", "model", "model_version"]


class Part(msgspec.Struct, frozen=True):
    """A parquet file of an export.

    Attributes:
        name: the path under the export's folder, for people.
        stem: the name of the run's parts without their number.
        files: the folder to which its `file_value.path` is relative.
    """

    path: Path
    name: str
    kind: Kind
    stem: str
    number: int
    files: Path


class Problem(msgspec.Struct, frozen=True):
    """Something in an export that could not be imported, or (a remark) should be known."""

    file: str
    problem: str
    remark: bool = False


class Layout(msgspec.Struct):
    """The parts of an export, in the order in which they are imported."""

    root: Path
    parts: list[Part]
    problems: list[Problem]


def find(path: Path, files: Path | None = None) -> Layout:
    """Look through an export: its folder, or the `data` folder in it.

    Raises:
        InvalidInputError: there is no export.
    """
    path = path.absolute()
    if not path.is_dir():
        raise InvalidInputError("PATH", f"{path} is no folder: name the folder of an export")
    root = path
    if not (path / "data").is_dir() and not (path / "model_data").is_dir():
        if not any(path.glob("*/*.parquet*")):
            raise InvalidInputError(
                "PATH",
                f"{path} is no export of neptune-exporter: it holds no `data` folder with a "
                "folder of parquet files for each project",
            )
        root = path.parent
    layout = Layout(root, [], [])
    data = path if root != path else root / "data"
    for project in _folders(data):
        _look(layout, project, "run", (files or root / "files") / project.name)
    if root == path:
        for project in _folders(root / "model_data"):
            bytes_ = root / "model_files" / project.name
            _look(layout, project / "models", "model", bytes_)
            _look(layout, project / "model_versions", "model_version", bytes_)
    layout.parts.sort(
        key=lambda part: (part.kind != "run", part.path.parent, part.stem, part.number)
    )
    if not layout.parts:
        layout.problems.append(Problem(str(data.name), "there is no parquet file in it"))
    return layout


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def _look(layout: Layout, folder: Path, kind: Kind, files: Path) -> None:
    if not folder.is_dir():
        return
    empty = True
    for path in sorted(folder.iterdir()):
        name = path.relative_to(layout.root).as_posix()
        if path.name.endswith(".tmp"):
            layout.problems.append(
                Problem(
                    name, "left over from an exporter that was interrupted; ignored", remark=True
                )
            )
        elif match := _PART.fullmatch(path.name):
            empty = False
            layout.parts.append(Part(path, name, kind, match["stem"], int(match["number"]), files))
        elif path.suffix == ".parquet":
            layout.problems.append(Problem(name, "its name does not end in _part_<number>.parquet"))
    if empty:
        name = folder.relative_to(layout.root).as_posix()
        layout.problems.append(Problem(name, "the folder holds no parts", remark=True))


def missing_numbers(parts: list[Part]) -> list[str]:
    """The names of those parts of one run that must have been there."""
    missing = []
    for stem in dict.fromkeys(part.stem for part in parts):
        numbers = {part.number for part in parts if part.stem == stem}
        some = next(part for part in parts if part.stem == stem)
        folder = some.name.rpartition("/")[0]
        missing += [
            f"{folder}/{stem}_part_{number}.parquet"
            for number in range(max(numbers))
            if number not in numbers
        ]
    return missing
