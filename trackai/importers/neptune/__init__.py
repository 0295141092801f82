"""Imports exports of `neptune-exporter`, and verifies that everything in them was stored.

The format is taken from the exporter's source at commit 8d3f44a.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PART = re.compile(r".+_part_[0-9]+\.parquet", re.DOTALL)
# Other programs name Parquet files so, too, but not their columns.
_COLUMNS = (b"project_id", b"run_id", b"attribute_path", b"attribute_type")
# At the end of a Parquet file: the length of the description of its columns, and "PAR1".
_FOOTER_BYTES = 8
_MAX_DESCRIPTION = 1 << 24


def recognises(path: Path) -> bool:
    """Whether a path is the folder of an export, with `data` or `model_data` in it."""
    return any(map(_has_columns, _first_parts(path)))


def _first_parts(path: Path) -> Iterator[Path]:
    """Yield a part of each project."""
    for pattern in ("data/*", "model_data/*/*"):
        for folder in path.glob(pattern):
            parts = (file for file in folder.glob("*.parquet") if _PART.fullmatch(file.name))
            yield from islice(parts, 1)


def _has_columns(part: Path) -> bool:
    try:
        with part.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _FOOTER_BYTES))
            length = int.from_bytes(file.read(4), "little")
            if file.read(4) != b"PAR1" or length > min(end, _MAX_DESCRIPTION):
                return False
            file.seek(max(0, end - _FOOTER_BYTES - length))
            description = file.read(length)
    except OSError:
        return False
    return all(column in description for column in _COLUMNS)
