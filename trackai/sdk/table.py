"""Tables, which are logged as JSON files, with the media in their cells as files beside them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk import frames
from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.histogram import Histogram
from trackai.sdk.media import Files, Markdown, Media, as_media


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
        ignored: further arguments of wandb, which are ignored.

    Attributes:
        columns: the names of the columns.
        data: the rows, as lists.

    Raises:
        InvalidInputError: a row is not a list, or does not have a value for each column.

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
        **ignored: Any,
    ) -> None:
        super().__init__(b"", ".table.json")
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

    def add_column(self, name: Any, data: Iterable[Any]) -> None:
        """Add a column.

        Args:
            name: the name of the column.
            data: a value for each row.

        Raises:
            InvalidInputError: there are more or fewer values than rows.
        """
        values = list(data)
        if self.columns and len(values) != len(self.data):
            raise InvalidInputError("data", f"{len(values)} values for {len(self.data)} rows")
        rows = self.data if self.columns else [[] for _ in values]
        self.data = [[*row, value] for row, value in zip(rows, values, strict=True)]
        self.columns.append(name)

    def get_column(self, name: Any) -> list[Any]:
        """Return the values of a column.

        Raises:
            InvalidInputError: the column does not exist.
        """
        if name not in self.columns:
            raise InvalidInputError("name", f"column {name!r} not found")
        index = self.columns.index(name)
        return [row[index] for row in self.data]

    def open(self) -> BinaryIO:
        """Open the table as JSON for reading."""
        table = {"columns": self.columns, "data": self.data}
        return io.BytesIO(msgspec.json.encode(jsonable(table)))

    def without_files(self, path: str, files: Files) -> Table:
        """Return the table as it is stored, and move the media in its cells to `files`.

        Args:
            path: the name under which the table is logged.
            files: the files of the call.
        """
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

    def _check_width(self, row: Sequence[Any]) -> None:
        if len(row) != len(self.columns):
            raise InvalidInputError(
                "data", f"the number of values in a row must be {len(self.columns)}, got {len(row)}"
            )


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
        stored = _without_files(item, path, files)
        number = len(files.setdefault(path, []))
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
        stored = _without_files(item, path, files)
        same_name.append((number if len(media) > 1 else None, stored))
    return True


def _without_files(media: Media, path: str, files: Files) -> Media:
    return media.without_files(path, files) if isinstance(media, Table) else media
