"""Reads the events of a folder in order, also while they are being written."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, NamedTuple

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


def read_events(
    folder: Path, receipt: Receipt, containing: tuple[bytes, ...] = ()
) -> Iterator[Event]:
    """Yield the events of a run or a table, each once.

    A segment whose bytes do not have the hash in its name is read if only its end is missing.

    Args:
        containing: lines with none of these are skipped; empty for all lines.
    """
    events, where = folder / EVENTS, folder.name
    if events.is_symlink():
        receipt.add_problem(f"{where}/{EVENTS}", "is a link; not followed")
        return
    last = 0
    # The active file is opened first: when it is long enough, it gets the name of a segment.
    with _open_active(events, where, receipt) as active:
        segments = [path for path in sorted(events.glob("*.jsonl")) if path.name != ACTIVE]
        sources = [_read_segment(path, where, receipt, containing) for path in segments]
        for source in (*sources, _read_active(active, where, receipt, containing)):
            for event in source:
                if event.seq <= last:
                    continue
                if not containing and event.seq > last + 1:
                    missing = f"events {last + 1} to {event.seq - 1} are missing"
                    receipt.add_problem(f"{where}/{EVENTS}", missing)
                last = event.seq
                yield event


@contextmanager
def _open_active(events: Path, where: str, receipt: Receipt) -> Iterator[IO[bytes] | None]:
    path = events / ACTIVE
    file = None
    if path.is_file() and not path.is_symlink():
        try:
            file = path.open("rb")
        except FileNotFoundError:  # it has just become a segment
            pass
        except OSError as error:
            receipt.add_problem(f"{where}/{ACTIVE}", f"cannot be read: {error.strerror}")
    with file or nullcontext():
        yield file


def _read_active(
    file: IO[bytes] | None, where: str, receipt: Receipt, containing: tuple[bytes, ...]
) -> Iterator[Event]:
    if file is None:
        return
    try:
        yield from _events(file, f"{where}/{ACTIVE}", receipt, containing)
    except OSError as error:
        receipt.add_problem(f"{where}/{ACTIVE}", f"cannot be read: {error.strerror}")


def _read_segment(
    path: Path, where: str, receipt: Receipt, containing: tuple[bytes, ...]
) -> Iterator[Event]:
    if path.is_symlink() or not path.is_file():
        return
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
            yield from _events(file, where, receipt, containing)
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


def _events(
    file: IO[bytes], where: str, receipt: Receipt, containing: tuple[bytes, ...] = ()
) -> Iterator[Event]:
    for line in read_lines(file, where, receipt, containing):
        event = None if line.error is not None else _event(line.value)
        if event is None:
            receipt.add_problem(where, f"line {line.number} is damaged")
        else:
            yield event


def _event(value: Any) -> Event | None:
    if not isinstance(value, dict):
        return None
    seq, type_, payload = value.get("seq"), value.get("type"), value.get("payload")
    time = parse_time(value.get("timestamp"))
    if (
        time is None or not isinstance(seq, int) or seq < 1
        or not isinstance(type_, str) or not isinstance(payload, dict)
    ):  # fmt: skip
        return None
    return Event(seq, time, type_, payload)
