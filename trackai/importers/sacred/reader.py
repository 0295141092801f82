"""Reads the runs of Sacred's folders: metrics, results, console output, configuration and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.console_lines import Lines
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.json_values import json_value, non_finite_types
from trackai.importers.liveness import is_silent
from trackai.importers.sacred import CONFIG, RUN, is_run
from trackai.importers.sacred.values import members, plain
from trackai.importers.shared_keys import refuse_shared_keys
from trackai.importers.source_database import parse_time
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.steps import STEP_LIMIT
from trackai.values.text import without_surrogates
from trackai.values.types import INT64
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Kind, State, Value

_METRICS, _INFO, _CONSOLE = "metrics.json", "info.json", "cout.txt"
_OWN_FILES = (RUN, CONFIG, _METRICS, _INFO, _CONSOLE)
_STATES: dict[str, State] = {"COMPLETED": "completed", "RUNNING": "running"}
# In the configuration, what Sacred has beside it.
_PREFIX = "_sacred"


class Source:
    """The runs below a path.

    Args:
        path: the folder of an observer, or the folder of one run.
        receipt: notes what is not supported or cannot be read.
    """

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._paths: dict[str, Path] = {}

    def read(self) -> Iterator[Item]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no runs.
        """
        root = self._path.resolve()
        folders = [Path(folder) for folder, _, _ in os.walk(root) if is_run(Path(folder))]
        if not folders:
            problem = f"no runs of Sacred found (folders with {RUN} and {CONFIG})"
            raise InvalidInputError(str(self._path), problem)
        for number, folder in enumerate(sorted(folders, key=_order)):
            run = _Run(folder, root, self._receipt, self._paths)
            yield from run.read()
            self._progress.share(number + 1, len(folders), "runs")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._paths.get(head.source)


def _order(folder: Path) -> tuple[Path, int, str]:
    """Sort the folders 1, 2, 10 as numbers."""
    name = folder.name
    return folder.parent, int(name) if name.isdecimal() and name.isascii() else 0, name


