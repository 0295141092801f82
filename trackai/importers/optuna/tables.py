"""Opens the tables of a storage, wherever they are."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.importers.optuna import is_journal
from trackai.importers.optuna.journal import open_journal
from trackai.importers.source_database import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.optuna.url import DatabaseUrl
    from trackai.importers.receipt import Receipt

# The databases that need a word to read one state from the first to the last query.
_SNAPSHOTS = {
    "postgresql": "REPEATABLE READ", "mysql": "REPEATABLE READ", "mariadb": "REPEATABLE READ",
}  # fmt: skip
_REQUIRED = {
    "studies": ("study_id", "study_name"),
    "trials": ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
    "trial_values": ("trial_id", "objective", "value"),
    "trial_intermediate_values": ("trial_id", "step", "intermediate_value"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
}


class Tables(Protocol):
    """The tables of a database at one time, for plain SELECTs with `?` for values."""

    def has(self, table: str, *columns: str) -> bool:
        """Return whether a table exists with at least these columns."""

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query.

        Raises:
            InvalidInputError: the database cannot be read.
        """


@contextmanager
def open_tables(place: Path | DatabaseUrl, receipt: Receipt) -> Iterator[Tables]:
    """Open a SQLite file, a journal or the database of a URL.

    Raises:
        InvalidInputError: it is not a storage of Optuna, or cannot be read.
        MissingExtraError: SQLAlchemy, which opens URLs, is not installed.
    """
    if not isinstance(place, Path):
        with _open_url(place) as database:
            _check(place, database)
            yield database
    elif place.is_dir():
        raise InvalidInputError(str(place), "is a folder; pass a database or a journal of Optuna")
    elif _is_sqlite(place):
        with open_source(place) as source:
            _check(place, source)
            source.check()
            yield source
    elif is_journal(place):
        with open_journal(place, receipt) as journal:
            yield journal
    else:
        raise InvalidInputError(str(place), "not a database or a journal of Optuna")


def _is_sqlite(path: Path) -> bool:
    try:
        with open_source(path) as source:
            return bool(source.columns)
    except InvalidInputError as error:
        if str(error).endswith("not a SQLite database"):
            return False
        raise


def _check(place: Path | DatabaseUrl, tables: Tables) -> None:
    if not tables.has("studies") or not tables.has("trials"):
        raise InvalidInputError(str(place), "not a storage of Optuna: it has no studies and trials")
    if not all(tables.has(table, *columns) for table, columns in _REQUIRED.items()):
        raise InvalidInputError(
            str(place), "written by an old version of Optuna; run `optuna storage upgrade` first"
        )


@contextmanager
def _open_url(place: DatabaseUrl) -> Iterator[Tables]:
    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ModuleNotFoundError:
        raise MissingExtraError(f"reading {place}", "optuna") from None
    try:
        engine = sqlalchemy.create_engine(place.url, poolclass=sqlalchemy.pool.NullPool)
        isolation = _SNAPSHOTS.get(engine.dialect.name)
        options = {} if isolation is None else {"isolation_level": isolation}
        connection = engine.connect().execution_options(**options)
    except ModuleNotFoundError as error:
        raise InvalidInputError(str(place), f"needs the package {error.name}") from None
    except (SQLAlchemyError, ValueError) as error:
        raise InvalidInputError(str(place), f"cannot be opened: {_line(error)}") from None
    with connection:
        yield _UrlDatabase(place, connection)


class _UrlDatabase:
    """A database that SQLAlchemy opens."""

    def __init__(self, place: DatabaseUrl, connection: Any) -> None:
        import sqlalchemy

        self._place = place
        self._connection = connection
        self._text = sqlalchemy.text
        self._error = sqlalchemy.exc.SQLAlchemyError
        self._columns: dict[str, set[str]] = {}
        try:
            inspector = sqlalchemy.inspect(connection)
            for table in inspector.get_table_names():
                self._columns[table] = {column["name"] for column in inspector.get_columns(table)}
        except self._error as error:
            raise self._unreadable(error) from None

    def has(self, table: str, *columns: str) -> bool:
        return table in self._columns and self._columns[table] >= set(columns)

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        number = itertools.count()
        named = re.sub(r"\?", lambda _: f":v{next(number)}", query)
        binds = {f"v{index}": value for index, value in enumerate(values)}
        try:
            yield from map(tuple, self._connection.execute(self._text(named), binds))
        except self._error as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> InvalidInputError:
        return InvalidInputError(str(self._place), f"cannot be read: {_line(error)}")


def _line(error: Exception) -> str:
    """Return the first line of what a driver says."""
    return (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
