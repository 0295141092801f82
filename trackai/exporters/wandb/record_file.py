"""Writes the record file of an attempt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trackai.exporters.typed_config import typed_config
from trackai.exporters.wandb.records import LogWriter
from trackai.importers.wandb.folders import HEADER
from trackai.importers.wandb.messages import History, Items, Record
from trackai.values.nesting import nested
from trackai.values.own_keys import JOB_TYPE, OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from trackai.exporters.attempts import Attempt
    from trackai.structs.exchange import RunHead

# The oldest version of wandb that has all messages, as wandb itself states it.
_MIN_CONSUMER = "0.70.0"
# Fields of a record.
_HISTORY, _SUMMARY = 2, 3


class RecordFile:
    """The file `run-<id>.wandb`, which gets its name when it is complete.

    Args:
        folder: of the attempt.
        head: the run.
    """

    def __init__(self, folder: Path, head: RunHead, attempt: Attempt) -> None:
        self._path = folder / f"run-{head.run_id}.wandb"
        self._part = folder / "records.part"
        self._head, self._attempt = head, attempt
        self._count = 0
        self._last_time = attempt.started_at

    def __enter__(self) -> RecordFile:
        self._file = self._part.open("xb")
        self._log = LogWriter(self._file, HEADER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()
        if kind is None:
            self._part.rename(self._path)

    def begin(self, axes: Mapping[str, str], files: Iterable[str]) -> None:
        """Write what describes the run.

        Args:
            axes: the metrics that are the x axes of others.
            files: the paths of its files.
        """
        record = Record()
        record.header.version_info.producer = "trackai"
        record.header.version_info.min_consumer = _MIN_CONSUMER
        self._write(record)
        self._write_run()
        for name, axis in axes.items():
            record = Record()
            setattr(record.metric, "glob_name" if "*" in name else "name", name)
            record.metric.step_metric = axis
            record.metric.options.step_sync = True
            self._write(record)
        for path in files:
            record = Record()
            record.files.files.add(path=path)
            self._write(record)

    def _write_run(self) -> None:
        head, record = self._head, Record()
        run = record.run
        run.run_id, run.project, run.name = head.run_id, head.project, head.name or ""
        run.group, run.notes, run.host = head.group_name or "", head.notes or "", self._attempt.host
        run.tags.extend(head.tags)
        _set_time(run.start_time, self._attempt.started_at)
        config = nested(typed_config(head))
        own = config.pop(OWN, {})
        if isinstance(own, dict):
            run.job_type = str(own.get("job_type", ""))
            run.sweep_id = str(own.get("sweep_id", ""))
        for key, value in config.items():
            run.config.update.add(key=key, value_json=json.dumps(value))
        self._write(record)

    def row(
        self, step: int, time: int, items: Mapping[str, str], own_times: Mapping[str, int]
    ) -> None:
        """Write a row of the history.

        Args:
            items: values as JSON, by name.
            own_times: of the items that have another time than the row.
        """
        self._last_time = max(self._last_time, time)
        row = History()
        row.step.num = step
        for name, text in {**items, **self._position(step, time)}.items():
            row.item.add(nested_key=[name], value_json=text)
        for name, own_time in own_times.items():
            row.own_time.add(name=name, microseconds=own_time)
        self._write_part(_HISTORY, row)

    def _position(self, step: int, time: int) -> dict[str, str]:
        runtime = (time - self._attempt.started_at) / 1e6
        return {"_step": str(step), "_timestamp": repr(time / 1e6), "_runtime": repr(runtime)}

    def alert(self, level: str, text: str) -> None:
        """Write an alert of the last row."""
        record = Record()
        title, _, rest = text.partition("\n")
        record.alert.title, record.alert.text, record.alert.level = title, rest, level
        self._write(record)

    def stats(self, time: int, items: Iterable[tuple[str, str]]) -> None:
        """Write system metrics as JSON, by name."""
        self._last_time = max(self._last_time, time)
        record = Record()
        _set_time(record.stats.timestamp, time)
        for name, text in items:
            record.stats.item.add(key=name, value_json=text)
        self._write(record)

    def output(self, stream: int, time: int, line: str) -> None:
        """Write a line of the console."""
        record = Record()
        _set_time(record.output_raw.timestamp, time)
        record.output_raw.stream, record.output_raw.line = stream, f"{line}\n"
        self._write(record)

    def end(self, summary: Mapping[str, str]) -> None:
        """Write the summary and, unless the run goes on, how it ended."""
        items = Items()
        for name, text in summary.items():
            items.update.add(nested_key=[name], value_json=text)
        if summary:
            self._write_part(_SUMMARY, items)
        state = self._attempt.state
        if state == "running":
            return
        record = Record()
        record.exit.exit_code = 0 if state == "completed" else 1
        record.exit.runtime = (self._last_time - self._attempt.started_at) // 1_000_000
        self._write(record)

    def _write_part(self, field: int, message: Any) -> None:
        """Write a record with one field, whose message is encoded apart."""
        payload = message.SerializeToString()
        self._append(bytes([field << 3 | 2]) + _varint(len(payload)) + payload)

    def _write(self, record: Any) -> None:
        self._append(record.SerializeToString())

    def _append(self, payload: bytes) -> None:
        self._count += 1
        # The number of a record is field 1, which protobuf merges with the rest.
        self._log.write(b"\x08" + _varint(self._count) + payload)


def x_axes(head: RunHead) -> dict[str, str]:
    """Return the x axes of metrics that an import from wandb has found."""
    own = nested(head.config).get(OWN)
    prefix = f"{OWN}/x_axis/"
    if not isinstance(own, dict):
        return {}
    return {
        key.removeprefix(prefix): str(axis)
        for key, axis in head.config.items()
        if key.startswith(prefix)
    }


def lost_keys(head: RunHead) -> int:
    """Return how many keys of the configuration are wandb's own, and are not written."""
    kept = (JOB_TYPE, f"{OWN}/sweep_id")
    own = [key for key in head.config if key.partition("/")[0] == OWN and key not in kept]
    return len(own) - len(x_axes(head))


def _set_time(timestamp: Any, time: int) -> None:
    timestamp.seconds, microseconds = divmod(time, 1_000_000)
    timestamp.nanos = microseconds * 1000


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes([*data, number])
