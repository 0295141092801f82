"""Reads the runs of record files: points, media, console output, configuration, figures."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from trackai.importers.block_builder import BlockBuilder
from trackai.importers.console_lines import Lines
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.inner_files import file_inside
from trackai.importers.json_values import json_value
from trackai.importers.liveness import open_state
from trackai.importers.shared_keys import refuse_shared_keys
from trackai.importers.wandb import values
from trackai.importers.wandb.folders import HEADER, find_runs
from trackai.importers.wandb.items import Splitter, decode_numbers, name_parts, same_names
from trackai.importers.wandb.messages import History, Items, Record, microseconds
from trackai.importers.wandb.records import Log
from trackai.importers.wandb.rows import Rows
from trackai.importers.wandb.tables import converted
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.own_keys import OWN
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.wandb.folders import RunFile
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State, Step

_PROGRESS_BYTES = 1 << 20
_MAX_FILE_NAME = 100
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f/\\:]+")
# Types of artifacts that wandb makes itself, of what is read elsewhere.
_OWN_ARTIFACTS = ("run_table", "wandb-history", "wandb-run-history", "job")
_STREAMS = ("stderr", "stdout")
# What wandb adds to each row.
_OWN_METRICS = ("_step", "_timestamp", "_runtime")
# What wandb adds to the summary.
_NOT_FIGURES = ("_runtime", "_step", "_timestamp", "_wandb")
# The number of metrics up to which summaries are compared without splitting them.
_MAX_NAMES = 64
_MAX_SUMMARIES = 8


@dataclass(slots=True)
class _Summary:
    """A summary record that is not merged yet.

    Attributes:
        figures: the names of its figures, which no other such record has.
        is_replaced_by: whether a later record has the same names.
    """

    message: bytes
    figures: set[str]
    is_replaced_by: Callable[[bytes], object]


class Source:
    """The runs below a path.

    Args:
        path: a folder of runs, its parent, the folder of a run, or a record file.
        receipt: notes what is not supported or cannot be read.
    """

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._paths: dict[str, Path] = {}

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        runs = find_runs(self._path, self._receipt)
        total = sum(file.size for files in runs for file in files)
        done = 0
        for files in runs:
            run = _Run(files, self._receipt, self._paths)
            yield run.head
            for attempt, file in enumerate(files, start=1):
                for position, items in run.read(file, attempt):
                    yield from items
                    if position % _PROGRESS_BYTES == 0:
                        self._progress.share(done + position, total, "bytes")
                done += file.size
            yield run.head
        self._progress.share(total, total, "bytes")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(head.source)


class _Run:
    """Reads the files of a run.

    Attributes:
        head: the run; complete once all its files have been read.
    """

    def __init__(self, files: list[RunFile], receipt: Receipt, paths: dict[str, Path]) -> None:
        project, run_id = files[0].key
        self.head = RunHead(
            uid=stable_uid("wandb", project, run_id), project=project, run_id=run_id,
            name=files[-1].run.name or run_id, group_name=files[-1].run.group or None,
            state="running", created_at=files[0].started_at, notes=files[-1].run.notes or None,
            tags=list(dict.fromkeys(tag for file in files for tag in file.run.tags)),
        )  # fmt: skip
        self._receipt = receipt
        self._paths = paths
        self._config: dict[str, Any] = {}

    def read(self, file: RunFile, attempt: int) -> Iterator[tuple[int, Iterator[Item | Chunk]]]:
        """Yield the position in bytes of each block of a file, and its items."""
        session = _Session(self.head.uid, file, attempt, self._receipt, self._paths, self._config)
        log = Log(file.path, HEADER)
        try:
            for position, payloads in log.read_blocks():
                yield position, session.read(payloads, position)
        except OSError as error:
            self._receipt.add_problem(file.path.name, f"cannot be read: {error.strerror}")
        yield file.size, session.finish(is_damaged=bool(log.damaged_at))
        log.report(self._receipt)
        self._update_head(session, file)

    def _update_head(self, session: _Session, file: RunFile) -> None:
        head = self.head
        head.state = session.state()
        head.updated_at = max(session.last_time, head.updated_at or 0)
        head.finished_at = None if head.state == "running" else head.updated_at
        head.config = flat(self._config, json_value)
        refuse_shared_keys(self._receipt, head.run_id, self._config)
        for key, value in (("job_type", file.run.job_type), ("sweep_id", file.run.sweep_id)):
            if value:
                head.config[f"{OWN}/{key}"] = value


class _Session:
    """Reads the records of one process.

    Attributes:
        last_time: the latest time, in microseconds since the epoch.
    """

    def __init__(
        self, run_uid: str, file: RunFile, attempt: int, receipt: Receipt, paths: dict[str, Path],
        config: dict[str, Any],
    ) -> None:  # fmt: skip
        self.last_time = file.started_at
        self._file = file
        self._folder = file.path.parent / "files"
        self._uid = run_uid
        self._writer = WriterHead(
            uid=stable_uid(run_uid, file.folder), attempt=attempt, host=file.run.host or "wandb",
            started_at=file.started_at,
        )  # fmt: skip
        self._blocks = BlockBuilder(run_uid, self._writer)
        self._receipt = receipt
        self._paths = paths
        self._config = config
        self._step: Step = 0
        self._has_step_metric = False
        self._lines = {stream: Lines() for stream in _STREAMS}
        self._summary: dict[str, str] = {}
        # The last record of each set of figures; nearly always, another replaces it.
        self._summaries: list[_Summary] = []
        self._rows = Rows()
        self._splitter = Splitter()
        self._last_values: dict[str, Any] = {}
        self._media: set[str] = set()
        # Metrics that are media or histograms.
        self._others: set[str] = set()
        self._exit_code: int | None = None

    def read(self, payloads: Iterable[bytes], position: int) -> Iterator[Item | Chunk]:
        """Yield the items of the records of the block at a position."""
        for payload in payloads:
            try:
                record = Record.FromString(payload)
                if history := record.history:
                    if not self._add_row(history):
                        yield from self._flush_rows()
                        yield from self._read_row(History.FromString(history))
                    elif self._rows.are_many:
                        yield from self._flush_rows()
                elif summary := record.summary:
                    self._read_summary(summary)
                else:
                    yield from self._read_record(record)
            except DecodeError:
                problem = f"a record at {position} is damaged"
                self._receipt.add_problem(self._file.path.name, problem)

    def _read_record(self, record: Any) -> Iterator[Item | Chunk]:
        match record.WhichOneof("content"):
            case "stats":
                yield from self._read_stats(record.stats)
            case "output_raw":
                yield from self._read_output(record.output_raw)
            case "run":
                self._read_config(record.run.config)
            case "config":
                self._read_config(record.config)
            case "metric":
                self._read_metric(record.metric)
            case "alert":
                yield from self._read_alert(record.alert)
            case "artifact":
                if record.artifact.type not in _OWN_ARTIFACTS:
                    reason = "files of artifacts are not in the folder of the run"
                    self._receipt.refuse("artifacts", reason)
            case "exit":
                self._exit_code = record.exit.exit_code

    def finish(self, *, is_damaged: bool) -> Iterator[Item | Chunk]:
        """Yield what follows from all records."""
        yield from self._flush_rows()
        self._merge_summaries()
        for stream, lines in self._lines.items():
            for at, line in lines.rest():
                yield from self._blocks.add(f"logs/{stream}", "time", "text", at, at, line)
        if self.state() != "running":
            yield from self._read_figures(is_whole=self._exit_code is not None and not is_damaged)
        yield from self._blocks.flush()
        yield from self._read_files()

    def state(self) -> State:
        """Return how the process ended."""
        if self._exit_code is not None:
            return "failed" if self._exit_code else "completed"
        return open_state(self._file.path.stat().st_mtime)

    def _add_row(self, history: bytes) -> bool:
        """Add a row to those that are converted together; return whether that is possible."""
        row = None if self._has_step_metric else self._rows.split(history)
        if row is None:
            return False
        self._step, timestamp, runtime, texts = row
        self._rows.add(self._step, self._time(timestamp, runtime), texts)
        return True

    def _flush_rows(self) -> Iterator[Item | Chunk]:
        """Yield the rows that have been gathered."""
        for metric, steps, times, texts in self._rows.take():
            numbers = decode_numbers(texts)
            if numbers is not None and metric in _OWN_METRICS:
                continue
            if numbers is not None:
                self._last_values[metric] = numbers[-1]
                yield from self._blocks.add_column(metric, "step", "number", steps, times, numbers)
                continue
            for step, at, text in zip(steps, times, texts, strict=True):
                for content in _decode(metric, text):
                    if content.metric not in _OWN_METRICS:
                        yield from self._read_content(content, step, at)

    def _read_row(self, history: Any) -> Iterator[Item | Chunk]:
        contents = list(values.decode(history.item))
        own = {point.metric: getattr(point, "value", None) for point in contents}
        step = self._step = self._read_step(history, own)
        at = self._time(own.get("_timestamp"), own.get("_runtime"))
        own_times = {item.name: item.microseconds for item in history.own_time}
        ignored = (*_OWN_METRICS, *((values.STEP_METRIC,) if self._has_step_metric else ()))
        for content in contents:
            if content.metric not in ignored:
                time = own_times.get(content.metric, at)
                yield from self._read_content(content, step, time)

    def _read_step(self, history: Any, own: dict[str, Any]) -> Step:
        """Return the step of a row, which may be a metric of its own."""
        step = own.get(values.STEP_METRIC) if self._has_step_metric else None
        return step if isinstance(step, int | float) else int(history.step.num)

    def _read_content(self, content: values.Content, step: Step, at: int) -> Iterator[Item | Chunk]:
        match content:
            case values.Point(metric, kind, value):
                if kind == "histogram":
                    self._others.add(metric)
                self._last_values[metric] = value
                yield from self._blocks.add(metric, "step", kind, step, at, value)
            case values.Media():
                self._others.add(content.metric)
                yield from self._read_media(content, step, at)
            case values.Null():
                self._receipt.count_null("metrics")
            case values.Invalid():
                self._receipt.refuse("metrics", "not JSON")

    def _time(self, timestamp: Any, runtime: Any) -> int:
        """Return the time of a row; a script may have logged another `_timestamp`."""
        started_at = self._file.started_at
        for value, begin in ((timestamp, 0), (runtime, started_at)):
            if isinstance(value, int | float) and 0 <= value < 1e10:
                at = begin + round(value * 1e6)
                if at >= started_at - 86_400_000_000:
                    self.last_time = max(self.last_time, at)
                    return at
        return self.last_time

    def _read_media(self, media: values.Media, step: Step, at: int) -> Iterator[FileHead | Chunk]:
        path = file_inside(self._folder, media.path)
        if path is None:
            self._receipt.refuse(TYPE, MISSING)
            self._receipt.add_problem(f"{self._file.folder}/files/{media.path}", MISSING)
            return
        self._media.add(media.path)
        if not media.is_table:
            yield self._file_head(media.metric, media.path, media.caption, step, at)
            return
        try:
            table, cells = converted(media.metric, path.read_bytes())
        except (OSError, ValueError):
            yield self._file_head(media.metric, media.path, None, step, at)
            return
        for cell in cells:
            if file_inside(self._folder, cell.path) is not None:
                self._media.add(cell.path)
                yield self._file_head(cell.metric, cell.path, None, step, at)
        sha256 = hashlib.sha256(table).hexdigest()
        yield Chunk(sha256=sha256, data=table)
        yield FileHead(
            run_uid=self._uid, writer=self._writer, path=media.metric, kind="file_series",
            name=f"{step}.table.json", step=step, timestamp=at, size=len(table), sha256=sha256,
            source=f"{self._file.folder}/files/{media.path}",
        )  # fmt: skip

    def _file_head(
        self, metric: str, path: str, caption: str | None, step: Step, at: int
    ) -> FileHead:
        source = f"{self._file.folder}/files/{path}"
        self._paths[source] = self._folder / path
        name = path.rpartition("/")[2]
        stem = _NOT_IN_NAMES.sub(" ", caption or "").strip(". ")[:_MAX_FILE_NAME]
        return FileHead(
            run_uid=self._uid, writer=self._writer, path=metric, kind="file_series",
            name=f"{stem}{Path(name).suffix}" if stem else name, step=step, timestamp=at,
            source=source,
        )  # fmt: skip

    def _read_summary(self, message: bytes) -> None:
        for summary in self._summaries:
            if summary.is_replaced_by(message):
                summary.message = message
                return
        parts = self._splitter.split(message)
        if parts is None or parts[1] or len(parts[0]) > _MAX_NAMES:
            Items.FromString(message)  # raises an error if the record is damaged
            self._summaries.append(_Summary(message, set(), _never))
            self._merge_summaries()
            return
        paths = map("/".join, map(name_parts, parts[0]))
        figures = {path for path in paths if path.partition("/")[0] not in _NOT_FIGURES}
        if any(figures & summary.figures for summary in self._summaries):
            self._merge_summaries()
        self._summaries.append(_Summary(message, figures, same_names(parts[0])))
        if len(self._summaries) > _MAX_SUMMARIES:
            self._merge_summaries()

    def _merge_summaries(self) -> None:
        """Add the summaries to the figures, in order."""
        for summary in self._summaries:
            items = Items.FromString(summary.message)
            for item in items.update:
                self._summary["/".join(values.name_of(item))] = item.value_json
            for item in items.remove:
                self._summary.pop("/".join(values.name_of(item)), None)
        self._summaries.clear()

    def _read_figures(self, *, is_whole: bool) -> Iterator[Block]:
        """Yield values of the summary that are not the last ones of their metrics.

        Args:
            is_whole: the metrics are all there, so that other values of the summary are of none.
        """
        for name, text in self._summary.items():
            if name.partition("/")[0] in _NOT_FIGURES or self._is_part_of_another(name):
                continue
            for content in values.decode_json(name, text):
                if not isinstance(content, values.Point) or content.kind == "histogram":
                    continue
                metric, kind, value = content
                is_logged = metric in self._last_values
                if is_logged and _equal(self._last_values[metric], value):
                    continue
                path = metric if is_whole and not is_logged else f"summary/{metric}"
                yield from self._blocks.add(path, "step", kind, self._step, self.last_time, value)

    def _is_part_of_another(self, name: str) -> bool:
        """Return whether a figure belongs to media or a histogram, which are not numbers."""
        return any(f"{name}/".startswith(f"{other}/") for other in self._others)

    def _read_stats(self, stats: Any) -> Iterator[Block]:
        at = microseconds(stats.timestamp)
        self.last_time = max(self.last_time, at)
        for content in values.decode(stats.item):
            if isinstance(content, values.Point) and content.kind != "text":
                metric = "system/" + content.metric.replace(".", "/")
                yield from self._blocks.add(metric, "time", content.kind, at, at, content.value)
            else:
                self._receipt.refuse("system metrics", "not a number")

    def _read_output(self, output: Any) -> Iterator[Block]:
        stream = _STREAMS[output.stream == 1]
        for at, line in self._lines[stream].add(output.line, microseconds(output.timestamp)):
            yield from self._blocks.add(f"logs/{stream}", "time", "text", at, at, line)

    def _read_alert(self, alert: Any) -> Iterator[Item | Chunk]:
        yield from self._flush_rows()  # a metric may have the name of the alerts
        text = f"{alert.title}\n{alert.text}" if alert.text else alert.title
        metric = f"alerts/{(alert.level or 'info').lower()}"
        yield from self._blocks.add(metric, "step", "text", self._step, self.last_time, text)

    def _read_config(self, config: Any) -> None:
        for item in config.update:
            parts = values.name_of(item)
            if parts[0] == OWN:
                continue
            try:
                value = values.loads(item.value_json)
            except ValueError:
                self._receipt.refuse("configuration", "not JSON")
                continue
            target = self._config
            for part in parts[:-1]:
                inner = target.setdefault(part, {})
                target = inner if isinstance(inner, dict) else target
            target[parts[-1]] = value
        for item in config.remove:
            self._config.pop(values.name_of(item)[0], None)

    def _read_metric(self, metric: Any) -> None:
        """Keep which metric is the x axis of another one."""
        name = metric.name or metric.glob_name
        if metric.step_metric == values.STEP_METRIC:
            self._has_step_metric = True
        elif name and metric.step_metric:
            axes = self._config.setdefault(OWN, {}).setdefault("x_axis", {})
            axes[name] = metric.step_metric

    def _read_files(self) -> Iterator[FileHead]:
        for folder, _, names in os.walk(self._folder):
            for name in sorted(names):
                path = Path(folder, name)
                relative = path.relative_to(self._folder).as_posix()
                if relative in self._media or path.is_symlink():
                    continue
                source = f"{self._file.folder}/files/{relative}"
                self._paths[source] = path
                yield FileHead(
                    run_uid=self._uid, writer=self._writer, path=relative, kind="file", name=name,
                    timestamp=self._file.started_at, source=source,
                )  # fmt: skip


def _decode(metric: str, value: bytes) -> Iterable[values.Content]:
    try:
        return values.decode_text(metric, value.decode())
    except UnicodeDecodeError:
        return [values.Invalid(metric)]


def _never(message: bytes) -> bool:
    return False


def _equal(logged: Any, value: Any) -> bool:
    return bool(logged == value) or (logged != logged and value != value)
