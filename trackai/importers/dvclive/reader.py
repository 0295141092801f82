"""Reads the folders of runs: tables of metrics, last values, parameters, images and plots."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.csv_cells import infer_value, is_inexact, parse_int, parse_step
from trackai.importers.dvclive import METRICS, PARAMS, PLOTS, is_live
from trackai.importers.json_values import json_value
from trackai.importers.liveness import is_silent
from trackai.importers.table_rows import TableRows, is_measured
from trackai.importers.yaml_values import load_yaml, plain
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Step, Value

_DVC = "dvc.yaml"
# What DVCLive writes into the folder of a run, beside its report.
_FOLDERS = (PLOTS, "artifacts", "static")
_FILES = (METRICS, PARAMS, _DVC)
_NUMBERS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


class Source:
    """The runs below a path.

    Args:
        path: the folder of a run, usually `dvclive`, or any above.
        project: the project of the runs; by default the name of the folder that they are in.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, project: str | None = None
    ) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._project = project
        self._paths: dict[str, Path] = {}

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        root = self._path.resolve()
        folders = list(_find_folders(root)) if root.is_dir() else []
        if not folders:
            raise InvalidInputError(
                str(self._path), f"no folders of DVCLive found ({PLOTS}/metrics, {METRICS})"
            )
        for done, folder in enumerate(folders):
            self._progress.share(done, len(folders), "runs")
            project = self._project or folder.parent.name or folder.name
            yield from _Run(folder, root, project, self._receipt, self._paths).read()
        self._progress.share(len(folders), len(folders), "runs")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(head.source)


class _Table(NamedTuple):
    """The file of a metric.

    Attributes:
        first: the first row: time, step and value as they are written.
    """

    metric: str
    path: Path
    first: list[str]


