"""Writes runs to a folder, each attempt as an offline run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from trackai.exporters.attempts import Attempts
from trackai.exporters.point_spool import PointSpool
from trackai.exporters.run_exporter import RunExporter
from trackai.exporters.summary import RunRemarks
from trackai.exporters.texts import apart
from trackai.exporters.wandb.media import RunFiles
from trackai.exporters.wandb.record_file import RecordFile, lost_keys, x_axes
from trackai.exporters.wandb.rows import RowWriter
from trackai.exporters.wandb.series import HISTORY, STATS, Series, free_name, series_of
from trackai.importers.wandb.values import STEP_METRIC
from trackai.structs.exchange import ArtifactHead, Block, FileHead, Rewind, RunHead

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.exporters.attempts import Attempt
    from trackai.exporters.folder import FindBytes, Folder
    from trackai.exporters.summary import Summary
    from trackai.exporters.wandb.media import MediaPoint
    from trackai.structs.exchange import Item
    from trackai.values.types import Step

_REFUSED_BY_WANDB = re.compile(r"[/\\#?%:\x00-\x1f]+")
_MAX_NAME = 64
_NO_NUMBERS = "system metrics that are not numbers are left out"
_BY_ROW = (
    "its steps are repeated, negative or fractional: the step in wandb counts rows, and the "
    f"metric {STEP_METRIC} is the x axis"
)


class Exporter(RunExporter):
    """Writes a folder for each attempt of a run."""

    def _begin(self, head: RunHead) -> _Run:
        return _Run(self._folder, head, self._find_bytes, self._summary)


class _Run:
    """Gathers a run, and writes it once all of it is known."""

    def __init__(
        self, folder: Folder, head: RunHead, find_bytes: FindBytes, summary: Summary
    ) -> None:
        self._folder, self._summary = folder, summary
        self._remarks = RunRemarks(summary, f"run {head.run_id}")
        self._head = _with_valid_names(head, self._remarks)
        self._spool = PointSpool(folder.staging / "points.part")
        self._attempts = Attempts(head)
        self._files = RunFiles(head, find_bytes, self._remarks)
        self._series: list[Series] = []
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._has_own_axis = False

    def add(self, item: Item) -> None:
        """Add a part of the run."""
        if isinstance(item, Block):
            self._attempts.add(item.writer)
            self._add_points(item)
        elif isinstance(item, FileHead):
            self._attempts.add(item.writer)
            self._files.add(item)
        elif isinstance(item, ArtifactHead):
            self._remarks.add_artifact(item)
        elif isinstance(item, Rewind):
            self._remarks.add_once("points that were superseded are written like the others")

    def _add_points(self, block: Block) -> None:
        series = series_of(block, self._remarks)
        if series is None:
            self._remarks.add(_NO_NUMBERS, len(block.steps))
            return
        if series.lane == STATS and any(isinstance(value, str) for value in block.values):
            block, texts = apart(block)
            self._remarks.add(_NO_NUMBERS, len(texts.steps))
        number = self._number((block.metric, block.axis, block.kind), series)
        attempt = block.writer.attempt
        steps = block.steps if series.lane else self._checked(block.steps)
        self._spool.add(attempt, series.lane, number, steps, block.timestamps, block.values)
        self._summary.points += len(steps)

    def _add_media(self, media: MediaPoint) -> None:
        series = Series(free_name(media.metric, self._remarks), HISTORY, "media")
        number = self._number((media.metric, "step", "media"), series)
        steps = self._checked([media.step])
        self._spool.add(media.attempt, HISTORY, number, steps, [media.time], [media.value])

    def _number(self, key: tuple[str, str, str], series: Series) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self._series)
            self._series.append(series)
        return self._numbers[key]

    def _checked(self, steps: list[Step]) -> list[Step]:
        """Return steps, as integers where possible, and note those that wandb cannot have."""
        if not all(type(step) is int for step in steps):
            steps = [int(step) if float(step).is_integer() else step for step in steps]
        self._has_own_axis |= any(step < 0 or type(step) is float for step in steps)
        return steps

    def finish(self) -> None:
        """Write the folders."""
        attempts = self._attempts.list(self._spool.first_times())
        paths = {attempt.number: self._new_folder(attempt) for attempt in attempts}
        for attempt in attempts:
            files = paths[attempt.number] / "files"
            for media in self._files.write(attempt.number, files):
                self._add_media(media)
        by_row = self._has_own_axis or self._spool.has_repeated_steps(HISTORY, self._alerts())
        if by_row:
            self._remarks.add_once(_BY_ROW)
        self._write(attempts, paths, by_row=by_row)
        self._spool.close()
        self._summary.files += self._files.written
        self._summary.runs += 1
        self._remarks.finish()

    def _alerts(self) -> list[int]:
        return [number for number, series in enumerate(self._series) if series.level]

    def _new_folder(self, attempt: Attempt) -> Path:
        """Create the folder of an attempt; two of the same second get different names."""
        second = attempt.started_at // 1_000_000
        while True:
            time = datetime.fromtimestamp(second, UTC)
            name = f"offline-run-{time:%Y%m%d_%H%M%S}-{self._head.run_id}"
            if not (self._folder.staging / name).exists():
                break
            second += 1
        path = self._folder.add(name)
        path.mkdir()
        return path

    def _write(self, attempts: list[Attempt], paths: dict[int, Path], *, by_row: bool) -> None:
        axes = x_axes(self._head)
        if left_out := lost_keys(self._head):
            self._remarks.add("keys below _wandb in the configuration are left out", left_out)
        if by_row:
            axes |= {series.name: STEP_METRIC for series in self._series if series.lane == HISTORY}
        groups = groupby(self._spool.read(by_time=by_row), itemgetter(0))
        number, points = next(groups, (None, None))
        rows = 0
        for attempt in attempts:
            with RecordFile(paths[attempt.number], self._head, attempt) as file:
                file.begin(axes, self._files.paths[attempt.number])
                writer = RowWriter(file, self._series, self._remarks, by_row=by_row, rows=rows)
                if points is not None and number == attempt.number:
                    writer.write(points)
                    number, points = next(groups, (None, None))
                rows = writer.rows
                file.end(writer.summary)


def _with_valid_names(head: RunHead, remarks: RunRemarks) -> RunHead:
    """Change the names that wandb refuses."""
    run_id, project = _REFUSED_BY_WANDB.sub("-", head.run_id), head.project
    if run_id != head.run_id or len(run_id) > _MAX_NAME:
        run_id = f"{run_id[: _MAX_NAME - 9]}-{head.uid[-8:]}"
        remarks.add_once(f"its id becomes {run_id}")
    project = _REFUSED_BY_WANDB.sub("-", project)
    if project != head.project:
        remarks.add_once(f"the project {head.project} becomes {project}")
    return msgspec.structs.replace(head, run_id=run_id, project=project)
