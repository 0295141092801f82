"""Reads the events of offline sessions."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.bundles import Archive, Contents, Folder, walk
from trackai.importers.clearml import LOG, METRICS, PREFIX, TASK, is_session, values
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.json_lines import MAX_LINE, decode, read_lines
from trackai.importers.json_values import json_value
from trackai.importers.liveness import last_change, open_state
from trackai.importers.logged_numbers import is_step, milliseconds, stored_number
from trackai.importers.names import shown
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.bundles import Bundle
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Chunk, Item
    from trackai.values.types import State

_DEFAULT_PROJECT = "clearml"
# Files that the events name are below this folder.
_DATA = "data"
_STREAMS = {"error": "stderr", "critical": "stderr"}
# As TrackAI names them.
_FACTS = {
    "repository": "git/remote", "branch": "git/branch", "version_num": "git/commit",
    "entry_point": "script", "binary": "executable",
}  # fmt: skip
_ZERO = "has values 0.0, and ClearML stores NaN and infinities as 0.0, too"
_NO_END = "has no archive beside it, which ClearML writes when a task is closed; stored as failed"


class _Session(NamedTuple):
    """A folder or an archive, and its task.json."""

    bundle: Bundle
    task: dict[str, Any]
    is_closed: bool

    @property
    def id(self) -> str:
        """The id of the task, which differs for each session."""
        return str(self.task.get("id") or self.bundle.path.name.removesuffix(".zip"))


class Source:
    """The offline sessions below a path: a folder, an archive, or any folder above."""

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt, self._progress = receipt, progress
        self._contents = Contents()

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no sessions, or the only one cannot be read.
        """
        paths = self._find()
        for number, (path, is_closed) in enumerate(paths.items(), start=1):
            session = self._open(path, is_closed, is_only=len(paths) == 1)
            if session is not None:
                yield from _Run(session, self._receipt, self._contents).read()
                session.bundle.close()
            self._progress.share(number, len(paths), "tasks")

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if they are in an archive, or missing."""
        return self._contents.find(head)

    def _find(self) -> dict[Path, bool]:
        """Return the path of each session, and whether it was closed.

        A closed one is there twice, as a folder and as an archive of it.
        """
        root = self._path.resolve()
        if root.is_file():
            return {root: True}
        if is_session(root):
            return {root: root.with_name(f"{root.name}.zip").is_file()}
        paths: dict[Path, bool] = {}
        for folder, names in walk(root):
            archives = {
                folder / name for name in names if name.startswith(PREFIX) and name.endswith(".zip")
            }
            if is_session(folder):
                paths[folder] = folder.with_name(f"{folder.name}.zip").is_file()
            for archive in sorted(archives):
                if not is_session(archive.with_suffix("")):
                    paths[archive] = True
        if not paths:
            raise InvalidInputError(str(self._path), "no offline sessions of ClearML found")
        return paths

    def _open(self, path: Path, is_closed: bool, *, is_only: bool) -> _Session | None:
        try:
            bundle: Bundle = (
                Folder(path, self._contents) if path.is_dir() else Archive(path, self._contents)
            )
            if TASK not in bundle.names():
                raise InvalidInputError(str(path), "not an offline session of ClearML")
        except InvalidInputError as error:
            if is_only:
                raise
            self._receipt.add_problem(path.name, str(error).partition(": ")[2])
            return None
        return _Session(bundle, self._read_task(bundle), is_closed)

    def _read_task(self, bundle: Bundle) -> dict[str, Any]:
        try:
            with bundle.open(TASK) as file:
                task, error = decode(file.read(MAX_LINE))
        except OSError as problem:
            task, error = None, str(problem.strerror)
        if error is None and isinstance(task, dict):
            return task
        self._receipt.add_problem(bundle.path.name, f"{TASK}: {error or 'not an object'}")
        return {}


class _Run:
    """Reads one session."""

    def __init__(self, session: _Session, receipt: Receipt, contents: Contents) -> None:
        self._session = session
        self._bundle = session.bundle
        self._task = session.task
        self._receipt = receipt
        self._contents = contents
        self._where = session.bundle.path.name
        self._names = set(self._bundle.names())
        self._used: set[str] = set()
        self._metrics: set[str] = set()
        self._single_values: list[tuple[str, int, Any]] = []
        self._has_zero = False
        started_at = self._first_time()
        self._last_time = started_at
        self._uid = stable_uid("clearml", session.id)
        self._writer = WriterHead(
            uid=stable_uid(self._uid, "writer"), host="clearml", started_at=started_at
        )
        self._blocks = BlockBuilder(self._uid, self._writer)

    def read(self) -> Iterator[Item | Chunk]:
        """Yield the items of the session."""
        head = self._head()
        yield head
        for event in self._events(METRICS):
            yield from self._read_event(event)
        yield from self._read_single_values()
        for event in self._events(LOG):
            yield from self._read_log(event)
        yield from self._blocks.flush()
        yield from self._read_artifacts()
        yield from self._read_script()
        yield from self._read_other_files()
        if self._has_zero:
            self._receipt.add_remark(self._where, _ZERO)
        head.state = self._state()
        head.updated_at = self._last_time
        head.finished_at = None if head.state == "running" else self._last_time
        yield head

    def _head(self) -> RunHead:
        task = self._task
        tags = task.get("tags")
        tags = tags if isinstance(tags, list) else []
        comment = task.get("comment")
        return RunHead(
            uid=self._uid, project=str(task.get("project_name") or _DEFAULT_PROJECT),
            run_id=self._session.id, name=str(task.get("name") or self._session.id),
            state="running", created_at=self._writer.started_at,
            notes=comment if isinstance(comment, str) and comment else None,
            tags=sorted(tag for tag in tags if isinstance(tag, str)),
            config=self._config(), environment=self._environment(),
        )  # fmt: skip

    def _state(self) -> State:
        """Return how the task ended; only an archive says that it was closed."""
        if self._session.is_closed:
            return "completed"
        state = open_state(last_change(self._bundle.path / name for name in (TASK, METRICS, LOG)))
        if state == "failed":
            self._receipt.add_remark(self._where, _NO_END)
        return state

    def _first_time(self) -> int:
        """Return the time of the first event, in microseconds since the epoch."""
        times = []
        for name in (LOG, METRICS):
            try:
                with self._bundle.open(name) as file:
                    events, _ = decode(file.readline(MAX_LINE))
            except OSError:
                continue
            for event in events if isinstance(events, list) else []:
                time = milliseconds(event.get("timestamp")) if isinstance(event, dict) else None
                times += [] if time is None else [time]
        return min(times, default=0)

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        for section, parameters in _items(self._task.get("hyperparams")):
            for name, parameter in _items(parameters):
                if not isinstance(parameter, dict):
                    self._receipt.refuse("configuration", "not a parameter")
                    continue
                value, has_type = values.parameter(parameter.get("value"), parameter.get("type"))
                key = values.key(section, name)
                key = f"{section}/{name}" if key in config else key
                config[key] = json_value(value)
                if not has_type:
                    remark = f"{shown(key)} is not {parameter.get('type')}; stored as a text"
                    self._receipt.add_remark(self._where, remark)
        for name, content in _items(self._task.get("configuration")):
            if isinstance(content, dict):
                config[f"configuration/{name}"] = json_value(content.get("value"))
        execution = self._task.get("execution")
        labels = execution.get("model_labels") if isinstance(execution, dict) else None
        for name, label in _items(labels):
            config[f"model_labels/{name}"] = json_value(label)
        if self._task.get("offline_output_models"):
            config["_clearml/output_models"] = json_value(self._task["offline_output_models"])
        if isinstance(self._task.get("type"), str):
            config["_clearml/type"] = self._task["type"]
        return config

    def _environment(self) -> dict[int, dict[str, Any]]:
        facts: dict[str, Any] = {}
        for name, value in _items(self._task.get("script")):
            if isinstance(value, str) and value and name != "diff":
                facts[_FACTS.get(name, f"script/{name}")] = value
        return {1: facts} if facts else {}

    def _events(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the events of a file, of which each line is a list."""
        where = f"{self._where}/{name}"
        try:
            with self._bundle.open(name) as file:
                for line in read_lines(file, where, self._receipt):
                    if line.error is not None or not isinstance(line.value, list):
                        self._receipt.add_problem(where, f"line {line.number} is damaged")
                        continue
                    for event in line.value:
                        if isinstance(event, dict):
                            yield event
                        else:
                            self._receipt.refuse("events", "not an object")
        except FileNotFoundError:  # nothing was reported
            return
        except OSError as error:
            self._receipt.add_problem(where, f"cannot be read: {error.strerror}")

    def _time(self, event: dict[str, Any]) -> int:
        time = milliseconds(event.get("timestamp"))
        if time is None:
            return self._last_time
        self._last_time = max(self._last_time, time)
        return time

    def _read_event(self, event: dict[str, Any]) -> Iterator[Item | Chunk]:
        title, series = str(event.get("metric") or ""), str(event.get("variant") or "")
        match event.get("type"):
            case "training_stats_scalar" | "training_stats_vector":
                yield from self._read_scalar(event, title, series)
            case "plot":
                yield from self._read_plot(event, values.metric(title, series))
            case "training_debug_image":
                yield from self._read_image(event, values.metric(title, series))
            case type_:
                self._receipt.refuse("events", f"{shown(str(type_))} is not supported")

    def _read_scalar(self, event: dict[str, Any], title: str, series: str) -> Iterator[Block]:
        value = stored_number(event.get("value"))
        step: Any = event.get("iter")
        time = self._time(event)
        if value is None or not is_step(step):
            self._receipt.refuse("metrics", "invalid value or iteration")
            return
        system = values.system_metric(title, series)
        if system is not None:
            yield from self._blocks.add(system, "time", "number", time, time, value)
        elif step == values.SINGLE_VALUE:
            self._single_values.append((series or title or "unnamed", time, value))
        else:
            name = values.metric(title, series)
            self._metrics.add(name)
            yield from self._blocks.add(name, "step", "number", step, time, value)
        self._has_zero = self._has_zero or (value == 0 and system is None)

    def _read_single_values(self) -> Iterator[Block]:
        """Yield the values that have no iteration, at step 0."""
        for name, time, value in self._single_values:
            path = f"summary/{name}" if name in self._metrics else name
            yield from self._blocks.add(path, "step", "number", 0, time, value)

    def _read_plot(self, event: dict[str, Any], path: str) -> Iterator[Item | Chunk]:
        text = event.get("plot_str")
        if not isinstance(text, str):
            self._receipt.refuse("plots", "no figure")
            return
        head = self._file_head(path, "", event)
        head.name, head.source = f"{event.get('iter')}.plotly.json", f"{self._session.id}/{METRICS}"
        yield from self._contents.send_bytes(text.encode(errors="backslashreplace"), head)

    def _read_image(self, event: dict[str, Any], path: str) -> Iterator[Item | Chunk]:
        url = str(event.get("url") or "")
        member = self._member(str(event.get("key") or ""), url)
        head = self._file_head(path, member or url, event)
        yield from self._read_file(member, url, head)

    def _read_file(
        self, member: str | None, url: str, head: FileHead
    ) -> Iterator[FileHead | Chunk]:
        """Yield a file; of one in the internet only its address."""
        if member is None and "://" in url and not url.startswith("file:"):
            head.source = url
            yield head
            return
        try:
            if member is None:
                raise FileNotFoundError
            self._used.add(member)
            yield from self._bundle.items(member, head)
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            problem = MISSING if is_missing else f"damaged: {error.strerror}"
            self._receipt.refuse(TYPE, MISSING if is_missing else "damaged")
            self._receipt.add_problem(self._where, f"{shown(head.path)} ({url}): {problem}")

    def _member(self, key: str, url: str) -> str | None:
        """Return the name of a file that an event names by the paths of its machine."""
        inner = url.replace("\\", "/").rpartition(f"/{self._session.id}/")[2]
        for name in (f"{_DATA}/{key}", inner, f"{_DATA}/{inner}"):
            if name in self._names:
                return name
        return None

    def _file_head(self, path: str, member: str, event: dict[str, Any]) -> FileHead:
        step = event.get("iter")
        head = FileHead(
            run_uid=self._uid, writer=self._writer, path=path, kind="file",
            name=PurePosixPath(member).name or path,
            timestamp=self._time(event) if event else self._writer.started_at,
            source=f"{self._session.id}/{member}",
        )  # fmt: skip
        if is_step(step) and step != values.SINGLE_VALUE:
            head.kind, head.step = "file_series", step
        return head

    def _read_log(self, event: dict[str, Any]) -> Iterator[Block]:
        """Yield the lines of console output, each with a time of its own."""
        time = self._time(event)
        metric = f"logs/{_STREAMS.get(str(event.get('level')), 'stdout')}"
        for number, line in enumerate(str(event.get("msg") or "").split("\n")):
            at = time + number
            # Of a progress bar, the last state is kept.
            text = line.rstrip("\r").rpartition("\r")[2]
            yield from self._blocks.add(metric, "time", "text", at, at, text)

    def _read_artifacts(self) -> Iterator[Item | Chunk]:
        execution = self._task.get("execution")
        artifacts = execution.get("artifacts") if isinstance(execution, dict) else None
        for artifact in artifacts if isinstance(artifacts, list) else []:
            if not isinstance(artifact, dict):
                self._receipt.refuse("artifacts", "not an object")
                continue
            uri = str(artifact.get("uri") or "")
            member = self._member("", uri)
            head = self._file_head(f"artifacts/{artifact.get('key')}", member or uri, {})
            seconds = artifact.get("timestamp")
            logged_at = milliseconds(seconds * 1000 if isinstance(seconds, int | float) else None)
            head.timestamp = head.timestamp if logged_at is None else logged_at
            yield from self._read_file(member, uri, head)

    def _read_script(self) -> Iterator[Item | Chunk]:
        """Yield the source of a script, or what is not committed of its repository."""
        script = self._task.get("script")
        script = script if isinstance(script, dict) else {}
        diff, requirements = script.get("diff"), script.get("requirements")
        name = "uncommitted.diff" if script.get("repository") else script.get("entry_point")
        packages = requirements.get("pip") if isinstance(requirements, dict) else None
        for path, text in (
            (f"code/{PurePosixPath(str(name or 'script.py')).name}", diff),
            ("requirements.txt", packages),
        ):
            if isinstance(text, str) and text:
                head = self._file_head(path, path, {})
                yield from self._contents.send_bytes(text.encode(errors="backslashreplace"), head)

    def _read_other_files(self) -> Iterator[Item | Chunk]:
        """Yield the files that no event has named, such as models."""
        for name in sorted(self._names - self._used):
            if name.startswith(f"{_DATA}/"):
                yield from self._read_file(name, name, self._file_head(name, name, {}))


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
