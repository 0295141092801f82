"""Reads a SQLite database of MLflow."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.liveness import is_silent
from trackai.importers.mlflow import METRICS_COLUMNS, RUNS_COLUMNS
from trackai.importers.mlflow.runs import (
    DELETED_VERSION,
    NAME_TAG,
    PARENT_TAG,
    Details,
    Experiment,
    Run,
    known_facts,
    microseconds,
    problem_of,
    refuse_unknown,
)
from trackai.importers.source_database import open_source
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.mlflow.points import Points
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block

    Series = dict[Any, tuple[list[Any], list[Any], list[Any]]]

# A query for so many rows takes some tens of milliseconds.
_ROWS_AT_ONCE = 50_000
# How many points are gathered by metric, and then stored together.
_POINTS_TOGETHER = 200_000
# A run without an end is running if its file has changed lately, and it has itself logged something
# within this time: other runs change the file, too.
_IDLE_SECONDS = 3600
# What MLflow stores in place of infinity.
_LARGEST = sys.float_info.max
_DEFAULT_WORKSPACE = "default"
# Tables of what is not imported, and their names in the receipt.
_NOT_SUPPORTED = {"trace_info": "traces", "evaluation_datasets": "evaluation data sets"}


class Database:
    """A database; a context manager.

    MLflow uses no write-ahead log, so it cannot write during a read, and fails after 20
    seconds. So points are read by short queries. Those that are added meanwhile are left out.

    Attributes:
        root: the folder in which its artifacts are looked for.
        runs: all runs, in the order in which they began.
        size: the last row of points when it was opened.
        done: how many of them were read.

    Raises:
        InvalidInputError: it cannot be read, or is of another program.
    """

    unit = "points"

    def __init__(self, path: Path, receipt: Receipt) -> None:
        self.name = path.name
        self.root = path.parent
        self.changed_at = _changed_at(path)
        self.done = 0
        self._receipt = receipt
        self._infinities = 0
        self._resources = ExitStack()
        try:
            self._db = self._resources.enter_context(open_source(path))
            if not (
                self._db.has("runs", *RUNS_COLUMNS) and self._db.has("metrics", *METRICS_COLUMNS)
            ):
                raise InvalidInputError(str(path), "not a database of MLflow")
            self._tables = {table: self._by_run(table) for table in ("metrics", "params", "tags")}
            self.runs = self._list_runs()
            self._models = self._list_models()
            self._registered = self._list_registered()
            last_row = self._readable("metrics", self._db.rows("SELECT max(rowid) FROM metrics"))
            self.size = next(last_row, (0,))[0] or 0
            self._db.release()
        except BaseException:
            self._resources.close()
            raise

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def details(self, run: Run) -> Details:
        """Read the parameters, tags and metadata of a run."""
        params, tags = (
            {str(key): "" if value is None else str(value) for key, value in rows}
            for rows in (self._rows_of(run, table, "key", "value") for table in ("params", "tags"))
        )
        metadata = {
            "datasets": self._datasets(run),
            "models": {model_id: self._model(model_id) for model_id, _ in self.models(run)},
            "registered_models": self._registered.get(run.uuid, {}),
        }
        return Details(params, tags, metadata)

    def models(self, run: Run) -> list[tuple[str, str]]:
        """Return the ids of the models that a run has logged, and the locations of their files."""
        return self._models.get(run.uuid, [])

    def folder(self, run: Run) -> None:
        """Return None: a run in a database has no folder but that of its artifacts."""

    def read_points(self, run: Run, points: Points) -> Iterator[Block]:
        """Yield the points of a run, in the order in which they were logged.

        Raises:
            InvalidInputError: the database is damaged there; what can be read was yielded before.
        """
        query = self._query_for_points()
        series: Series = {}
        gathered = 0
        failure = None
        for first, last in self._pieces(run):
            try:
                for rows in self._db.batches(query, run.uuid, first, last):
                    _add(rows, series)
                    gathered += len(rows)
            except InvalidInputError as error:
                failure = error
            if gathered >= _POINTS_TOGETHER or last == self.size:
                self.done += gathered
                yield from self._blocks(series, points)
                series, gathered = {}, 0
        if failure is not None:
            raise failure

    def is_changing(self, run: Run, last_time: int) -> bool:
        """Whether a run without an end is still going on.

        Args:
            last_time: the latest time of the run, in microseconds since the epoch.
        """
        return not (is_silent(self.changed_at) or is_silent(last_time / 1e6, _IDLE_SECONDS))

    def finish(self) -> None:
        """Note in the receipt what was converted, and what is not imported."""
        if self._infinities:
            remark = f"infinities, which MLflow stores as 1.8e308: {self._infinities}"
            self._receipt.add_remark(self.name, remark)
        for table, type_ in _NOT_SUPPORTED.items():
            if number := self._db.count(table):
                self._receipt.refuse(type_, "not supported", number)
        refuse_unknown(self._registered, self.runs, self._receipt)

    def _pieces(self, run: Run) -> Iterator[tuple[int, int]]:
        """Yield the bounds of pieces of the points of a run: after the first and to the second."""
        query = f"""
            SELECT rowid FROM {self._tables["metrics"]}
            WHERE run_uuid = ? AND rowid > ? AND rowid <= ? ORDER BY rowid
            LIMIT 1 OFFSET {_ROWS_AT_ONCE - 1}
        """  # noqa: S608 - of fixed names
        first = -INT64
        while first != self.size:
            rows = self._readable("metrics", self._db.rows(query, run.uuid, first, self.size))
            [(last,)] = list(rows) or [(self.size,)]
            yield first, last
            first = last

    def _query_for_points(self) -> str:
        """Return the query for a piece; a value that is not a number is NULL."""
        value = "CASE WHEN is_nan THEN NULL ELSE value END"
        return f"""
            SELECT key, {self._column("metrics", "step", "0")}, timestamp,
                {value if self._db.has("metrics", "is_nan") else "value"}
            FROM {self._tables["metrics"]}
            WHERE run_uuid = ? AND rowid > ? AND rowid <= ? ORDER BY rowid
        """  # noqa: S608 - of fixed names

    def _blocks(self, series: Series, points: Points) -> Iterator[Block]:
        for key, (steps, times, values) in series.items():
            numbers = values
            if None in values:
                numbers = [math.nan if value is None else value for value in values]
            if _LARGEST in values or -_LARGEST in values:
                self._infinities += values.count(_LARGEST) + values.count(-_LARGEST)
                numbers = [_with_infinity(value) for value in numbers]
            yield from points.blocks(str(key), steps, times, numbers)

    def _by_run(self, table: str) -> str:
        """Return a table with an index by run: a copy, if an old version has made none."""
        if not self._db.has(table, "run_uuid"):
            return table
        indexes = self._db.rows(
            """
            SELECT indexes.name FROM pragma_index_list(?) AS indexes
            JOIN pragma_index_info(indexes.name) AS columns
            WHERE columns.seqno = 0 AND columns.name = 'run_uuid' AND NOT indexes.partial
            """,
            table,
        )
        if list(indexes):
            return table
        with suppress(InvalidInputError):  # damaged: read what is left, slowly
            for statement in (
                f"CREATE TEMP TABLE {table}_by_run AS SELECT * FROM main.{table} ORDER BY rowid",  # noqa: S608
                f"CREATE INDEX temp.{table}_of_run ON {table}_by_run (run_uuid)",
            ):
                list(self._db.rows(statement))
            return f"temp.{table}_by_run"
        return f"main.{table}"

    def _column(self, table: str, column: str, default: str = "NULL") -> str:
        return column if self._db.has(table, column) else default

    def _rows(self, table: str, *columns: str, where: str = "", value: Any = None) -> Iterator[Any]:
        """Yield rows in the order in which they were inserted; missing columns are NULL."""
        if table not in self._db.columns:
            return iter(())
        selected = ", ".join(self._column(table, column) for column in columns)
        condition = f"WHERE {where} = ?" if where else ""
        query = f"SELECT {selected} FROM {self._tables.get(table, table)} {condition}"  # noqa: S608
        values = [value] if where else []
        return self._readable(table, self._db.rows(f"{query} ORDER BY rowid", *values))

    def _readable(self, table: str, rows: Iterator[Any]) -> Iterator[Any]:
        """Yield the rows of a table up to where it is damaged; that is a problem."""
        try:
            yield from rows
        except InvalidInputError as error:
            self._receipt.add_problem(f"{self.name}, table {table}", problem_of(error))

    def _rows_of(self, run: Run, table: str, *columns: str) -> Iterator[Any]:
        return self._rows(table, *columns, where="run_uuid", value=run.uuid)

    def _list_runs(self) -> list[Run]:
        experiments = self._list_experiments()
        names = dict(self._rows_with_key(NAME_TAG))
        parents = dict(self._rows_with_key(PARENT_TAG))
        runs = []
        for uuid, experiment_id, name, status, start, end, stage, uri, *facts in self._rows(
            "runs", "run_uuid", "experiment_id", "name", "status", "start_time", "end_time",
            "lifecycle_stage", "artifact_uri", "user_id", "source_name", "source_version",
        ):  # fmt: skip
            experiment = experiments.get(experiment_id)
            if experiment is None:
                experiment = Experiment(id=str(experiment_id), name=f"experiment {experiment_id}")
            run = Run(
                uuid=str(uuid), experiment=experiment, name=names.get(uuid) or name or "",
                parent=parents.get(uuid), status=str(status), started_at=microseconds(start),
                ended_at=microseconds(end), artifact_uri=str(uri or ""),
                is_deleted=stage == "deleted" or experiment.is_deleted,
                facts=known_facts(*facts),
            )  # fmt: skip
            runs.append(run)
        return sorted(runs, key=lambda run: run.started_at or 0)

    def _rows_with_key(self, key: str) -> Iterator[tuple[str, str]]:
        return self._rows("tags", "run_uuid", "value", where="key", value=key)

    def _list_experiments(self) -> dict[Any, Experiment]:
        tags: defaultdict[Any, dict[str, str]] = defaultdict(dict)
        for experiment_id, key, value in self._rows(
            "experiment_tags", "experiment_id", "key", "value"
        ):
            tags[experiment_id][str(key)] = str(value)
        experiments = {}
        for experiment_id, name, stage, workspace in self._rows(
            "experiments", "experiment_id", "name", "lifecycle_stage", "workspace"
        ):
            is_default = workspace in (None, "", _DEFAULT_WORKSPACE)
            experiments[experiment_id] = Experiment(
                id=str(experiment_id), name=str(name) if is_default else f"{workspace}/{name}",
                is_deleted=stage == "deleted", tags=tags[experiment_id],
            )  # fmt: skip
        return experiments

    def _datasets(self, run: Run) -> dict[str, Any]:
        """Return the data sets of a run, by name and digest."""
        if not self._db.has("inputs", "source_id", "destination_id", "input_uuid"):
            return {}
        datasets: dict[str, Any] = {}
        rows = self._db.rows(
            """
            SELECT input_uuid, name, digest, dataset_source_type, dataset_source, dataset_schema,
                dataset_profile
            FROM inputs JOIN datasets ON dataset_uuid = source_id
            WHERE source_type = 'DATASET' AND destination_type = 'RUN' AND destination_id = ?
            ORDER BY inputs.rowid
            """,
            run.uuid,
        )
        for input_id, name, digest, type_, source, schema, profile in self._readable(
            "inputs", rows
        ):
            tags = self._rows("input_tags", "name", "value", where="input_uuid", value=input_id)
            datasets.setdefault(str(name), {})[str(digest)] = {
                "source_type": type_, "source": source, "schema": schema, "profile": profile,
                "tags": dict(tags),
            }  # fmt: skip
        return datasets

    def _list_models(self) -> dict[str, list[tuple[str, str]]]:
        models = defaultdict(list)
        for model_id, run_id, location in self._rows(
            "logged_models", "model_id", "source_run_id", "artifact_location"
        ):
            models[run_id].append((str(model_id), str(location or "")))
        return models

    def _model(self, model_id: str) -> dict[str, Any]:
        of_model: dict[str, Any] = {"where": "model_id", "value": model_id}
        rows = self._rows("logged_models", "name", "model_type", **of_model)
        name, type_ = next(rows, (None, None))
        params = self._rows("logged_model_params", "param_key", "param_value", **of_model)
        tags = self._rows("logged_model_tags", "tag_key", "tag_value", **of_model)
        return {"name": name, "type": type_, "params": dict(params), "tags": dict(tags)}

    def _list_registered(self) -> dict[Any, dict[str, dict[str, Any]]]:
        """Return the registered models by run and name, each with the versions of the run."""
        model, version = ("workspace", "name"), ("workspace", "name", "version")
        model_tags = self._tags_of("registered_model_tags", *model)
        version_tags = self._tags_of("model_version_tags", *version)
        aliases = defaultdict(list)
        for alias, *of in self._rows("registered_model_aliases", "alias", *version):
            aliases[tuple(of)].append(alias)
        descriptions = {
            tuple(of): description
            for description, *of in self._rows("registered_models", "description", *model)
        }
        registered: defaultdict[Any, dict[str, dict[str, Any]]] = defaultdict(dict)
        for stage, description, run_id, *of in self._rows(
            "model_versions", "current_stage", "description", "run_id", *version
        ):
            if stage == DELETED_VERSION:
                continue
            versions = registered[run_id].setdefault(
                str(of[1]),
                {
                    "description": descriptions.get(tuple(of[:2])),
                    "tags": model_tags[tuple(of[:2])], "versions": {},
                },
            )["versions"]  # fmt: skip
            versions[str(of[2])] = {
                "stage": None if stage == "None" else stage, "description": description,
                "aliases": aliases[tuple(of)], "tags": version_tags[tuple(of)],
            }  # fmt: skip
        return registered

    def _tags_of(self, table: str, *of: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        tags: defaultdict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
        for key, value, *owner in self._rows(table, "key", "value", *of):
            tags[tuple(owner)][str(key)] = value
        return tags


def _add(rows: list[tuple[Any, ...]], series: Series) -> None:
    """Add points to their series."""
    for key, step, milliseconds, value in rows:
        try:
            steps, times, values = series[key]
        except KeyError:
            steps, times, values = series[key] = ([], [], [])
        steps.append(step)
        times.append(milliseconds)
        values.append(value)


def _with_infinity(value: Any) -> Any:
    return math.copysign(math.inf, value) if value in (_LARGEST, -_LARGEST) else value


def _changed_at(path: Path) -> float:
    """When a database changed, in seconds since the epoch; the latest changes are in its log."""
    times = [path.stat().st_mtime]
    with suppress(OSError):
        times.append(path.with_name(f"{path.name}-wal").stat().st_mtime)
    return max(times)
