"""Reads the folders of Lightning's CSVLogger: `lightning_logs/version_0/metrics.csv`.

Checked with lightning 2.6.6. The event files of its TensorBoardLogger are imported as those of
TensorBoard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.csv"
HPARAMS = "hparams.yaml"
_VERSION = "version_[0-9]*"


def recognises(path: Path) -> bool:
    """Whether a path is a version's folder, the folder of versions, or a folder of these."""
    if path.is_file():
        return path.name == METRICS and is_version(path.parent)
    if is_version(path):
        return True
    return any(any(path.glob(f"{below}{_VERSION}/{METRICS}")) for below in ("", "*/"))


def is_version(folder: Path) -> bool:
    """Whether a folder is of a run. Versions may have other names."""
    has_name = folder.resolve().match(_VERSION) or (folder / HPARAMS).is_file()
    return has_name and (folder / METRICS).is_file()
