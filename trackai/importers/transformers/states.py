"""Finds output folders, and the states of the trainer in them."""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.transformers import STATE
from trackai.importers.transformers.json_stream import JsonStream
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trackai.importers.receipt import Receipt
    from trackai.values.types import Step

_CHECKPOINT = re.compile(r"checkpoint-([0-9]+)")
_ROWS = "log_history"


class StateFile(NamedTuple):
    """A file with a state.

    Attributes:
        path: the file.
        where: its path in the receipt.
        size: its size in bytes.
        written_at: its time of modification, in microseconds since the epoch.
        step: of its checkpoint; infinite for the state of the whole training.
    """

    path: Path
    where: str
    size: int
    written_at: int
    step: float


class State(NamedTuple):
    """What a state says, without its rows, of which there may be many.

    Attributes:
        fields: all but the rows.
        digests: of the rows, which are what was logged up to this state.
        last: the last row.
        problem: why the rest of the file could not be read; None if it is whole.
    """

    fields: Mapping[str, Any]
    digests: array[int]
    last: Any
    problem: str | None

    @property
    def step(self) -> Step | None:
        """The step of the state."""
        return valid_step(self.fields.get("global_step"))


class Output(NamedTuple):
    """An output folder, with its states in the order in which they were written."""

    folder: Path
    states: list[StateFile]


def find_outputs(path: Path, receipt: Receipt) -> list[Output]:
    """Return the output folders below a path.

    Raises:
        InvalidInputError: there are none.
    """
    root = path.resolve()
    paths = [root] if root.is_file() else _walk(root)
    base = root.parent if root.is_file() else root
    outputs: dict[Path, list[StateFile]] = {}
    for file in paths:
        where = file.relative_to(base).as_posix()
        try:
            status = file.stat()
        except OSError as error:
            receipt.add_problem(where, f"cannot be read: {error.strerror}")
            continue
        checkpoint = _CHECKPOINT.fullmatch(file.parent.name)
        folder = file.parent.parent if checkpoint else file.parent
        step = float(checkpoint[1]) if checkpoint else math.inf
        outputs.setdefault(folder, []).append(
            StateFile(file, where, status.st_size, status.st_mtime_ns // 1000, step)
        )
    if not outputs:
        raise InvalidInputError(str(path), f"no states of a trainer found ({STATE})")
    for states in outputs.values():
        states.sort(key=lambda state: (state.written_at, state.step))
    return [Output(folder, outputs[folder]) for folder in sorted(outputs)]


def read_json(path: Path) -> dict[str, Any]:
    """Read an object that may hold NaN and infinities.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, or not an object.
    """
    try:
        value = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def read_state(path: Path) -> State:
    """Read a state, also one that is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    fields: dict[str, Any] = {}
    digests = array("Q")
    last = problem = None
    try:
        for last in read_rows(path, fields):
            text = json.dumps(last, sort_keys=True).encode()
            digests.append(int.from_bytes(blake2b(text, digest_size=8).digest()))
    except ValueError as error:
        problem = str(error)
    return State(fields, digests, last, problem)


def read_rows(path: Path, fields: dict[str, Any]) -> Iterator[Any]:
    """Yield the rows of a state, and fill in its other fields.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a state, or is damaged from here on.
    """
    has_rows = False
    with path.open("rb") as file:
        stream = JsonStream(file)
        for key in stream.read_keys():
            if key == _ROWS and stream.next_character() == "[":
                has_rows = True
                yield from stream.items()
            else:
                fields[key] = stream.value()
    if not has_rows:
        raise ValueError(f"has no {_ROWS}")


def valid_step(step: Any) -> Step | None:
    """Return a step, or None if it is not a number within 64 bits."""
    if isinstance(step, bool) or not isinstance(step, int | float):
        return None
    return step if -INT64 <= step < INT64 else None


def _walk(root: Path) -> list[Path]:
    """Return the states below a folder; links are not followed."""
    paths = []
    for folder, names, files in os.walk(root):
        names.sort()
        path = Path(folder, STATE)
        if STATE in files and path.is_file() and not path.is_symlink():
            paths.append(path)
    return paths
