"""Reads TensorBoard's event files: scalars, texts, histograms, images, audio and hyperparameters.

Messages are decoded with TensorBoard's own definitions. Records are read by `records.py`, because
TensorBoard's reader is several times slower, takes a truncated record for the end of the file
without a warning, and loads TensorFlow if it is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Whether a path is an event file, or a folder of event files."""
    if path.is_file():
        return path.match("*tfevents*") and not path.match("*.profile-empty")
    return any(map(recognises, (file for file in path.glob("*tfevents*") if file.is_file())))
