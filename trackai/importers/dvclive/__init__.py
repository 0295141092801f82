"""Reads the folders of DVCLive: `dvclive` with metrics.json, params.yaml and plots.

Checked with dvclive 3.49.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.json"
PARAMS = "params.yaml"
PLOTS = "plots"
_USUAL_NAME = "dvclive"


def recognises(path: Path) -> bool:
    """Whether a path is the folder of a run, or has one in it."""
    if not path.is_dir():
        return False
    return is_live(path) or any(map(is_live, path.glob("*/")))


def is_live(folder: Path) -> bool:
    """Whether a folder is of a run."""
    if any(map(_is_table, (folder / PLOTS / "metrics").glob("**/*.tsv"))):
        return True
    # Repositories of DVC have files of these names, too, but no step in them.
    return (
        (folder / METRICS).is_file()
        and ((folder / PLOTS).is_dir() or (folder / PARAMS).is_file())
        and (folder.resolve().name == _USUAL_NAME or _has_step(folder / METRICS))
    )


def _is_table(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(32).startswith((b"step\t", b"timestamp\tstep\t"))
    except OSError:
        return False


def _has_step(path: Path) -> bool:
    try:
        return b'"step":' in path.read_bytes()
    except OSError:
        return False
