"""A random forest over columns of a few levels each.

Trees are grown as in Breiman, "Random Forests" (2001): each on a bootstrap sample, with a random
third of the columns tried at each split. The levels of a column without order are sorted by their
mean first, which finds the best of all their splits (Fisher, 1958).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

MAX_DEPTH = 9
MIN_LEAF = 3
# Rows that a tree is grown on, and tested with: more would cost time and change little. Of many
# columns there are fewer rows, so that a forest takes about a second at most.
MAX_SAMPLE, MIN_SAMPLE, SPLIT_BUDGET = 1000, 200, 6000
MAX_TESTED, MIN_TESTED, TEST_BUDGET = 400, 100, 8000


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        levels: the level of each row, from 0 up to, not including, `level_count`.
        is_ordered: whether a split is between neighbouring levels only.
    """

    levels: Sequence[int]
    level_count: int
    is_ordered: bool


class Split(NamedTuple):
    """An inner node.

    Attributes:
        column: the number of the column that decides.
        goes_left: by level.
    """

    column: int
    goes_left: list[bool]
    left: Node
    right: Node


# A leaf is its mean.
Node: TypeAlias = Split | float


class Forecast(NamedTuple):
    """How well a forest predicts rows that its trees were not grown on.

    Attributes:
        r_squared: the share of the variance that is explained; at most 1, and 0 or less for a
            forest that is not better than the mean.
        increases: by column, how much the mean squared error increases, as a share of the
            variance, while the column's values are shuffled.
    """

    r_squared: float
    increases: list[float]


def assess(columns: Sequence[Column], target: Sequence[float], trees: int, rng: Random) -> Forecast:
    """Grow a forest, and measure what each column contributes to its predictions.

    Args:
        columns: at least one.
        target: the value to predict of each row; not all equal.
        trees: how many trees to grow.
    """
    rows = range(len(target))
    mean = sum(target) / len(target)
    variance = sum((value - mean) ** 2 for value in target) / len(target)
    size = max(MIN_SAMPLE, min(MAX_SAMPLE, SPLIT_BUDGET // _tried(columns)))
    test_size = max(MIN_TESTED, min(MAX_TESTED, TEST_BUDGET // len(columns)))
    increases = [0.0] * len(columns)
    tested = 0
    # The predictions of each row by the trees that were not grown on it.
    predictions: list[list[float]] = [[] for _ in rows]
    for _ in range(trees):
        sample = rng.choices(rows, k=min(len(rows), size))
        grown_on = set(sample)
        held_out = [row for row in rows if row not in grown_on]
        held_out = rng.sample(held_out, min(len(held_out), test_size))
        tree = _grow(columns, target, sample, rng, MAX_DEPTH)
        tested += len(held_out)
        tree_error = 0.0
        for row in held_out:
            prediction = _predict(tree, columns, row)
            predictions[row].append(prediction)
            tree_error += (target[row] - prediction) ** 2
        for number in _columns_of(tree):
            shuffled = _shuffled(columns, number, held_out, rng)
            increases[number] -= tree_error
            for row in held_out:
                increases[number] += (target[row] - _predict(tree, shuffled, row)) ** 2
    errors = [
        (value - sum(votes) / len(votes)) ** 2
        for value, votes in zip(target, predictions, strict=True)
        if votes
    ]
    r_squared = 1 - sum(errors) / max(1, len(errors)) / variance
    scale = variance * max(1, tested)
    return Forecast(r_squared, [increase / scale for increase in increases])


def _tried(columns: Sequence[Column]) -> int:
    """How many columns are tried at each split: a third, but two if there are as many."""
    return max(min(2, len(columns)), (len(columns) + 2) // 3)


def _shuffled(
    columns: Sequence[Column], number: int, rows: Sequence[int], rng: Random
) -> list[Column]:
    """The columns, with the values of one exchanged between these rows."""
    column = columns[number]
    levels = list(column.levels)
    order = rng.sample(rows, len(rows))
    for row, other in zip(rows, order, strict=True):
        levels[row] = column.levels[other]
    changed = list(columns)
    changed[number] = column._replace(levels=levels)
    return changed


def _grow(
    columns: Sequence[Column],
    target: Sequence[float],
    rows: Sequence[int],
    rng: Random,
    depth: int,
) -> Node:
    total = sum(target[row] for row in rows)
    mean = total / len(rows)
    if depth == 0 or len(rows) < 2 * MIN_LEAF:
        return mean
    tried = rng.sample(range(len(columns)), _tried(columns))
    # What a split must exceed: the score of the rows as they are.
    best_score, best = total * mean * (1 + 1e-9) + 1e-12, None
    for number in tried:
        split = _best_cut(columns[number], target, rows, total)
        if split is not None and split[0] > best_score:
            best_score, best = split[0], (number, split[1])
    if best is None:
        return mean
    number, goes_left = best
    levels = columns[number].levels
    left = [row for row in rows if goes_left[levels[row]]]
    right = [row for row in rows if not goes_left[levels[row]]]
    return Split(
        number,
        goes_left,
        _grow(columns, target, left, rng, depth - 1),
        _grow(columns, target, right, rng, depth - 1),
    )


def _best_cut(
    column: Column, target: Sequence[float], rows: Sequence[int], total: float
) -> tuple[float, list[bool]] | None:
    """The cut of a column that explains most, with its score; None if there is none."""
    counts = [0] * column.level_count
    sums = [0.0] * column.level_count
    levels = column.levels
    for row in rows:
        level = levels[row]
        counts[level] += 1
        sums[level] += target[row]
    present = [level for level in range(column.level_count) if counts[level]]
    if not column.is_ordered:
        present.sort(key=lambda level: sums[level] / counts[level])
    best_score, best = -1.0, 0
    count, left = 0, 0.0
    for position, level in enumerate(present[:-1]):
        count += counts[level]
        left += sums[level]
        rest = len(rows) - count
        if count < MIN_LEAF or rest < MIN_LEAF:
            continue
        score = left * left / count + (total - left) ** 2 / rest
        if score > best_score:
            best_score, best = score, position + 1
    if best == 0:
        return None
    goes_left = [False] * column.level_count
    for level in present[:best]:
        goes_left[level] = True
    return best_score, goes_left


def _predict(node: Node, columns: Sequence[Column], row: int) -> float:
    while isinstance(node, Split):
        node = node.left if node.goes_left[columns[node.column].levels[row]] else node.right
    return node


def _columns_of(node: Node) -> set[int]:
    if not isinstance(node, Split):
        return set()
    return {node.column} | _columns_of(node.left) | _columns_of(node.right)
