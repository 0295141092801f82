"""Reads the runs of output folders: what the trainer has logged, and its configuration."""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.importers.block_builder import BlockBuilder
from trackai.importers.json_values import json_value
from trackai.importers.liveness import SILENT_SECONDS, is_silent
from trackai.importers.transformers.states import (
    find_outputs,
    read_json,
    read_rows,
    read_state,
    valid_step,
)
from trackai.structs.exchange import RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.trainer_names import metric_name
from trackai.values.types import INT64
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.transformers.states import Output, State, StateFile
    from trackai.structs.exchange import Block, FileHead, Item
    from trackai.values.types import Kind, Step, Value

# The project of the trainer by default.
_PROJECT = "huggingface"
_ARGUMENTS = (
    "max_steps", "num_train_epochs", "logging_steps", "eval_steps", "save_steps",
    "train_batch_size",
)  # fmt: skip
# What a state has, and sometimes its rows, too.
_COUNTERS = ("total_flos", "num_input_tokens_seen")
# Files of the model, and the names that the integration gives them in the configuration.
_MODEL_FILES = {
    "config.json": "model_config",
    "generation_config.json": "generation_config",
    "adapter_config.json": "peft_config/default",
}
_RESULTS = "all_results.json"


class Source:
    """The runs below a path.

    Args:
        path: an output folder, its parent, a checkpoint, or a state.
        project: the project of the runs.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, project: str | None = None
    ) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._project = project or _PROJECT

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        outputs = find_outputs(self._path, self._receipt)
        root = self._path.resolve()
        total = sum(file.size for output in outputs for file in output.states)
        done = 0
        for output in outputs:
            run: _Run | None = None
            for file in output.states:
                state = self._read(file)
                done += file.size
                if state is None:
                    continue
                if run is None or not run.continues(state):
                    if run is not None:
                        yield from run.finish()
                    run = _Run(output, file, state, self._project, self._receipt, root)
                    yield run.head
                yield from run.read(file, state)
                self._progress.share(done, total, "bytes")
            if run is not None:
                yield from run.finish()

    def _read(self, file: StateFile) -> State | None:
        """Return a state; None if nothing of it can be read."""
        try:
            state = read_state(file.path)
        except OSError as error:
            self._receipt.add_problem(file.where, f"cannot be read: {error.strerror}")
            return None
        if state.problem is not None:
            problem = f"is damaged, or not the state of a trainer: {state.problem}"
            self._receipt.add_problem(file.where, problem)
        return state if state.problem is None or state.digests else None

    def find_bytes(self, head: FileHead) -> Path | None:
        """No files are imported."""
        return None


class _Run:
    """Reads the states of a run, which all begin with the same row."""

    def __init__(
        self, output: Output, file: StateFile, state: State, project: str, receipt: Receipt,
        root: Path,
    ) -> None:  # fmt: skip
        name = output.folder.name
        fields = state.fields
        self._first = _first(state)
        is_trial = fields.get("is_hyper_param_search") is True
        trial = fields.get("trial_name")
        self.head = RunHead(
            uid=stable_uid("transformers", project, name, self._first), project=project,
            run_id=name, name=trial if isinstance(trial, str) and trial else name,
            group_name=output.folder.parent.name if is_trial else None, state="running",
            created_at=file.written_at,
        )  # fmt: skip
        self._output = output
        self._receipt = receipt
        self._root = root
        self._digests = array("Q")
        self._attempt = 0
        self._epoch: tuple[Step, Any] | None = None
        # By metric and step: the value, and when it was written.
        self._figures: dict[tuple[str, Step], tuple[Any, int]] = {}
        self._states: list[tuple[StateFile, State]] = []
        self._names: set[str] = set()
        self._begin_attempt(file, self._first)

    def continues(self, state: State) -> bool:
        """Whether a state is of this training, and not of one that began again in the folder."""
        return not state.digests or not self._first or _first(state) == self._first

    def read(self, file: StateFile, state: State) -> Iterator[Block]:
        """Yield the points that are new in a state."""
        known, number = _common(self._digests, state.digests), len(state.digests)
        if known < number:
            if known < len(self._digests):
                # Training was resumed from an earlier checkpoint.
                yield from self._blocks.flush()
                self._begin_attempt(file, f"{state.digests[known]:016x}")
            self._digests = state.digests
            try:
                for row in islice(read_rows(file.path, {}), known, number):
                    yield from self._read_row(row, file.written_at)
            except (OSError, ValueError) as error:
                self._receipt.add_problem(file.where, f"changed while it was read: {error}")
        self._note_figures(file, state)
        # The order of the files may be lost in a copy: one that has less is not the last.
        is_last = number == len(self._digests)
        if is_last and (not self._states or known < number or self._is_later(file, state)):
            self._states = [*self._states[-1:], (file, state)]

    def finish(self) -> Iterator[Item]:
        """Yield what follows from all states."""
        file, state = self._states[-1]
        yield from self._read_figures()
        yield from self._read_results(file, state)
        yield from self._blocks.flush()
        head = self.head
        step = state.fields.get("global_step")
        is_complete = _has_ended(state)
        if is_complete:
            head.state = "completed"
        else:
            head.state = "failed" if self._is_silent() else "running"
            remark = f"ends at step {step}: what was logged after its last checkpoint is not saved"
            self._receipt.add_remark(self._output.folder.name, remark)
        self._receipt.add_remark(
            self._output.folder.name, "has no times; those of its files are used"
        )
        head.updated_at = file.written_at
        head.finished_at = None if head.state == "running" else file.written_at
        head.config = self._config(file, state)
        yield head

    def _begin_attempt(self, file: StateFile, digest: str) -> None:
        self._attempt += 1
        parts = () if self._attempt == 1 else (digest,)
        self._begin_writer("trainer", file.written_at, *parts)

    def _begin_writer(self, name: str, at: int, *parts: str) -> None:
        writer = WriterHead(
            uid=stable_uid(self.head.uid, name, *parts), attempt=self._attempt,
            host="transformers", started_at=at,
        )  # fmt: skip
        self._blocks = BlockBuilder(self.head.uid, writer, has_times=False)

    def _read_row(self, row: Any, at: int) -> Iterator[Block]:
        """Yield the points of a row. Rows of one step repeat the epoch, which is one point."""
        step = valid_step(row.get("step")) if isinstance(row, dict) else None
        if step is None:
            self._receipt.refuse("metrics", "rows without a valid step")
            return
        for name, value in flat(row, lambda value: value).items():
            if name == "epoch":
                if self._epoch == (step, value):
                    continue
                self._epoch = step, value
            if name == "total_flos":
                self._figures[name, step] = value, at
            elif name != "step":
                yield from self._add(metric_name(name), step, at, value)

    def _note_figures(self, file: StateFile, state: State) -> None:
        """Keep the figures of a state, which are not in its rows."""
        fields = state.fields
        step = state.step
        if step is None:
            return
        for name in _COUNTERS:
            if fields.get(name) and metric_name(name) not in self._names:
                self._figures[metric_name(name), step] = fields[name], file.written_at
        if fields.get("best_metric") is not None:
            best_step = valid_step(fields.get("best_global_step"))
            for name in ("best_metric", "best_model_checkpoint"):
                at = step if best_step is None else best_step
                self._figures[name, at] = fields.get(name), file.written_at

    def _read_figures(self) -> Iterator[Block]:
        """Yield the figures, by step: the order of the files may be lost in a copy."""
        yield from self._blocks.flush()
        self._begin_writer("figures", self._output.states[0].written_at)
        for (metric, step), (value, at) in sorted(
            self._figures.items(), key=lambda figure: figure[0][1]
        ):
            yield from self._add(metric, step, at, value)

    def _read_results(self, file: StateFile, state: State) -> Iterator[Block]:
        """Yield results that scripts have saved beside the state, such as those of a test."""
        path = self._output.folder / _RESULTS
        step = state.step
        if step is None or not self._may_read(path):
            return
        try:
            results = read_json(path)
        except (OSError, ValueError):
            self._receipt.add_problem(f"{self._output.folder.name}/{_RESULTS}", "is not JSON")
            return
        for name, value in flat(results, lambda value: value).items():
            if metric_name(name) not in self._names:
                yield from self._add(f"results/{name}", step, file.written_at, value)

    def _add(self, metric: str, step: Step, at: int, value: Any) -> Iterator[Block]:
        self._names.add(metric)
        if value is None:
            self._receipt.count_null("metrics")
            return
        kind: Kind = "number"
        stored: Value
        if isinstance(value, bool | float):
            stored = value
        elif isinstance(value, int):
            try:
                stored = value if -INT64 <= value < INT64 else float(value)
            except OverflowError:
                self._receipt.refuse("metrics", "too large for a float")
                return
        else:
            kind = "text"
            is_text = isinstance(value, str)
            stored = json_value(value) if is_text else _encoded(value)
        yield from self._blocks.add(metric, "step", kind, step, at, stored)

    def _config(self, file: StateFile, state: State) -> dict[str, Any]:
        config = {
            name: state.fields[name] for name in _ARGUMENTS if state.fields.get(name) is not None
        }
        if isinstance(state.fields.get("trial_params"), dict):
            config["trial"] = state.fields["trial_params"]
        values = flat(config, json_value)
        for file_name, prefix in _MODEL_FILES.items():
            for folder in (self._output.folder, file.path.parent):
                path = folder / file_name
                if not self._may_read(path):
                    continue
                try:
                    values |= flat(read_json(path), json_value, f"{prefix}/")
                    break
                except (OSError, ValueError):
                    self._receipt.add_problem(f"{folder.name}/{file_name}", "is not JSON")
        return values

    def _may_read(self, path: Path) -> bool:
        """Whether there is such a file below the imported path."""
        return path.is_relative_to(self._root) and path.is_file() and not path.is_symlink()

    def _is_later(self, file: StateFile, state: State) -> bool:
        last_file, last_state = self._states[-1]
        last_step = last_state.step or 0
        return (state.step or 0, file.step) > (last_step, last_file.step)

    def _is_silent(self) -> bool:
        # Of a training without an end; long ones save a state less often.
        times = [file.written_at for file, _ in self._states]
        allowed = max(SILENT_SECONDS, 2 * (times[-1] - times[0]) / 1e6)
        return is_silent(times[-1] / 1e6, allowed)


def _has_ended(state: State) -> bool:
    last, step, max_steps = state.last, state.step, state.fields.get("max_steps")
    is_last = (
        step is not None
        and isinstance(max_steps, int | float)
        and 0 < max_steps <= step
    )  # fmt: skip
    return is_last or (isinstance(last, dict) and "train_runtime" in last)


def _common(first: array[int], second: array[int]) -> int:
    """Return how many items two lists have in common at their beginning."""
    shorter = min(len(first), len(second))
    if first[:shorter] == second[:shorter]:
        return shorter
    pairs = zip(first, second, strict=False)
    return next(number for number, (a, b) in enumerate(pairs) if a != b)


def _first(state: State) -> str:
    """Return the digest of the first row, which tells a training from others."""
    return f"{state.digests[0]:016x}" if state.digests else ""


def _encoded(value: Any) -> str:
    return msgspec.json.encode(json_value(value)).decode()
