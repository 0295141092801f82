"""Reads the offline experiments of Comet: zip archives, and the folders of killed processes.

Checked with comet-ml 3.58.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.importers.bundles import archive_names
from trackai.importers.json_lines import decode

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = "messages.json"
EXPERIMENT = "experiment.json"
_FIRST_LINE = 1 << 20


def recognises(path: Path) -> bool:
    """Whether a path is an offline experiment, or a folder with one."""
    if path.is_file():
        return path.suffix == ".zip" and _is_archive(path)
    return is_folder(path) or any(_is_archive(file) for file in path.glob("*.zip"))


def is_folder(path: Path) -> bool:
    """Whether a folder has the files of an experiment."""
    messages = path / MESSAGES
    if not messages.is_file():
        return False
    try:
        with messages.open("rb") as file:
            message, _ = decode(file.readline(_FIRST_LINE))
    except OSError:
        return False
    return isinstance(message, dict) and {"type", "payload"} <= message.keys()


def _is_archive(path: Path) -> bool:
    return {MESSAGES, EXPERIMENT} <= archive_names(path)
