"""Reads the rows of tables that may still be written."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from trackai.importers.csv_cells import parse_number

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

# In characters; a C long, which is the type of the limit, has 32 bits on some platforms.
_MAX_CELL = (1 << 31) - 1
_MEASURED = 8


class TableRows:
    """The rows of a CSV file, but for one that is not complete: its number may lack digits.

    Attributes:
        is_cut: whether the last line that was read has no end.
        position: how many bytes have been read.
        header: the first row.
    """

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        self._path = path
        self._delimiter = delimiter
        self.is_cut = False
        self.position = 0
        self.header: list[str] = []

    def read(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row after the header, with the number of its last line.

        Raises:
            OSError: the file cannot be read.
            ValueError: quotes are not closed where they must be.
        """
        csv.field_size_limit(_MAX_CELL)
        lines = self._lines()
        try:
            rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
            self.header = next(rows, [])
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            if not self.is_cut:  # not only because the rest of a quoted text is missing
                raise ValueError(str(error)) from None
        finally:
            lines.close()

    def _lines(self) -> Generator[str, None, None]:
        with self._path.open("rb") as file:
            for line in file:
                self.position += len(line)
                if not line.endswith(b"\n"):
                    self.is_cut = True
                    return
                yield line.decode(errors="replace")


def is_measured(cell: str) -> bool:
    """Whether a cell has many digits, as two runs will hardly have in common."""
    return len(cell) >= _MEASURED and parse_number(cell) is not None
