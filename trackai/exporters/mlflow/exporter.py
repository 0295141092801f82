"""Writes runs to a folder: a database, and the files of the runs."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.exporters.folder import copy_file, plain_path, safe_path
from trackai.exporters.mlflow.database import Database
from trackai.exporters.run_exporter import RunExporter
from trackai.exporters.summary import RunRemarks
from trackai.exporters.texts import apart
from trackai.exporters.typed_config import typed_config
from trackai.structs.exchange import ArtifactHead, Block, FileHead, Rewind, RunHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.exporters.folder import FindBytes, Folder
    from trackai.exporters.summary import Summary
    from trackai.structs.exchange import Item
    from trackai.values.types import Step, Value

_UUID = re.compile("[0-9a-f]{32}")
_DEFAULT = "Default"
_STATUSES = {"completed": "FINISHED", "failed": "FAILED", "running": "RUNNING"}
_SYSTEM = "system/"
# MLflow's tags for facts of the environment.
_FACTS = {
    "user": "mlflow.user",
    "script": "mlflow.source.name",
    "git/commit": "mlflow.source.git.commit",
    "git/branch": "mlflow.source.git.branch",
    "git/remote": "mlflow.source.git.repoURL",
}
_INFINITE = "infinities are 1.8e308, as MLflow stores them"
_ROUNDED = "integers beyond 2**53 are rounded"
_CUT = "fractional steps are cut"
_TEXTS = "texts and histograms are in artifacts, texts/<metric>.jsonl"


class Exporter(RunExporter):
    """Writes a database and a folder of artifacts."""

    def __init__(self, folder: Folder, find_bytes: FindBytes, summary: Summary) -> None:
        super().__init__(folder, find_bytes, summary)
        self._db = Database(folder.staging / "mlflow.part")
        self._artifacts = folder.add("mlruns")
        # By the name of the project. MLflow expects the first one.
        self._experiments: dict[str, int] = {}

    def _begin(self, head: RunHead) -> _Run:
        if not self._experiments:
            self._experiment(_DEFAULT, head.created_at)
        id_ = self._experiment(head.project, head.created_at)
        run = _Run(self._db, head, id_, self._find_bytes, self._summary)
        run.begin(self._location(id_), self._artifacts / str(id_))
        return run

    def _experiment(self, name: str, time: int) -> int:
        if name not in self._experiments:
            id_ = self._experiments[name] = len(self._experiments)
            self._db.add_experiment(id_, name, self._location(id_), time // 1000)
        return self._experiments[name]

    def _location(self, id_: int) -> str:
        """Return where the artifacts of an experiment will be."""
        return (self._folder.path / "mlruns" / str(id_)).as_posix()

    def close(self) -> None:
        """Complete the database."""
        self._end_run()
        if not self._experiments:
            self._experiment(_DEFAULT, 0)
        self._db.close()
        self._artifacts.mkdir(exist_ok=True)
        part = self._folder.staging / "mlflow.part"
        part.rename(self._folder.add("mlflow.db"))


class _Run:
    """Writes a run as it is read."""

    def __init__(
        self, db: Database, head: RunHead, experiment: int, find_bytes: FindBytes, summary: Summary
    ) -> None:
        self._db, self._head, self._experiment = db, head, experiment
        self._find_bytes, self._summary = find_bytes, summary
        self._remarks = RunRemarks(summary, f"run {head.run_id}")
        self._uuid = head.uid if _UUID.fullmatch(head.uid) else stable_uid("trackai", head.uid)
        self._system_steps: dict[str, int] = {}

    def begin(self, location: str, folder: Path) -> None:
        """Write what is known of the run before its points.

        Args:
            location: where the artifacts of its experiment will be.
            folder: where they are written.
        """
        head, uuid = self._head, self._uuid
        self._folder = folder / uuid / "artifacts"
        facts = next(iter(head.environment.values()), {})
        finished_at = head.finished_at
        if finished_at is None and head.state != "running":
            finished_at = head.updated_at
        self._db.add_run(
            {
                "run_uuid": uuid,
                "name": head.name or head.run_id,
                "source_type": "LOCAL",
                "source_name": str(facts.get("script", "")),
                "entry_point_name": "",
                "user_id": str(facts.get("user", "")),
                "status": _STATUSES[head.state],
                "start_time": head.created_at // 1000,
                "end_time": None if finished_at is None else finished_at // 1000,
                "source_version": "",
                "lifecycle_stage": "active",
                "artifact_uri": f"{location}/{uuid}/artifacts",
                "experiment_id": self._experiment,
            }
        )
        params = {key: str(value) for key, value in typed_config(head).items()}
        self._db.add_texts("params", uuid, params)
        self._db.add_texts("tags", uuid, _tags(head, facts))
        if head.environment:
            text = msgspec.json.format(msgspec.json.encode(head.environment))
            self._append("environment.json", text)

    def add(self, item: Item) -> None:
        """Write a part of the run."""
        if isinstance(item, FileHead):
            self._copy(item, _path(item, self._remarks))
        elif isinstance(item, ArtifactHead):
            self._remarks.add_artifact(item)
        elif isinstance(item, Rewind):
            self._remarks.add_once("points that were superseded are written like the others")
        elif isinstance(item, Block):
            if item.writer.attempt > 1:
                self._remarks.add_once("the points of all attempts are those of one run")
            self._add_points(item)

    def _add_points(self, block: Block) -> None:
        self._summary.points += len(block.steps)
        if block.kind in ("text", "histogram"):
            self._add_texts(block)
            return
        numbers = block
        if any(isinstance(value, str) for value in block.values):
            numbers, texts = apart(block)
            self._add_texts(texts)
        self._note(numbers)
        times = [time // 1000 for time in numbers.timestamps]
        self._db.add_points(
            self._uuid, self._name(block), self._steps(numbers), times, numbers.values
        )

    def _note(self, block: Block) -> None:
        values = block.values
        self._remarks.add(
            _INFINITE, sum(type(value) is float and math.isinf(value) for value in values)
        )
        self._remarks.add(
            _ROUNDED, sum(type(value) is int and int(float(value)) != value for value in values)
        )

    def _name(self, block: Block) -> str:
        """Return the name of a metric; those of the system are recognised by theirs."""
        if block.axis == "step" or block.metric.startswith(_SYSTEM):
            return block.metric
        name = f"{_SYSTEM}{block.metric}"
        self._remarks.add_once(f"the system metric {block.metric} becomes {name}")
        return name

    def _steps(self, block: Block) -> list[int]:
        """Return steps as integers. Those of system metrics count their points."""
        if block.axis == "time":
            first = self._system_steps.get(block.metric, 0)
            self._system_steps[block.metric] = first + len(block.steps)
            return list(range(first, first + len(block.steps)))
        self._remarks.add(
            _CUT, sum(type(step) is float and not step.is_integer() for step in block.steps)
        )
        return [int(step) for step in block.steps]

    def _add_texts(self, block: Block) -> None:
        self._remarks.add(_TEXTS, len(block.steps))
        encode = msgspec.json.Encoder().encode
        lines = [
            encode(_line(block, step, time, value))
            for step, time, value in zip(block.steps, block.timestamps, block.values, strict=True)
        ]
        self._append(f"texts/{safe_path(block.metric)}.jsonl", *lines)

    def _append(self, name: str, *lines: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)

    def _copy(self, head: FileHead, relative: str) -> None:
        source = self._find_bytes(head)
        path = None
        if source is not None:
            path = copy_file(source, self._folder, safe_path(relative))
        if path is None:
            self._remarks.add("files without their bytes are left out")
        else:
            self._summary.files += 1

    def finish(self) -> None:
        """Write what follows from all points."""
        self._db.add_latest(self._uuid)
        self._summary.runs += 1
        self._remarks.finish()


def _tags(head: RunHead, facts: dict[str, Any]) -> dict[str, str]:
    tags = dict.fromkeys(head.tags, "")
    tags |= {tag: str(facts[fact]) for fact, tag in _FACTS.items() if facts.get(fact)}
    tags["mlflow.runName"] = head.name or head.run_id
    own = {
        "mlflow.note.content": head.notes,
        "trackai.group": head.group_name,
        "trackai.run_id": head.run_id,
    }
    return tags | {key: value for key, value in own.items() if value}


def _line(block: Block, step: Step, time: int, value: Value) -> dict[str, Any]:
    position = {"step": step} if block.axis == "step" else {}
    return {**position, "time": time / 1e6, "value": value}


def _path(head: FileHead, remarks: RunRemarks) -> str:
    """Return where a file goes: with its step, which MLflow does not have."""
    if head.step is None or head.name.startswith(f"{head.step}"):
        return plain_path(head)
    remarks.add("the steps of files are in their paths")
    return f"{head.path}/{head.step}/{head.name}"
