"""What a shell offers at the tabulator key where a run, a project or a metric is to be named.

A shell asks while somebody is typing: nothing is created, and nothing is ever said about a
database that cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from trackai.errors import TrackAIError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from trackai.store.engine.database import Database

_MANY = 200


class _Stored(click.types.StringParamType):
    """A text; what a shell offers comes from the database."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        async def work(database: Database) -> Iterable[str]:
            return await self.offered(database, incomplete)

        found = _ask(ctx.params.get("db"), work)
        return [CompletionItem(text) for text in found if text.startswith(incomplete)]

    async def offered(self, database: Database, incomplete: str) -> Iterable[str]:
        raise NotImplementedError


class _Run(_Stored):
    """Slugs; with their projects once there is a slash, or where they are not the only ones."""

    async def offered(self, database: Database, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import projects, run_tables

        async with database.read() as conn:
            page = await run_tables.list_page(conn, run_tables.RunFilter(), limit=_MANY)
            some = await projects.list_page(conn, limit=_MANY, offset=0)
        slugs = {one.id: one.project_id for one in some}
        runs = [run.run_id for run in page.runs]
        full = [f"{slugs.get(run.project_id, '')}/{run.run_id}" for run in page.runs]
        if "/" in incomplete:
            return full
        alone = [
            name if runs.count(name) == 1 else long for name, long in zip(runs, full, strict=True)
        ]
        return ["latest", *alone]


class _Project(_Stored):
    """The slugs of projects."""

    async def offered(self, database: Database, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import projects

        async with database.read() as conn:
            return [one.project_id for one in await projects.list_page(conn, limit=_MANY, offset=0)]


class _Metric(_Stored):
    """The metrics of the latest run."""

    async def offered(self, database: Database, incomplete: str) -> Iterable[str]:
        from trackai.store.catalogue import runs
        from trackai.store.points import series

        async with database.read() as conn:
            return await series.list_paths(conn, (await runs.resolve(conn, "latest")).id)


_TYPES: dict[str | None, click.ParamType[Any]] = {
    "run": _Run(), "runs": _Run(), "project": _Project(), "metric": _Metric(),
}  # fmt: skip


def complete_parameters(command: click.Command) -> None:
    """Let shells complete what the parameters of a command name, by what they are called."""
    for parameter in command.params:
        if isinstance(parameter.type, click.types.StringParamType):
            parameter.type = _TYPES.get(parameter.name, parameter.type)


def _ask(db: Any, work: Callable[[Database], Awaitable[Iterable[str]]]) -> Iterable[str]:
    from trackai.cli.store import with_store
    from trackai.settings import Settings

    try:
        return with_store(db, work) if Settings.from_env(db).db_path.exists() else []
    except (TrackAIError, OSError):
        return []
