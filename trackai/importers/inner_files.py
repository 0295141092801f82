"""Files that a source names: nothing outside its folder is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def file_inside(folder: Path, name: str) -> Path | None:
    """Return the path of a file, links resolved; None if it is missing or outside the folder."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # of odd names, and of links in a circle
        return None
