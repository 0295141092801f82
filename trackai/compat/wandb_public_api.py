"""`wandb.Api`: reads runs by paths that begin with an account, "account/project/id"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import trackai
from trackai.compat.wandb_errors import UnsupportedError
from trackai.compat.wandb_run import ENTITY
from trackai.compat.wandb_stored_run import HTTPSummary, Run, Runs, runs_of
from trackai.errors import NotFoundError
from trackai.reading.artifacts import StoredArtifact as Artifact
from trackai.reading.stored_file import StoredFile as File

if TYPE_CHECKING:
    from trackai.reading.stored_run import StoredRun

__all__ = ["Api", "Artifact", "File", "HTTPSummary", "Project", "PublicApi", "Run", "Runs"]

T = TypeVar("T")


class Project(str):
    """The name of a project, with the attributes of wandb's projects."""

    entity = ENTITY

    @property
    def name(self) -> str:
        """The name."""
        return str(self)

    @property
    def path(self) -> list[str]:
        """The account and the name."""
        return [ENTITY, str(self)]


class Api(trackai.Api):
    """Reads and changes runs as `trackai.Api` does, with the arguments and results of wandb's.

    Args:
        overrides: a dict whose key "project" is the project of paths without one; other keys are
            ignored.
        timeout, api_key: accepted for scripts written for wandb, and ignored.

    Attributes:
        default_entity: always None, as TrackAI has no accounts.
        viewer: an account with the name that paths begin with.
    """

    default_entity = None
    viewer = SimpleNamespace(entity=ENTITY, username=ENTITY, name=ENTITY, email=None, teams=[])

    def __init__(self, overrides: Any = None, timeout: Any = None, api_key: Any = None) -> None:
        super().__init__(overrides=overrides)

    def run(self, path: int | str = "") -> StoredRun:
        """Return a run, a `Run`.

        Args:
            path: "account/project/id", "project/id", or what `trackai.Api.run` takes.

        Raises:
            NotFoundError: the run does not exist.
        """
        run: Any = Run(_without_account(super().run, path))
        return run  # type: ignore[no-any-return]

    def runs(  # type: ignore[override]
        self,
        path: str | None = None,
        filters: Any = None,
        order: str | None = None,
        per_page: int | None = None,
        include_sweeps: bool | None = None,
        lazy: bool | None = None,
        **arguments: Any,
    ) -> Runs:
        """Return the runs of a project; as in wandb, the newest last.

        Args:
            path: "account/project" or the name of the project.
            filters, order, arguments: as for `trackai.Api.runs`.
            per_page, include_sweeps, lazy: accepted for scripts written for wandb, and ignored.

        Raises:
            NotFoundError: the project does not exist.
        """
        if order is None and not arguments.keys() & {"sort", "ascending"}:
            order = "+created_at"
        arguments |= {"filters": filters, "order": order}
        return _without_account(
            lambda project: runs_of(self, project, arguments), path or self._project
        )

    def projects(self, entity: str | None = None, per_page: int | None = None) -> list[str]:
        """Return the projects, the newest first.

        Args:
            entity, per_page: accepted for scripts written for wandb, and ignored.
        """
        return [Project(name) for name in super().projects()]

    def project(self, name: str, entity: str | None = None) -> Project:
        """Return a project, which need not exist.

        Args:
            name: its name.
            entity: accepted for scripts written for wandb, and ignored.
        """
        return Project(name)

    def artifacts(  # type: ignore[override]
        self,
        type_name: str,
        name: str,
        order: str | None = None,
        per_page: int | None = None,
        tags: Sequence[str] | str | None = None,
        start: str | None = None,
    ) -> list[Artifact]:
        """Return the versions of one artifact, the newest first.

        Args:
            type_name: the type, such as "model".
            name: the name, also as "project/name".
            tags: only versions that have all of these tags.
            order, per_page, start: accepted for scripts written for wandb, and ignored.

        Raises:
            NotFoundError: the artifact does not exist.
        """
        wanted = {tags} if isinstance(tags, str) else set(tags or ())
        versions = _without_account(
            lambda path: super(Api, self).artifact_versions(type_name, path), name
        )
        return [version for version in versions if wanted <= set(version.tags)]

    def artifact_versions(
        self, type_name: str, name: str, per_page: int | None = None
    ) -> list[Artifact]:
        """Return the versions of one artifact, as `artifacts` does."""
        return self.artifacts(type_name, name)

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002
        """Return a version of an artifact; see `trackai.Api.artifact`."""
        return _without_account(lambda path: super(Api, self).artifact(path, type), name)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002
        """Whether a version of an artifact exists."""
        try:
            self.artifact(name, type)
        except NotFoundError:
            return False
        return True

    def artifact_collection_exists(self, name: str, type: str) -> bool:  # noqa: A002
        """Whether an artifact of a type exists."""
        return self.artifact_exists(name, type)

    def from_path(self, path: str) -> Any:
        """Return the run of "account/project/id", or the runs of "account/project"."""
        return self.run(path) if path.strip("/").count("/") > 1 else self.runs(path.strip("/"))

    def flush(self) -> None:
        """Do nothing: each call reads what is stored."""

    def sweep(self, path: str = "") -> NoReturn:
        """Refuse: TrackAI has no sweeps."""
        raise UnsupportedError("Api.sweep: trackai does not have sweeps; use Api.runs with a group")

    def reports(self, path: str = "", *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: TrackAI has no reports."""
        raise UnsupportedError("Api.reports: trackai does not have reports")


PublicApi = Api


def _without_account(read: Callable[[Any], T], path: Any) -> T:
    """Read what a path names: with all its parts, or else without the first, the account."""
    try:
        return read(path)
    except NotFoundError:
        _, slash, rest = path.partition("/") if isinstance(path, str) else ("", "", "")
        if slash:
            with suppress(NotFoundError):
                return read(rest)
        raise
