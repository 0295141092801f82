"""Decides what the cells of a column are, from all of them, and converts them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trackai.importers.csv_cells import (
    infer_value,
    is_decimal_comma,
    is_inexact,
    is_missing,
    is_unclear_comma,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trackai.values.types import Value

# How keras writes an array.
_LIST = re.compile(r'"(?P<list>\[[^"]*\])"')


class Column:
    """What is known of a column: it holds numbers, numbers with decimal commas, or texts.

    Cells are added first, in their order, and converted in a second pass.

    Attributes:
        cells: the number of cells that are not blank.
        counts_rows: whether the cells are 0, 1, 2 and so on.
        begins_with_text: whether the first cell that has a value is a text.
    """

    def __init__(self) -> None:
        self.cells = 0
        self.counts_rows = True
        self.begins_with_text: bool | None = None
        self._texts = 0
        self._words = 0
        self._first_word = ""
        self._inexact: tuple[str, Value] | None = None
        self._has_decimal_points = False
        # Of the words: whether all have a decimal comma, and those whose comma may also separate
        # thousands.
        self._have_commas = True
        self._unclear = 0
        self._first_unclear = ""
        self._has_thousands = False

    def add(self, cells: Sequence[str]) -> None:
        """Add cells that are not blank."""
        if self.counts_rows:
            self.counts_rows = all(
                cell == str(number) for number, cell in enumerate(cells, self.cells)
            )
        self.cells += len(cells)
        for cell, value in zip(cells, map(infer_value, cells), strict=True):
            if isinstance(value, str):
                self._add_text(cell)
                continue
            if self.begins_with_text is None:
                self.begins_with_text = False
            if isinstance(value, float):
                self._has_decimal_points |= value == value
                if self._inexact is None and is_inexact(cell, value):
                    self._inexact = cell, value

    def _add_text(self, cell: str) -> None:
        self._texts += 1
        if is_missing(cell):
            return
        if self.begins_with_text is None:
            self.begins_with_text = not _LIST.fullmatch(cell)
        if not self._words:
            self._first_word = cell
        self._words += 1
        if self._have_commas:
            self._add_word(cell.strip())

    def _add_word(self, word: str) -> None:
        if not is_unclear_comma(word):
            self._have_commas = is_decimal_comma(word)
            return
        if not self._unclear:
            self._first_unclear = word
        self._unclear += 1
        self._has_thousands |= word.count(",") > 1

    @property
    def missing(self) -> int:
        """The number of cells without a value."""
        return 0 if self._are_texts else self._texts - self._words

    @property
    def _has_decimal_commas(self) -> bool:
        return self._words > 0 and self._have_commas

    @property
    def _are_texts(self) -> bool:
        return self._words > 0 and not self._have_commas

    def check(self) -> None:
        """Check that the numbers are clear.

        Raises:
            ValueError: commas may separate thousands, or some numbers have decimal points.
        """
        if not self._has_decimal_commas:
            return
        if self._unclear == self._words or self._has_thousands:
            raise ValueError(
                f"{self._first_unclear!r} is ambiguous; write a decimal point, and do not separate "
                "thousands"
            )
        if self._has_decimal_points:
            raise ValueError(f"has decimal points and commas, such as {self._first_word!r}")

    def remarks(self) -> Iterator[str]:
        """Yield what may surprise."""
        if self._inexact is not None:
            cell, value = self._inexact
            yield f"rounds large numbers, such as {cell} to {value!r}"
        if self._has_decimal_commas:
            yield "has decimal commas"
        elif self._are_texts and self._texts < self.cells:
            share = f"{self._texts} of {self.cells} values"
            yield f"{share} are texts, such as {self._first_word!r}"

    def convert(self, cells: Sequence[str]) -> list[Value | None]:
        """Convert cells; those without a value are None.

        Raises:
            ValueError: a cell was not added.
        """
        if self._are_texts:
            return [_unquoted(infer_value(cell)) for cell in cells]
        if self._has_decimal_commas:
            cells = [cell.replace(",", ".") for cell in cells]
        values = list(map(infer_value, cells))
        return list(map(_number, values)) if str in set(map(type, values)) else list(values)


def _number(value: Value) -> Value | None:
    if not isinstance(value, str):
        return value
    if not is_missing(value):
        raise ValueError(f"the file has changed while it was read, got {value!r}")
    return None


def _unquoted(value: Value) -> Value:
    """Return a list that keras has written within quotes of its own without them."""
    match = _LIST.fullmatch(value) if isinstance(value, str) else None
    return match["list"] if match else value
