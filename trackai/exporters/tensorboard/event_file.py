"""Writes an event file: records of TFRecord with the checksums of `importers.tensorboard`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.event_pb2 import Event

from trackai.importers.tensorboard.records import masked_checksum

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
# From this version on, TensorBoard does not take a step back for a restart.
_VERSION = "brain.Event:2"


class EventFile:
    """Appends events to a file, whose first event says when its writer began.

    Args:
        started_at: in microseconds since the epoch.
    """

    def __init__(self, path: Path, started_at: int) -> None:
        self._is_new = not path.exists()
        self._file = path.open("ab")
        if self._is_new:
            self.add(Event(wall_time=started_at / 1e6, file_version=_VERSION))

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()

    def add(self, event: Any) -> None:
        """Write an event."""
        payload = event.SerializeToString()
        length = _LENGTH.pack(len(payload))
        self._file.write(
            length + _CHECKSUM.pack(masked_checksum(length))
            + payload + _CHECKSUM.pack(masked_checksum(payload))
        )  # fmt: skip

    def add_value(self, tag: str, step: int, time: int, tensor: Any, metadata: Any = None) -> None:
        """Write a value.

        Args:
            time: microseconds since the epoch.
            metadata: which plugin shows the tag; with its first value only.
        """
        event = Event(wall_time=time / 1e6, step=step)
        value = event.summary.value.add(tag=tag, tensor=tensor)
        if metadata is not None:
            value.metadata.CopyFrom(metadata)
        self.add(event)
