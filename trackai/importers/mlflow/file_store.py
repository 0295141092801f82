"""Reads the files below `mlruns`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.importers.liveness import is_silent
from trackai.importers.mlflow import TRASH, is_experiment
from trackai.importers.mlflow.runs import (
    DELETED_VERSION,
    NAME_TAG,
    PARENT_TAG,
    Details,
    Experiment,
    Run,
    known_facts,
    microseconds,
    refuse_unknown,
)
from trackai.importers.yaml_values import load_yaml
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.mlflow.points import Points
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block

    Columns = tuple[list[Any], list[Any], list[Any]]

_META = "meta.yaml"
_BYTES_TOGETHER = 1 << 21
_MAX_TEXT_BYTES = 1 << 20
_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_FACTS = ("user_id", "source_name", "source_version")
# Folders of an experiment that are not runs, and of a run that tell it from others.
_NOT_RUNS = ("tags", "datasets", "traces", "models")
_PARTS_OF_RUNS = ("metrics", "params", "tags")


class FileStore:
    """A folder of experiments, `mlruns`; a context manager.

    Attributes:
        root: the folder in which artifacts are looked for.
        runs: all runs, in the order in which they began.
        size: how many runs there are.
        done: how many of them were read.
    """

    unit = "runs"

    def __init__(self, folder: Path, root: Path, receipt: Receipt) -> None:
        self.name = folder.name
        self.root = root
        self.done = 0
        self.changed_at = folder.stat().st_mtime
        self._folder = folder
        self._receipt = receipt
        self._folders: dict[str, Path] = {}
        self._models: dict[str, dict[str, Path]] = {}
        self._traces = 0
        self.runs = sorted(self._list_runs(), key=lambda run: run.started_at or 0)
        self.size = len(self.runs)
        self._registered = self._list_registered()

    def __enter__(self) -> FileStore:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def details(self, run: Run) -> Details:
        """Read the parameters, tags and metadata of a run."""
        self.done += 1
        folder = self._folders[run.uuid]
        metadata = {
            "datasets": self._datasets(folder),
            "models": {
                model_id: self._model(model) for model_id, model in self._models_of(run).items()
            },
            "registered_models": self._registered.get(run.uuid, {}),
        }
        return Details(self._texts(folder / "params"), self._texts(folder / "tags"), metadata)

    def models(self, run: Run) -> list[tuple[str, str]]:
        """Return the ids of the models that a run has logged, and the locations of their files."""
        return [
            (model_id, (folder / "artifacts").as_uri())
            for model_id, folder in self._models_of(run).items()
        ]

    def folder(self, run: Run) -> Path | None:
        """Return the folder in which MLflow stores artifacts by default."""
        return self._folders[run.uuid] / "artifacts"

    def read_points(self, run: Run, points: Points) -> Iterator[Block]:
        """Yield the points of a run, in the order in which they were logged."""
        for metric, path in self._files(self._folders[run.uuid] / "metrics"):
            try:
                for columns in self._read_metric(path, self._where(path)):
                    yield from points.blocks(metric, *columns)
            except OSError as error:
                self._receipt.add_problem(self._where(path), f"cannot be read: {error.strerror}")

    def is_changing(self, run: Run, last_time: int) -> bool:
        """Whether a run without an end is still going on."""
        times = [0.0]
        for folder, _, names in os.walk(self._folders[run.uuid]):
            for name in names:
                with suppress(OSError):
                    times.append(Path(folder, name).lstat().st_mtime)
        return not is_silent(max(times))

    def finish(self) -> None:
        """Note in the receipt what is not imported."""
        if self._traces:
            self._receipt.refuse("traces", "not supported", self._traces)
        refuse_unknown(self._registered, self.runs, self._receipt)

    def _read_metric(self, path: Path, where: str) -> Iterator[Columns]:
        """Yield the steps, times and values of a metric, some thousands at a time."""
        damaged = 0
        with path.open("rb") as file:
            while lines := file.readlines(_BYTES_TOGETHER):
                if not lines[-1].endswith(b"\n"):
                    # Its number may be a part of one.
                    lines.pop()
                    self._receipt.add_remark(where, "the last line is incomplete")
                try:
                    yield _columns(lines)
                except ValueError:
                    columns, number = _valid_columns(lines)
                    damaged += number
                    yield columns
        if damaged:
            self._receipt.refuse("metrics", "damaged line", damaged)
            self._receipt.add_problem(where, f"{damaged} damaged lines")

    def _list_runs(self) -> Iterator[Run]:
        if is_experiment(self._folder):
            yield from self._runs_of(self._folder, is_deleted=False)
            return
        for parent in (self._folder, self._folder / TRASH):
            for folder in self._subfolders(parent):
                if is_experiment(folder):
                    yield from self._runs_of(folder, is_deleted=parent != self._folder)

    def _runs_of(self, folder: Path, *, is_deleted: bool) -> Iterator[Run]:
        meta = self._meta(folder)
        experiment = Experiment(
            id=folder.name, name=str(meta.get("name") or folder.name),
            is_deleted=is_deleted or meta.get("lifecycle_stage") == "deleted",
            tags=self._texts(folder / "tags"),
        )  # fmt: skip
        for run_folder in self._subfolders(folder):
            is_run = any((run_folder / part).is_dir() for part in _PARTS_OF_RUNS)
            if run_folder.name not in _NOT_RUNS and (is_run or (run_folder / _META).exists()):
                yield self._run(run_folder, experiment)
        for model in self._subfolders(folder / "models"):
            run_id = str(self._meta(model).get("source_run_id"))
            self._models.setdefault(run_id, {})[model.name] = model
        self._traces += len(list(self._subfolders(folder / "traces")))

    def _run(self, folder: Path, experiment: Experiment) -> Run:
        meta = self._meta(folder)
        own = self._texts(folder / "tags", NAME_TAG, PARENT_TAG)
        status = meta.get("status")
        run = Run(
            uuid=folder.name, experiment=experiment,
            name=own.get(NAME_TAG) or str(meta.get("run_name") or meta.get("name") or ""),
            parent=own.get(PARENT_TAG),
            status=_STATUSES.get(status, str(status)) if isinstance(status, int) else str(status),
            started_at=microseconds(meta.get("start_time")),
            ended_at=microseconds(meta.get("end_time")),
            is_deleted=experiment.is_deleted or meta.get("lifecycle_stage") == "deleted",
            artifact_uri=str(meta.get("artifact_uri") or ""),
            facts=known_facts(*(meta.get(key) for key in _FACTS)),
        )  # fmt: skip
        self._folders[run.uuid] = folder
        return run

    def _datasets(self, run_folder: Path) -> dict[str, Any]:
        """Return the data sets of a run, by name and digest."""
        datasets: dict[str, Any] = {}
        for folder in self._subfolders(run_folder / "inputs"):
            meta = self._meta(folder)
            source = run_folder.parent / "datasets" / str(meta.get("source_id")).replace("/", "")
            if meta.get("source_type") == "DATASET" and self._is_inside(source):
                dataset = self._meta(source)
                name, digest = str(dataset.pop("name", "")), str(dataset.pop("digest", ""))
                dataset["tags"] = meta.get("tags")
                datasets.setdefault(name, {})[digest] = dataset
        return datasets

    def _models_of(self, run: Run) -> dict[str, Path]:
        return self._models.get(run.uuid, {})

    def _model(self, folder: Path) -> dict[str, Any]:
        meta = self._meta(folder)
        return {
            "name": meta.get("name"), "type": meta.get("model_type"),
            "params": self._texts(folder / "params"), "tags": self._texts(folder / "tags"),
        }  # fmt: skip

    def _list_registered(self) -> dict[Any, dict[str, dict[str, Any]]]:
        """Return the registered models by run and name, each with the versions of the run."""
        registered: dict[Any, dict[str, dict[str, Any]]] = {}
        for model in self._subfolders(self._folder / "models"):
            aliases = self._texts(model / "aliases")
            described = {
                "description": self._meta(model).get("description"),
                "tags": self._texts(model / "tags"),
            }
            for folder in self._subfolders(model):
                meta = self._meta(folder) if folder.name.startswith("version-") else {}
                stage, number = meta.get("current_stage"), str(meta.get("version"))
                if not meta or stage == DELETED_VERSION:
                    continue
                models = registered.setdefault(meta.get("run_id"), {})
                named = models.setdefault(str(meta.get("name")), {**described, "versions": {}})
                named["versions"][number] = {
                    "stage": None if stage == "None" else stage,
                    "description": meta.get("description"),
                    "aliases": [alias for alias, of in aliases.items() if of.strip() == number],
                    "tags": self._texts(folder / "tags"),
                }
        return registered

    def _meta(self, folder: Path) -> dict[str, Any]:
        """Read what describes a folder; empty if that cannot be read."""
        path = folder / _META
        try:
            meta = load_yaml(path) if self._is_inside(path) else None
        except OSError as error:
            meta, problem = None, error.strerror or "cannot be read"
        except ValueError as error:
            meta, problem = None, str(error)
        else:
            problem = "not a mapping"
        if not isinstance(meta, dict):
            self._receipt.add_problem(self._where(path), f"cannot be read: {problem}")
            return {}
        return {str(key): value for key, value in meta.items()}

    def _texts(self, folder: Path, *names: str) -> dict[str, str]:
        """Read the files of a folder, all or those with names: texts by name."""
        files = [(name, folder / name) for name in names] or self._files(folder)
        texts = {}
        for name, path in files:
            if names and not (self._is_inside(path) and path.exists()):
                continue
            try:
                if path.stat().st_size > _MAX_TEXT_BYTES:
                    self._receipt.add_problem(self._where(path), "longer than a MiB")
                    continue
                texts[name] = path.read_bytes().decode(errors="backslashreplace")
            except OSError as error:
                self._receipt.add_problem(self._where(path), f"cannot be read: {error.strerror}")
        return texts

    def _files(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """Yield the files below a folder with their names, in which folders become "/"."""
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if not self._is_inside(path):
                    self._receipt.add_problem(self._where(path), "a link out of the folder")
                elif path.is_file():
                    yield without_surrogates(path.relative_to(folder).as_posix()), path

    def _subfolders(self, folder: Path) -> Iterator[Path]:
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            return
        for path in paths:
            if path.is_dir() and path.name != TRASH:
                if self._is_inside(path):
                    yield path
                else:
                    self._receipt.add_problem(self._where(path), "a link out of the folder")

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._folder)
        except (OSError, RuntimeError):
            return False

    def _where(self, path: Path) -> str:
        return path.relative_to(self._folder.parent).as_posix()


def _columns(lines: list[bytes]) -> Columns:
    """Read lines that all have a time, a value and a step.

    Raises:
        ValueError: a line is another one.
    """
    words = b"".join(lines).split()
    if len(words) != 3 * len(lines) or any(line.count(b" ") != 2 for line in lines):
        raise ValueError
    return list(map(int, words[2::3])), list(map(int, words[::3])), list(map(float, words[1::3]))


def _valid_columns(lines: list[bytes]) -> tuple[Columns, int]:
    """Read what can be read, and count the other lines.

    A line may also have no step, as in old versions, or a data set behind its step.
    """
    columns: Columns = ([], [], [])
    damaged = 0
    for line in lines:
        words = line.split()
        try:
            point = (_number(words[2]) if len(words) > 2 else 0, _number(words[0]), float(words[1]))
        except (ValueError, IndexError):
            damaged += 1
            continue
        for column, number in zip(columns, point, strict=True):
            column.append(number)
    return columns, damaged


def _number(word: bytes) -> int | float:
    try:
        return int(word)
    except ValueError:
        return float(word)
