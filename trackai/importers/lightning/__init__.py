"""Reads the folders of Lightning's CSVLogger: `lightning_logs/version_0/metrics.csv`.

Checked with lightning 2.6.6. The event files of its TensorBoardLogger are imported as those of
TensorBoard.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.csv"
HPARAMS = "hparams.yaml"
_VERSION = "version_[0-9]*"
_MAX_LINE = 1_000_000


def recognises(path: Path) -> bool:
    """Whether a path is a version's folder, the folder of versions, or a folder of these."""
    if path.is_file():
        return path.name == METRICS and recognises(path.parent)
    if is_version(path):
        return _has_steps(path / METRICS)
    files = (path.glob(f"{below}{_VERSION}/{METRICS}") for below in ("", "*/"))
    return any(map(_has_steps, chain.from_iterable(files)))


def _has_steps(path: Path) -> bool:
    """Whether a table has the column that the logger always writes; data sets have others."""
    try:
        with path.open("rb") as file:
            return b"step" in file.readline(_MAX_LINE).strip().split(b",")
    except OSError:
        return False


def is_version(folder: Path) -> bool:
    """Whether a folder is of a run. Versions may have other names."""
    has_name = folder.resolve().match(_VERSION) or (folder / HPARAMS).is_file()
    return has_name and (folder / METRICS).is_file()
