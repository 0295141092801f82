"""Measure what a callback adds to a training step of Hugging Face's Trainer.

A tiny model, whose steps take about a millisecond, shows the cost; a larger one, what it means for
a training. Every step is logged. In one process, trainings without a tracker, with TrackAI and with
wandb offline take turns, so that a disturbance of the machine affects all of them.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from scripts.benchmarks.harness import Figure, Report, Table, run_child

if TYPE_CHECKING:
    import argparse

# The width and the number of tokens of the model, and the steps of a training.
SIZES = {"tiny model": (8, 6, 1000), "larger model": (192, 64, 60)}
Rounds = list[dict[str, dict[str, float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--python", help="of an environment with transformers and torch")
    parser.add_argument(
        "--path", default="", help="folders to import from in addition, such as one with wandb"
    )
    parser.add_argument("--repeat", type=int, default=15, help="trainings of each [default: 15]")


def run(arguments: argparse.Namespace) -> Report:
    """Measure; this takes a few minutes."""
    figures: list[Figure] = []
    tables: list[Table] = []
    for size, (width, tokens, steps) in SIZES.items():
        numbers = [str(number) for number in (width, tokens, steps, arguments.repeat)]
        rounds: Rounds = run_child(
            "scripts.benchmarks.callback_child",
            *numbers,
            python=arguments.python,
            env={"PYTHONPATH": arguments.path, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"},
        )
        figures += _figures(size, rounds)
        tables.append(_table(size, rounds))
    return Report(
        f"callbacks of transformers, medians of {arguments.repeat} trainings each",
        figures,
        tables,
        [
            "step: the median from one step to the next. CPU: of the process and its children,",
            "per step. callback: the time in its methods, per step.",
        ],
    )


def _median(rounds: Rounds, tracker: str, measure: str) -> float:
    return statistics.median(measured[tracker][measure] for measured in rounds)


def _added(rounds: Rounds, tracker: str, measure: str) -> float:
    """What a tracker adds, as the median of the differences of neighbouring trainings."""
    return statistics.median(
        measured[tracker][measure] - measured["none"][measure] for measured in rounds
    )


def _figures(size: str, rounds: Rounds) -> list[Figure]:
    is_tiny = size == "tiny model"
    step = _median(rounds, "none", "step")
    figures = [
        Figure(
            name=f"step with TrackAI / without, {size}",
            value=1 + _added(rounds, "trackai", "step") / step,
            at_most=None if is_tiny else 1.01,
        ),
        Figure(
            name=f"CPU with TrackAI / without, {size}",
            value=1 + _added(rounds, "trackai", "cpu") / _median(rounds, "none", "cpu"),
        ),
    ]
    if "wandb" not in rounds[0]:
        return figures
    return [
        *figures,
        *(
            Figure(
                name=f"added by TrackAI / by wandb, {size}, {measure}",
                value=_added(rounds, "trackai", measure) / _added(rounds, "wandb", measure),
                at_most=0.1 if is_tiny else None,
            )
            for measure in ("step", "cpu", "callback")
        ),
    ]


def _table(size: str, rounds: Rounds) -> Table:
    rows: list[list[str | float | None]] = [
        [
            tracker,
            *(_median(rounds, tracker, measure) for measure in ("step", "cpu", "callback")),
            _added(rounds, tracker, "step"),
            _added(rounds, tracker, "cpu"),
        ]
        for tracker in rounds[0]
    ]
    columns = ["ms", "step", "CPU", "callback", "added to the step", "added to CPU"]
    return Table(size, columns, rows)
