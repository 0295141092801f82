"""Log to wherever the environment says, and print the durations as JSON; a child process.

It says "ready" once its run has begun, and waits for a line on its standard input.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from scripts.benchmarks.harness import peak_memory, spread
from scripts.benchmarks.trackers import timed_calls


def main(calls: int, burst: int, pause: float) -> None:
    """Log calls of ten floats, and end without finishing the run."""
    import trackai

    run = trackai.init(project="bench")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    durations = timed_calls(lambda metrics, step: run.log(metrics, step=step), calls, burst, pause)
    memory = peak_memory()
    measured = asdict(spread([duration / 1000 for duration in durations]))
    sys.stdout.write(json.dumps({**measured, "memory": memory}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # finish() waits for a server, and that is measured elsewhere


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
