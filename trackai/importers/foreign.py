"""SQLite files of other programs: opened for reading only, looked at before they are believed."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROWS = 1000


class Foreign:
    """A database of another program, as it was when it was opened."""

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
        """Whether there is a table with at least these columns."""
        return set(columns) <= self.columns.get(table, set()) and table in self.columns

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives, some at a time.

        Raises:
            InvalidInputError: the file is damaged.
        """
        try:
            cursor = self._connection.execute(query, values)
            while some := cursor.fetchmany(_ROWS):
                yield from some
        except sqlite3.OperationalError as error:
            raise InvalidInputError(str(self._path), f"it cannot be read: {error}") from None
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise InvalidInputError(str(self._path), "it is no SQLite database") from None
            raise InvalidInputError(str(self._path), f"the database is damaged: {error}") from None

    def count(self, table: str) -> int:
        """How many rows a table has; none if there is no such table."""
        if table not in self.columns:
            return 0
        [(number,)] = self.rows(f'SELECT COUNT(*) FROM "{table}"')  # noqa: S608 - of the schema
        return int(number)

    def check(self) -> None:
        """Read the whole file once, so that damage is found before anything is stored.

        Raises:
            InvalidInputError: the file is damaged.
        """
        for (said,) in self.rows("PRAGMA quick_check(1)"):
            if said != "ok":
                raise InvalidInputError(
                    str(self._path), f"the database is damaged: {said.splitlines()[-1]}"
                )


@contextmanager
def opened(path: Path) -> Iterator[Foreign]:
    """Open a database of another program; what it is writing meanwhile is not seen.

    Raises:
        InvalidInputError: the file is no SQLite database, or damaged.
    """
    # SQLite itself looks at the header: closing a file that was opened by hand would drop the
    # locks of every connection of this process, and the file may be the store's own.
    uri = path.absolute().as_uri()
    try:
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise InvalidInputError(str(path), f"it cannot be opened: {error}") from None
    try:
        yield Foreign(path, connection)
    finally:
        connection.close()


def time_of(text: Any) -> int | None:
    """A time that stands in a database as ISO 8601, in microseconds; without a zone it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(time)
