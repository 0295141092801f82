"""Reads the trials of Ray Tune: results, parameters, and how they have ended."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.json_lines import decode, read_lines
from trackai.importers.json_values import json_value, non_finite_types
from trackai.importers.liveness import is_silent, last_change
from trackai.importers.logged_numbers import is_beyond_64_bits, is_step, stored_number
from trackai.importers.ray import PARAMS, RESULTS, is_trial
from trackai.importers.ray.states import TrialState, read_states
from trackai.importers.shared_keys import refuse_shared_keys
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.text import without_surrogates
from trackai.values.times import LAST_TIME
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State

_PROJECT = "ray"
_ERROR = "error.txt"
_ENDED: dict[str, State] = {"TERMINATED": "completed", "ERROR": "failed"}
# As `trackai.integrations.ray` logs a trial: facts of a result that become configuration, and what
# a run has anyway.
_FACTS = ("trial_id", "experiment_tag", "node_ip", "hostname", "pid")
_LEFT_OUT = {
    *_FACTS, "config", "done", "should_checkpoint", "checkpoint_dir_name", "date", "timestamp",
}  # fmt: skip


class Source:
    """The trials below a path.

    Args:
        path: the folder of an experiment, of a trial, or any above.
        project: the project of the runs.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, project: str | None = None
    ) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._project = project or _PROJECT
        self._paths: dict[str, Path] = {}

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no trials.
        """
        root = self._path.resolve()
        folders = [Path(folder) for folder, _, _ in os.walk(root) if is_trial(Path(folder))]
        if not folders:
            problem = f"no trials of Ray Tune found (folders with {RESULTS} and {PARAMS})"
            raise InvalidInputError(str(self._path), problem)
        states = {parent: read_states(parent) for parent in {folder.parent for folder in folders}}
        for number, folder in enumerate(sorted(folders)):
            where = folder.relative_to(root).as_posix() if folder != root else folder.name
            state = states[folder.parent].get(folder.name)
            trial = _Trial(folder, where, state, self._project, self._receipt)
            for item in trial.read():
                if isinstance(item, FileHead):
                    self._paths[item.source] = folder / item.name
                yield item
            self._progress.share(number + 1, len(folders), "trials")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(head.source)


class _Trial:
    """Reads the folder of a trial."""

    def __init__(
        self, folder: Path, where: str, state: TrialState | None, project: str, receipt: Receipt
    ) -> None:
        self._folder = folder
        self._where = where
        self._state = state
        self._project = project
        self._receipt = receipt
        self._rounded: set[str] = set()
        # Of the results so far.
        self._last: dict[str, Any] = {}
        self._last_step: float = -math.inf
        self._attempt = 1
        self._blocks: BlockBuilder

    def read(self) -> Iterator[Item]:
        first = self._first_result()
        trial_id = first.get("trial_id") or (self._state and self._state.trial_id)
        if not isinstance(trial_id, str):
            self._receipt.add_remark(self._where, "has no results yet")
            return
        began_at = self._began_at(first)
        experiment = self._folder.parent.name
        head = RunHead(
            uid=stable_uid("ray", self._project, experiment, trial_id), project=self._project,
            run_id=without_surrogates(trial_id), name=self._name(trial_id), group_name=experiment,
            state="running", created_at=began_at,
        )  # fmt: skip
        yield head
        self._begin_attempt(head, began_at)
        yield from self._read_results(head)
        yield from self._blocks.flush()
        yield from self._error_file(head)
        if any(self._folder.glob("checkpoint_*/")):
            self._receipt.add_remark(self._where, "has checkpoints, which are not copied")
        config = self._config(trial_id)
        refuse_shared_keys(self._receipt, head.run_id, config)
        head.config = flat(config, json_value)
        head.config_types = non_finite_types(config)
        head.state = self._end_state()
        head.updated_at = max(began_at, _time(self._last) or self._changed_at())
        head.finished_at = None if head.state == "running" else head.updated_at
        yield head

    def _first_result(self) -> dict[str, Any]:
        try:
            with (self._folder / RESULTS).open("rb") as file:
                value, _ = decode(file.readline())
        except OSError:
            return {}
        return value if isinstance(value, dict) else {}

    def _changed_at(self) -> int:
        return int(last_change([self._folder / RESULTS, self._folder / PARAMS]) * 1e6)

    def _began_at(self, first: dict[str, Any]) -> int:
        """Return when the trial began: its parameters are written first, and may be copied."""
        times = [int(last_change([self._folder / PARAMS]) * 1e6), _time(first)]
        return min(time for time in times if time is not None)

    def _name(self, trial_id: str) -> str:
        """Return how Tune calls a trial: its folder has the parameters and the time behind that."""
        before, found, _ = self._folder.name.partition(trial_id)
        return without_surrogates(before + found)

    def _begin_attempt(self, head: RunHead, at: int) -> None:
        writer = WriterHead(
            uid=stable_uid(head.uid, "attempt", str(self._attempt)), attempt=self._attempt,
            host="ray", started_at=at,
        )  # fmt: skip
        self._writer = writer
        self._blocks = BlockBuilder(head.uid, writer)

    def _read_results(self, head: RunHead) -> Iterator[Block]:
        where = f"{self._where}/{RESULTS}"
        try:
            with (self._folder / RESULTS).open("rb") as file:
                for line in read_lines(file, where, self._receipt):
                    if line.error is None and not isinstance(line.value, dict):
                        line = line._replace(error="not an object of JSON")
                    if line.error is not None:
                        self._receipt.add_problem(f"{where}, line {line.number}", line.error)
                        continue
                    yield from self._read_result(head, line.value, f"{where}, line {line.number}")
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")

    def _read_result(self, head: RunHead, result: dict[str, Any], where: str) -> Iterator[Block]:
        step: Any = result.get("training_iteration")
        time = _time(result)
        if not is_step(step) or time is None:
            self._receipt.add_problem(where, "has no training_iteration or timestamp")
            return
        if step <= self._last_step:
            # The trial has gone back to a checkpoint.
            yield from self._blocks.flush()
            self._attempt += 1
            self._begin_attempt(head, time)
        self._last, self._last_step = result, step
        logged = {name: value for name, value in result.items() if name not in _LEFT_OUT}
        for metric, value in flat(logged, lambda value: value).items():
            yield from self._add(metric, step, time, value)

    def _add(self, metric: str, step: Any, time: int, value: Any) -> Iterator[Block]:
        if value is None or value == {}:
            self._receipt.count_null("metrics")
        elif isinstance(value, int | float):
            number = stored_number(value)
            if number is None:
                self._receipt.refuse("metrics", "the integer is too large for a float")
                return
            if is_beyond_64_bits(value) and metric not in self._rounded:
                self._rounded.add(metric)
                remark = f"{metric}: integers beyond 64 bits are rounded"
                self._receipt.add_remark(self._where, remark)
            yield from self._blocks.add(metric, "step", "number", step, time, number)
        else:
            value = json_value(value)
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            yield from self._blocks.add(metric, "step", "text", step, time, text)

    def _error_file(self, head: RunHead) -> Iterator[FileHead]:
        path = self._folder / _ERROR
        if path.is_file() and not path.is_symlink():
            yield FileHead(
                run_uid=head.uid, writer=self._writer, path=_ERROR, kind="file", name=_ERROR,
                timestamp=head.created_at, source=f"{self._where}/{_ERROR}",
            )  # fmt: skip

    def _config(self, trial_id: str) -> dict[str, Any]:
        """Return the latest parameters, which population based training changes, and facts."""
        config = self._last.get("config")
        if not isinstance(config, dict):
            config = self._params()
        facts = {name: self._last[name] for name in _FACTS if name in self._last}
        return {**config, "trial_id": trial_id, **facts}

    def _params(self) -> dict[str, Any]:
        try:
            value, error = decode((self._folder / PARAMS).read_bytes())
        except OSError as failure:
            value, error = None, f"cannot be read: {failure.strerror}"
        if error is None and not isinstance(value, dict):
            error = "not an object of JSON"
        if error is not None:
            self._receipt.add_problem(f"{self._where}/{PARAMS}", error)
        return value if isinstance(value, dict) else {}

    def _end_state(self) -> State:
        """Return how the trial has ended, by the experiment if its file is there."""
        if self._state is not None and self._state.status in _ENDED:
            return _ENDED[self._state.status]
        if (self._folder / _ERROR).is_file():
            return "failed"
        if self._last.get("done") is True:
            return "completed"
        paths = [self._folder / RESULTS, *self._folder.parent.glob("experiment_state-*.json")]
        if not is_silent(last_change(paths)):
            return "running"
        return "completed" if self._state is None else "failed"


def _time(result: dict[str, Any]) -> int | None:
    """Return the time of a result, in microseconds; None if it has none."""
    seconds = result.get("timestamp")
    if isinstance(seconds, int | float) and 0 <= seconds <= LAST_TIME / 1e6:
        return round(seconds * 1_000_000)
    return None
