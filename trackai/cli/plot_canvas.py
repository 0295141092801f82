"""A canvas that draws lines with braille characters, or with letters instead of colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    # A character, and the number of the curve it belongs to; None for axes and blanks.
    Cell = tuple[str, int | None]
    # From 0 to 1, from left to right and from bottom to top.
    Position = tuple[float, float]

# The bits of the eight dots of a braille character, by row and column.
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
DOTS = chr(_BLANK + 0xFF)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Canvas:
    """A grid of characters with 2 x 4 dots each; later curves cover earlier ones."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self._curves: list[list[int | None]] = [[None] * width for _ in range(height)]

    def draw(self, curve: int, positions: Sequence[Position | None]) -> None:
        """Draw the curve with number `curve` through positions; None is a gap."""
        previous: tuple[int, int] | None = None
        for position in positions:
            if position is None:
                previous = None
                continue
            dot = (
                round(position[0] * (2 * self.width - 1)),
                round((1 - position[1]) * (4 * self.height - 1)),
            )
            for column, row in _line(previous or dot, dot):
                self._dots[row // 4][column // 2] |= _BITS[row % 4][column % 2]
                self._curves[row // 4][column // 2] = curve
            previous = dot

    def rows(self, *, letters: bool = False) -> list[list[Cell]]:
        """The rows of cells from the top.

        Args:
            letters: use a letter for each curve, not braille dots.
        """
        return [
            [
                (" " if curve is None else _character(dots, curve, letters=letters), curve)
                for dots, curve in zip(*row, strict=True)
            ]
            for row in zip(self._dots, self._curves, strict=True)
        ]


def _character(dots: int, curve: int, *, letters: bool) -> str:
    return LETTERS[curve % len(LETTERS)] if letters else chr(_BLANK + dots)


def _line(start: tuple[int, int], end: tuple[int, int]) -> Iterable[tuple[int, int]]:
    """The dots of a straight line."""
    (x, y), (end_x, end_y) = start, end
    steps = max(abs(end_x - x), abs(end_y - y), 1)
    for step in range(steps + 1):
        yield x + round((end_x - x) * step / steps), y + round((end_y - y) * step / steps)
