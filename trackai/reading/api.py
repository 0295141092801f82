"""Reading runs in Python: `trackai.Api`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, overload

import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.reading.card import card
from trackai.reading.history import History, number, thinned
from trackai.reading.sources import LocalSource, RemoteSource, Source
from trackai.settings import Settings
from trackai.store.points.series import MetricSummary  # noqa: TC001 - for get_type_hints
from trackai.structs.records import Run as RunRecord  # noqa: TC001 - for get_type_hints
from trackai.values.comparison import differing, side_by_side
from trackai.values.nesting import nested
from trackai.values.times import utc

_PAGE = 1000
_FEWEST, _MOST = 10, 10_000
# What alerts are logged under, and what those of trackio are imported as.
_ALERTS = "alerts"


class _UnknownProjectError(NotFoundError, ValueError):
    """There is no such project; trackio raises a ValueError here."""


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("since", f"{text!r} is no time like 2026-01-31T12:00:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


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
        return {
            one.path: one if one.kind == "text" else msgspec.structs.replace(
                one, last=number(one.last)
            )
            for one in self._source.figures(self.id)
        }  # fmt: skip

    def history(
        self, keys: str | Sequence[str] | None = None, *, points: int | None = None
    ) -> History:
        """The points of some metrics, or of all.

        Args:
            points: at most so many of each metric, 10 to 10 000: means of what lies between, which
                costs the same however long the run is.

        Raises:
            NotFoundError: the run has no such metric.
            InvalidInputError: `points` is too few or too many.
        """
        if points is not None and not _FEWEST <= points <= _MOST:
            raise InvalidInputError("points", f"{points} is not between {_FEWEST} and {_MOST}")
        if keys is None or points is not None:
            kinds = {one.path: one.kind for one in self._source.figures(self.id)}
        wanted = list(kinds) if keys is None else [keys] if isinstance(keys, str) else keys
        curves = {}
        for key in wanted:
            if points is None:
                curves[key] = self._source.points(self.id, key)
            else:
                chart = self._source.chart(self.id, key, points, "time")
                curves[key] = thinned(chart, text=kinds.get(key) == "text")
        return History(curves)

    def alerts(self, level: str | None = None, since: str | None = None) -> list[dict[str, Any]]:
        """What `alert` said in the run, the latest first.

        Args:
            level: only "info", "warn" or "error".
            since: only what came after this time, ISO 8601 and UTC unless it says otherwise.

        Returns:
            As trackio has them: "timestamp", "run", "title", "text", "level" and "step".
        """
        after = None if since is None else _time(since)
        found: list[dict[str, Any]] = []
        for path in {one.path for one in self._source.figures(self.id) if one.kind == "text"}:
            prefix, _, said = path.partition("/")
            if prefix != _ALERTS or level not in (None, said):
                continue
            curve = self._source.points(self.id, path)
            for step, at, message in zip(curve.steps, curve.timestamps, curve.values, strict=True):
                title, _, text = str(message).partition("\n")
                found.append(
                    {"timestamp": utc(at).isoformat(), "run": self.name, "title": title,
                     "text": text or None, "level": said, "step": step}
                )  # fmt: skip
        found.sort(key=lambda one: str(one["timestamp"]), reverse=True)
        return [one for one in found if after is None or _time(one["timestamp"]) > after]

    def rename(self, new_name: str) -> StoredRun:
        """Give it another name; its slug stays."""
        self._adopt(self._source.change(self.id, name=new_name), self.project)
        return self

    def move(self, new_project: str) -> bool:
        """Move it to another project."""
        record = self._source.change(self.id, project=new_project)
        names = {one.id: one.name for one in self._source.projects()}
        self._adopt(record, names[record.project_id])
        return True

    def tag(self, *tags: str) -> StoredRun:
        """Add tags."""
        self._adopt(self._source.tag(self.id, tags, ()), self.project)
        return self

    def untag(self, *tags: str) -> StoredRun:
        """Take tags away."""
        self._adopt(self._source.tag(self.id, (), tags), self.project)
        return self

    def delete(self) -> bool:
        """Delete it with all its points."""
        self._source.delete(self.id)
        return True

    def __repr__(self) -> str:
        return f"<Run {self.name} in project {self.project}>"

    def _repr_html_(self) -> str:
        return card(self._source, self.id, repr(self))


class Runs(Sequence[StoredRun]):
    """Runs that match, looked up when they are first needed."""

    def __init__(self, load: Any, project: str | None) -> None:
        self._load, self._project = load, project
        self._found: list[StoredRun] | None = None

    def _runs(self) -> list[StoredRun]:
        if self._found is None:
            self._found = self._load()
        return self._found

    @overload
    def __getitem__(self, index: int) -> StoredRun: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredRun]: ...
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
            self._source = LocalSource(Settings.from_env(source).db_path, make=source is None)

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
                raise _UnknownProjectError(f"there is no project {project!r}")
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

    def run(self, run: int | str) -> StoredRun:
        """A run by its id; or as on the command line: a slug, "project/slug", a name, "latest".

        Raises:
            NotFoundError: there is none.
            InvalidInputError: there are several; they are listed.
        """
        record = self._source.run(run) if isinstance(run, int) else self._source.resolve(run)
        names = {one.id: one.name for one in self._source.projects()}
        return StoredRun(self._source, record, names[record.project_id])

    def alerts(
        self, project: str, run: str | None = None, level: str | None = None,
        since: str | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """What `alert` said in the runs of a project, the latest first; see `StoredRun.alerts`.

        Args:
            run: only runs of this name.

        Raises:
            NotFoundError: there is no such project.
        """
        runs = [one for one in self.runs(project) if run in (None, one.name)]
        found = [alert for one in runs for alert in one.alerts(level, since)]
        return sorted(found, key=lambda one: str(one["timestamp"]), reverse=True)

    def compare(self, runs: Sequence[StoredRun]) -> dict[str, list[Any]]:
        """What differs in the configurations of runs: for each flat key a value for each run."""
        configs = [self._source.config(run.id) for run in runs]
        rows = side_by_side(configs)
        return {key: rows[key] for key in sorted(differing(configs))}
