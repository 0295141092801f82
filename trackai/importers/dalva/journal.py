"""Reads the events of a folder in order, also while they are being written."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.importers.dalva import EVENTS
from trackai.importers.json_lines import read_lines
from trackai.importers.source_database import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.receipt import Receipt

ACTIVE = ".active.jsonl"
_SEGMENT = re.compile(r"\d{20}-(\d{20})-([0-9a-f]{64})\.jsonl")
_CHUNK = 1 << 20


class Event(NamedTuple):
    """An event; the time is in microseconds since the epoch."""

    seq: int
    time: int
    type: str
    payload: dict[str, Any]


def read_events(folder: Path, receipt: Receipt) -> Iterator[Event]:
    """Yield the events of a run or a table, each once.

    A segment whose bytes do not have the hash in its name is read if only its end is missing.
    """
    events, where = folder / EVENTS, folder.name
    if events.is_symlink():
        receipt.add_problem(f"{where}/{EVENTS}", "is a link; not followed")
        return
    last = 0
    with ExitStack() as stack:
        # First, because it becomes a segment under a new name when it is long enough.
        active = None
        if (events / ACTIVE).is_file() and not (events / ACTIVE).is_symlink():
            active = stack.enter_context((events / ACTIVE).open("rb"))
        for path in sorted(events.glob("*.jsonl")):
            if path.name == ACTIVE or path.is_symlink() or not path.is_file():
                continue
            for event in _read_segment(path, where, receipt):
                if event.seq > last:
                    last = event.seq
                    yield event
        if active is not None:
            for event in _events(active, f"{where}/{ACTIVE}", receipt):
                if event.seq > last:
                    last = event.seq
                    yield event


def _read_segment(path: Path, where: str, receipt: Receipt) -> Iterator[Event]:
    name = _SEGMENT.fullmatch(path.name)
    where = f"{where}/{path.name}"
    if name is None:
        receipt.add_remark(where, "not a segment of the journal; not read")
        return
    try:
        is_whole = _sha256(path) == name[2]
        if not is_whole and _last_seq(path) >= int(name[1]):
            receipt.add_problem(where, "does not match its SHA-256; not read")
            return
        with path.open("rb") as file:
            yield from _events(file, where, receipt)
    except OSError as error:
        receipt.add_problem(where, f"cannot be read: {error.strerror}")
        return
    if not is_whole:
        receipt.add_problem(where, "its end is missing")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_seq(path: Path) -> int:
    """Return the number of the last event that is whole; 0 for none."""
    from trackai.importers.receipt import Receipt

    with path.open("rb") as file:
        return max((event.seq for event in _events(file, "", Receipt("", ""))), default=0)


def _events(file: Any, where: str, receipt: Receipt) -> Iterator[Event]:
    for line in read_lines(file, where, receipt):
        event = None if line.error is not None else _event(line.value)
        if event is None:
            receipt.add_problem(where, f"line {line.number} is damaged")
        else:
            yield event


def _event(value: Any) -> Event | None:
    match value:
        case {"seq": int(seq), "type": str(type_), "payload": dict(payload), **rest}:
            time = parse_time(rest.get("timestamp"))
            return None if time is None or seq < 1 else Event(seq, time, type_, payload)
    return None
