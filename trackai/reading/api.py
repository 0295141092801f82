"""`trackai.Api`: read and change stored runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

from trackai.errors import InvalidInputError, NotFoundError, ProjectNotFoundError
from trackai.filters.tree import field_text, filter_text
from trackai.reading import html
from trackai.reading.artifacts import StoredArtifact
from trackai.reading.local_source import LocalSource
from trackai.reading.source import Source  # noqa: TC001 - for get_type_hints
from trackai.reading.stored_run import StoredRun, newest_first, project_name
from trackai.settings import Settings, is_database_url
from trackai.values.comparison import differing, side_by_side
from trackai.values.text import escaped

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from trackai.settings import DatabaseUrl
    from trackai.structs.records import Project, RunRow
    from trackai.structs.records import Run as RunRecord

# Runs a request.
_PAGE = 1000
# The order of runs unless another one is given.
_SORT = "created_at"


def _server(url: str | None, api_key: str | None) -> Source:
    """The server at an address; None means that of `TRACKAI_SERVER_URL`."""
    # Imported here: who reads a file needs no HTTP client, whose import takes longest.
    from trackai.reading.remote_source import RemoteSource, default_server

    if url is not None:
        return RemoteSource(url, api_key or Settings.from_env().api_key)
    server = default_server(api_key)
    assert server is not None  # noqa: S101 - the caller has looked
    return server


def _address(source: str | os.PathLike[str] | None) -> Path | DatabaseUrl:
    """The address of a database; the default is the file that this machine logs to."""
    if source is None:
        return Settings.from_env().db_path
    return Settings.from_env(database=source).database


def _looks_like_server(source: str) -> bool:
    """Whether a source is a host with a port, such as localhost:8000, or a URL of another kind."""
    is_address = re.fullmatch(r"[\w.-]+:[0-9]{1,5}(/.*)?|\w+://.*", source) is not None
    return is_address and not os.path.exists(source)  # noqa: PTH110


def _default_project(overrides: Any) -> str | None:
    if overrides is None:
        return None
    if not isinstance(overrides, Mapping):
        raise InvalidInputError("overrides", f"must be a dict, got {overrides!r}")
    project = overrides.get("project")
    return None if not project else str(project)


class Runs(Sequence[StoredRun]):
    """The runs that match a query, a sequence of `StoredRun`. Read when it is first used."""

    def __init__(
        self, source: Source, load: Callable[[], list[StoredRun]], project: str | None
    ) -> None:
        self._source, self._load, self._project = source, load, project
        self._loaded: list[StoredRun] | None = None

    def _runs(self) -> list[StoredRun]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    @overload
    def __getitem__(self, index: int) -> StoredRun: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredRun]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._runs()[index]

    def __len__(self) -> int:
        return len(self._runs())

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with a row for each run. Needs `trackai[pandas]`.

        The columns are `id`, `run_id`, `project`, `name`, `state`, `group`, `tags`, `notes` and
        `created_at`; `config.KEY` for each flat configuration key; and `summary.NAME` with the
        last value of each metric, without histograms. Integers and booleans stay exact: where some
        runs have no value, their columns are of the types Int64 and boolean.

        Raises:
            MissingExtraError: pandas is not installed.

        Example:
            api.runs("digits").to_pandas().sort_values("summary.val/acc")
        """
        # Imported here: few scripts need it.
        from trackai.reading.run_frame import run_frame

        runs = self._runs()
        values = self._source.values([run.id for run in runs])
        return run_frame(runs, {stored.id: stored for stored in values})

    def __repr__(self) -> str:
        return escaped(f"<Runs project={self._project} count={len(self)}>")

    def _repr_html_(self) -> str:
        rows = [
            (run.id, run.name, run.project, run.group, run.state, ", ".join(run.tags),
             run.created_at)
            for run in self[: html.MAX_ROWS]
        ]  # fmt: skip
        head = ("id", "name", "project", "group", "state", "tags", "created")
        return html.table(head, rows, total=len(self)) or f"<code>{escape(repr(self))}</code>"


class Projects(list[str]):
    """The names of projects, which a notebook shows as a table."""

    def __init__(self, projects: Sequence[Project]) -> None:
        super().__init__(project.name for project in projects)
        self._projects = projects

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_html_(self) -> str:
        rows = [(p.name, p.project_id, p.created_at) for p in self._projects]
        return html.table(("project", "slug", "created"), rows) or "<code>[]</code>"


