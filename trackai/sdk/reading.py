"""Reading runs in Python: `trackai.Api`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import MissingExtraError, NotFoundError
from trackai.sdk.config import nested
from trackai.sdk.sources import LocalSource, RemoteSource, Source
from trackai.settings import Settings

if TYPE_CHECKING:
    import os

    import pandas as pd
    import pyarrow as pa

    from trackai.store.series import MetricSummary
    from trackai.structs.records import Run as RunRecord
    from trackai.structs.values import Step, Value

_PAGE = 1000


class Curve(msgspec.Struct, frozen=True):
    """A metric's points in order of step: three lists of one length.

    `steps` are None for a system metric; `timestamps` are microseconds since the epoch.
    """

    steps: list[Step | None]
    timestamps: list[int]
    values: list[Value]


class History(Mapping[str, Curve]):
    """Curves of a run by the metric's name."""

    def __init__(self, curves: dict[str, Curve]) -> None:
        self._curves = curves

    def __getitem__(self, key: str) -> Curve:
        return self._curves[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __repr__(self) -> str:
        return f"History({', '.join(f'{k}: {len(c.steps)} points' for k, c in self.items())})"

    def to_pandas(self) -> pd.DataFrame:
        """A frame with a row for each step and a column for each metric; needs pandas.

        Where a step was logged more than once, the latest value counts.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        columns = {}
        for key, curve in self.items():
            column = pd.Series(curve.values, index=pd.Index(curve.steps, name="step"), name=key)
            columns[key] = column[~column.index.duplicated(keep="last")]
        return pd.DataFrame(columns)

    def to_arrow(self) -> pa.Table:
        """A table with a row for each point: metric, step, timestamp, value; needs pyarrow."""
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("An Arrow table", "parquet") from None
        return pa.concat_tables(
            pa.table(
                {
                    "metric": pa.array([key] * len(curve.steps), pa.string()),
                    "step": pa.array(map(_double, curve.steps), pa.float64()),
                    "timestamp": pa.array(curve.timestamps, pa.timestamp("us", tz="UTC")),
                    "value": pa.array(map(_double, curve.values), pa.float64()),
                }
            )
            for key, curve in self.items()
        )


def _double(value: Any) -> float | None:
    return None if value is None or isinstance(value, str) else float(value)


class StoredRun:
    """A run as it is stored.

    Attributes:
        id, run_id, name, project, group, state, tags, notes, created_at: what it is.
    """

    def __init__(self, source: Source, record: RunRecord, project: str) -> None:
        self._source = source
        self._adopt(record, project)

    def _adopt(self, record: RunRecord, project: str) -> None:
        self.id = record.id
        self.run_id = record.run_id
        self.name = record.name
        self.project = project
        self.group = record.group_name
        self.state = record.state
        self.tags = record.tags
        self.notes = record.notes
        self.created_at = record.created_at

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration, nested as it was given."""
        return nested(self._source.config(self.id))

    @property
    def summary(self) -> dict[str, MetricSummary]:
        """The figures of each metric: last, min, max and the steps where they were reached."""
        return {one.path: one for one in self._source.figures(self.id)}

    def history(self, keys: str | Sequence[str] | None = None) -> History:
        """The points of some metrics, or of all.

        Raises:
            NotFoundError: the run has no such metric.
        """
        wanted = list(self.summary) if keys is None else [keys] if isinstance(keys, str) else keys
        curves = {}
        for key in wanted:
            rows = self._source.points(self.id, key)
            steps, timestamps, values = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
            curves[key] = Curve(steps, timestamps, values)
        return History(curves)

    def rename(self, new_name: str) -> StoredRun:
        """Give it another name; its slug stays."""
        self._adopt(self._source.change(self.id, name=new_name), self.project)
        return self

    def move(self, new_project: str) -> bool:
        """Move it to another project."""
        self._adopt(self._source.change(self.id, project=new_project), new_project)
        return True

    def tag(self, *tags: str) -> StoredRun:
        """Add tags."""
        record = self._source.change(self.id, tags=sorted({*self.tags, *tags}))
        self._adopt(record, self.project)
        return self

    def untag(self, *tags: str) -> StoredRun:
        """Take tags away."""
        record = self._source.change(self.id, tags=sorted(set(self.tags) - set(tags)))
        self._adopt(record, self.project)
        return self

    def delete(self) -> bool:
        """Delete it with all its points."""
        self._source.delete(self.id)
        return True

    def __repr__(self) -> str:
        return f"<Run {self.name} in project {self.project}>"


class Runs(Sequence[StoredRun]):
    """Runs that match, looked up when they are first needed."""

    def __init__(self, load: Any, project: str | None) -> None:
        self._load, self._project = load, project
        self._found: list[StoredRun] | None = None

    def _runs(self) -> list[StoredRun]:
        if self._found is None:
            self._found = self._load()
        return self._found

    def __getitem__(self, index: Any) -> Any:
        return self._runs()[index]

    def __len__(self) -> int:
        return len(self._runs())

    def __repr__(self) -> str:
        return f"<Runs project={self._project} count={len(self)}>"


class Api:
    """Reads and changes what is stored, in a file or on a server.

    Args:
        source: a database file or the URL of a server; default `TRACKAI_DB_PATH`, then
            `~/.trackai/trackai.db`.
        api_key: what a server that is not on this machine asks for.
    """

    def __init__(
        self, source: str | os.PathLike[str] | None = None, *, api_key: str | None = None
    ) -> None:
        self._source: Source
        if isinstance(source, str) and source.startswith(("http://", "https://")):
            self._source = RemoteSource(source, api_key)
        else:
            self._source = LocalSource(Settings.from_env(source).db_path)

    def projects(self) -> list[str]:
        """The names of all projects, the newest first."""
        return [project.name for project in self._source.projects()]

    def runs(
        self,
        project: str | None = None,
        *,
        filter: str | None = None,  # noqa: A002 - the word of the field
        sort: str = "created_at",
        ascending: bool = False,
    ) -> Runs:
        """The runs of a project, or of all, that match.

        Args:
            filter: as over HTTP: `config.lr < 0.01 and metric.val/acc.max > 0.9`.
            sort: any field that a filter may name.

        Raises:
            NotFoundError: there is no such project.
            InvalidInputError: the filter or the field cannot be read.
        """
        names = {one.id: one for one in self._source.projects()}
        project_id = None
        if project is not None:
            found = [one for one in names.values() if project in (one.name, one.project_id)]
            if not found:
                raise NotFoundError(f"there is no project {project!r}")
            project_id = found[0].id

        def load() -> list[StoredRun]:
            runs: list[StoredRun] = []
            while True:
                page = self._source.runs(
                    project_id, filter=filter, sort=sort, ascending=ascending,
                    limit=_PAGE, offset=len(runs),
                )  # fmt: skip
                runs += [
                    StoredRun(self._source, run, names[run.project_id].name) for run in page.runs
                ]
                if not page.has_more:
                    return runs

        return Runs(load, project)

    def run(self, run_id: int) -> StoredRun:
        """The run with that id.

        Raises:
            NotFoundError: there is none.
        """
        record = self._source.run(run_id)
        names = {one.id: one.name for one in self._source.projects()}
        return StoredRun(self._source, record, names[record.project_id])

    def compare(self, runs: Sequence[StoredRun]) -> dict[str, list[Any]]:
        """What differs in the configurations of runs: for each flat key a value for each run."""
        configs = [self._source.config(run.id) for run in runs]
        keys = sorted({key for config in configs for key in config})
        rows = {key: [config.get(key) for config in configs] for key in keys}
        return {key: row for key, row in rows.items() if any(one != row[0] for one in row)}
