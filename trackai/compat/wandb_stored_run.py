"""Stored runs of `wandb.Api`: those of `trackai.Api` with the attributes and types of wandb's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn, Self, overload

from trackai.compat.wandb_errors import UnsupportedError
from trackai.compat.wandb_run import ENTITY
from trackai.errors import MissingExtraError, NotFoundError
from trackai.reading.api import Api
from trackai.reading.api import Runs as StoredRuns
from trackai.reading.artifacts import StoredArtifact
from trackai.reading.history_rows import RUNTIME, STEP, TIME
from trackai.reading.stored_run import StoredRun, run_url
from trackai.structs.records import ArtifactVersion  # noqa: TC001 - for get_type_hints
from trackai.values.nesting import nested

__all__ = ["HTTPSummary", "Run", "Runs"]

# wandb's name of a state; the others are the same.
_STATES = {"completed": "finished"}
_SPECIAL = (STEP, TIME, RUNTIME)
_SAMPLES = 500  # as in wandb


class HTTPSummary(dict[str, Any]):
    """The last value of each metric, also as attributes. It cannot be changed.

    The values have the statistics that `trackai.StoredRun.summary` describes.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _json_dict(self) -> dict[str, Any]:
        return dict(self)

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise UnsupportedError(
            f"summary: {key!r} cannot be set in a stored run; resume the run with "
            "wandb.init(id=...), and set it in its summary"
        )

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing without values; in wandb, it stores what was set."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


