"""Reads the folders of Ray Tune: one for each trial of an experiment, with `result.json`.

Checked with ray 2.60. Nothing is unpickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESULTS = "result.json"
PARAMS = "params.json"
# In bytes, of the first result.
_FIRST_BYTES = 1 << 20


def recognises(path: Path) -> bool:
    """Whether a path is the folder of a trial, or the folder of an experiment."""
    return is_trial(path) or any(map(is_trial, path.glob("*/")))


def is_trial(folder: Path) -> bool:
    """Whether a folder is the one of a trial, which may not have reported a result yet."""
    try:
        with (folder / RESULTS).open("rb") as file:
            start = file.read(_FIRST_BYTES)
    except OSError:
        return False
    is_result = b'"training_iteration":' in start and b'"trial_id":' in start
    return (is_result or not start) and (folder / PARAMS).is_file()
