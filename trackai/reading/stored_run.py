"""A stored run, as `trackai.Api` returns it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, overload

from trackai.errors import InvalidInputError, MissingExtraError, NotFoundError
from trackai.reading import history_rows
from trackai.reading.history import History, curve_of_chart
from trackai.reading.metric_figures import (
    FloatFigures,
    IntFigures,
    MetricFigures,  # noqa: F401 - the reference documents it beside this class
    TextFigures,
    metric_figures,
)
from trackai.reading.source import Source  # noqa: TC001 - for get_type_hints
from trackai.reading.stored_config import StoredConfig
from trackai.reading.stored_file import StoredFile
from trackai.settings import Settings
from trackai.structs.records import Run as RunRecord  # noqa: TC001 - for get_type_hints
from trackai.values.own_keys import job_type
from trackai.values.text import escaped
from trackai.values.times import utc
from trackai.values.types import KeepVerb, Step

if TYPE_CHECKING:
    import pandas as pd

    from trackai.reading.history import Arrays, Curve

_MIN_POINTS, _MAX_POINTS = 10, 10_000
_SAMPLES = 500  # as in wandb
# Alerts are logged as the text `alerts/<level>`; imports from trackio store them likewise.
_ALERTS = "alerts"


class StoredRun:
    """A run in a database file or on a server. Returned by `Api.run` and `Api.runs`.

    The attributes are those of the moment when it was read; the methods read the current state.
    Two handles of the same run in the same file or on the same server are equal.

    Attributes:
        id: its number in the database.
        run_id: its slug, unique in the project.
        name: its name.
        project: the name of its project.
        group: the name of its group, or None.
        state: "running", "completed" or "failed".
        tags: its tags, sorted.
        notes: a text about the run, or None.
        created_at: when it was created, a datetime in UTC.
        archived_at: since when it is archived, a datetime in UTC, or None.
        trashed_at: since when it is in the trash, a datetime in UTC, or None.
    """

    def __init__(self, source: Source, record: RunRecord, project: str) -> None:
        self._source = source
        self._adopt(record, project)

    def _adopt(self, record: RunRecord, project: str) -> None:
        self._record = record
        self._config_changes: dict[str, Any] = {}
        self.id = record.id
        self.run_id = record.run_id
        self.name = record.name
        self.project = project
        self.group = record.group_name
        self.state = record.state
        self.tags = [*record.tags]
        self.notes = record.notes
        self.created_at = record.created_at
        self.archived_at = record.archived_at
        self.trashed_at = record.trashed_at

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, nested as it was logged.

        Flat keys work, too: `run.config["opt/lr"]`. Keys that are set are stored by `update`. Keys
        below `_wandb`, such as "_wandb/job_type", can be read, and are not listed.
        """
        return StoredConfig(self._source.config(self.id), self._config_changes)

    @property
    def job_type(self) -> str | None:
        """What the run does, such as "train": the argument of `init`, or None."""
        return job_type(self._source.config(self.id))

    @property
    def environment(self) -> dict[str, Any]:
        """What the latest attempt recorded about where it runs, flat: "git/commit", "host", ...

        See docs/logging.md. Empty if nothing was recorded.
        """
        return self._source.environment(self.id)

    @property
    def summary(self) -> dict[str, FloatFigures | IntFigures | TextFigures]:
        """The last value of each metric by name: a float, int or str with statistics.

        The values have the attributes last, last_step, min, min_step, max, max_step, mean (of
        finite values), points and nan_points (counts), and kind.
        """
        return {metric.path: metric_figures(metric) for metric in self._source.figures(self.id)}

    @property
    def lastHistoryStep(self) -> Step:  # noqa: N802 - the name in wandb
        """The highest step that was logged; -1 without any. For scripts written for wandb."""
        steps = [metric.last_step for metric in self._source.figures(self.id)]
        return max((step for step in steps if step is not None), default=-1)

    @overload
    def history(
        self, keys: str | Sequence[str] | None = None, *, points: int | None = None
    ) -> History: ...
    @overload
    def history(
        self,
        keys: str | Sequence[str] | None = None,
        *,
        samples: int,
        pandas: Literal[True] = True,
        x_axis: str = "_step",
        stream: str = "default",
    ) -> pd.DataFrame: ...
    @overload
    def history(
        self,
        keys: str | Sequence[str] | None = None,
        *,
        samples: int = 500,
        pandas: Literal[False],
        x_axis: str = "_step",
        stream: str = "default",
    ) -> list[dict[str, Any]]: ...
    def history(
        self,
        keys: str | Sequence[str] | None = None,
        *,
        points: int | None = None,
        samples: int | None = None,
        pandas: bool | None = None,
        x_axis: str = "_step",
        stream: str = "default",
    ) -> Any:
        """Return the points of metrics.

        Args:
            keys: the name of a metric, or several names; default all metrics.
            points: downsample each metric to at most this many points, 10 to 10000, which are
                means of buckets; this is fast however long the run is. Default all points.
            samples: return a data frame as in wandb, with a row for each step, the columns
                `_step` and `_timestamp`, and `points` values of each metric at most; default 500
                if `pandas` is given.
            pandas: False returns a list of dicts instead of the data frame.
            x_axis: the column by which its rows are sorted.
            stream: "system" for system metrics, which have no steps.

        Raises:
            NotFoundError: the run has no such metric.
            InvalidInputError: an argument is invalid.

        Example:
            run.history(["loss", "val/acc"]).to_pandas()
        """
        if keys is not None and not isinstance(keys, str | Sequence):
            raise InvalidInputError("keys", f"must be names of metrics, got {keys!r}")
        if samples is None and pandas is None:
            return self._history(keys, points)
        if points is not None:
            raise InvalidInputError("points", "cannot be combined with samples or pandas")
        rows = self._sampled_rows(keys, samples or _SAMPLES, x_axis, stream)
        if pandas is False:
            return rows
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        return pd.DataFrame.from_records(rows)

    def _history(self, keys: str | Sequence[str] | None, points: int | None) -> History:
        if points is not None and not _MIN_POINTS <= points <= _MAX_POINTS:
            raise InvalidInputError(
                "points", f"must be between {_MIN_POINTS} and {_MAX_POINTS}, got {points}"
            )
        if points is not None:
            kinds = {metric.path: metric.kind for metric in self._source.figures(self.id)}
        if keys is None:
            keys = self._source.paths(self.id)
        elif isinstance(keys, str):
            keys = [keys]
        read = self._source.arrays if find_spec("numpy") else self._source.points
        curves: dict[str, Curve | Arrays] = {}
        for key in keys:
            if points is None:
                curves[key] = read(self.id, key)
            else:
                chart = self._source.chart(self.id, key, points, "time")
                curves[key] = curve_of_chart(chart, is_text=kinds.get(key) == "text")
        return History(curves)

    def _sampled_rows(
        self, keys: str | Sequence[str] | None, samples: int, x_axis: str, stream: str
    ) -> list[dict[str, Any]]:
        if stream not in ("default", "system"):
            raise InvalidInputError("stream", f'must be "default" or "system", got {stream!r}')
        points = min(max(samples, _MIN_POINTS), _MAX_POINTS)
        rows: dict[Any, dict[str, Any]] = {}
        for path, curve in self._history(keys, points).items():
            for step, time, value in zip(curve.steps, curve.timestamps, curve.values, strict=True):
                if (step is None) != (stream == "system"):
                    continue
                row = rows.setdefault(time if step is None else step, {})
                if step is not None:
                    row[history_rows.STEP] = step
                row[history_rows.TIME] = max(time / 1e6, row.get(history_rows.TIME, -math.inf))
                row[path] = value
        ordered = [rows[key] for key in sorted(rows)]
        if x_axis not in (history_rows.STEP, history_rows.TIME):
            ordered = [row for row in ordered if x_axis in row]
            ordered.sort(key=lambda row: row[x_axis])
        return ordered

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int | None = None,
        min_step: Step | None = None,
        max_step: Step | None = None,
        use_cache: bool | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Return all points step by step, exactly, as in wandb.

        Points are read while the rows are used, so that a long run takes little memory. If a
        metric has several points at a step, further rows of that step follow.

        Args:
            keys: return only rows that have all of these metrics, without others.
            min_step: the first step.
            max_step: the step after the last one.
            page_size, use_cache: accepted for scripts written for wandb, and ignored.

        Returns:
            An iterator of dicts with values by name, and with `_step`, `_timestamp` (seconds since
            the epoch) and `_runtime` (seconds since the run was created). System metrics have no
            steps and are left out.

        Raises:
            InvalidInputError: `keys` are not names.

        Example:
            for row in run.scan_history(keys=["loss"]):
                print(row["loss"])
        """
        if keys is not None and (
            isinstance(keys, str) or not all(isinstance(key, str) for key in keys)
        ):
            raise InvalidInputError("keys", f"must be a list of names, got {keys!r}")
        paths = self._source.paths(self.id)
        if keys is not None:
            special = (history_rows.STEP, history_rows.TIME, history_rows.RUNTIME)
            metrics = [key for key in keys if key not in special]
            if not set(metrics) <= set(paths):
                return iter(())
            paths = metrics or paths
        rows = history_rows.scan(self._source, self.id, paths, step_min=min_step, step_max=max_step)
        rows = (row for row in rows if max_step is None or row[history_rows.STEP] < max_step)
        return history_rows.with_seconds(rows, self.created_at, keys)

    def files(
        self, names: Sequence[str] | None = None, pattern: str | None = None,
        per_page: int | None = None,
    ) -> list[StoredFile]:  # fmt: skip
        """Return the files of the run, sorted by name and step.

        Args:
            names: only files with these names; default all.
            pattern: only files whose name matches, such as "*.json"; "%" is a wildcard, too.
            per_page: accepted for scripts written for wandb, and ignored.
        """
        files = [StoredFile(self._source, record) for record in self._source.files(self.id)]
        if names:
            files = [file for file in files if file.name in names]
        if pattern is not None:
            glob = pattern.replace("%", "*")
            files = [file for file in files if fnmatchcase(file.name, glob)]
        return files

    def file(self, name: str) -> StoredFile:
        """Return the file with a name, the latest one if it was stored repeatedly.

        Raises:
            NotFoundError: the run has no such file.
        """
        files = self.files([name])
        if not files:
            raise NotFoundError(f"run {self.id} has no file {name!r}")
        return files[-1]

    def alerts(self, level: str | None = None, since: str | None = None) -> list[dict[str, Any]]:
        """Return the alerts of the run, the latest first.

        Args:
            level: only those of this level: "info", "warn" or "error".
            since: only those after this time, in ISO 8601; UTC unless it has an offset.

        Returns:
            Dicts with the keys "timestamp" (ISO 8601), "run" (its name), "title", "text",
            "level" and "step", as in trackio.

        Raises:
            InvalidInputError: `since` is not a time.
        """
        after = None if since is None else _time(since)
        alerts: list[dict[str, Any]] = []
        texts = {metric.path for metric in self._source.figures(self.id) if metric.kind == "text"}
        for path in texts:
            prefix, _, path_level = path.partition("/")
            if prefix != _ALERTS or level not in (None, path_level):
                continue
            curve = self._source.points(self.id, path)
            for step, at, message in zip(curve.steps, curve.timestamps, curve.values, strict=True):
                title, _, text = str(message).partition("\n")
                alerts.append(
                    {"timestamp": utc(at).isoformat(), "run": self.name, "title": title,
                     "text": text or None, "level": path_level, "step": step}
                )  # fmt: skip
        latest_first = newest_first(alerts)
        return [
            alert for alert in latest_first if after is None or _time(alert["timestamp"]) > after
        ]

    def rename(self, new_name: str) -> StoredRun:
        """Rename the run. Its `run_id` does not change.

        Returns:
            This run.

        Raises:
            InvalidInputError: the name is empty or longer than 512 characters.
        """
        self._adopt(self._source.change(self.id, name=new_name), self.project)
        return self

    def move(self, new_project: str) -> bool:
        """Move the run to another project. Its `run_id` changes if it is taken there.

        Args:
            new_project: the name or slug of the project, which is created if it does not exist.

        Returns:
            True.

        Raises:
            InvalidInputError: the name is empty or longer than 512 characters.
        """
        record = self._source.change(self.id, project=new_project)
        self._adopt(record, project_name(self._source, record))
        return True

    def tag(self, *tags: str) -> StoredRun:
        """Add tags.

        Args:
            tags: at most 100.

        Returns:
            This run.

        Raises:
            InvalidInputError: a tag is empty or longer than 256 characters, or there are too many.
        """
        self._adopt(self._source.tag(self.id, tags, ()), self.project)
        return self

    def untag(self, *tags: str) -> StoredRun:
        """Remove tags; tags that the run does not have are ignored.

        Returns:
            This run.
        """
        self._adopt(self._source.tag(self.id, (), tags), self.project)
        return self

    def update(self) -> None:
        """Store the attributes name, group, notes and tags, and the keys set in `config`.

        Raises:
            InvalidInputError: a value is not allowed; its field is named.

        Example:
            run.tags.append("best")
            run.update()
        """
        stored = self._record
        fields: dict[str, Any] = {"name": self.name, "group_name": self.group, "notes": self.notes}
        changes = {key: new for key, new in fields.items() if new != getattr(stored, key)}
        if self._config_changes:
            changes["config"] = dict(self._config_changes)
        record = self._source.change(self.id, **changes) if changes else stored
        add = [tag for tag in dict.fromkeys(self.tags) if tag not in stored.tags]
        remove = [tag for tag in stored.tags if tag not in self.tags]
        if add or remove:
            record = self._source.tag(self.id, add, remove)
        self._adopt(record, self.project)

    def archive(self) -> StoredRun:
        """Archive the run: tables, charts, counts and `Api.runs` leave it out.

        Returns:
            The run.
        """
        return self._keep("archive")

    def unarchive(self) -> StoredRun:
        """Take the run out of the archive.

        Returns:
            The run.
        """
        return self._keep("unarchive")

    def trash(self) -> StoredRun:
        """Move the run to the trash, where it keeps all its data.

        Returns:
            The run.
        """
        return self._keep("trash")

    def restore(self) -> StoredRun:
        """Take the run out of the trash.

        Returns:
            The run.
        """
        return self._keep("restore")

    def _keep(self, how: KeepVerb) -> StoredRun:
        self._adopt(self._source.keep(self.id, how), self.project)
        return self

    def delete(self, delete_artifacts: bool | None = None) -> bool:
        """Delete the run with all its points and files.

        Args:
            delete_artifacts: accepted for scripts written for wandb, and ignored.

        Returns:
            True.
        """
        self._source.delete(self.id)
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredRun) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, int, datetime]:
        return self._source.place, self.id, self.created_at

    def __repr__(self) -> str:
        return escaped(f"<Run {self.name} in project {self.project}>")

    def _repr_html_(self) -> str:
        # Imported here: few scripts show cards.
        from trackai.reading.card import card

        return card(self._source, self.id, repr(self))


def project_name(source: Source, run: RunRecord) -> str:
    """Return the name of the project of a run.

    Raises:
        NotFoundError: both were deleted meanwhile.
    """
    for project in source.projects():
        if project.id == run.project_id:
            return project.name
    raise NotFoundError(f"run {run.id} was deleted while it was being read")


def run_url(source: Source, run_id: int) -> str:
    """The address of a run in the dashboard: of its server, or of one on this machine."""
    place = source.place
    base = place if place.startswith(("http://", "https://")) else Settings.from_env().url
    return f"{base.rstrip('/')}/?run={run_id}"


def newest_first(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort alerts by time, the latest first."""
    return sorted(alerts, key=lambda alert: str(alert["timestamp"]), reverse=True)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            "since", f"must be an ISO 8601 time such as 2026-01-31T12:00:00, got {text!r}"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
