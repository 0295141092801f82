"""Reads the runs of CSVLogger: metrics.csv, hparams.yaml and the names of checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.csv_cells import infer_value, is_inexact, parse_step
from trackai.importers.json_values import json_value
from trackai.importers.lightning import HPARAMS, METRICS, is_version
from trackai.importers.liveness import is_silent
from trackai.importers.table_rows import TableRows, is_measured
from trackai.importers.yaml_values import load_yaml, plain
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Step

_CHECKPOINTS = "checkpoints"
_PROGRESS_BYTES = 1 << 20


class Source:
    """The runs below a path.

    Args:
        path: the folder of a version, of versions, or any above.
        project: the project of the runs; by default the name of the folder of versions.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, project: str | None = None
    ) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._project = project

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        root = self._path.resolve()
        folders = [root.parent] if root.is_file() else list(self._find_folders(root))
        if not folders:
            raise InvalidInputError(
                str(self._path),
                f"no folders of Lightning's CSVLogger found (version_*/{METRICS}); import those of "
                "its TensorBoardLogger with `trackai import tensorboard`",
            )
        versions = []
        for folder in folders:
            where = folder.relative_to(root).as_posix() if root in folder.parents else folder.name
            project = self._project or folder.parent.name
            try:
                versions.append(_Version(folder, where, project, self._receipt))
            except OSError as error:
                problem = f"cannot be read: {error.strerror}"
                self._receipt.add_problem(f"{where}/{METRICS}", problem)
        total = sum(version.size for version in versions)
        done = 0
        for version in versions:
            for position, item in version.read(only_metrics=root.is_file()):
                if item is not None:
                    yield item
                self._progress.share(min(done + position, total), total, "bytes")
            done += version.size
        self._progress.share(total, total, "bytes")

    def _find_folders(self, root: Path) -> Iterator[Path]:
        """Yield the folders of runs, without following links."""
        others = []
        for folder, names, files in os.walk(root):
            names.sort()
            path = Path(folder)
            if METRICS in files and not (path / METRICS).is_symlink() and is_version(path):
                yield path
            elif HPARAMS in files:
                others.append(path)
            if any("tfevents" in name for name in files):
                self._receipt.add_remark(
                    path.name, "has event files: import them with `trackai import tensorboard`"
                )
            elif path in others:
                self._receipt.add_remark(path.name, f"has no {METRICS} yet")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Checkpoints are only listed."""
        return None


class _Version:
    """Reads the folder of a run.

    Attributes:
        size: of its metrics in bytes.
    """

    def __init__(self, folder: Path, where: str, project: str, receipt: Receipt) -> None:
        self._folder = folder
        self._where = where
        self._project = project
        self._receipt = receipt
        self._metrics = folder / METRICS
        status = self._metrics.stat()
        self.size = status.st_size
        self._written_at = status.st_mtime_ns // 1000
        self._epoch: tuple[Step, str] | None = None
        self._inexact: set[str] = set()

    def read(self, *, only_metrics: bool) -> Iterator[tuple[int, Item | None]]:
        """Yield the items of the run, each with the position in bytes, or only the position."""
        try:
            first = self._first_row()
        except (OSError, ValueError) as error:
            self._receipt.add_problem(f"{self._where}/{METRICS}", f"cannot be read: {error}")
            return
        if first is None:
            self._receipt.add_remark(f"{self._where}/{METRICS}", "has no rows")
            return
        # A training that was started again in the same folder is another run.
        uid = stable_uid("lightning", self._project, self._folder.name, *first)
        started_at = min(self._written_at, self._begin())
        head = RunHead(
            uid=uid, project=self._project, run_id=self._folder.name, name=self._folder.name,
            state="running", created_at=started_at,
        )  # fmt: skip
        yield 0, head
        writer = WriterHead(uid=stable_uid(uid, "metrics"), host="lightning", started_at=started_at)
        blocks = BlockBuilder(uid, writer, has_times=False)
        yield from self._read_rows(blocks)
        for block in blocks.flush():
            yield self.size, block
        if not only_metrics:
            for file in self._checkpoints(uid, writer):
                yield self.size, file
            head.config = self._config()
        has_ended = is_silent(self._written_at / 1e6)  # the logger does not say how
        head.state = "completed" if has_ended else "running"
        head.updated_at = self._written_at
        head.finished_at = self._written_at if has_ended else None
        self._receipt.add_remark(self._where, "has no times; those of its files are used")
        yield self.size, head

    def _begin(self) -> int:
        """Return when the hyperparameters were written, at the beginning of the training."""
        try:
            return (self._folder / HPARAMS).lstat().st_mtime_ns // 1000
        except OSError:
            return self._written_at

    def _first_row(self) -> list[str] | None:
        """Return the cells, by column, that tell this run from others; new columns change none.

        They are of the first row with a measured value, or of the first row.
        """
        found: list[str] | None = None
        rows = TableRows(self._metrics)
        for _, row in rows.read():
            cells = dict(zip(rows.header, row, strict=False))
            if found is None or any(map(is_measured, row)):
                found = sorted(f"{name}={cell}" for name, cell in cells.items() if cell)
            if any(map(is_measured, row)):
                break
        return found

    def _read_rows(self, blocks: BlockBuilder) -> Iterator[tuple[int, Item | None]]:
        where = f"{self._where}/{METRICS}"
        rows = TableRows(self._metrics)
        reported = 0
        try:
            for line, row in rows.read():
                if len(row) != len(rows.header):
                    reason = f"number of cells must be {len(rows.header)}, got {len(row)}"
                    raise ValueError(f"line {line}: {reason}")
                for block in self._read_row(dict(zip(rows.header, row, strict=True)), blocks):
                    yield rows.position, block
                if rows.position - reported >= _PROGRESS_BYTES:
                    reported = rows.position
                    yield rows.position, None
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")
        except ValueError as error:
            self._receipt.add_problem(where, f"the rest is skipped: {error}")
        if rows.is_cut:
            self._receipt.add_remark(where, "ends within a row, which is left out")

    def _read_row(self, row: dict[str, str], blocks: BlockBuilder) -> Iterator[Block]:
        try:
            step = parse_step(row.pop("step", ""), "step")
        except ValueError:
            self._receipt.refuse("metrics", "rows without a valid step")
            return
        for metric, cell in row.items():
            if not cell:
                continue
            if metric == "epoch":
                # Each call of a step repeats it.
                if self._epoch == (step, cell):
                    continue
                self._epoch = step, cell
            value = infer_value(cell)
            if is_inexact(cell, value) and metric not in self._inexact:
                self._inexact.add(metric)
                remark = f"column {metric}: rounds large numbers, such as {cell} to {value!r}"
                self._receipt.add_remark(f"{self._where}/{METRICS}", remark)
            kind: Any = "text" if isinstance(value, str) else "number"
            yield from blocks.add(metric, "step", kind, step, self._written_at, value)

    def _config(self) -> dict[str, Any]:
        path = self._folder / HPARAMS
        if path.is_symlink() or not path.is_file():
            return {}
        try:
            values = load_yaml(path)
            if not isinstance(values, dict):
                raise ValueError("not a configuration")
        except OSError as error:
            self._receipt.add_problem(
                f"{self._where}/{HPARAMS}", f"cannot be read: {error.strerror}"
            )
        except ValueError as error:
            self._receipt.add_problem(f"{self._where}/{HPARAMS}", str(error))
        else:
            return flat(plain(values), json_value)
        return {}

    def _checkpoints(self, uid: str, writer: WriterHead) -> Iterator[FileHead]:
        """Yield the names and sizes of the checkpoints."""
        folder = self._folder / _CHECKPOINTS
        if folder.is_symlink() or not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.is_symlink():
                name = f"{_CHECKPOINTS}/{path.name}"
                yield FileHead(
                    run_uid=uid, writer=writer, path=name, kind="file", name=path.name,
                    size=path.stat().st_size, source=name,
                )  # fmt: skip
