"""Train with transformers and several trackers in turn, and print the durations as JSON."""

from __future__ import annotations

import itertools
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

# The first steps of a training are not measured.
_WARM_UP = 5


class Words(torch.utils.data.Dataset[dict[str, Any]]):
    """Random words in two classes."""

    def __init__(self, tokens: int) -> None:
        self._words = torch.randint(0, 30, (256, tokens))

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._words[index], "labels": index % 2}


class Clock(TrainerCallback):
    """Notes when steps begin, and the CPU time of the measured ones."""

    def __init__(self) -> None:
        self.begins: list[float] = []
        self.cpu = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.begins.append(time.perf_counter())
        if len(self.begins) in (_WARM_UP, state.max_steps):
            self.cpu = _cpu_seconds() - self.cpu

    def durations(self) -> list[float]:
        """The durations of the measured steps, in seconds."""
        begins = self.begins[_WARM_UP - 1 :]
        return [end - begin for begin, end in itertools.pairwise(begins)]


def _cpu_seconds() -> float:
    """The CPU time of this process and of its children."""
    tick = os.sysconf("SC_CLK_TCK")
    seconds = time.process_time()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():  # its parent
                seconds += (int(fields[11]) + int(fields[12])) / tick
    return seconds


def timed(callback: Any) -> tuple[Any, list[float]]:
    """Note how long `on_log` and the other methods that are called in steps take."""
    spent: list[float] = []

    def wrap(method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            result = method(*args, **kwargs)
            spent.append(time.perf_counter() - begin)
            return result

        return call

    callback.on_log = wrap(callback.on_log)
    return callback, spent


def trackers() -> dict[str, Any]:
    """What makes the callback of each tracker that is installed."""
    from transformers.integrations import WandbCallback

    from trackai.integrations.transformers import TrackAICallback

    made: dict[str, Any] = {"none": None, "trackai": TrackAICallback}
    if find_spec("wandb") is not None:
        made["wandb"] = WandbCallback
    return made


def train(make: Any, width: int, tokens: int, steps: int) -> dict[str, float]:
    """Train once; return milliseconds per step."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=30, hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=2 * width,
        )
    )  # fmt: skip
    arguments = TrainingArguments(
        "out", report_to="none", logging_steps=1, max_steps=steps, use_cpu=True,
        per_device_train_batch_size=8, disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=Words(tokens))
    trainer.remove_callback(PrinterCallback)
    clock, spent = Clock(), [0.0]
    trainer.add_callback(clock)
    if make is not None:
        callback, spent = timed(make())
        trainer.add_callback(callback)
    trainer.train()
    finish(make)
    durations = clock.durations()
    return {
        "step": 1000 * statistics.median(durations),
        "cpu": 1000 * clock.cpu / len(durations),
        "callback": 1000 * statistics.median(spent),
    }


def finish(make: Any) -> None:
    """Finish the run, so that nothing of it goes on in the training of another tracker."""
    if make is not None and make.__name__ == "WandbCallback":
        sys.modules["wandb"].finish()


def main() -> None:
    width, tokens, steps, repeat = map(int, sys.argv[1:])
    logging.disable()
    torch.set_num_threads(1)
    made = trackers()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.update(
            TRACKAI_DB_PATH=f"{folder}/trackai.db", WANDB_DIR=folder, WANDB_SILENT="true",
            TRACKAI_SILENT="1",
        )  # fmt: skip
        for make in made.values():
            train(make, width, tokens, steps)
        rounds = []
        for number in range(repeat):
            names = list(made)[number % len(made) :] + list(made)[: number % len(made)]
            measured = {name: train(made[name], width, tokens, steps) for name in names}
            rounds.append({name: measured[name] for name in made})
    print(json.dumps(rounds))


if __name__ == "__main__":
    main()
