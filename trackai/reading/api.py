"""`trackai.Api`: read and change stored runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

from trackai.errors import InvalidInputError, ProjectNotFoundError
from trackai.reading.artifacts import StoredArtifact
from trackai.reading.local_source import LocalSource
from trackai.reading.stored_run import StoredRun, newest_first, project_name
from trackai.settings import Settings
from trackai.values.comparison import differing, side_by_side
from trackai.values.text import escaped

if TYPE_CHECKING:
    from trackai.reading.source import Source
    from trackai.structs.records import Run as RunRecord

# Runs a request.
_PAGE = 1000


def _server(url: str | None, api_key: str | None) -> Source:
    """The server at an address; None means that of `TRACKAI_SERVER_URL`."""
    # Imported here: who reads a file needs no HTTP client, whose import takes longest.
    from trackai.reading.remote_source import RemoteSource, default_server

    if url is not None:
        return RemoteSource(url, api_key or Settings.from_env().api_key)
    server = default_server(api_key)
    assert server is not None  # noqa: S101 - the caller has looked
    return server


def _looks_like_server(source: str) -> bool:
    """Whether a source is a host with a port, such as localhost:8000, or a URL of another kind."""
    is_address = re.fullmatch(r"[\w.-]+:[0-9]{1,5}(/.*)?|\w+://.*", source) is not None
    return is_address and not os.path.exists(source)  # noqa: PTH110


class Runs(Sequence[StoredRun]):
    """The runs that match a query, a sequence of `StoredRun`. Read when it is first used."""

    def __init__(self, load: Callable[[], list[StoredRun]], project: str | None) -> None:
        self._load, self._project = load, project
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

    def __repr__(self) -> str:
        return escaped(f"<Runs project={self._project} count={len(self)}>")


class Api:
    """Reads and changes stored runs, in a database file or on a server.

    All methods raise StoreError if the file cannot be read, and TrackAIError if the server does
    not answer.

    Args:
        source: a database file or the URL of a server; default the server of
            `TRACKAI_SERVER_URL`, then the file of `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.
        api_key: the key of the server, if it has one; default `TRACKAI_API_KEY`.

    Example:
        api = trackai.Api()
        best = api.runs("digits", sort="metric.val/acc.max")[0]
        best.history("loss").to_pandas()
    """

    def __init__(
        self, source: str | os.PathLike[str] | None = None, *, api_key: str | None = None
    ) -> None:
        self._source: Source
        if isinstance(source, str) and source.startswith(("http://", "https://")):
            self._source = _server(source, api_key)
        elif source is None and Settings.from_env().server_url is not None:
            self._source = _server(None, api_key)
        elif isinstance(source, str) and _looks_like_server(source):
            raise InvalidInputError(
                "source", f"must start with http:// for a server, such as http://{source}"
            )
        else:
            self._source = LocalSource(Settings.from_env(source).db_path, create=source is None)

    def projects(self) -> list[str]:
        """Return the names of all projects, the newest first."""
        return [project.name for project in self._source.projects()]

    def runs(
        self,
        project: str | None = None,
        *,
        filter: str | None = None,  # noqa: A002 - the word of the field
        sort: str = "created_at",
        ascending: bool = False,
    ) -> Runs:
        """Return the runs of a project, or of all projects, that match a filter.

        Args:
            project: the name or slug of the project; default all projects.
            filter: a condition, such as `config.lr < 0.01 and metric.val/acc.max > 0.9`.
            sort: the field to sort by, any that a filter may use.
            ascending: sort in ascending order.

        Raises:
            NotFoundError: the project does not exist.
            InvalidInputError: the filter or the field is invalid; raised when the runs are first
                used.
        """
        project_id = None if project is None else self._project_id(project)

        def load() -> list[StoredRun]:
            # By id: a run whose sort field changes may move from one page to another.
            records: dict[int, RunRecord] = {}
            cursor: str | None = None
            while True:
                page = self._source.runs(
                    project_id, filter=filter, sort=sort, ascending=ascending,
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

        return Runs(load, project)

    def _project_id(self, project: str) -> int:
        matches = [p.id for p in self._source.projects() if project in (p.name, p.project_id)]
        if not matches:
            raise ProjectNotFoundError(f"project {project!r} not found")
        return matches[0]

    def run(self, run: int | str) -> StoredRun:
        """Return a run.

        Args:
            run: its id; or, as on the command line, a slug, "project/slug", a name or "latest".

        Raises:
            NotFoundError: the run does not exist.
            InvalidInputError: there are several; they are listed.
        """
        record = self._source.run(run) if isinstance(run, int) else self._source.resolve(run)
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
        configs = [self._source.config(run.id) for run in runs]
        rows = side_by_side(configs)
        return {key: rows[key] for key in sorted(differing(configs))}
