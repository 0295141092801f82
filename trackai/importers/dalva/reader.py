"""Reads runs and their tables."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.bundles import Contents, walk
from trackai.importers.dalva import EVENTS, MANIFEST, read_manifest, resource_type
from trackai.importers.dalva.journal import read_events
from trackai.importers.json_values import json_value
from trackai.importers.liveness import last_change, open_state
from trackai.importers.logged_numbers import is_beyond_64_bits, is_step, stored_number
from trackai.importers.names import shown
from trackai.importers.receipt import Receipt
from trackai.importers.source_database import parse_time
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.dalva.journal import Event
    from trackai.importers.progress import Progress
    from trackai.structs.exchange import Block, Chunk, Item
    from trackai.values.types import Kind, State, Step, Value

_DEFAULT_PROJECT = "dalva"
_TABLES = "tables"
# Events that say nothing more than others.
_IGNORED = ("run_created", "run_forked", "table_created")


class Source:
    """The runs below a path: the folder of one, or any folder above."""

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt, self._progress = receipt, progress
        self._contents = Contents()

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and tables, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        root = self._path.resolve()
        folders: list[tuple[Path, dict[str, Any]]] = []
        tables = 0
        for folder, names in walk(root):
            if MANIFEST not in names:
                continue
            manifest = read_manifest(folder)
            type_ = resource_type(manifest)
            if manifest is not None and type_ == "run":
                folders.append((folder, manifest))
            elif type_ == "table" and folder.parent.name != _TABLES:
                tables += 1
            elif manifest is None and (folder / EVENTS).is_dir():
                self._receipt.add_problem(f"{folder.name}/{MANIFEST}", "is damaged")
        if not folders and not self._receipt.problems:
            raise InvalidInputError(str(self._path), "no runs of Dalva found (RUN-*/manifest.json)")
        if tables:
            self._receipt.refuse("tables", "they belong to no run", tables)
        for number, (folder, manifest) in enumerate(folders, start=1):
            yield from _Run(folder, manifest, self._receipt, self._contents).read()
            self._progress.share(number, len(folders), "runs")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes: none, for they are sent."""
        return self._contents.find(head)


