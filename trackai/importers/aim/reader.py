"""Reads the runs of Aim's repositories: metrics, media, console output and parameters."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.aim import FOLDER, recognises
from trackai.importers.aim.repository import Repository, rows, series
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.json_values import json_value, non_finite_types
from trackai.importers.liveness import open_state
from trackai.importers.shared_keys import refuse_shared_keys
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.steps import STEP_LIMIT
from trackai.values.text import without_surrogates
from trackai.values.types import INT64
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State

_NUMBERS = ("float", "int", "number", "float64", "int64", "bool")
_SYSTEM = "__system__"
# Arguments, packages, git and environment variables of the process. The last may be secret.
_FACTS, _SECRET = "__system_params", "environment_variables"
_MEDIA = ("aim.image", "aim.audio", "aim.figure")
_TEXTS = ("aim.text", "aim.log_line", "aim.log_record")


class Source:
    """The runs of a repository.

    Args:
        path: the folder that `.aim` is in, or `.aim`.
        receipt: notes what is not supported or cannot be read.
    """

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and media, and its final head.

        Raises:
            InvalidInputError: a repository is missing, or cannot be opened.
            TrackAIError: aim is not installed.
        """
        if not recognises(self._path):
            raise InvalidInputError(str(self._path), f"no repository of Aim found ({FOLDER})")
        root = self._path.absolute()
        root = root.parent if root.name == FOLDER else root
        repository = Repository(root)
        try:
            hashes = repository.hashes()
            for number, run_hash in enumerate(hashes):
                try:
                    run = _Run(repository.run(run_hash), run_hash, root / FOLDER, self._receipt)
                    yield from run.read()
                except repository.errors as error:
                    self._receipt.add_problem(f"run {run_hash}", f"cannot be read: {error}")
                self._progress.share(number + 1, len(hashes), "runs")
        finally:
            repository.close()

    def find_bytes(self, head: FileHead) -> Path | None:
        """Media are yielded with their bytes."""
        return None


