"""Measure the speed of TrackAI on this machine: `python scripts/bench.py log --help`.

Each command is a module of `scripts/benchmarks` with a docstring, `add_arguments(parser)` and
`run(arguments) -> Report`, and a line in COMMANDS.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.benchmarks import harness

COMMANDS = {
    "log": "duration of a call of trackai.log(), and of storing its points",
    "store": "points a second from log() to finish(), beside other trackers",
    "read": "response times of the server",
    "charts": "smoothed and compressed charts",
    "dashboard": "time until the dashboard shows charts, and frames while scrolling",
    "dashboards": "the first chart in the dashboards of other trackers",
    "kill": "points lost when processes are killed while they log",
    "ingest": "points and requests per second that the server stores over HTTP",
    "engines": "a server on SQLite beside one on PostgreSQL",
    "cluster": "points lost when servers and PostgreSQL are killed",
    "remote": "the cost of logging to a server, and points lost when either side is killed",
    "delete": "how long writers wait while a long run is deleted",
    "many": "pages of very many runs, their deletion, and creating them",
    "frames": "duration of reading a long series into a data frame",
    "export": "duration of exporting a million points",
    "callback": "what the callback of transformers adds to a training step",
    "import": "points per second of imports from wandb and MLflow",
    "compare": "the ratios of a benchmark's figures at two commits",
    "import-neptune": "rows per second of an import from Neptune",
}


def main(arguments: list[str] | None = None) -> None:
    """Run a benchmark and print its report."""
    parser = argparse.ArgumentParser(description="Measure the speed of TrackAI on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"scripts.benchmarks.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--json", action="store_true", help="print JSON instead of tables")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    # Child processes load compiled modules, as users' processes do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report: harness.Report = chosen.run(chosen)
    print(harness.as_json(report) if chosen.json else harness.as_text(report))


if __name__ == "__main__":
    main()
