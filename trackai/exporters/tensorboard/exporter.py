"""Writes runs to a folder: each run is a folder, and each attempt an event file in it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.exporters.folder import safe_name
from trackai.exporters.histograms import read_histogram
from trackai.exporters.run_exporter import RunExporter
from trackai.exporters.summary import RunRemarks
from trackai.exporters.tensorboard import values
from trackai.exporters.tensorboard.event_file import EventFile
from trackai.exporters.typed_config import typed_config
from trackai.structs.exchange import Block, FileHead, Rewind, RunHead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.exporters.folder import FindBytes
    from trackai.exporters.summary import Summary
    from trackai.structs.exchange import Item, WriterHead
    from trackai.values.types import Step

_PLUGINS = {"number": "scalars", "bool": "scalars", "text": "text", "histogram": "histograms"}
_MAX_EXACT = 1 << 53
_ROUNDED = "TensorBoard shows numbers as floats of 32 bits; an import gets the exact ones"


class Exporter(RunExporter):
    """Writes a folder for each project, and in it one for each run."""

    def _begin(self, head: RunHead) -> _Run:
        path = self._folder.add(f"{safe_name(head.project)}/{safe_name(head.run_id)}")
        path.mkdir()
        return _Run(path, head, self._find_bytes, self._summary)


class _Run:
    """Writes a run as it is read. Its files get their names when they are complete."""

    def __init__(self, path: Path, head: RunHead, find_bytes: FindBytes, summary: Summary) -> None:
        self._path, self._head = path, head
        self._find_bytes, self._summary = find_bytes, summary
        self._remarks = RunRemarks(summary, f"run {head.run_id}")
        # By attempt: when its first writer began, and its host.
        self._starts: dict[int, tuple[int, str]] = {}
        self._plugins: dict[tuple[int, str], str] = {}
        self._system_steps: dict[str, int] = {}
        self._files: list[FileHead] = []
        self._write_head()

    def _write_head(self) -> None:
        head = self._head
        with self._open(1) as file:
            config = typed_config(head)
            large = [value for value in config.values() if _is_large(value)]
            self._remarks.add("large integers in the configuration are rounded", len(large))
            if config or head.group_name:
                start = values.session_start(head, config)
                file.add_value(values.HPARAMS_START, 0, head.created_at, None, start)
            for name, value in _texts(head).items():
                self._add_value(file, 1, f"run/{name}", 0, head.created_at, "text", value)

    def add(self, item: Item) -> None:
        """Write a part of the run."""
        if isinstance(item, FileHead):
            self._note(item.writer)
            self._files.append(item)
        elif isinstance(item, Rewind):
            self._remarks.add_once("points that were superseded are written like the others")
        elif isinstance(item, Block):
            self._note(item.writer)
            self._add_points(item)

    def _note(self, writer: WriterHead) -> None:
        """Note when an attempt began."""
        start = self._head.created_at if writer.attempt == 1 else writer.started_at
        self._starts.setdefault(writer.attempt, (start, writer.host))

    def _open(self, attempt: int) -> EventFile:
        start, _ = self._starts.get(attempt, (self._head.created_at, ""))
        return EventFile(self._path / f"{attempt}.part", start)

    def _add_points(self, block: Block) -> None:
        attempt, plugin = block.writer.attempt, _PLUGINS[block.kind]
        steps = self._integers(block)
        with self._open(attempt) as file:
            for step, time, value in zip(steps, block.timestamps, block.values, strict=True):
                kind, content = _content(plugin, value)
                self._add_value(file, attempt, block.metric, step, time, kind, content)
        self._summary.points += len(block.steps)

    def _integers(self, block: Block) -> Sequence[int]:
        """Return steps as integers; those of system metrics count their points."""
        if block.axis == "time":
            self._remarks.add_once("the steps of system metrics count their points")
            first = self._system_steps.get(block.metric, 0)
            self._system_steps[block.metric] = first + len(block.steps)
            return range(first, first + len(block.steps))
        self._remarks.add("fractional steps are cut", sum(map(_is_fractional, block.steps)))
        return [int(step) for step in block.steps]

    def _add_value(
        self, file: EventFile, attempt: int, tag: str, step: int, time: int, plugin: str,
        value: Any,
    ) -> None:  # fmt: skip
        """Write a value. A tag belongs to one plugin, so others get a tag of their own."""
        if self._plugins.get((0, tag), plugin) != plugin:
            self._remarks.add(f"the {plugin} of {tag} become {tag}/{plugin}")
            tag = f"{tag}/{plugin}"
        self._plugins[0, tag] = plugin
        is_first = (attempt, tag) not in self._plugins
        self._plugins[attempt, tag] = plugin
        metadata = values.metadata(plugin) if is_first else None
        tensor = _tensor(plugin, value)
        self._remarks.add(_ROUNDED, plugin == "scalars" and values.is_rounded(tensor))
        file.add_value(tag, step, time, tensor, metadata)

    def _write_files(self) -> None:
        media = [head for head in self._files if head.kind == "file_series"]
        self._remarks.add("files that are not media are left out", len(self._files) - len(media))

        def key(head: FileHead) -> Any:
            return head.writer.attempt, head.path, head.step, head.timestamp, _plugin(head)

        for (attempt, path, step, time, plugin), heads in groupby(sorted(media, key=_sorted), key):
            contents = [data for head in heads if (data := self._read(head)) is not None]
            if not contents:
                continue
            if plugin is None:
                self._remarks.add("media that TensorBoard cannot show are left out", len(contents))
                continue
            self._remarks.add("fractional steps are cut", _is_fractional(step or 0))
            with self._open(attempt) as file:
                when = self._head.created_at if time is None else time
                self._add_value(file, attempt, path, int(step or 0), when, plugin, contents)
            self._summary.files += len(contents)

    def _read(self, head: FileHead) -> bytes | None:
        path = self._find_bytes(head)
        try:
            if path is not None:
                return path.read_bytes()
        except FileNotFoundError:
            pass  # removed meanwhile
        self._remarks.add("files without their bytes are left out")
        return None

    def finish(self) -> None:
        """Write the media and the end of the run, and rename its files."""
        self._write_files()
        head, last = self._head, max(self._starts, default=1)
        time = head.finished_at or head.updated_at or head.created_at
        if head.state == "running":
            self._remarks.add_once("it is still running, which an event file does not say")
        else:
            with self._open(last) as file:
                end = values.session_end(head.state, time)
                file.add_value(values.HPARAMS_END, 0, time, None, end)
        for part in sorted(self._path.glob("*.part")):
            part.rename(self._path / self._file_name(int(part.stem)))
        self._summary.runs += 1
        self._remarks.finish()

    def _file_name(self, attempt: int) -> str:
        start, host = self._starts.get(attempt, (self._head.created_at, ""))
        host = safe_name(host) or "trackai"
        name = f"events.out.tfevents.{start // 1_000_000:010}.{host}"
        return name if not (self._path / name).exists() else f"{name}.{attempt}"


def _texts(head: RunHead) -> dict[str, str]:
    """Return what has no place of its own in an event file."""
    texts = {"name": head.name if head.name != head.run_id else None, "notes": head.notes}
    lists = {"tags": head.tags, "environment": head.environment}
    encoded = {name: msgspec.json.encode(value).decode() for name, value in lists.items() if value}
    return {name: value for name, value in texts.items() if value} | encoded


def _content(plugin: str, value: Any) -> tuple[str, Any]:
    """Return which plugin shows a value, and the value as it takes it."""
    if plugin == "histograms" and (histogram := read_histogram(value)) is not None:
        return plugin, histogram
    return ("text" if isinstance(value, str) else plugin), value


def _tensor(plugin: str, value: Any) -> Any:
    if plugin == "scalars":
        return values.scalar(value)
    if plugin == "text":
        return values.text(value)
    if plugin == "histograms":
        return values.histogram(*value)
    return values.images(value) if plugin == "images" else values.sounds(value)


def _plugin(head: FileHead) -> str | None:
    suffix = head.name.rpartition(".")[2].lower()
    if suffix in values.IMAGES:
        return "images"
    return "audio" if suffix in values.SOUNDS else None


def _sorted(head: FileHead) -> Any:
    return head.writer.attempt, head.path, head.step or 0, head.timestamp or 0, _plugin(head) or ""


def _is_large(value: Any) -> bool:
    return type(value) is int and abs(value) > _MAX_EXACT and int(float(value)) != value


def _is_fractional(step: Step) -> bool:
    return type(step) is float and not step.is_integer()