class _Run:
    """Reads one run."""

    def __init__(
        self, folder: Path, manifest: dict[str, Any], receipt: Receipt, contents: Contents
    ) -> None:
        self._folder = folder
        self._receipt = receipt
        self._contents = contents
        self._config: dict[str, Any] = {}
        self._fork_from: str | None = None
        # By metric, the numbers of events that removed points before them, and of which step.
        self._removals: dict[str, list[tuple[int, Any]]] = {}
        self._end: State | None = None
        self._last_time = 0
        self._attempt = 1
        self._rounded: set[str] = set()
        # By metric, the attempt that logs it, and its last step.
        self._last_steps: dict[str, tuple[int, Step]] = {}
        self._look_ahead()
        self.head = self._make_head(manifest)
        self._builders = {1: self._builder(self.head.created_at)}

    def read(self) -> Iterator[Item | Chunk]:
        """Yield the items of the run."""
        yield self.head
        for event in read_events(self._folder, self._receipt):
            yield from self._read_event(event)
        for builder in self._builders.values():
            yield from builder.flush()
        self._set_end()
        yield from self._read_tables()
        for metric in sorted(self._rounded):
            remark = f"{metric}: integers beyond 64 bits are rounded"
            self._receipt.add_remark(self._folder.name, remark)
        yield self.head

    def _look_ahead(self) -> None:
        """Read what later events say about earlier ones."""
        events = read_events(self._folder, Receipt("", ""), (b"metric_removed", b"run_created"))
        for seq, _, type_, payload in events:
            if type_ == "metric_removed":
                removal = (seq, payload.get("step"))
                self._removals.setdefault(str(payload.get("metric")), []).append(removal)
            elif type_ == "run_created" and isinstance(payload.get("fork_from"), str):
                self._fork_from = payload["fork_from"]

    def _make_head(self, manifest: dict[str, Any]) -> RunHead:
        run_id = str(manifest.get("run_id") or self._folder.name)
        created_at = parse_time(manifest.get("created_at"))
        return RunHead(
            uid=_run_uid(run_id), project=str(manifest.get("project") or _DEFAULT_PROJECT),
            run_id=run_id, name=str(manifest.get("name") or run_id), state="running",
            created_at=0 if created_at is None else created_at,
            # A fork has copies of the points of its parent, so it inherits none.
            fork_uid=None if self._fork_from is None else _run_uid(self._fork_from),
        )  # fmt: skip

    def _builder(self, started_at: int) -> BlockBuilder:
        writer = WriterHead(
            uid=stable_uid(self.head.uid, str(self._attempt)), attempt=self._attempt, host="dalva",
            started_at=started_at,
        )  # fmt: skip
        return BlockBuilder(self.head.uid, writer)

    def _read_event(self, event: Event) -> Iterator[Block]:
        _, time, type_, payload = event
        self._last_time = max(self._last_time, time)
        match type_:
            case "metrics_logged":
                yield from self._read_metrics(event)
            case "config_logged":
                self._add_config(payload.get("config"))
            case "config_removed":
                self._config.pop(str(payload.get("key")), None)
            case "run_created":
                self._add_config(payload.get("config"))
            case "run_resumed":
                self._end = None
                self._attempt += 1
                self._builders[self._attempt] = self._builder(time)
            case "run_finished":
                self._end = "failed" if payload.get("state") == "failed" else "completed"
            case _ if type_ not in (*_IGNORED, "metric_removed"):
                self._receipt.refuse("events", f"{shown(type_)} is not supported")

    def _add_config(self, config: Any) -> None:
        """Add keys; Dalva keeps the first value of each."""
        if not isinstance(config, dict):
            self._receipt.refuse("configuration", "not an object")
            return
        self._config = {**flat(config, json_value), **self._config}

    def _read_metrics(self, event: Event) -> Iterator[Block]:
        seq, time, _, payload = event
        metrics, step = payload.get("metrics"), payload.get("step")
        if not isinstance(metrics, dict) or not (step is None or is_step(step)):
            self._receipt.refuse("metrics", f"invalid metrics or step: {step!r}")
            return
        for metric, logged in metrics.items():
            if self._is_removed(metric, seq, step):
                continue
            kind: Kind = "text" if isinstance(logged, str) else "number"
            value: Value | None = logged if isinstance(logged, str) else stored_number(logged)
            if value is None:
                self._receipt.refuse("metrics", "not a number, a boolean or a text")
                continue
            if is_beyond_64_bits(logged):
                self._rounded.add(metric)
            # A value of the whole run has no step.
            position = 0 if step is None else step
            builder = self._builders[self._attempt_of(metric, position)]
            yield from builder.add(metric, "step", kind, position, time, value)

    def _is_removed(self, metric: str, seq: int, step: Any) -> bool:
        return any(
            seq < removal and (removed is None or removed == step)
            for removal, removed in self._removals.get(metric, ())
        )

    def _attempt_of(self, metric: str, step: Step) -> int:
        """Return the attempt that a point belongs to.

        A resumed run that fills in earlier steps does not replace what follows them, as the points
        of a new attempt would.
        """
        attempt, last = self._last_steps.get(metric, (self._attempt, step))
        if attempt < self._attempt and step > last:
            attempt = self._attempt
        self._last_steps[metric] = (attempt, max(step, last))
        return attempt

    def _set_end(self) -> None:
        head = self.head
        events = self._folder / EVENTS
        if self._end is None:
            head.state = open_state(last_change([self._folder / MANIFEST, *events.glob("*.jsonl")]))
        else:
            head.state = self._end
        head.config = self._config
        head.updated_at = max(self._last_time, head.created_at)
        head.finished_at = None if head.state == "running" else head.updated_at

    def _read_tables(self) -> Iterator[Item | Chunk]:
        for path in sorted((self._folder / _TABLES).glob(f"*/{MANIFEST}")):
            folder = path.parent
            manifest = read_manifest(folder)
            if folder.is_symlink() or not folder.resolve().is_relative_to(self._folder.resolve()):
                self._receipt.add_problem(f"{_TABLES}/{folder.name}", "is a link; not followed")
            elif manifest is None:
                self._receipt.add_problem(f"{folder.name}/{MANIFEST}", "is damaged")
            elif manifest.get("state") == "finished" or self.head.state != "running":
                yield from self._read_table(folder, manifest)

    def _read_table(self, folder: Path, manifest: dict[str, Any]) -> Iterator[Item | Chunk]:
        """Yield a table as the SDK stores tables. Its rows are read twice, for their hash."""
        name = str(manifest.get("name") or folder.name)
        removed_at, time = 0, self.head.created_at
        for event in read_events(folder, self._receipt):
            time = event.time if event.type == "table_created" else time
            removed_at = event.seq if event.type == "table_rows_removed" else removed_at
        digest, size = hashlib.sha256(), 0
        for data in _table(folder, manifest, removed_at):
            digest.update(data)
            size += len(data)
        head = FileHead(
            run_uid=self.head.uid, kind="file", path=name, name=f"{name}.table.json",
            writer=WriterHead(uid=stable_uid(self.head.uid, "1"), host="dalva",
                              started_at=self.head.created_at),
            timestamp=time, source=f"{_TABLES}/{folder.name}",
        )  # fmt: skip
        chunks = _table(folder, manifest, removed_at)
        yield from self._contents.send(digest.hexdigest(), size, chunks, head)


def _run_uid(run_id: str) -> str:
    return stable_uid("dalva", run_id)


def _table(folder: Path, manifest: dict[str, Any], removed_at: int) -> Iterator[bytes]:
    """Yield the JSON of a table in pieces, of rows after an event that has removed all others."""
    schema = manifest.get("column_schema")
    columns = [
        str(column.get("name"))
        for column in (schema if isinstance(schema, list) else [])
        if isinstance(column, dict)
    ]
    yield b'{"columns":' + json.dumps(columns).encode() + b',"data":['
    separator = ""
    for event in read_events(folder, Receipt("", "")):
        if event.type != "table_rows_logged" or event.seq < removed_at:
            continue
        rows = event.payload.get("rows")
        for row in rows if isinstance(rows, list) else []:
            row = row if isinstance(row, dict) else {}
            cells = [json_value(row.get(column)) for column in columns]
            yield (separator + json.dumps(cells)).encode()
            separator = ","
    yield b"]}"
