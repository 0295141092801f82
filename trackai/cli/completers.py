"""Shell completion of the names of runs, projects and metrics.

Shells call this while the user is typing, so it creates no files and reports no errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from trackai.errors import TrackAIError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from trackai.store.engine.store import Store

_LIMIT = 200


class _StoredName(click.types.StringParamType):
    """A text parameter whose completions come from the database."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        async def work(database: Store) -> Iterable[str]:
            return await self.names(database, incomplete)

        from trackai.settings import Settings

        db = ctx.params.get("db")
        if ctx.params.get("url") or (not db and Settings.from_env().server_url):
            return []  # a server may take too long
        names = _read(db, work)
        # Shells print completions as they are.
        return [
            CompletionItem(name)
            for name in names
            if name.startswith(incomplete) and name.isprintable()
        ]

    async def names(self, database: Store, incomplete: str) -> Iterable[str]:
        raise NotImplementedError


class _RunName(_StoredName):
    """Slugs of runs, with the project if `incomplete` has a slash or the slug is ambiguous."""

    async def names(self, database: Store, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import projects, run_tables

        async with database.read() as conn:
            page = await run_tables.list_page(conn, run_tables.RunFilter(), limit=_LIMIT)
            recent_projects = await projects.list_page(conn, limit=_LIMIT, offset=0)
        project_slugs = {project.id: project.project_id for project in recent_projects}
        slugs = [run.run_id for run in page.runs]
        full = [f"{project_slugs.get(run.project_id, '')}/{run.run_id}" for run in page.runs]
        if "/" in incomplete:
            return full
        names = [
            slug if slugs.count(slug) == 1 else full_name
            for slug, full_name in zip(slugs, full, strict=True)
        ]
        return ["latest", *names]


class _ProjectName(_StoredName):
    """Slugs of projects."""

    async def names(self, database: Store, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import projects

        async with database.read() as conn:
            page = await projects.list_page(conn, limit=_LIMIT, offset=0)
        return [project.project_id for project in page]


class _MetricName(_StoredName):
    """The metrics of the latest run."""

    async def names(self, database: Store, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import runs
        from trackai.store.points import series

        async with database.read() as conn:
            return await series.list_paths(conn, (await runs.resolve(conn, "latest")).id)


_TYPES: dict[str | None, click.ParamType[Any]] = {
    "run": _RunName(), "runs": _RunName(), "project": _ProjectName(), "metric": _MetricName(),
}  # fmt: skip


def add_completers(command: click.Command) -> None:
    """Give the parameters of a command that name a run, project or metric a completer."""
    for parameter in command.params:
        if isinstance(parameter.type, click.types.StringParamType):
            parameter.type = _TYPES.get(parameter.name, parameter.type)


def _read(db: Any, work: Callable[[Store], Awaitable[Iterable[str]]]) -> Iterable[str]:
    from trackai.cli.database import with_database
    from trackai.settings import Settings

    try:
        address = Settings.from_env(database=db).database
        is_there = not isinstance(address, Path) or address.exists()
        return with_database(db, work) if is_there else []
    except (TrackAIError, OSError):
        return []
