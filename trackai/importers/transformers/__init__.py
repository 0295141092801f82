"""Reads the output folders of Hugging Face's Trainer: `trainer_state.json`, also of checkpoints.

Checked with transformers 5.24.0. Pickled files, such as `training_args.bin`, are not opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STATE = "trainer_state.json"
_PATTERNS = (STATE, f"checkpoint-*/{STATE}", f"*/{STATE}", f"*/checkpoint-*/{STATE}")


def recognises(path: Path) -> bool:
    """Whether a path is a state, an output folder, or a folder of such folders."""
    if path.is_file():
        return path.name == STATE
    return any(any(path.glob(pattern)) for pattern in _PATTERNS)
