"""Log to one tracker, and print the durations as JSON; runs in a child process.

Without the name of a tracker, it prints the names of those that are installed.

Every tracker does the same work: create a local store in an empty folder, start a run, log the
calls, and finish the run.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from array import array
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.harness import peak_memory, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Log = Callable[[dict[str, float], int], object]

METRICS = 10
# Different values, so that no tracker gains from caching them.
CALLS = [{f"train/metric_{i}": random.random() for i in range(METRICS)} for _ in range(64)]


@contextmanager
def _baseline(msgpack: Any, folder: Path) -> Iterator[Log]:
    """Encode the values of a call, and write them to a file."""
    encode = msgpack.Encoder().encode
    write = os.write
    fd = os.open(folder / "values", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log(metrics: dict[str, float], step: int) -> None:
        write(fd, encode((step, list(metrics.values()))))

    yield log
    os.close(fd)


@contextmanager
def _trackai(trackai: Any, folder: Path) -> Iterator[Log]:
    trackai.init(project="bench", db_path=folder / "trackai.db")
    yield trackai.log
    trackai.finish()


@contextmanager
def _trackio(trackio: Any, folder: Path) -> Iterator[Log]:
    trackio.init(project="bench", embed=False)
    yield trackio.log
    trackio.finish()


@contextmanager
def _wandb(wandb: Any, folder: Path) -> Iterator[Log]:
    run = wandb.init(project="bench", mode="offline", dir=folder)
    yield run.log
    run.finish()


@contextmanager
def _mlflow(mlflow: Any, folder: Path) -> Iterator[Log]:
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    with mlflow.start_run():
        yield mlflow.log_metrics


@contextmanager
def _aim(aim: Any, folder: Path) -> Iterator[Log]:
    run = aim.Run(repo=str(folder), experiment="bench", system_tracking_interval=None)

    def log(metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            run.track(value, name=name, step=step)

    yield log
    run.close()


@contextmanager
def _dalva(dalva: Any, folder: Path) -> Iterator[Log]:
    run = dalva.init(project="bench")
    yield lambda metrics, step: run.log(metrics, step=step)
    run.finish()


@contextmanager
def _goodseed(goodseed: Any, folder: Path) -> Iterator[Log]:
    run = goodseed.Run(name="bench", storage="local", git_ref=False)
    yield lambda metrics, step: run.log_metrics(metrics, step=step)
    run.close()


@contextmanager
def _pandm(pandm: Any, folder: Path) -> Iterator[Log]:
    os.environ["PANDM_NO_SYNC"] = "1"
    pandm.init(project="bench")
    yield pandm.log
    pandm.finish()


@contextmanager
def _trailer(trailer: Any, folder: Path) -> Iterator[Log]:
    tracker = trailer.Tracker(project="bench", auto_collect=False)
    yield tracker.log
    tracker.finish()


TRACKERS = {
    "baseline": ("msgspec.msgpack", _baseline),
    "trackai": ("trackai", _trackai),
    "trackio": ("trackio", _trackio),
    "wandb": ("wandb", _wandb),
    "mlflow": ("mlflow", _mlflow),
    "aim": ("aim", _aim),
    "dalva": ("dalva", _dalva),
    "goodseed": ("goodseed", _goodseed),
    "pandm": ("pandm", _pandm),
    "trailer": ("trailer", _trailer),
}


def installed() -> list[str]:
    """Return the names of the trackers that are installed."""
    return [name for name, (module, _) in TRACKERS.items() if importlib.util.find_spec(module)]


def timed_calls(log: Log, calls: int, burst: int, pause: float) -> array[int]:
    """Log calls, and return their durations in nanoseconds.

    Args:
        burst: the number of calls after which to pause.
        pause: in seconds; 0 for no pauses.
    """
    clock = time.perf_counter_ns
    durations = array("q", bytes(8 * calls))
    for step in range(calls):
        metrics = CALLS[step % len(CALLS)]
        started = clock()
        log(metrics, step)
        durations[step] = clock() - started
        if pause and step % burst == burst - 1:
            time.sleep(pause)
    return durations


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _points_stored(folder: Path) -> int:
    """Return the number of points in TrackAI's database."""
    connection = sqlite3.connect(folder / "trackai.db")
    try:
        (points,) = connection.execute("SELECT coalesce(sum(points), 0) FROM series").fetchone()
        return int(points)
    finally:
        connection.close()


def measure(name: str, folder: Path, calls: int, burst: int, pause: float) -> dict[str, Any]:
    """Log to a tracker whose files are in a folder; return durations in seconds."""
    started = time.perf_counter()
    module_name, tracker = TRACKERS[name]
    module = importlib.import_module(module_name)
    imported = time.perf_counter()
    with tracker(module, folder) as log:
        ready = time.perf_counter()
        durations = timed_calls(log, calls, burst, pause)
        done = time.perf_counter()
        stored = _points_stored(folder) if name == "trackai" else None
        last = time.perf_counter()
    finished = time.perf_counter()
    memory = peak_memory()  # before the durations are sorted
    return {
        "import": imported - started,
        "init": ready - imported,
        "calls": done - ready,
        "finish": finished - last,
        "stored_before_finish": stored,
        "microseconds": asdict(spread([duration / 1000 for duration in durations])),
        "bytes_per_point": _bytes(folder) / (calls * METRICS),
        "peak_memory": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=TRACKERS, nargs="?")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0)
    arguments = parser.parse_args()
    if arguments.name is None:
        sys.stdout.write(json.dumps(installed()) + "\n")
        return
    with tempfile.TemporaryDirectory() as name:
        # Some trackers store their files in the home directory or the current folder.
        folder = Path(name)
        os.chdir(folder)
        os.environ["HOME"] = name
        result = measure(arguments.name, folder, arguments.calls, arguments.burst, arguments.pause)
        # Print the result before handlers at exit run, which may print too.
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
