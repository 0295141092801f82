"""Measure what TrackAI costs on this machine: `python scripts/bench.py log --help`.

A command is a module of `scripts/benchmarks` with a docstring, `add_arguments(parser)` and
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
    "log": "what a call of trackai.log() costs, and what becomes of its points",
    "read": "how long the server takes to answer",
    "dashboard": "how soon the dashboard shows charts, and how smoothly it scrolls",
    "kill": "what is lost when processes are killed while they log",
    "ingest": "how many points and requests a second the server takes in over HTTP",
    "delete": "how long others wait while a long run is deleted",
    "frames": "how long a long series takes to become a data frame",
    "export": "how long a million points take to become a file",
    "import": "how many rows a second a Neptune export is imported",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one benchmark, and print its report."""
    parser = argparse.ArgumentParser(description="Measure what TrackAI costs on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"scripts.benchmarks.{name}")
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
    # Users' processes do not compile every module at every start either.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report: harness.Report = chosen.run(chosen)
    print(harness.as_json(report) if chosen.json else harness.as_text(report))


if __name__ == "__main__":
    main()
