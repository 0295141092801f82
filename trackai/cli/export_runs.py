"""Writes the runs that a command names, of a database or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from trackai.cli.output import echo
from trackai.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Chunk, Item

    class Writer(Protocol):
        """Writes a format."""

        def write(self, item: Item) -> None: ...
        def close(self) -> None: ...


class Chosen(NamedTuple):
    """The runs to write: those with some names, of a project, or that match a filter; or all."""

    names: tuple[str, ...] = ()
    project: str | None = None
    condition: str | None = None


async def write_runs(database: Store, chosen: Chosen, writer: Writer) -> int:
    """Write runs of a database; return their number."""
    from trackai.filters.parser import parse_filter
    from trackai.store.catalogue import projects, run_tables, runs
    from trackai.store.transfer import dump

    names, project, condition = chosen
    async with database.read() as conn:
        if names:
            ids = list(dict.fromkeys([(await runs.resolve(conn, name)).id for name in names]))
        elif condition is not None:
            where = run_tables.RunFilter(tree=parse_filter(condition))
            ids = await run_tables.list_ids(conn, where)
        else:
            project_id = None if project is None else (await projects.find(conn, project)).id
            ids = await runs.list_ids(conn, project_id)
        exported = 0
        for run_id in ids:
            try:
                # One state of each run; all runs at once would keep the log from being emptied.
                await conn.execute("BEGIN")
                async for item in dump.dump(conn, run_id):
                    writer.write(item)
                exported += 1
            except NotFoundError:
                echo(f"warning: run {run_id} was deleted meanwhile, not exported", err=True)
            finally:
                await conn.rollback()
    writer.close()
    return exported


def write_runs_of_server(
    source: RemoteSource,
    chosen: Chosen,
    write: Callable[[Iterable[bytes] | None], None],
) -> int:
    """Write runs of a server; return their number.

    Args:
        write: takes the lines of a run, and None at the end.
    """
    names, project, condition = chosen
    if names:
        ids = list(dict.fromkeys(source.resolve(name).id for name in names))
    else:
        project_id = None if project is None else source.find_project(project).id
        ids = source.run_ids(project_id, condition)
    exported = 0
    for run_id in ids:
        try:
            write(source.export(run_id))
            exported += 1
        except NotFoundError:
            echo(f"warning: run {run_id} was deleted meanwhile, not exported", err=True)
    write(None)
    return exported


def converter(
    writer: Writer, keep: Callable[[Chunk], None] | None = None
) -> Callable[[Iterable[bytes] | None], None]:
    """Convert the lines of runs; None ends the file.

    Args:
        keep: receives the bytes of files.
    """
    from trackai.importers.jsonl import read_lines
    from trackai.structs.exchange import Chunk

    def write(lines: Iterable[bytes] | None) -> None:
        if lines is None:
            writer.close()
            return
        for item in read_lines(lines, "the answer of the server"):
            if not isinstance(item, Chunk):
                writer.write(item)
            elif keep is not None:
                keep(item)

    return write
