"""Functions of trackio that work on whole projects: imports of files, and deleting a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.from_thread import start_blocking_portal

from trackai.errors import InvalidInputError
from trackai.sdk.ignored_calls import warn_ignored_arguments
from trackai.settings import Settings
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Chunk, Item

T = TypeVar("T")
# Projects a page: all of them.
_PAGE = 1_000_000


def import_csv(
    csv_path: str | os.PathLike[str],
    project: str,
    name: str | None = None,
    space_id: str | None = None,
    dataset_id: str | None = None,
    private: bool | None = None,
    force: bool = False,
    *,
    db_path: str | os.PathLike[str] | None = None,
) -> None:
    """Import a table of metrics from a CSV file as a run, as `trackai import csv` does.

    Each column is a metric; columns called step and timestamp have the steps and times of the rows.
    Importing the file again changes nothing.

    Args:
        csv_path: the file.
        project: the project of the run, which may exist.
        name: the name of the run; default the name of the file.
        space_id, dataset_id, private: accepted for scripts written for trackio, and ignored with a
            warning.
        force: accepted for scripts written for trackio, and ignored.
        db_path: the database file; default the server of `TRACKAI_SERVER_URL`, then the file of
            `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.

    Raises:
        FileNotFoundError: the file does not exist.
        InvalidInputError: the file is not a valid table.
        ServerUnreachableError: the server does not answer now.
        ServerRefusedError: the server refuses the import.
    """
    from trackai.importers.csv import read
    from trackai.importers.loader import check_items
    from trackai.importers.receipt import Receipt

    path = _existing(csv_path)
    _warn_ignored("import_csv", space_id, dataset_id, private)

    def items(receipt: Receipt) -> Iterable[Item | Chunk]:
        return read(path, project=project, name=name, receipt=receipt)

    check_items(items(Receipt(str(path), "")))  # raises before anything is stored
    _import(path, items, db_path)


def import_tf_events(
    log_dir: str | os.PathLike[str],
    project: str,
    name: str | None = None,
    space_id: str | None = None,
    dataset_id: str | None = None,
    private: bool | None = None,
    force: bool = False,
    *,
    db_path: str | os.PathLike[str] | None = None,
) -> None:
    """Import event files of TensorBoard, as `trackai import tensorboard` does.

    Each folder with event files is a run. Importing them again adds what is new.

    Args:
        log_dir: the folder.
        project: the project of the runs, which may exist.
        name, space_id, dataset_id, private: accepted for scripts written for trackio, and ignored
            with a warning.
        force: accepted for scripts written for trackio, and ignored.
        db_path: the database file; default the server of `TRACKAI_SERVER_URL`, then the file of
            `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.

    Raises:
        FileNotFoundError: the folder does not exist.
        MissingExtraError: TensorBoard is not installed.
        ServerUnreachableError: the server does not answer now.
        ServerRefusedError: the server refuses the import.
    """
    from trackai.importers.trackers import TRACKERS

    source = TRACKERS["tensorboard"].source
    path = _existing(log_dir)
    warn_ignored_arguments("import_tf_events", {"name": name})
    _warn_ignored("import_tf_events", space_id, dataset_id, private)

    def items(receipt: Receipt) -> Iterable[Item | Chunk]:
        return source(path, project=project, receipt=receipt, progress=_NoProgress()).read()

    _import(path, items, db_path)


def delete_project(
    project: str, force: bool = False, *, db_path: str | os.PathLike[str] | None = None
) -> bool:
    """Delete a project with all its runs.

    Args:
        project: its name or slug.
        force: delete it without asking.
        db_path: the database file; default `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.

    Returns:
        Whether it was deleted: False if it does not exist, or the answer to the question is no.

    Raises:
        InvalidInputError: `TRACKAI_SERVER_URL` names a server, and there is no `db_path`: delete
            its runs with `trackai delete`.
        StoreError: the database cannot be used.
    """
    from trackai.store.catalogue import projects
    from trackai.store.upkeep import deletion

    path = _database_path(db_path)

    async def find(database: Database) -> list[int]:
        async with database.read() as conn:
            listed = await projects.list_page(conn, limit=_PAGE)
        named = [each.id for each in listed if each.name == project]
        return named or [each.id for each in listed if each.project_id == project]

    found = _with_database(path, find) if path.exists() else []
    if not found:
        logger.warning("project %r not found; nothing was deleted", project)
        return False
    if not force and not _is_confirmed(f"Delete project {project!r} with all its runs? [y/N] "):
        logger.warning("project %r was not deleted; pass force=True to skip the question", project)
        return False
    _with_database(path, lambda database: deletion.delete_project(database, found[0]))
    return True


class _NoProgress:
    def share(self, done: int, total: int, unit: str) -> None:
        """Show nothing: a script has no line for it."""


def _is_confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:  # nobody can answer
        return False


def _existing(path: str | os.PathLike[str]) -> Path:
    existing = Path(path)
    if not existing.exists():
        raise FileNotFoundError(f"{str(existing)!r} not found")
    return existing


def _warn_ignored(function: str, space_id: Any, dataset_id: Any, private: Any) -> None:
    warn_ignored_arguments(
        function, {"space_id": space_id, "dataset_id": dataset_id, "private": private}
    )


def _database_path(db_path: str | os.PathLike[str] | None) -> Path:
    settings = Settings.from_env(db_path)
    if settings.server_url is not None:
        raise InvalidInputError(
            "db_path", "pass it: this works on a database file, and TRACKAI_SERVER_URL is set"
        )
    return settings.db_path


def _import(
    source: Path,
    items: Callable[[Receipt], Iterable[Item | Chunk]],
    db_path: str | os.PathLike[str] | None,
) -> None:
    from trackai.client.connection import Connection
    from trackai.importers.loader import load_runs
    from trackai.importers.receipt import Receipt, as_text

    settings = Settings.from_env(db_path)

    async def work(place: Database | Connection) -> Receipt:
        return await load_runs(place, items(receipt), receipt)

    if settings.server_url is None:
        receipt = Receipt(str(source), str(settings.db_path))
        _with_database(settings.db_path, work)
    else:
        connection = Connection(settings.server_url, settings.api_key)
        receipt = Receipt(str(source), connection.url)
        with start_blocking_portal() as portal:
            portal.call(work, connection)
    log = logger.info if receipt.complete else logger.warning
    log("%s", as_text(receipt))


def _with_database(path: Path, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database in an event loop of its own, as a notebook runs one in this thread."""
    from trackai.store.engine.database import Database

    async def main() -> T:
        database = Database(path)
        try:
            await database.open()
            return await work(database)
        finally:
            await database.close()

    with start_blocking_portal() as portal:
        return portal.call(main)