class Run:
    """A stored run: what wandb's has, as wandb has it, and otherwise what `StoredRun` has.

    `id` is a str, `state` is "finished" for a completed run, `created_at` is a text, `path` is a
    list that begins with an account, and `history()` is a data frame.
    """

    _run: StoredRun
    entity = username = ENTITY
    sweep = sweep_name = None

    def __init__(self, run: StoredRun) -> None:
        self.__dict__["_run"] = run

    def __getattr__(self, name: str) -> Any:
        if name == "_run":  # of a copy that is not filled yet
            raise AttributeError(name)
        try:
            return getattr(self._run, name)
        except AttributeError:
            raise AttributeError(
                f"a stored run has no attribute {name!r}: it is a run of trackai, which does not "
                "have all attributes of wandb's",
                name=name,
                obj=self,
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._run, _SYNONYMS.get(name, name), value)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._run,)

    def __eq__(self, other: object) -> bool:
        return self._run == (other._run if isinstance(other, Run) else other)

    def __hash__(self) -> int:
        return hash(self._run)

    def __repr__(self) -> str:
        return repr(self._run)

    def _repr_html_(self) -> str:
        return self._run._repr_html_()

    @property
    def id(self) -> str:
        """The id of the run, unique in its project: `run_id` of TrackAI."""
        return self._run.run_id

    @property
    def path(self) -> list[str]:
        """The account, the project and the id, as `wandb.Api().run("/".join(path))` takes them."""
        return [ENTITY, self._run.project, self._run.run_id]

    @property
    def url(self) -> str:
        """The address of the run in the dashboard of a running server."""
        return run_url(self._run._source, self._run.id)

    @property
    def state(self) -> str:
        """The state: "running", "finished" or "failed"."""
        return _STATES.get(self._run.state, self._run.state)

    @property
    def display_name(self) -> str | None:
        """The name of the run."""
        return self._run.name

    @property
    def description(self) -> str | None:
        """The notes of the run."""
        return self._run.notes

    @property
    def created_at(self) -> str:
        """When the run was created, in UTC: "2026-01-31T12:00:00Z"."""
        return _text(self._run.created_at)

    createdAt = created_at  # noqa: N815 - the name in wandb

    @property
    def heartbeat_at(self) -> str:
        """When the run was changed last, in UTC."""
        return _text(self._run._record.updated_at)

    heartbeatAt = updated_at = heartbeat_at  # noqa: N815

    @property
    def rawconfig(self) -> dict[str, Any]:
        """A copy of the configuration."""
        return dict(self._run.config)

    @property
    def json_config(self) -> str:
        """The configuration as JSON, with each value as the key "value" of an object."""
        return json.dumps({key: {"value": value} for key, value in self._run.config.items()})

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The environment of the run with names of wandb; None if it was not recorded.

        Equal names have equal meanings: os, python, host, executable, cpu_count, and commit in git.
        """
        facts = self._run.environment
        if not facts:
            return None
        metadata = nested(facts) | {"startedAt": self.created_at}
        if "cwd" in facts:
            metadata["root"] = facts["cwd"]
        if "memory_bytes" in facts:
            metadata["memory"] = {"total": str(facts["memory_bytes"])}
        return metadata

    @property
    def summary(self) -> HTTPSummary:
        """The last value of each metric, and the last step as `_step`."""
        figures: dict[str, Any] = dict(self._run.summary)
        steps = [metric.last_step for metric in figures.values() if metric.last_step is not None]
        if steps:
            figures[STEP] = max(steps)
        return HTTPSummary(figures)

    summary_metrics = summaryMetrics = summary  # noqa: N815

    def history(
        self,
        samples: int = _SAMPLES,
        keys: Sequence[str] | None = None,
        x_axis: str = STEP,
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """Return a data frame with a row for each step, as in wandb.

        Args:
            samples: the number of points of each metric; of more points, means of buckets.
            keys: the names of metrics; default all.
            x_axis: the column by which the rows are sorted.
            pandas: False returns a list of dicts.
            stream: "system" for system metrics.

        Returns:
            A data frame with the metrics and the columns `_step`, `_timestamp` and `_runtime`; it
            is empty if the run does not have one of the metrics.

        Raises:
            InvalidInputError: an argument is invalid.
            MissingExtraError: pandas is not installed.
        """
        names = [keys] if isinstance(keys, str) else keys
        metrics = None if names is None else [name for name in names if name not in _SPECIAL]
        rows: list[dict[str, Any]] = []
        with suppress(NotFoundError):
            rows = self._run.history(
                metrics or None, samples=samples, pandas=False, x_axis=x_axis, stream=stream
            )
        began = self._run.created_at.timestamp()
        for row in rows:
            row[RUNTIME] = row[TIME] - began
        if not pandas:
            return rows
        try:
            from pandas import DataFrame  # an extra
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        return DataFrame.from_records(rows)

    def beta_scan_history(self, *args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Return all points step by step, as `scan_history` does."""
        return self._run.scan_history(*args, **kwargs)

    def logged_artifacts(self, per_page: int | None = None) -> list[StoredArtifact]:
        """Return the versions of artifacts that the run has logged, the newest first.

        Args:
            per_page: accepted for scripts written for wandb, and ignored.
        """
        number = self._run.id
        return [
            StoredArtifact(self._run._source, version)
            for version in self._artifacts()
            if version.run_id == number or number not in version.used_by
        ]

    def used_artifacts(self, per_page: int | None = None) -> list[StoredArtifact]:
        """Return the versions of artifacts that the run has used, the newest first.

        Args:
            per_page: accepted for scripts written for wandb, and ignored.
        """
        return [
            StoredArtifact(self._run._source, version)
            for version in self._artifacts()
            if self._run.id in version.used_by
        ]

    def _artifacts(self) -> list[ArtifactVersion]:
        # Of any project: a run may use the artifacts of another one.
        return self._run._source.artifacts(None, run_id=self._run.id)

    def upload_file(self, path: str, root: str = ".") -> NoReturn:
        """Refuse: a stored run gets no files."""
        raise self._unsupported("upload_file", "wandb.save(path)")

    def log_artifact(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a stored run logs no artifacts."""
        raise self._unsupported("log_artifact", "run.log_artifact(artifact)")

    def use_artifact(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a stored run uses no artifacts."""
        raise self._unsupported("use_artifact", "run.use_artifact(artifact)")

    def _unsupported(self, method: str, call: str) -> UnsupportedError:
        return UnsupportedError(
            f"{method}: a stored run cannot be extended; resume it with "
            f'wandb.init(id={self.id!r}, resume="must"), and call {call}'
        )

    def load(self, force: bool = False) -> Self:
        """Read the run again, and return it."""
        record = self._run._source.run(self._run.id)
        self._run._adopt(record, self._run.project)
        return self

    def save(self) -> None:
        """Store the changed attributes, as `update` does."""
        self._run.update()


# Names that are set under another name in TrackAI.
_SYNONYMS = {"description": "notes", "display_name": "name"}


class Runs(StoredRuns):
    """The runs that match a query, a sequence of `Run`. Read when it is first used."""

    @overload  # type: ignore[override]
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Run]: ...
    def __getitem__(self, index: Any) -> Any:
        runs = super().__getitem__(index)
        return Run(runs) if isinstance(runs, StoredRun) else [Run(run) for run in runs]

    @property
    def length(self) -> int:
        """The number of runs."""
        return len(self)

    def histories(
        self,
        samples: int = _SAMPLES,
        keys: Sequence[str] | None = None,
        x_axis: str = STEP,
        format: str = "default",  # noqa: A002 - wandb calls it that
        stream: str = "default",
    ) -> Any:
        """Return the rows of `Run.history` of all runs, with the column `run_id`.

        Args:
            samples, keys, x_axis, stream: as for `Run.history`.
            format: "default" returns a list of dicts, "pandas" a data frame.
        """
        rows = [
            {**row, "run_id": run.id}
            for run in map(Run, self._runs())
            for row in run.history(samples, keys, x_axis, pandas=False, stream=stream)
        ]
        if format == "default":
            return rows
        if format != "pandas":
            raise UnsupportedError(f'format: must be "default" or "pandas", got {format!r}')
        try:
            from pandas import DataFrame  # an extra
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        return DataFrame.from_records(rows)


def runs_of(api: Api, project: str | None, arguments: dict[str, Any]) -> Runs:
    """The runs that `trackai.Api.runs` returns."""
    runs = Api.runs(api, project, **arguments)
    return Runs(runs._source, runs._load, runs._project)


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