class Api:
    """Reads and changes stored runs, in a database file or on a server.

    All methods raise StoreError if the file cannot be read, and TrackAIError if the server does
    not answer.

    Args:
        source: a database file or the URL of a server; default the server of
            `TRACKAI_SERVER_URL`, then the file of `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.
        api_key: the key of the server, if it has one; default `TRACKAI_API_KEY`.
        overrides: as in wandb, a dict whose key "project" is the default project of `run` and
            `runs`; other keys are ignored.
        timeout: accepted for scripts written for wandb, and ignored.

    Example:
        api = trackai.Api()
        best = api.runs("digits", sort="metric.val/acc.max")[0]
        best.history("loss").to_pandas()
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | None = None,
        *,
        api_key: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._project = _default_project(overrides)
        self._source: Source
        if isinstance(source, str) and source.startswith(("http://", "https://")):
            self._source = _server(source, api_key)
        elif source is None and Settings.from_env().server_url is not None:
            self._source = _server(None, api_key)
        elif isinstance(source, str) and _looks_like_server(source) and not is_database_url(source):
            raise InvalidInputError(
                "source", f"must start with http:// for a server, such as http://{source}"
            )
        else:
            self._source = LocalSource(_address(source), create=source is None)

    def projects(self) -> list[str]:
        """Return the names of all projects, the newest first."""
        return Projects(self._source.projects())

    def runs(
        self,
        project: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int | None = None,
        *,
        filter: str | None = None,  # noqa: A002 - the word of the field
        sort: str = _SORT,
        ascending: bool = False,
        path: str | None = None,
    ) -> Runs:
        """Return the runs of a project, or of all projects, that match a filter.

        Args:
            project: the name or slug of the project, or "entity/project" as in wandb, of which the
                entity is ignored; default all projects.
            filter: a condition, such as `config.lr < 0.01 and metric.val/acc.max > 0.9`.
            sort: the field to sort by, any that a filter may use.
            ascending: sort in ascending order.
            filters: a condition as in wandb, such as `{"config.lr": {"$lt": 0.01}}`.
            order: a field as in wandb, such as "-summary_metrics.loss"; "-" sorts in descending
                order.
            path: another name of `project`, as in wandb.
            per_page: accepted for scripts written for wandb, and ignored.

        Raises:
            NotFoundError: the project does not exist.
            InvalidInputError: `filters` or `order` cannot be translated; or the filter or the
                field is invalid, which is raised when the runs are first used.
        """
        project = next((name for name in (project, path) if name is not None), self._project)
        project_id = None if project is None else self._project_id(project)
        nested: list[str] = []
        if filters or order is not None:
            # Imported here: few scripts need it.
            from trackai.filters import mongo

            tree = mongo.translate(filters or {})
            if tree is not None:
                both = [f"({text})" for text in (filter, filter_text(tree)) if text is not None]
                filter = " and ".join(both)  # noqa: A001
            if order is not None:
                if sort != _SORT or ascending:
                    raise InvalidInputError("order", "cannot be combined with sort or ascending")
                field, ascending = mongo.translate_order(order)
                sort = field_text(field)
                nested = [field_text(key) for key in mongo.nested_fields(field)]

        def load() -> list[StoredRun]:
            field = self._existing((sort, *nested), project_id) if nested else sort
            # By id: a run whose sort field changes may move from one page to another.
            records: dict[int, RunRow] = {}
            cursor: str | None = None
            while True:
                page = self._source.runs(
                    project_id, filter=filter, sort=field, ascending=ascending,
                    limit=_PAGE, cursor=cursor,
                )  # fmt: skip
                for run in page.runs:
                    records.setdefault(run.id, run)
                cursor = page.next_cursor
                if cursor is None:
                    break
            # Afterwards, so that the projects of all runs are known that still exist.
            names = {stored.id: stored.name for stored in self._source.projects()}
            return [
                StoredRun(self._source, record, names[record.project_id])
                for record in records.values()
                if record.project_id in names
            ]

        return Runs(self._source, load, project)

    def _existing(self, fields: Sequence[str], project_id: int | None) -> str:
        """The first of these fields that a run has, or else the first one."""
        for field in fields:
            page = self._source.runs(
                project_id, filter=f"{field} != null", sort=_SORT, ascending=False, limit=1
            )
            if page.runs:
                return field
        return fields[0]

    def _project_id(self, project: str) -> int:
        ids = {name: p.id for p in self._source.projects() for name in (p.project_id, p.name)}
        for name in (project, project.rpartition("/")[2]):
            if name in ids:
                return ids[name]
        raise ProjectNotFoundError(f"project {project!r} not found")

    def run(self, run: int | str) -> StoredRun:
        """Return a run.

        Args:
            run: its id; or, as on the command line, a slug, "project/slug", a name or "latest";
                or "entity/project/run_id" as in wandb, of which the entity is ignored. The id may
                take the place of the `run_id`.

        Raises:
            NotFoundError: the run does not exist.
            InvalidInputError: there are several; they are listed.
        """
        if self._project is not None and isinstance(run, str) and "/" not in run:
            run = f"{self._project}/{run}"
        record = self._source.run(run) if isinstance(run, int) else self._resolve(run)
        return StoredRun(self._source, record, project_name(self._source, record))

    def artifact(
        self,
        name: str,
        type: str | None = None,  # noqa: A002 - wandb calls it that
    ) -> StoredArtifact:
        """Return a version of an artifact.

        Args:
            name: such as "digits/model:best", "digits/model:v3" or "model": the latest version. The
                project is needed only if several have an artifact of this name.
            type: only artifacts of this type, such as "model".

        Raises:
            NotFoundError: the artifact does not exist, or has no such version or alias.
            InvalidInputError: there are several; they are listed.
        """
        return StoredArtifact(self._source, self._source.artifact(name, None, type))

    def artifacts(
        self,
        project: str | None = None,
        type: str | None = None,  # noqa: A002 - wandb calls it that
        name: str | None = None,
    ) -> list[StoredArtifact]:
        """Return the versions of artifacts, the newest first.

        Args:
            project: the name or slug of the project; default all projects.
            type: only artifacts of this type, such as "model".
            name: only versions of the artifacts of this name.

        Raises:
            NotFoundError: the project does not exist.
        """
        project_id = None if project is None else self._project_id(project)
        versions = self._source.artifacts(project_id, type_=type, name=name)
        return [StoredArtifact(self._source, version) for version in versions]

    def artifact_versions(self, type_name: str, name: str) -> list[StoredArtifact]:
        """Return the versions of one artifact, the newest first; as in wandb.

        Args:
            type_name: the type, such as "model".
            name: the name, also as "project/name".

        Raises:
            NotFoundError: the artifact does not exist.
        """
        latest = self._source.artifact(name, None, type_name)
        versions = self._source.artifacts(latest.project_id, type_=latest.type, name=latest.name)
        return [StoredArtifact(self._source, version) for version in versions]

    def _resolve(self, text: str) -> RunRecord:
        try:
            return self._source.resolve(text)
        except NotFoundError as error:
            parts = text.strip("/").split("/")
            if len(parts) > 3 and parts[-2] == "runs":  # as in addresses of wandb
                del parts[-2]
            try:
                if len(parts) > 2:
                    return self._source.resolve("/".join(parts[1:]))
            except NotFoundError:
                pass
            # Scripts written for wandb put `run.id` there, which is a number here.
            record = self._numbered(*parts[-2:]) if len(parts) > 1 else None
            if record is None:
                raise error from None
            return record

    def _numbered(self, project: str, number: str) -> RunRecord | None:
        """Return the run of a project with an id; None if it does not exist."""
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        try:
            record = self._source.run(int(number))
            return record if record.project_id == self._project_id(project) else None
        except NotFoundError:
            return None

    def alerts(
        self, project: str, run: str | None = None, level: str | None = None,
        since: str | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Return the alerts of the runs of a project, the latest first.

        Args:
            project: the name or slug of the project.
            run: only those of runs of this name.
            level: only those of this level: "info", "warn" or "error".
            since: only those after this time, in ISO 8601; UTC unless it has an offset.

        Returns:
            Dicts with the keys "timestamp" (ISO 8601), "run" (its name), "title", "text",
            "level" and "step", as in trackio.

        Raises:
            NotFoundError: the project does not exist.
            InvalidInputError: `since` is not a time.
        """
        runs = [stored for stored in self.runs(project) if run in (None, stored.name)]
        return newest_first([alert for stored in runs for alert in stored.alerts(level, since)])

    def compare(self, runs: Sequence[StoredRun]) -> dict[str, list[Any]]:
        """Return the configuration values in which runs differ.

        Args:
            runs: the runs to compare.

        Returns:
            For each flat key, sorted, a list with the value of each run; None if it has none.
        """
        for run in runs:
            if not isinstance(run, StoredRun):
                raise TypeError(f"runs: must be runs of this Api, got {type(run).__name__}")
        configs = [self._source.config(run.id) for run in runs]
        rows = side_by_side(configs)
        return {key: rows[key] for key in sorted(differing(configs))}

    def __repr__(self) -> str:
        return escaped(f"<Api {self._source.place}>")
