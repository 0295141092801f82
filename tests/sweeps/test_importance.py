"""How much parameters say about a metric, on runs whose answer is known."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from trackai.sweeps.importance import MAX_CATEGORIES, MIN_RUNS, assess_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.sweeps.importance import Assessment

RUNS = 300


def random_sweep(rng: Random) -> dict[str, list[Any]]:
    return {
        "lr": [10 ** rng.uniform(-5, -1) for _ in range(RUNS)],
        "batch": [rng.choice([16, 32, 64, 128]) for _ in range(RUNS)],
        "optimizer": [rng.choice(["adam", "sgd", "lion"]) for _ in range(RUNS)],
        "flag": [rng.random() < 0.5 for _ in range(RUNS)],
        "noise": [rng.random() for _ in range(RUNS)],
        "seed": list(range(RUNS)),
    }


EFFECTS: dict[str, Callable[[Any], float]] = {
    "lr": lambda value: math.log10(value),
    "batch": lambda value: value / 32,
    "optimizer": lambda value: {"adam": 0.0, "sgd": 3.0, "lion": 1.0}[value],
    "flag": lambda value: 2.0 * value,
}


def importances(assessment: Assessment) -> dict[str, float | None]:
    return {parameter.field: parameter.importance for parameter in assessment.parameters}


@pytest.mark.parametrize("planted", list(EFFECTS))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_planted_parameter_ranks_first(planted: str, seed: int) -> None:
    rng = Random(seed)
    sweep = random_sweep(rng)
    target = [EFFECTS[planted](value) + rng.gauss(0, 0.1) for value in sweep[planted]]
    assessment = assess_parameters(target, sweep)
    assert assessment.parameters[0].field == planted
    shares = importances(assessment)
    assert (shares[planted] or 0) > 0.9
    assert sum(share or 0 for share in shares.values()) == pytest.approx(1)
    assert assessment.r_squared is not None
    assert assessment.r_squared > 0.6
    assert assessment.runs == RUNS


def test_of_two_parameters_the_stronger_ranks_first() -> None:
    rng = Random(5)
    sweep = random_sweep(rng)
    target = [3 * a + b / 64 for a, b in zip(sweep["noise"], sweep["batch"], strict=True)]
    first, second, *_ = assess_parameters(target, sweep).parameters
    assert (first.field, second.field) == ("noise", "batch")


def test_an_effect_without_correlation_is_found_by_the_forest() -> None:
    rng = Random(7)
    sweep = random_sweep(rng)
    target = [abs(value - 0.5) for value in sweep["noise"]]
    first = assess_parameters(target, sweep).parameters[0]
    assert first.field == "noise"
    assert abs(first.correlation or 0) < 0.2
    assert (first.importance or 0) > 0.9


def test_the_correlation_has_the_sign_of_the_effect() -> None:
    values = list(range(RUNS))
    falling = [1 / (1 + value) for value in values]
    [parameter] = assess_parameters(falling, {"n": values}).parameters
    assert parameter.correlation == pytest.approx(-1)
    [parameter] = assess_parameters(values, {"n": values}).parameters
    assert parameter.correlation == pytest.approx(1)


def test_a_constant_says_nothing() -> None:
    rng = Random(1)
    target = [rng.random() for _ in range(RUNS)]
    sweep: dict[str, list[Any]] = {"x": target, "fixed": [3] * RUNS, "word": ["adam"] * RUNS}
    for parameter in assess_parameters(target, sweep).parameters[1:]:
        assert (parameter.importance, parameter.correlation) == (0, None)
        assert parameter.values == 1


def test_pure_noise_is_not_explained() -> None:
    rng = Random(11)
    sweep = random_sweep(rng)
    assessment = assess_parameters([rng.random() for _ in range(RUNS)], sweep)
    assert assessment.r_squared is not None
    assert assessment.r_squared < 0.1


def test_values_that_are_missing_or_not_finite_are_counted() -> None:
    rng = Random(2)
    sweep = random_sweep(rng)
    target: list[Any] = [math.log(value) for value in sweep["lr"]]
    target[0:5] = [None] * 5
    target[5:8] = ["NaN"] * 3
    # The runs with the highest rates diverge.
    highest = sorted(range(8, RUNS), key=sweep["lr"].__getitem__)[-20:]
    for run in highest:
        target[run] = "Infinity"
    assessment = assess_parameters(target, sweep)
    assert (assessment.missing, assessment.nans, assessment.infinite) == (5, 3, 20)
    assert assessment.runs == RUNS - 8
    assert assessment.parameters[0].field == "lr"
    assert assessment.parameters[0].correlation == pytest.approx(1, abs=0.01)


def test_one_outlier_does_not_decide() -> None:
    sweep = random_sweep(Random(3))
    target = [math.log(value) for value in sweep["lr"]]
    target[17] = 1e300
    assert assess_parameters(target, sweep).parameters[0].field == "lr"


def test_a_parameter_that_some_runs_lack_is_used() -> None:
    rng = Random(4)
    sweep = random_sweep(rng)
    has_dropout = [rng.random() < 0.5 for _ in range(RUNS)]
    sweep["dropout"] = [0.1 if has else None for has in has_dropout]
    target = [5 * has + rng.gauss(0, 0.1) for has in has_dropout]
    first = assess_parameters(target, sweep).parameters[0]
    assert first.field == "dropout"
    assert first.runs == sum(has_dropout)
    assert first.values == 1


def test_lists_mixed_values_and_large_integers_are_used() -> None:
    rng = Random(6)
    layers = [rng.choice([[64, 64], [128], "auto", 3]) for _ in range(RUNS)]
    sizes = [rng.choice([10**400, -(10**400), 2**63, 1]) for _ in range(RUNS)]
    nans = [rng.choice(["NaN", 1.0, "Infinity"]) for _ in range(RUNS)]
    target = [len(str(value)) for value in layers]
    assessment = assess_parameters(target, {"layers": layers, "size": sizes, "nan": nans})
    kinds = {parameter.field: parameter.kind for parameter in assessment.parameters}
    assert kinds == {"layers": "category", "size": "number", "nan": "number"}
    assert assessment.parameters[0].field == "layers"


def test_words_that_hardly_repeat_are_left_out_by_name() -> None:
    rng = Random(8)
    sweep: dict[str, list[Any]] = {
        "path": [f"/runs/{run}" for run in range(RUNS)],
        "x": list(range(RUNS)),
    }
    assessment = assess_parameters([rng.random() for _ in range(RUNS)], sweep)
    [unused] = assessment.unused
    assert unused.field == "path"
    assert unused.reason == f"{RUNS} different words, more than {MAX_CATEGORIES}"


def test_too_few_runs_have_no_importance() -> None:
    few = list(range(MIN_RUNS - 1))
    assessment = assess_parameters(few, {"x": few})
    assert assessment.problem == "at least 10 runs must have a value, got 9"
    assert importances(assessment) == {"x": None}
    assert assess_parameters([], {}).problem == "at least 10 runs must have a value, got 0"


def test_equal_values_have_no_importance() -> None:
    assessment = assess_parameters([1.0] * 50, {"x": list(range(50))})
    assert assessment.problem == "all runs have the same value"
    assert importances(assessment) == {"x": None}


def test_texts_are_no_values() -> None:
    assessment = assess_parameters(["a"] * 50, {"x": list(range(50))})
    assert (assessment.runs, assessment.missing) == (0, 50)


def test_the_same_runs_have_the_same_importances() -> None:
    sweep = random_sweep(Random(9))
    target = [math.sin(value) for value in sweep["seed"]]
    assert assess_parameters(target, sweep) == assess_parameters(target, sweep)
