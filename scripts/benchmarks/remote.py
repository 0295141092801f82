"""Measure logging to a server: its costs, and what is lost when clients and servers are killed.

The costs of the server are CPU seconds of its process. Their baselines are those of the same points
sent to POST /api/metrics/runs/{id}, and of a chart without other requests. All clients share the
cores with the server, so clients beside which something is measured log at a stated rate.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import remote_clients, remote_kill, remote_speed, remote_trackers
from scripts.benchmarks.harness import Figure, Report, Table

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--quick", action="store_true", help="take a few seconds, with imprecise results"
    )
    parser.add_argument(
        "--kills", type=int, default=100, help="of clients and servers together [default: 100]"
    )
    parser.add_argument(
        "--replacements", type=int, default=6,
        help="how often the database is replaced meanwhile [default: 6]",
    )  # fmt: skip
    parser.add_argument(
        "--trackio", metavar="PYTHON", help="an interpreter that can import trackio, to compare"
    )
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random times"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Take all measurements; this takes minutes."""
    quick = arguments.quick
    figures = remote_speed.measure(100_000 if quick else 4_000_000, 1 if quick else 10)
    if quick:
        figures += remote_clients.measure(500, 1, fill=False)
        peers, losses = remote_trackers.measure(200, 1, arguments.trackio)
    else:
        figures += remote_clients.measure(20_000, 5, fill=True)
        peers, losses = remote_trackers.measure(20_000, 8, arguments.trackio)
    with tempfile.TemporaryDirectory() as folder:
        outcome = remote_kill.kill_many(
            Path(folder), arguments.kills, seed=arguments.seed,
            replacements=arguments.replacements,
        )  # fmt: skip
    return Report(
        f"logging to a server, seed {arguments.seed}",
        [*figures, *peers, *_kills(outcome)],
        [
            *losses,
            Table("What the proxy did", ["fault", "requests"], sorted(outcome.faults.items())),
        ],
        [
            "CPU seconds are those of the server. A baseline of POST is the same points sent to",
            "POST /api/metrics/runs/{id}; that of a chart, the same chart without other requests.",
        ],
    )


def _kills(outcome: remote_kill.Outcome) -> list[Figure]:
    return [
        Figure(name="killed clients", value=outcome.client_kills),
        Figure(name="killed servers", value=outcome.server_kills),
        Figure(name="of them with another database afterwards", value=outcome.replaced),
        Figure(name="acknowledged points", value=outcome.acknowledged),
        Figure(name="of them in the last database put in place or an outbox, or later",
               value=outcome.held),
        Figure(name="of these lost", value=outcome.lost, at_most=0),
        Figure(name="stored twice", value=outcome.doubled, at_most=0),
        Figure(name="points that nobody logged", value=outcome.wrong_values, at_most=0),
        Figure(name="series whose figures differ from those of a local run",
               value=outcome.wrong_figures, at_most=0),
        Figure(name="runs that still say they run", value=outcome.running, at_most=0),
        Figure(name="journals that are left in an outbox", value=outcome.left, at_most=0),
    ]  # fmt: skip
