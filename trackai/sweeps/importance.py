"""How much each parameter says about a metric: by a random forest, and by rank correlation."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.structs.records import Importance, ParameterImportance, UnusedParameter
from trackai.sweeps.forest import MAX_SAMPLE, Column, assess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TREES = 64
# Fewer runs say nothing about a parameter.
MIN_RUNS = 10
# Different numbers are put into so many bins of about the same size.
BINS = 32
MAX_CATEGORIES = 32
MAX_PARAMETERS = 100
METHOD = (
    f"random forest of {TREES} trees, each grown on up to {MAX_SAMPLE} runs, of the ranks of the "
    "target: the share of the increase of the error on other runs while the values of the "
    "parameter are shuffled"
)


class Sample(NamedTuple):
    """Values of runs.

    Attributes:
        matching: how many runs match; the values are of some or all of them.
        target: see `assess_parameters`.
        parameters: see `assess_parameters`.
    """

    matching: int
    target: Sequence[Any]
    parameters: Mapping[str, Sequence[Any]]


class Assessment(NamedTuple):
    """The parameters, the most important first.

    Attributes:
        runs: how many have a value of the target; only they are compared.
        missing: how many have none.
        nans: of how many it is NaN.
        infinite: how many of `runs` have an infinite value, which ranks beyond all others.
        r_squared: see `trackai.sweeps.forest.Forecast`; None without a forest.
        problem: why the forest is missing; "" with one.
    """

    runs: int
    missing: int
    nans: int
    infinite: int
    r_squared: float | None
    problem: str
    parameters: list[ParameterImportance]
    unused: list[UnusedParameter]


def of_sample(target: str, sample: Sample) -> Importance:
    """The importance of parameters for a target, whose name is `target`."""
    assessed = assess_parameters(sample.target, sample.parameters)
    return Importance(
        target, sample.matching, len(sample.target), assessed.runs, assessed.missing,
        assessed.nans, assessed.infinite, METHOD, assessed.r_squared, assessed.problem,
        assessed.parameters, assessed.unused,
    )  # fmt: skip


def assess_parameters(
    target: Sequence[Any], parameters: Mapping[str, Sequence[Any]], *, seed: int = 0
) -> Assessment:
    """Assess how much each parameter says about a target.

    The target is replaced by its ranks: outliers do not count more than other runs, and its scale
    does not matter. A run without a parameter has a level of its own.

    Args:
        target: by run, a number, a bool, "NaN", "Infinity", "-Infinity", or None for no value.
        parameters: by name, a JSON value for each run; None for no value.
        seed: of the forest; the same runs have the same importances.
    """
    numbers = [_number(value) for value in target]
    used = [run for run, number in enumerate(numbers) if number == number]
    ranks = _ranks([numbers[run] for run in used])
    columns: dict[str, Column] = {}
    assessed: list[ParameterImportance] = []
    unused: list[UnusedParameter] = []
    for name, values in parameters.items():
        encoded = _encode([values[run] for run in used])
        if isinstance(encoded, str):
            unused.append(UnusedParameter(name, encoded))
        elif encoded.column.level_count > 1 and len(columns) == MAX_PARAMETERS:
            unused.append(UnusedParameter(name, f"more than {MAX_PARAMETERS} parameters vary"))
        else:
            correlation = _correlation(encoded.numbers, ranks)
            assessed.append(ParameterImportance(name, *encoded.description, 0.0, correlation))
            if encoded.column.level_count > 1:
                columns[name] = encoded.column
    problem, r_squared = _problem(ranks), None
    importances: dict[str, float | None] = dict.fromkeys(columns, None if problem else 0.0)
    if not problem and columns:
        forecast = assess(list(columns.values()), ranks, TREES, Random(seed))  # noqa: S311
        r_squared = forecast.r_squared
        increases = [max(0.0, increase) for increase in forecast.increases]
        total = sum(increases) or 1.0
        importances |= {
            name: increase / total for name, increase in zip(columns, increases, strict=True)
        }
    for parameter in assessed:
        parameter.importance = importances.get(parameter.field, None if problem else 0.0)
    assessed.sort(key=_order)
    classes = Counter(_class(value) for value in target)
    return Assessment(
        len(used), classes["missing"], classes["nan"], classes["infinite"],
        r_squared, problem, assessed, unused,
    )  # fmt: skip


def _problem(ranks: Sequence[float]) -> str:
    if len(ranks) < MIN_RUNS:
        return f"at least {MIN_RUNS} runs must have a value, got {len(ranks)}"
    return "all runs have the same value" if len(set(ranks)) == 1 else ""


def _order(parameter: ParameterImportance) -> tuple[float, float, str]:
    return -(parameter.importance or 0), -abs(parameter.correlation or 0), parameter.field


class _Encoded(NamedTuple):
    """A parameter as a column of levels.

    Attributes:
        numbers: the value of each run for the correlation; None for a run without a number.
        description: what kind of parameter it is, how many runs have it, and how many values.
    """

    column: Column
    numbers: list[float | None]
    description: tuple[str, int, int]


def _encode(values: Sequence[Any]) -> _Encoded | str:
    """A parameter as a column of levels, or why it cannot be used; NaN does not count."""
    values = [None if value == "NaN" else value for value in values]
    present = [value for value in values if value is not None]
    numbers = [None if value is None else _number(value) for value in values]
    if all(number is None or number == number for number in numbers):
        distinct = sorted({number for number in numbers if number is not None})
        bins = _bins([number for number in numbers if number is not None], distinct)
        levels = [0 if number is None else 1 + bins[number] for number in numbers]
        description = ("number", len(present), len(distinct))
        return _Encoded(_column(levels, is_ordered=True), numbers, description)
    words = [None if value is None else msgspec.json.encode(value) for value in values]
    counts = Counter(word for word in words if word is not None)
    if len(counts) > MAX_CATEGORIES:
        return f"{len(counts)} different words, more than {MAX_CATEGORIES}"
    codes = {word: code for code, word in enumerate(sorted(counts), 1)}
    levels = [0 if word is None else codes[word] for word in words]
    description = ("category", len(present), len(counts))
    return _Encoded(_column(levels, is_ordered=False), [None] * len(values), description)


def _column(levels: Sequence[int], *, is_ordered: bool) -> Column:
    """A column without the levels that no run has."""
    numbers = {level: number for number, level in enumerate(sorted(set(levels)))}
    return Column([numbers[level] for level in levels], len(numbers), is_ordered)


def _bins(numbers: Sequence[float], distinct: Sequence[float]) -> dict[float, int]:
    """The bin of each different number: one of its own, or one of `BINS` with as many runs each."""
    if len(distinct) <= BINS:
        return {number: bin_ for bin_, number in enumerate(distinct)}
    counts = Counter(numbers)
    bins, before = {}, 0
    for number in distinct:
        bins[number] = before * BINS // len(numbers)
        before += counts[number]
    return bins


def _number(value: Any) -> float:
    """A value as a number; NaN for one that is none."""
    if isinstance(value, str):
        return {"Infinity": math.inf, "-Infinity": -math.inf}.get(value, math.nan)
    if not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # of an integer
        return math.inf if value > 0 else -math.inf


def _class(value: Any) -> str:
    if value == "NaN":
        return "nan"
    number = _number(value)
    return "missing" if number != number else "infinite" if math.isinf(number) else "finite"


def _ranks(numbers: Sequence[float]) -> list[float]:
    """The rank of each number, from -0.5 to 0.5; equal numbers share the mean of theirs."""
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    ranks = [0.0] * len(numbers)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and numbers[order[end]] == numbers[order[start]]:
            end += 1
        for position in order[start:end]:
            ranks[position] = (start + end) / 2 / len(numbers) - 0.5
        start = end
    return ranks


def _correlation(numbers: Sequence[float | None], ranks: Sequence[float]) -> float | None:
    """Spearman's rank correlation over the runs with a number; None if it has no meaning."""
    pairs = [
        (number, rank) for number, rank in zip(numbers, ranks, strict=True) if number is not None
    ]
    if len(pairs) < MIN_RUNS:
        return None
    left = _ranks([number for number, _ in pairs])
    right = _ranks([rank for _, rank in pairs])
    covariance = sum(a * b for a, b in zip(left, right, strict=True))
    scale = math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    return max(-1.0, min(1.0, covariance / scale)) if scale > 0 else None
