"""Curves drawn with characters: eight dots to a cell, or letters where there are no colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The bits of the eight dots of a braille character, by row and column.
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

# From 0 to 1, from left to right and from below; None is a gap.
Place = tuple[float, float]


class Canvas:
    """Cells in which curves are drawn; where several meet, the last one is seen."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self._curves: list[list[int | None]] = [[None] * width for _ in range(height)]

    def draw(self, curve: int, places: Sequence[Place | None]) -> None:
        """Draw the curve of that number through places; a gap breaks it."""
        before: tuple[int, int] | None = None
        for place in places:
            if place is None:
                before = None
                continue
            at = (
                round(place[0] * (2 * self.width - 1)),
                round((1 - place[1]) * (4 * self.height - 1)),
            )
            for column, row in _between(before or at, at):
                self._dots[row // 4][column // 2] |= _BITS[row % 4][column % 2]
                self._curves[row // 4][column // 2] = curve
            before = at

    def rows(self, *, letters: bool = False) -> list[list[tuple[str, int | None]]]:
        """The characters, from the top, each with the number of its curve."""
        return [
            [
                (" " if curve is None else _character(dots, curve, letters=letters), curve)
                for dots, curve in zip(*row, strict=True)
            ]
            for row in zip(self._dots, self._curves, strict=True)
        ]


def _character(dots: int, curve: int, *, letters: bool) -> str:
    return LETTERS[curve % len(LETTERS)] if letters else chr(_BLANK + dots)


def _between(first: tuple[int, int], last: tuple[int, int]) -> Iterable[tuple[int, int]]:
    """The dots of a straight line."""
    (x, y), (to_x, to_y) = first, last
    steps = max(abs(to_x - x), abs(to_y - y), 1)
    for step in range(steps + 1):
        yield x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps)
