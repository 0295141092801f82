"""Tables, which are logged as JSON files, with the media in their cells as files beside them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Literal

import msgspec

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.sdk import frames
from trackai.sdk.arrays import import_numpy
from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.histogram import Histogram
from trackai.sdk.media import Files, Markdown, Media, as_media
from trackai.sdk.notices import warn_once


class Table(Media):
    """A table of values, stored as JSON: `{"columns": [...], "data": [[...], ...]}`.

    Cells may hold media. An image, for example, is stored as a file of the run under
    `<table>/<column>` at the same step, and the cell as
    `{"file": "<table>/<column>", "name": "<name of the file>"}`.

    Args:
        columns: the names of the columns; default their indices.
        data: the rows: lists, or mappings by column; or a mapping of columns; or a data frame of
            pandas, polars or pyarrow.
        dataframe: a data frame instead of `columns` and `data`. Named levels of its index are the
            first columns.
        rows: another name of `data`.
        log_mode: "IMMUTABLE", "MUTABLE" or "INCREMENTAL", as in wandb. All mean the same: each call
            of `log` stores the whole table as it is then.
        dtype, optional, allow_mixed_types: accepted for scripts written for wandb, and ignored:
            every cell keeps its type.

    Attributes:
        columns: the names of the columns.
        data: the rows, as lists.

    Raises:
        InvalidInputError: a row is not a list, or does not have a value for each column; or
            `log_mode` is another text.

    Example:
        table = trackai.Table(columns=["prompt", "answer"])
        table.add_data("2 + 2", "4")
        trackai.log({"samples": table})
    """

    def __init__(
        self,
        columns: Sequence[Any] | None = None,
        data: Any = None,
        dataframe: Any = None,
        rows: Iterable[Sequence[Any]] | None = None,
        *,
        log_mode: str | None = None,
        dtype: Any = None,
        optional: Any = True,
        allow_mixed_types: bool = False,
    ) -> None:
        super().__init__(b"", ".table.json")
        _check_log_mode(log_mode)
        if data is None:
            data = () if rows is None else rows
        if frames.is_frame(data) or hasattr(data, "columns"):
            dataframe = data
        if dataframe is not None:
            columns, cells = frames.columns_of(dataframe)
            data = list(zip(*cells, strict=True))
        elif isinstance(data, Mapping):
            columns, data = _of_columns(data, columns)
        else:
            columns, data = _of_rows(list(data), columns)
        self.data = [list(row) for row in data]
        width = max(map(len, self.data), default=0)
        self.columns = list(columns if columns is not None else range(width))
        for row in self.data:
            self._check_width(row)

    def add_data(self, *row: Any) -> None:
        """Add a row.

        Args:
            row: a value for each column.

        Raises:
            InvalidInputError: there are more or fewer values than columns.
        """
        self._check_width(row)
        self.data.append(list(row))

    def add_row(self, *row: Any) -> None:
        """Add a row, as `add_data` does."""
        self.add_data(*row)

    def add_column(self, name: Any, data: Iterable[Any], optional: Any = None) -> None:
        """Add a column.

        Args:
            name: the name of the column.
            data: a value for each row.
            optional: accepted for scripts written for wandb, and ignored.

        Raises:
            InvalidInputError: there are more or fewer values than rows.
        """
        values = list(data)
        if self.columns and len(values) != len(self.data):
            raise InvalidInputError("data", f"{len(values)} values for {len(self.data)} rows")
        rows = self.data if self.columns else [[] for _ in values]
        self.data = [[*row, value] for row, value in zip(rows, values, strict=True)]
        self.columns.append(name)

    def add_computed_columns(self, fn: Callable[[int, dict[Any, Any]], Mapping[Any, Any]]) -> None:
        """Add columns that are computed from the others.

        Args:
            fn: called with the index of each row and its values by column; returns the values of
                the new columns. A column that it leaves out of a row is None there.

        Raises:
            TypeError: `fn` does not return a mapping.

        Example:
            table.add_computed_columns(lambda index, row: {"error": row["y"] - row["guess"]})
        """
        computed = []
        for index, row in self.iterrows():
            values = fn(index, dict(zip(self.columns, row, strict=True)))
            if not isinstance(values, Mapping):
                raise TypeError(f"fn: must return a dict of values, got {type_name(values)}")
            computed.append(values)
        for name in dict.fromkeys(name for values in computed for name in values):
            self.add_column(name, [values.get(name) for values in computed])

    def get_column(self, name: Any, convert_to: Literal["numpy"] | None = None) -> Any:
        """Return the values of a column: a list, or a NumPy array.

        Args:
            name: the name of the column.
            convert_to: "numpy" for an array.

        Raises:
            InvalidInputError: the column does not exist, or `convert_to` has another value.
            MissingExtraError: NumPy is not installed.
        """
        if name not in self.columns:
            raise InvalidInputError("name", f"column {name!r} not found")
        if convert_to not in (None, "numpy"):
            raise InvalidInputError("convert_to", f'must be "numpy" or None, got {convert_to!r}')
        index = self.columns.index(name)
        values = [row[index] for row in self.data]
        return import_numpy("a column as an array").array(values) if convert_to else values

    def get_dataframe(self) -> Any:
        """Return the table as a new pandas data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("a table as a data frame", "pandas") from None
        return pandas.DataFrame(self.data, columns=self.columns)

    def get_index(self) -> list[int]:
        """Return the indices of the rows, from 0 on."""
        return list(range(len(self.data)))

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Iterate over the rows, each with its index, from 0 on."""
        return enumerate(self.data)

    def open(self) -> BinaryIO:
        """Open the table as JSON for reading."""
        table = {"columns": self.columns, "data": self.data}
        return io.BytesIO(msgspec.json.encode(jsonable(table)))

    def without_files(self, path: str, files: Files, number: int | None) -> Table:
        """Return the table as it is stored, and move the media in its cells to `files`."""
        return Table(
            self.columns,
            [
                [
                    _stored_cell(f"{path}/{column}", cell, files)
                    for column, cell in zip(self.columns, row, strict=True)
                ]
                for row in self.data
            ],
        )

    def __eq__(self, other: object) -> bool:
        """Whether the columns and all cells are equal."""
        if not isinstance(other, Table):
            return NotImplemented
        return (
            self.columns == other.columns
            and len(self.data) == len(other.data)
            and all(
                _are_equal(mine, its)
                for row, other_row in zip(self.data, other.data, strict=True)
                for mine, its in zip(row, other_row, strict=True)
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<trackai.Table of {len(self.data)} rows, columns {self.columns!r}>"

    def _check_width(self, row: Sequence[Any]) -> None:
        if len(row) != len(self.columns):
            raise InvalidInputError(
                "data", f"the number of values in a row must be {len(self.columns)}, got {len(row)}"
            )


def _check_log_mode(log_mode: str | None) -> None:
    if log_mode not in (None, "IMMUTABLE", "MUTABLE", "INCREMENTAL"):
        raise InvalidInputError(
            "log_mode", f'must be "IMMUTABLE", "MUTABLE" or "INCREMENTAL", got {log_mode!r}'
        )
    if log_mode == "INCREMENTAL":
        warn_once(
            "Table: log_mode", "Table: with log_mode INCREMENTAL, each log() stores the whole table"
        )


def _are_equal(value: Any, other: Any) -> bool:
    """Compare two cells, which may be arrays."""
    equal = value == other
    with suppress(TypeError, ValueError):
        return bool(equal)
    return getattr(value, "shape", None) == getattr(other, "shape", None) and bool(equal.all())


def _of_columns(columns: Mapping[Any, Any], names: Sequence[Any] | None) -> tuple[Any, Any]:
    names = list(columns if names is None else names)
    for name in names:
        if name not in columns:
            raise InvalidInputError("columns", f"column {name!r} not found in data")
    cells = [list(columns[name]) for name in names]
    lengths = {str(name): len(column) for name, column in zip(names, cells, strict=True)}
    if len(set(lengths.values())) > 1:
        raise InvalidInputError("data", f"columns must have the same length, got {lengths}")
    return names, zip(*cells, strict=True)


def _of_rows(rows: list[Any], names: Sequence[Any] | None) -> tuple[Any, Any]:
    fields = getattr(getattr(rows[0], "dtype", None), "names", None) if rows else None
    if fields:  # a structured array
        return (fields if names is None else names), [
            [row[name] for name in fields] for row in rows
        ]
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(key for row in rows for key in row)) if names is None else names
        return names, [[row.get(name) for name in names] for row in rows]
    for row in rows:
        if isinstance(row, str | bytes | Mapping) or not isinstance(row, Iterable):
            raise InvalidInputError("data", f"a row must be a list of values, got {type_name(row)}")
    return names, rows


def _stored_cell(path: str, value: Any, files: Files) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Markdown):
        return value.text
    if isinstance(value, Histogram):
        return msgspec.json.decode(value.json())
    media = as_media(value)
    if media is None:
        return value
    references = []
    for item in media:
        number = len(files.setdefault(path, []))
        stored = item.without_files(path, files, number)
        files[path].append((number, stored))
        references.append({"file": path, "name": stored.file_name(None, number)})
    return references if isinstance(value, list | tuple) else references[0]


def add_files(path: str, value: Any, files: Files) -> bool:
    """Add the media that a logged value stands for; False for other values.

    Args:
        path: the name under which the value is logged.
        files: the files of the call, to which they are added.
    """
    media = [Table(dataframe=value)] if frames.is_frame(value) else as_media(value)
    if media is None:
        return False
    same_name = files.setdefault(path, [])
    for number, item in enumerate(media):
        index = number if len(media) > 1 else None
        same_name.append((index, item.without_files(path, files, index)))
    return True
