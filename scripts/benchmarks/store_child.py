"""Log to one tracker as fast as possible, and print the seconds as JSON; runs in a child process.

The points of a tracker count from the first call of log() to the return of finish().
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from scripts.benchmarks.trackers import TRACKERS

# Different values, so that no tracker gains from caching them.
_DIFFERENT = 16


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tracker", choices=TRACKERS)
    parser.add_argument("names", type=int)
    parser.add_argument("steps", type=int)
    arguments = parser.parse_args()
    names = [f"layer_{number // 10}/metric_{number % 10}" for number in range(arguments.names)]
    calls = [{name: random.random() for name in names} for _ in range(_DIFFERENT)]
    module_name, tracker = TRACKERS[arguments.tracker]
    with tempfile.TemporaryDirectory() as folder:
        # Some trackers store their files in the home directory or the current folder.
        os.chdir(folder)
        os.environ["HOME"] = folder
        with tracker(importlib.import_module(module_name), Path(folder)) as log:
            started = time.perf_counter()
            for step in range(arguments.steps):
                log(calls[step % _DIFFERENT], step)
            logged = time.perf_counter()
        finished = time.perf_counter()
        result = {"all": finished - started, "finish": finished - logged}
        # Print the result before handlers at exit run, which may print too.
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