class _Run:
    """Reads the folder of a run."""

    def __init__(
        self, folder: Path, root: Path, project: str, receipt: Receipt, paths: dict[str, Path]
    ) -> None:
        self._folder = folder
        self._root = root
        self._project = project
        self._receipt = receipt
        self._paths = paths
        self._last_time = 0
        self._has_untimed = False
        self._inexact: set[str] = set()

    def read(self) -> Iterator[Item]:
        """Yield the items of the run."""
        tables = self._find_tables()
        files = list(_own_files(self._folder))
        if not tables and self._folder / METRICS not in files:
            self._remark(self._folder.name, "has no metrics yet")
            return
        times = [path.stat().st_mtime_ns // 1000 for path in files if path.exists()]
        self._first_time = min(times, default=0)
        written_at = self._last_time = max(times, default=0)
        name = self._folder.name
        # The next run is written into the same folder; the first values tell it from this one.
        uid = stable_uid("dvclive", self._project, name, *_identity(tables))
        head = RunHead(
            uid=uid, project=self._project, run_id=name, name=name, state="running",
            created_at=min([self._first_time, *_times(tables)]),
        )  # fmt: skip
        yield head
        self._timed = self._builder(uid, "timed", has_times=True)
        self._untimed = self._builder(uid, "untimed", has_times=False)
        for table in tables:
            yield from self._read_table(table)
        yield from self._read_last_values({table.metric for table in tables})
        yield from self._timed.flush()
        yield from self._untimed.flush()
        yield from self._read_files(uid, files)
        has_ended = is_silent(written_at / 1e6)  # DVCLive does not say how
        head.state = "completed" if has_ended else "running"
        head.updated_at = max(self._last_time, head.created_at)
        head.finished_at = head.updated_at if has_ended else None
        head.config = self._config()
        if self._has_untimed:
            self._remark(name, "has points without times; those of their files are used")
        yield head

    def _builder(self, uid: str, name: str, *, has_times: bool) -> BlockBuilder:
        self._writer = WriterHead(
            uid=stable_uid(uid, name), host="dvclive", started_at=self._first_time
        )
        return BlockBuilder(uid, self._writer, has_times=has_times)

    def _remark(self, where: str, remark: str) -> None:
        self._receipt.add_remark(where, remark)

    def _where(self, path: Path) -> str:
        return path.relative_to(self._folder.parent).as_posix()

    def _find_tables(self) -> list[_Table]:
        """Return the files of metrics that have a row."""
        root = self._folder / PLOTS / "metrics"
        tables = []
        for path in _files(root):
            if path.suffix != ".tsv":
                continue
            metric = path.relative_to(root).with_suffix("").as_posix()
            rows = TableRows(path, "\t")
            try:
                first = next((_cells(rows.header, row) for _, row in rows.read()), None)
            except (OSError, ValueError):
                first = []  # the problem is noted when it is read
            if first is None:
                self._remark(self._where(path), "has no rows")
            else:
                tables.append(_Table(metric, path, first))
        return tables

    def _read_table(self, table: _Table) -> Iterator[Block]:
        where = self._where(table.path)
        rows = TableRows(table.path, "\t")
        try:
            written_at = table.path.stat().st_mtime_ns // 1000
            for line, row in rows.read():
                try:
                    moment, step, value = _cells(rows.header, row)
                except ValueError as error:
                    raise ValueError(f"line {line}: {error}") from None
                yield from self._read_point(table.metric, moment, step, value, written_at)
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")
        except ValueError as error:
            self._receipt.add_problem(where, f"the rest is skipped: {error}")
        if rows.is_cut:
            self._remark(where, "ends within a row, which is left out")

    def _read_point(
        self, metric: str, moment: str, step_text: str, cell: str, written_at: int
    ) -> Iterator[Block]:
        try:
            step = parse_step(step_text, "step")
            at = parse_int(moment, "timestamp") * 1000 if moment else written_at
        except ValueError:
            self._receipt.refuse("metrics", "rows without a valid step or time")
            return
        if not FIRST_TIME <= at <= LAST_TIME:
            self._receipt.refuse("metrics", "invalid time")
            return
        value = self._value(metric, cell)
        kind: Any = "text" if isinstance(value, str) else "number"
        self._last_time = max(self._last_time, at)
        self._has_untimed |= not moment
        blocks = self._timed if moment else self._untimed
        yield from blocks.add(metric, "step", kind, step, at, value)

    def _value(self, metric: str, cell: str) -> Value:
        value = infer_value(cell)
        if is_inexact(cell, value) and metric not in self._inexact:
            self._inexact.add(metric)
            self._remark(metric, f"rounds large numbers, such as {cell} to {value!r}")
        return value

    def _read_last_values(self, known: set[str]) -> Iterator[Block]:
        """Yield the values of metrics that are not plotted: only the last one is kept."""
        path = self._folder / METRICS
        if path.is_symlink() or not path.is_file():
            return
        try:
            values = json.loads(path.read_bytes())
            if not isinstance(values, dict):
                raise ValueError("not an object")
            step: Step = parse_step(str(values.pop("step", 0)), "step")
        except OSError as error:
            self._receipt.add_problem(self._where(path), f"cannot be read: {error.strerror}")
            return
        except (ValueError, RecursionError):
            self._receipt.add_problem(self._where(path), "is not JSON of metrics")
            return
        at = path.stat().st_mtime_ns // 1000
        for metric, value in flat(values, lambda value: value).items():
            if metric in known:
                continue
            if value is None:
                self._receipt.count_null("metrics")
                continue
            if isinstance(value, str):
                value = _NUMBERS.get(value, value)
            elif isinstance(value, int) and not isinstance(value, bool):
                value = self._value(metric, str(value))
            elif not isinstance(value, float | bool):
                value = json.dumps(json_value(value))
            kind: Any = "text" if isinstance(value, str) else "number"
            self._has_untimed = True
            yield from self._untimed.add(
                metric, "step", kind, step, at, json_value(value) if kind == "text" else value
            )

    def _read_files(self, uid: str, files: list[Path]) -> Iterator[FileHead]:
        """Yield images, plots and reports, and dvc.yaml beside the folder."""
        tables = self._folder / PLOTS / "metrics"
        data = {self._folder / METRICS, self._folder / PARAMS}
        others = [path for path in files if path not in data and tables not in path.parents]
        names = {path: path.relative_to(self._folder).as_posix() for path in others}
        beside = self._folder.parent / _DVC
        if beside.is_relative_to(self._root) and beside.is_file() and not beside.is_symlink():
            names[beside] = _DVC
        for path, name in names.items():
            source = f"{self._folder.name}/{name}"
            self._paths[f"{uid}/{source}"] = path
            yield FileHead(
                run_uid=uid, writer=self._writer, path=name, kind="file", name=path.name,
                source=f"{uid}/{source}",
            )  # fmt: skip

    def _config(self) -> dict[str, Any]:
        path = self._folder / PARAMS
        if path.is_symlink() or not path.is_file():
            return {}
        try:
            values = load_yaml(path, version="1.2")
            if values is None:
                return {}
            if not isinstance(values, dict):
                raise ValueError("not a configuration")
        except OSError as error:
            self._receipt.add_problem(self._where(path), f"cannot be read: {error.strerror}")
        except ValueError as error:
            self._receipt.add_problem(self._where(path), str(error))
        else:
            return flat(plain(values), json_value)
        return {}


def _find_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of runs, without following links."""
    for folder, names, _ in os.walk(root):
        path = Path(folder)
        if is_live(path):
            names.clear()
            yield path
        names[:] = sorted(name for name in names if name not in (".dvc", ".git"))


def _own_files(folder: Path) -> Iterator[Path]:
    """Yield the files that DVCLive writes; the folder may be the one of a repository."""
    for path in sorted(folder.iterdir()):
        is_own = path.name in _FILES or path.name.startswith("report.")
        if is_own and path.is_file() and not path.is_symlink():
            yield path
    for name in _FOLDERS:
        if not (folder / name).is_symlink():
            yield from _files(folder / name)


def _files(folder: Path) -> Iterator[Path]:
    for parent, names, files in os.walk(folder):
        names.sort()
        for name in sorted(files):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _cells(header: list[str], row: list[str]) -> list[str]:
    """Return the time, the step and the value of a row. Each call decides whether it has a time.

    Raises:
        ValueError: it has another number of cells.
    """
    if len(header) not in (2, 3) or len(row) not in (2, 3):
        raise ValueError(f"number of cells must be 2 or 3, got {len(row)}")
    return row if len(row) == 3 else ["", *row]


def _identity(tables: list[_Table]) -> list[str]:
    """Return what tells a run from others: the first value of the metric that begins first."""

    def rank(table: _Table) -> tuple[float, bool, str]:
        try:
            step = float(parse_step(table.first[1], "step"))
        except (ValueError, IndexError):
            step = float("inf")
        return step, not any(map(is_measured, table.first)), table.metric

    first = min(tables, key=rank, default=None)
    return [first.metric, *first.first] if first is not None else []


def _times(tables: list[_Table]) -> Iterator[int]:
    for table in tables:
        try:
            at = parse_int(table.first[0], "timestamp") * 1000
        except (ValueError, IndexError):
            continue
        if FIRST_TIME <= at <= LAST_TIME:
            yield at
