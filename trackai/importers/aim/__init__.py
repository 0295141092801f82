"""Reads Aim's repositories, `.aim`, through aim itself, which must be installed.

They are databases of RocksDB in a layout of aim's own. Checked with aim 3.29.1, which has wheels up
to Python 3.12. It is not an extra of this package: it needs a server's packages in fixed versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".aim"


def recognises(path: Path) -> bool:
    """Whether a path is a repository, or the folder of one."""
    folder = path if path.name == FOLDER else path / FOLDER
    return (folder / "meta").is_dir() and (folder / "run_metadata.sqlite").is_file()