class _Run:
    """Reads the folder of a run."""

    def __init__(self, folder: Path, root: Path, receipt: Receipt, paths: dict[str, Path]) -> None:
        self._folder = folder
        self._root = root
        self._where = folder.relative_to(root).as_posix() if folder != root else folder.name
        self._receipt = receipt
        self._paths = paths
        self._last_step: int | float = 0
        self._is_old = False
        self._remarks: set[str] = set()

    def read(self) -> Iterator[Item]:
        entry, is_whole = self._load(RUN)
        self._is_old = self._is_silent(entry)
        if entry.get("status") == "QUEUED":
            self._receipt.add_remark(self._where, "the run is queued, and has not begun")
            return
        if not is_whole and not self._is_old:
            return  # it is being written; a part of it would be another run
        head = self._head(entry)
        writer = WriterHead(
            uid=stable_uid(head.uid, "writer"), host=_text(entry, "host", "hostname") or "sacred",
            started_at=head.created_at,
        )  # fmt: skip
        self._blocks = BlockBuilder(head.uid, writer)
        yield head
        yield from self._read_metrics(head)
        has_ended = head.state != "running"
        yield from self._read_console(head.created_at, has_ended)
        if has_ended:
            yield from self._read_results(entry, head.updated_at or head.created_at)
            yield from self._blocks.flush()
            yield from self._read_files(entry, head, writer)
        yield from self._blocks.flush()
        yield head

    def _load(self, name: str) -> tuple[dict[str, Any], bool]:
        """Read an object of JSON; of a damaged file, the members before the damage."""
        try:
            text = (self._folder / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return {}, True
        except OSError as error:
            self._receipt.add_problem(f"{self._where}/{name}", f"cannot be read: {error.strerror}")
            return {}, False
        loaded, is_whole = members(text)
        if not is_whole:
            problem = "the file is damaged or is being written: a part cannot be read"
            self._receipt.add_problem(f"{self._where}/{name}", problem)
        return loaded, is_whole

    def _is_silent(self, entry: dict[str, Any]) -> bool:
        beat = parse_time(entry.get("heartbeat"))
        changed_at = (self._folder / RUN).stat().st_mtime if beat is None else beat / 1e6
        return is_silent(changed_at)

    def _head(self, entry: dict[str, Any]) -> RunHead:
        started_at = parse_time(entry.get("start_time")) or 0
        times = (parse_time(entry.get(name)) for name in ("stop_time", "heartbeat"))
        ended_at = max(started_at, next(filter(None, times), 0))
        project = _text(entry, "experiment", "name") or self._folder.parent.name
        state = _STATES.get(str(entry.get("status")), "failed")
        if state == "running" and self._is_old:
            state = "failed"
        config = self._config(entry)
        refuse_shared_keys(self._receipt, self._folder.name, config)
        return RunHead(
            uid=stable_uid("sacred", project, self._folder.name, str(entry.get("start_time"))),
            project=project, run_id=self._folder.name, name=self._folder.name, state=state,
            created_at=started_at, updated_at=ended_at,
            finished_at=None if state == "running" else ended_at,
            notes=_text(entry, "meta", "comment"), config=flat(config, json_value),
            config_types=non_finite_types(config),
            environment={1: _environment(entry)},
        )  # fmt: skip

    def _config(self, entry: dict[str, Any]) -> dict[str, Any]:
        loaded, _ = self._load(CONFIG)
        found = entry.get("meta")
        meta = found if isinstance(found, dict) else {}
        own = {
            "status": entry.get("status"),
            "command": entry.get("command"),
            "named_configs": meta.get("named_configs"),
            "priority": meta.get("priority"),
        }
        loaded[_PREFIX] = {key: value for key, value in own.items() if value not in (None, [])}
        return dict(self._plain("configuration", loaded))

    def _plain(self, what: str, value: Any) -> Any:
        """Convert objects of Python; a remark says where one became text."""
        return plain(
            value, lambda: self._remark(f"{what}: objects of Python are the text of their JSON")
        )

    def _remark(self, remark: str) -> None:
        if remark not in self._remarks:
            self._remarks.add(remark)
            self._receipt.add_remark(self._where, remark)

    def _read_metrics(self, head: RunHead) -> Iterator[Block]:
        loaded, _ = self._load(_METRICS)
        for metric, series in loaded.items():
            columns = _columns(series)
            if not columns:
                self._receipt.add_problem(
                    f"{self._where}/{_METRICS}", f"{metric!r} is not a series"
                )
                continue
            if len({len(column) for column in columns}) > 1:
                problem = f"the lists of {metric!r} differ in length: the rest is skipped"
                self._receipt.add_problem(f"{self._where}/{_METRICS}", problem)
            for step, timestamp, value in zip(*columns, strict=False):
                at = parse_time(timestamp)
                if at is None or not _is_step(step):
                    reason = f"invalid step or time: {step!r}, {timestamp!r}"
                    self._receipt.refuse("metrics", reason)
                    continue
                self._last_step = max(self._last_step, step)
                yield from self._add(metric, step, at, value)

    def _add(self, metric: str, step: int | float, at: int, value: Any) -> Iterator[Block]:
        value = self._plain(metric, value)
        if value is None:
            self._receipt.count_null("metrics")
            return
        stored: Value
        if isinstance(value, int) and not -INT64 <= value < INT64:
            try:
                stored = float(value)
            except OverflowError:
                self._receipt.refuse("metrics", "the integer is too large for a float")
                return
            self._remark(f"{metric}: integers beyond 64 bits are rounded")
        elif isinstance(value, bool | int | float):
            stored = value
        elif isinstance(value, str):
            stored = without_surrogates(value)
        else:
            stored = msgspec.json.encode(json_value(value)).decode()
        kind: Kind = "text" if isinstance(stored, str) else "number"
        yield from self._blocks.add(metric, "step", kind, step, at, stored)

    def _read_results(self, entry: dict[str, Any], at: int) -> Iterator[Block]:
        """Yield the figures of the run, which change until it ends."""
        info, _ = self._load(_INFO)
        figures = {"info": info, "result": entry.get("result")}
        for metric, value in flat(self._plain("info", figures), lambda value: value).items():
            if value not in (None, {}):
                yield from self._add(metric, self._last_step, at, value)
        trace = entry.get("fail_trace")
        if isinstance(trace, list):
            text = "".join(map(str, trace))
            yield from self._add("fail_trace", self._last_step, at, text)

    def _read_console(self, started_at: int, has_ended: bool) -> Iterator[Block]:
        """Yield the lines of the console, which have no times: each is a microsecond later."""
        lines = Lines()
        try:
            path = self._folder / _CONSOLE
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                for text in file:
                    yield from self._add_lines(lines.add(text, started_at))
        except OSError:
            return
        if has_ended:
            yield from self._add_lines(lines.rest())

    def _add_lines(self, lines: Iterator[tuple[int, str]]) -> Iterator[Block]:
        for at, line in lines:
            yield from self._blocks.add("logs/stdout", "time", "text", at, at, line)

    def _read_files(
        self, entry: dict[str, Any], head: RunHead, writer: WriterHead
    ) -> Iterator[FileHead]:
        """Yield artifacts, sources and resources. They are complete once the run has ended."""
        files = [
            (path.relative_to(self._folder).as_posix(), path)
            for folder, _, names in sorted(os.walk(self._folder))
            for name in sorted(names)
            if not (path := Path(folder, name)).is_symlink()
        ]
        for name, path in [*files, *self._shared_files(entry)]:
            if name in _OWN_FILES:
                continue
            source = f"{self._folder.name}/{name}"
            self._paths[source] = path
            yield FileHead(
                run_uid=head.uid, writer=writer, path=without_surrogates(name), kind="file",
                name=without_surrogates(path.name), timestamp=head.created_at, source=source,
            )  # fmt: skip

    def _shared_files(self, entry: dict[str, Any]) -> Iterator[tuple[str, Path]]:
        """Yield the files that the runs of an observer share."""
        experiment = entry.get("experiment")
        sources = experiment.get("sources") if isinstance(experiment, dict) else None
        for kind, pairs in (("sources", sources), ("resources", entry.get("resources"))):
            for pair in pairs if isinstance(pairs, list) else ():
                if not (isinstance(pair, list) and list(map(type, pair)) == [str, str]):
                    continue
                name = pair[0].replace("\\", "/").lstrip("/")
                if kind == "resources":
                    name = name.rpartition("/")[2]
                stored = pair[1].replace("\\", "/").rpartition("/")[2]
                path = self._folder.parent / f"_{kind}" / stored
                if self._is_inside(path):
                    yield f"{kind}/{name}", path
                else:
                    self._receipt.refuse(TYPE, MISSING)
                    self._receipt.add_problem(f"{self._where}: {pair[1]}", f"not stored: {MISSING}")

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.is_file() and path.resolve().is_relative_to(self._root)
        except (OSError, ValueError):
            return False


def _columns(series: Any) -> list[list[Any]]:
    """Return the steps, times and values of a series; nothing if it has none."""
    if not isinstance(series, dict):
        return []
    columns = [series.get(name) for name in ("steps", "timestamps", "values")]
    lists = [column for column in columns if isinstance(column, list)]
    return lists if len(lists) == len(columns) else []


def _environment(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the facts about the machine, under the names of those that the SDK records."""
    experiment = entry.get("experiment")
    experiment = experiment if isinstance(experiment, dict) else {}
    repositories = experiment.get("repositories")
    first = repositories[0] if isinstance(repositories, list) and repositories else None
    repository = first if isinstance(first, dict) else {}
    facts = {
        "host": _text(entry, "host", "hostname"),
        "cpu": _text(entry, "host", "cpu"),
        "python": _text(entry, "host", "python_version"),
        "script": experiment.get("mainfile"),
        "cwd": experiment.get("base_dir"),
        "dependencies": experiment.get("dependencies"),
        "git/commit": repository.get("commit"),
        "git/remote": repository.get("url"),
        "git/dirty": repository.get("dirty"),
    }
    return {key: json_value(value) for key, value in facts.items() if value is not None}


def _text(entry: dict[str, Any], name: str, key: str) -> str | None:
    """Return a text of an inner object; None if it has none."""
    inner = entry.get(name)
    value = inner.get(key) if isinstance(inner, dict) else None
    return without_surrogates(value) if isinstance(value, str) and value else None


def _is_step(step: Any) -> bool:
    return isinstance(step, int | float) and -STEP_LIMIT < step < STEP_LIMIT
