"""Read-only access to SQLite databases of other programs."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS_PER_FETCH = 1000


class SourceDatabase:
    """A snapshot of another program's database.

    Attributes:
        columns: the names of the columns of each table.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._connection.execute("BEGIN")
        tables = self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        self.columns: dict[str, set[str]] = {
            table: {name for (name,) in self.rows("SELECT name FROM pragma_table_info(?)", table)}
            for (table,) in list(tables)
        }

    def has(self, table: str, *columns: str) -> bool:
        """Return whether a table exists with at least these columns."""
        return set(columns) <= self.columns.get(table, set()) and table in self.columns

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, fetched a thousand at a time.

        Raises:
            InvalidInputError: the file cannot be read, or is damaged.
        """
        for rows in self.batches(query, *values):
            yield from rows

    def batches(self, query: str, *values: Any) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, a thousand at a time; it raises what `rows` does."""
        try:
            cursor = self._connection.execute(query, values)
            while rows := cursor.fetchmany(_ROWS_PER_FETCH):
                yield rows
        except sqlite3.OperationalError as error:
            raise InvalidInputError(str(self._path), f"cannot be read: {error}") from None
        except UnicodeDecodeError:  # of a message that quotes what is damaged
            raise InvalidInputError(str(self._path), "the database is damaged") from None
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise InvalidInputError(str(self._path), "not a SQLite database") from None
            raise InvalidInputError(str(self._path), f"the database is damaged: {error}") from None

    def count(self, table: str) -> int:
        """Return the number of rows of a table; 0 if it does not exist."""
        if table not in self.columns:
            return 0
        [(number,)] = self.rows(f'SELECT COUNT(*) FROM "{table}"')  # noqa: S608 - of the schema
        return int(number)

    def release(self) -> None:
        """End the snapshot: without a write-ahead log, it would keep other programs from writing.

        Each later query sees what is there by then.
        """
        with suppress(sqlite3.DatabaseError):  # damaged
            self._connection.execute("COMMIT")

    def check(self) -> None:
        """Read the whole file once, so that damage is found before anything is stored.

        Raises:
            InvalidInputError: the file is damaged.
        """
        for (result,) in self.rows("PRAGMA quick_check(1)"):
            if result != "ok":
                raise InvalidInputError(
                    str(self._path), f"the database is damaged: {result.splitlines()[-1]}"
                )


@contextmanager
def open_source(path: Path) -> Iterator[SourceDatabase]:
    """Open a database of another program; changes made meanwhile are not seen.

    If its last writer was killed, a copy is opened, in which unfinished changes are undone.

    Raises:
        InvalidInputError: the file is not a SQLite database, or is damaged.
    """
    with ExitStack() as resources:
        connection = resources.enter_context(_connection(path, path, "ro"))
        if _has_unfinished_changes(connection):
            copy = _copy(path, resources.enter_context(TemporaryDirectory(prefix="trackai-")))
            connection = resources.enter_context(_connection(copy, path, "rw"))
        yield SourceDatabase(path, connection)


@contextmanager
def _connection(file: Path, path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Connect to a file; errors name `path`."""
    # Do not open the file to look at its header: closing it would drop the locks of every SQLite
    # connection of this process, and the file may be the store's own.
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise InvalidInputError(str(path), f"cannot be opened: {error}") from None
    with closing(connection):
        yield connection


def _has_unfinished_changes(connection: sqlite3.Connection) -> bool:
    """Whether a writer was killed, and its changes must be undone, which needs write access."""
    try:
        connection.execute("SELECT 1 FROM sqlite_schema")
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK
    except UnicodeDecodeError:  # of a damaged schema, which is reported later
        pass
    return False


def _copy(path: Path, folder: str) -> Path:
    try:
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{path}{suffix}", Path(folder, f"{path.name}{suffix}"))
    except OSError as error:
        raise InvalidInputError(str(path), f"cannot be copied: {error.strerror}") from None
    return Path(folder, path.name)


def parse_time(text: Any) -> int | None:
    """Convert an ISO 8601 time, in UTC if it has no zone, to microseconds since the epoch.

    Returns:
        None for anything else.
    """
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(time)
