"""A stored run, as `trackai.Api` returns it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.reading.history import History, curve_of_chart, from_json
from trackai.reading.source import Source  # noqa: TC001 - for get_type_hints
from trackai.store.points.series import MetricSummary  # noqa: TC001 - for get_type_hints
from trackai.structs.records import Run as RunRecord  # noqa: TC001 - for get_type_hints
from trackai.values.nesting import nested
from trackai.values.text import escaped
from trackai.values.times import utc

_MIN_POINTS, _MAX_POINTS = 10, 10_000
# Alerts are logged as the text `alerts/<level>`; imports from trackio store them likewise.
_ALERTS = "alerts"


class StoredRun:
    """A run in a database file or on a server. Returned by `Api.run` and `Api.runs`.

    The attributes are those of the moment when it was read; the methods read the current state.

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
        """The configuration, nested as it was logged."""
        return nested(self._source.config(self.id))

    @property
    def environment(self) -> dict[str, Any]:
        """What the latest attempt recorded about where it runs, flat: "git/commit", "host", ...

        See docs/logging.md. Empty if nothing was recorded.
        """
        return self._source.environment(self.id)

    @property
    def summary(self) -> dict[str, MetricSummary]:
        """Statistics of each metric by name.

        They have the attributes last, last_step, min, min_step, max, max_step, mean (of finite
        values), points and nan_points (counts), and kind.
        """
        return {
            metric.path: metric
            if metric.kind == "text"
            else msgspec.structs.replace(metric, last=from_json(metric.last))
            for metric in self._source.figures(self.id)
        }

    def history(
        self, keys: str | Sequence[str] | None = None, *, points: int | None = None
    ) -> History:
        """Return the points of metrics.

        Args:
            keys: the name of a metric, or several names; default all metrics.
            points: downsample each metric to at most this many points, 10 to 10000, which are
                means of buckets; this is fast however long the run is. Default all points.

        Raises:
            NotFoundError: the run has no such metric.
            InvalidInputError: `points` is out of range.

        Example:
            run.history(["loss", "val/acc"]).to_pandas()
        """
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
        curves = {}
        for key in keys:
            if points is None:
                curves[key] = self._source.points(self.id, key)
            else:
                chart = self._source.chart(self.id, key, points, "time")
                curves[key] = curve_of_chart(chart, is_text=kinds.get(key) == "text")
        return History(curves)

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

    def delete(self) -> bool:
        """Delete the run with all its points and files.

        Returns:
            True.
        """
        self._source.delete(self.id)
        return True

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