class _Run:
    """Reads a run."""

    def __init__(self, run: Any, run_hash: str, folder: Path, receipt: Receipt) -> None:
        self._run = run
        self._folder = folder
        self._receipt = receipt
        started_at = _microseconds(run.creation_time)
        params = run.get(..., {})
        params = params if isinstance(params, dict) else {}
        facts = params.pop(_FACTS, {})
        facts = facts if isinstance(facts, dict) else {}
        facts.pop(_SECRET, None)
        refuse_shared_keys(receipt, run_hash, params)
        project = run.experiment or "default"
        self.head = RunHead(
            uid=stable_uid("aim", run_hash), project=project, run_id=run_hash, name=run.name,
            notes=run.description or None, tags=list(run.tags), state="running",
            created_at=started_at, config=flat(params, self._config_value),
            config_types=non_finite_types(params),
            environment={1: flat(facts, _plain)},
        )  # fmt: skip
        if run.archived:
            self.head.config["_aim/archived"] = True
        self._writer = WriterHead(
            uid=stable_uid(self.head.uid, "writer"), host="aim", started_at=started_at
        )
        self._blocks = BlockBuilder(self.head.uid, self._writer)
        self._last_time = started_at
        self._epochs: dict[Any, tuple[int, Any]] = {}
        self._metrics: set[str] = set()

    def read(self) -> Iterator[Item | Chunk]:
        yield self.head
        for context, name, dtype, tree in series(self._run):
            yield from self._read_series(_metric(name, context), dtype, tree)
        if "epoch" not in self._metrics:
            for step, (at, epoch) in self._epochs.items():
                yield from self._blocks.add("epoch", "step", "number", step, at, epoch)
        yield from self._blocks.flush()
        if self._run.artifacts:
            reason = "files of artifacts are not in the repository"
            self._receipt.refuse("artifacts", reason, len(self._run.artifacts))
        ended_at = self._run.end_time
        self.head.state = "completed" if ended_at else self._open_state()
        self.head.updated_at = max(self._last_time, _microseconds(ended_at or 0))
        self.head.finished_at = None if self.head.state == "running" else self.head.updated_at
        yield self.head

    def _open_state(self) -> State:
        folders = (self._folder / kind / "chunks" / self.head.run_id for kind in ("meta", "seqs"))
        files = [file for folder in folders for file in folder.glob("*")]
        return open_state(max((file.stat().st_mtime for file in files), default=0.0))

    def _read_series(
        self, metric: str, dtype: str, tree: Any
    ) -> Iterator[Block | FileHead | Chunk]:
        is_list = dtype.startswith("list(")
        kind = dtype.removeprefix("list(").removesuffix(")")
        if kind not in (*_NUMBERS, *_MEDIA, *_TEXTS, "aim.distribution"):
            self._receipt.refuse(kind, f"series of {kind} are not supported")
            return
        for at, step, value, epoch in rows(tree, has_steps=kind in _NUMBERS):
            time_ = _microseconds(at)
            self._last_time = max(self._last_time, time_)
            if not -STEP_LIMIT < step < STEP_LIMIT:
                self._receipt.refuse("metrics", f"invalid step: {step!r}")
                continue
            if isinstance(epoch, int | float) and epoch == epoch:
                # The first of all metrics, which stays the same when a run goes on.
                self._epochs[step] = min(self._epochs.get(step, (time_, epoch)), (time_, epoch))
            values = list(value) if is_list and isinstance(value, list | tuple) else [value]
            if kind in _NUMBERS:
                yield from self._read_number(metric, step, time_, value)
            elif kind in _MEDIA:
                yield from self._read_media(metric, step, time_, values)
            else:
                for item in values:
                    yield from self._read_object(metric, kind, step, time_, item)

    def _read_number(self, metric: str, step: Any, at: int, value: Any) -> Iterator[Block]:
        if not isinstance(value, int | float):
            self._receipt.refuse("metrics", "not a number")
            return
        self._metrics.add(metric)
        if isinstance(value, int) and not -INT64 <= value < INT64:
            value = float(value)
        if metric.startswith("system/"):
            yield from self._blocks.add(metric, "time", "number", at, at, value)
        else:
            yield from self._blocks.add(metric, "step", "number", step, at, value)

    def _read_object(
        self, metric: str, kind: str, step: Any, at: int, item: Any
    ) -> Iterator[Block]:
        storage = item.storage
        if kind == "aim.distribution":
            counts, edges = item.to_np_histogram()
            content = {"type": "COUNTING", "edges": edges.tolist(), "values": counts.tolist()}
            text = msgspec.json.encode(json_value(content)).decode()
            yield from self._blocks.add(metric, "step", "histogram", step, at, text)
        elif kind == "aim.log_line":
            line = without_surrogates(item.data)
            yield from self._blocks.add("logs/stdout", "time", "text", at, at, line)
        elif kind == "aim.log_record":
            message = without_surrogates(str(storage["message"]))
            yield from self._blocks.add("logs/records", "time", "text", at, at, message)
        else:
            yield from self._blocks.add(
                metric, "step", "text", step, at, without_surrogates(item.data)
            )

    def _read_media(
        self, metric: str, step: Any, at: int, items: list[Any]
    ) -> Iterator[FileHead | Chunk]:
        for number, item in enumerate(items):
            data = item.storage["data"].load()
            data = data.encode() if isinstance(data, str) else bytes(data)
            sha256 = hashlib.sha256(data).hexdigest()
            format_ = str(item.storage["format"]).replace("raw_json", "json").replace("/", "")
            suffix = f"-{number}" if len(items) > 1 else ""
            yield Chunk(sha256=sha256, data=data)
            yield FileHead(
                run_uid=self.head.uid, writer=self._writer, path=metric, kind="file_series",
                name=f"{metric.rpartition('/')[2]}-{step}{suffix}.{format_}", step=step,
                timestamp=at, size=len(data), sha256=sha256,
            )  # fmt: skip

    def _config_value(self, value: Any) -> Any:
        try:
            msgspec.json.encode(json_value(value))
        except TypeError:
            remark = "configuration: objects of aim are the text that Python shows"
            self._receipt.add_remark(f"run {self.head.run_id}", remark)
            return without_surrogates(str(value))
        return json_value(value)


def _plain(value: Any) -> Any:
    return json_value(value) if isinstance(value, str | int | float | bool | list) else str(value)


def _metric(name: str, context: dict[str, Any]) -> str:
    """Return the name of a series, which aim names by a context, too: "loss/subset=train"."""
    if name.startswith(_SYSTEM):
        name = f"system/{name.removeprefix(_SYSTEM)}"
    parts = flat(context, str)
    return "/".join([name, *(f"{key}={parts[key]}" for key in sorted(parts))])


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6) if math.isfinite(seconds) else 0
