"""Reads the messages of offline experiments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.bundles import Archive, Contents, Folder, walk
from trackai.importers.comet import EXPERIMENT, MESSAGES, is_folder
from trackai.importers.comet.messages import in_context, metric_value, upload
from trackai.importers.console_lines import Lines
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.json_lines import MAX_LINE, decode, read_lines
from trackai.importers.json_values import json_value
from trackai.importers.liveness import last_change, open_state
from trackai.importers.logged_numbers import is_beyond_64_bits, is_step, milliseconds
from trackai.importers.names import shown
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trackai.importers.bundles import Bundle
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Axis, State

# Comet logs these itself.
_OWN_METRICS = ("process duration",)
_OWN_PARAMETERS = ("curr_step", "curr_epoch")
_OWN_OTHERS = ("offline_experiment", "hasNestedParams", "hasNestedMetrics", "Name")
_SYSTEM = ("sys.", "gpu.")
_DEFAULT_PROJECT = "general"
# As TrackAI names them.
_FACT_NAMES = {"hostname": "host", "python_version": "python", "file_name": "script"}
_PACKAGES = (
    ("installed_packages", "packages", "requirements.txt"),
    ("os_packages", "os_packages", "os-packages.txt"),
)


class _Session(NamedTuple):
    """One archive or folder: the messages of one process.

    Attributes:
        bundle: its files.
        facts: its experiment.json; empty if there is none.
        started_at: when its process began, in microseconds since the epoch; None if unknown.
    """

    bundle: Bundle
    facts: dict[str, Any]
    started_at: int | None

    @property
    def key(self) -> str:
        """The id of the experiment."""
        return str(self.facts.get("offline_id") or self.bundle.path.stem)


class Source:
    """The offline experiments below a path: an archive, a folder of archives, or any folder above.

    A process that was killed leaves a folder in the temporary folder of its machine.
    """

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt, self._progress = receipt, progress
        self._contents = Contents()

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no experiments, or the only one cannot be read.
        """
        runs: dict[str, list[_Session]] = {}
        for bundle in self._bundles():
            session = _session(bundle, self._receipt)
            runs.setdefault(session.key, []).append(session)
            bundle.close()
        total = sum(map(len, runs.values()))
        done = 0
        for key, copies in runs.items():
            sessions = self._without_copies(copies)
            run = _Run(key, sessions, self._receipt, self._contents)
            yield run.head
            for attempt, session in enumerate(sessions, start=1):
                yield from run.read(session, attempt)
                session.bundle.close()
                done += 1
                self._progress.share(done, total, "experiments")
            yield run.head

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if they are in an archive, or missing."""
        return self._contents.find(head)

    def _without_copies(self, sessions: list[_Session]) -> list[_Session]:
        """Return the sessions in order, each only once."""
        first: dict[int | None, _Session] = {}
        for session in sorted(sessions, key=lambda session: session.started_at or 0):
            if first.setdefault(session.started_at, session) is not session:
                name = session.bundle.path.name
                self._receipt.add_remark(name, "a copy of another archive; not read again")
        return list(first.values())

    def _bundles(self) -> Iterator[Bundle]:
        root = self._path.resolve()
        if root.is_file():
            archive = Archive(root, self._contents)
            if MESSAGES not in archive.names():
                raise InvalidInputError(str(self._path), _problem_of(archive))
            yield archive
            return
        found = False
        for folder, names in walk(root):
            if MESSAGES in names and is_folder(folder):
                found = True
                yield Folder(folder, self._contents)
            for name in names:
                if name.endswith(".zip"):
                    bundle = self._checked_archive(folder / name)
                    found = found or bundle is not None
                    if bundle is not None:
                        yield bundle
        if not found and not self._receipt.problems:
            raise InvalidInputError(str(self._path), "no offline experiments of Comet found")

    def _checked_archive(self, path: Path) -> Bundle | None:
        try:
            archive = Archive(path, self._contents)
        except InvalidInputError as error:
            self._receipt.add_problem(path.name, str(error).partition(": ")[2])
            return None
        names = archive.names()
        if MESSAGES in names:
            return archive
        if not names or EXPERIMENT in names:
            self._receipt.add_problem(path.name, _problem_of(archive))
        else:
            self._receipt.add_remark(path.name, "not an offline experiment of Comet")
        return None


def _problem_of(archive: Archive) -> str:
    if archive.names():
        return "not an offline experiment of Comet"
    return "empty: its process was killed; the messages may be in a temporary folder of its machine"


def _session(bundle: Bundle, receipt: Receipt) -> _Session:
    facts: Any = {}
    try:
        with bundle.open(EXPERIMENT) as file:
            facts, error = decode(file.read(MAX_LINE))
        if error is not None or not isinstance(facts, dict):
            receipt.add_problem(bundle.path.name, f"{EXPERIMENT} is damaged")
            facts = {}
    except FileNotFoundError:
        pass
    except OSError as error:
        receipt.add_problem(bundle.path.name, f"{EXPERIMENT}: {error.strerror}")
    return _Session(bundle, facts, milliseconds(facts.get("start_time")))


class _Run:
    """Reads the sessions of an experiment.

    Attributes:
        head: the run; complete once all sessions have been read.
    """

    def __init__(
        self, key: str, sessions: list[_Session], receipt: Receipt, contents: Contents
    ) -> None:
        facts = sessions[0].facts
        # An archive that continues an experiment has no project.
        projects = [part.facts.get("project_name") for part in sessions]
        project = next((name for name in projects if isinstance(name, str) and name), None)
        started_at = sessions[0].started_at
        tags = [tag for part in sessions for tag in _texts(part.facts.get("tags"))]
        self.head = RunHead(
            uid=stable_uid("comet", key),
            project=project or _DEFAULT_PROJECT, run_id=key, name=key, state="running",
            created_at=_first_time(sessions[0]) if started_at is None else started_at,
            tags=list(dict.fromkeys(sorted(tags))),
        )  # fmt: skip
        if isinstance(facts.get("workspace"), str):
            self.head.config["_comet/workspace"] = facts["workspace"]
        self._receipt = receipt
        self._contents = contents

    def read(self, session: _Session, attempt: int) -> Iterator[Item | Chunk]:
        """Yield the items of a session."""
        path = session.bundle.path
        reader = _Messages(self.head, session, attempt, self._receipt, self._contents)
        try:
            with session.bundle.open(MESSAGES) as file:
                for line in read_lines(file, path.name, self._receipt):
                    if line.error is None and isinstance(line.value, dict):
                        yield from reader.read(line.value)
                    else:
                        problem = f"line {line.number} of {MESSAGES} is damaged"
                        self._receipt.add_problem(path.name, problem)
        except OSError as error:
            self._receipt.add_problem(path.name, f"{MESSAGES}: {error.strerror}")
        yield from reader.finish()
        self._end(session, reader)

    def _end(self, session: _Session, reader: _Messages) -> None:
        head = self.head
        ended_at = milliseconds(session.facts.get("stop_time"))
        if ended_at is None:
            head.state = open_state(last_change([session.bundle.path / MESSAGES]))
        else:
            head.state = _state(session.facts)
        head.updated_at = ended_at or max(reader.last_time, head.updated_at or 0)
        head.finished_at = None if head.state == "running" else head.updated_at


def _state(facts: dict[str, Any]) -> State:
    return "failed" if facts.get("customer_error_reported") is True else "completed"


def _first_time(session: _Session) -> int:
    """Return the time of the first message that has one."""
    try:
        with session.bundle.open(MESSAGES) as file:
            for _ in range(100):
                message, _error = decode(file.readline(MAX_LINE))
                payload = message.get("payload") if isinstance(message, dict) else None
                payload = payload if isinstance(payload, dict) else {}
                time = milliseconds(payload.get("local_timestamp"))
                if time is not None:
                    return time
    except OSError:
        pass
    return 0


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


class _Messages:
    """Reads the messages of one process.

    Attributes:
        last_time: the latest time, in microseconds since the epoch.
    """

    def __init__(
        self, head: RunHead, session: _Session, attempt: int, receipt: Receipt, contents: Contents
    ) -> None:
        self.last_time = head.created_at if session.started_at is None else session.started_at
        self._head = head
        self._bundle = session.bundle
        self._receipt = receipt
        self._contents = contents
        self._attempt = attempt
        self._facts: dict[str, Any] = {}
        self._writer = WriterHead(
            uid=stable_uid(head.uid, str(session.started_at)), attempt=attempt, host="comet",
            started_at=self.last_time,
        )  # fmt: skip
        self._blocks = BlockBuilder(head.uid, self._writer)
        self._lines = {stream: Lines() for stream in ("stdout", "stderr")}
        self._rounded: set[str] = set()
        self._described = 0
        self._readers: dict[str, Callable[[dict[str, Any]], Iterator[Item | Chunk]]] = {
            "metric_msg": self._read_metric,
            "parameter_msg": self._read_parameter,
            "log_other": self._read_other,
            "standard_output": self._read_output,
            "file_upload": self._read_upload,
            "remote_file": self._read_remote_file,
            "3d-image": self._read_solid,
            "html": self._read_html,
            "htmlOverride": self._read_html,
            "graph": self._read_graph,
            "system_details": self._read_facts,
            "installed_packages": self._read_packages,
            "os_packages": self._read_packages,
            "git_metadata": self._read_facts,
            "gpu_static_info": self._read_facts,
            "cloud_details": self._read_facts,
            "system_info": self._read_facts,
            "log_dependency": self._read_facts,
            "file_name": self._read_facts,
        }

    def read(self, message: dict[str, Any]) -> Iterator[Item | Chunk]:
        """Yield the items of a message."""
        type_, payload = message.get("type"), message.get("payload")
        reader = self._readers.get(type_) if isinstance(type_, str) else None
        if not isinstance(payload, dict):
            self._receipt.refuse("messages", "no payload")
        elif reader is None:
            self._receipt.refuse("messages", f"{shown(str(type_))} is not supported")
        else:
            time = milliseconds(payload.get("local_timestamp"))
            self.last_time = max(self.last_time, time or 0)
            yield from reader(payload)

    def finish(self) -> Iterator[Item]:
        """Yield what follows from all messages."""
        for stream, lines in self._lines.items():
            for at, line in lines.rest():
                yield from self._blocks.add(f"logs/{stream}", "time", "text", at, at, line)
        yield from self._blocks.flush()
        if self._facts:
            self._head.environment[self._attempt] = self._facts
        where = self._bundle.path.name
        for metric in sorted(self._rounded):
            self._receipt.add_remark(where, f"{metric}: integers beyond 64 bits are rounded")
        if self._described:
            self._receipt.add_remark(where, f"metadata of {self._described} files is not stored")

    def _time(self, payload: dict[str, Any]) -> int:
        time = milliseconds(payload.get("local_timestamp"))
        return self.last_time if time is None else time

    def _read_metric(self, payload: dict[str, Any]) -> Iterator[Block]:
        metric = payload.get("metric")
        metric = metric if isinstance(metric, dict) else {}
        name = in_context(payload.get("context"), metric.get("metricName"))
        if name in _OWN_METRICS:
            return
        is_system = name.startswith(_SYSTEM)
        logged = metric.get("metricValue")
        converted = metric_value(logged)
        if converted is None:
            self._receipt.refuse("metrics", "not a number")
            return
        if is_beyond_64_bits(logged):
            self._rounded.add(name)
        if is_system:
            name = "system/" + name.removeprefix("sys.").replace(".", "/")
        step = None if is_system else metric.get("step")
        yield from self._add(name, step, self._time(payload), *converted)

    def _add(self, name: str, step: Any, time: int, kind: Any, value: Any) -> Iterator[Block]:
        """Add a point; one without a step has only a time."""
        axis: Axis = "time" if step is None else "step"
        position = time if step is None else step
        if is_step(position):
            yield from self._blocks.add(name, axis, kind, position, time, value)
        else:
            self._receipt.refuse("metrics", f"invalid step: {position!r}")

    def _read_parameter(self, payload: dict[str, Any]) -> Iterator[Block]:
        param = payload.get("param") or payload.get("params")
        if not isinstance(param, dict):
            self._receipt.refuse("configuration", "not a parameter")
            return
        name, value = str(param.get("paramName")), param.get("paramValue")
        if name == "curr_epoch" and isinstance(value, int | float):
            yield from self._add(name, param.get("step"), self._time(payload), "number", value)
        if name in _OWN_PARAMETERS:
            return
        key = in_context(payload.get("context"), name).replace("|", "/")
        self._head.config[key] = json_value(value)
        source = param.get("source")
        if isinstance(source, str) and source != "manual":
            self._head.config[f"_comet/source/{key}"] = source

    def _read_other(self, payload: dict[str, Any]) -> Iterator[Item]:
        key, value = payload.get("key"), payload.get("value")
        if key == "Name" and isinstance(value, str) and value:
            self._head.name = value
        elif isinstance(key, str) and key not in _OWN_OTHERS:
            self._head.config[f"other/{key}"] = json_value(value)
        yield from ()

    def _read_output(self, payload: dict[str, Any]) -> Iterator[Block]:
        stream = "stderr" if payload.get("stderr") is True else "stdout"
        text = str(payload.get("output") or "")
        for at, line in self._lines[stream].add(text, self._time(payload)):
            yield from self._blocks.add(f"logs/{stream}", "time", "text", at, at, line)

    def _read_upload(self, payload: dict[str, Any]) -> Iterator[Item | Chunk]:
        member = str(payload.get("file_path"))
        try:
            with self._bundle.open(member) as file:
                named = upload(payload, file.read(8))
        except OSError as error:
            self._refuse_file(payload, error)
            return
        params = payload.get("additional_params")
        step = params.get("step") if isinstance(params, dict) else None
        if payload.get("metadata"):
            self._described += 1
        head = self._file_head(named.path, named.name, payload, member)
        if named.has_steps and is_step(step):
            head.kind, head.step = "file_series", step
        yield from self._items(member, head, payload)

    def _items(
        self, member: str, head: FileHead, payload: dict[str, Any]
    ) -> Iterator[FileHead | Chunk]:
        try:
            yield from self._bundle.items(member, head)
        except OSError as error:
            self._refuse_file(payload, error)

    def _refuse_file(self, payload: dict[str, Any], error: OSError) -> None:
        is_missing = isinstance(error, FileNotFoundError)
        self._receipt.refuse(TYPE, MISSING if is_missing else "damaged")
        name = upload(payload, b"").path
        problem = MISSING if is_missing else str(error.strerror)
        self._receipt.add_problem(self._bundle.path.name, f"file {shown(name)}: {problem}")

    def _file_head(self, path: str, name: str, payload: dict[str, Any], source: str) -> FileHead:
        return FileHead(
            run_uid=self._head.uid, writer=self._writer, path=path, kind="file", name=name,
            timestamp=self._time(payload), source=f"{self._head.run_id}/{source}",
        )  # fmt: skip

    def _read_remote_file(self, payload: dict[str, Any]) -> Iterator[FileHead]:
        """Yield a file that has only an address."""
        named = upload(payload, b"")
        head = self._file_head(named.path, named.name, payload, "")
        head.source = str(payload.get("remote_uri"))
        yield head

    def _read_solid(self, payload: dict[str, Any]) -> Iterator[Item | Chunk]:
        """Yield the parts of a three-dimensional scene."""
        name, step = str(payload.get("name")), payload.get("step")
        items = payload.get("items")
        parts = (
            [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        )
        if payload.get("thumbnail_path"):
            parts.append({"file_name": "thumbnail", "file_path": payload["thumbnail_path"]})
        for part in parts:
            member = str(part.get("file_path"))
            head = self._file_head(name, str(part.get("file_name")), payload, member)
            if is_step(step):
                head.kind, head.step = "file_series", step
            yield from self._items(member, head, payload)

    def _read_html(self, payload: dict[str, Any]) -> Iterator[Item | Chunk]:
        text = payload.get("html", payload.get("htmlOverride"))
        yield from self._read_text("html", f"{payload.get('message_id')}.html", text, payload)

    def _read_graph(self, payload: dict[str, Any]) -> Iterator[Item | Chunk]:
        yield from self._read_text("model_graph", "model_graph.txt", payload.get("graph"), payload)

    def _read_text(
        self, path: str, name: str, text: Any, payload: dict[str, Any]
    ) -> Iterator[Item | Chunk]:
        text = text if isinstance(text, str) else json.dumps(text)
        data = text.encode(errors="backslashreplace")
        head = self._file_head(path, name, payload, f"{MESSAGES}/{payload.get('message_id')}")
        yield from self._contents.send_bytes(data, head)

    def _read_packages(self, payload: dict[str, Any]) -> Iterator[Item | Chunk]:
        """Yield the list as a file, which the environment names."""
        for key, fact, name in _PACKAGES:
            if key in payload:
                text = "".join(f"{package}\n" for package in _texts(payload[key]))
                yield from self._read_text(name, name, text, payload)
                self._facts[fact] = name

    def _read_facts(self, payload: dict[str, Any]) -> Iterator[Item]:
        """Keep what the message says about the machine."""
        for key, value in payload.items():
            if key in ("message_id", "local_timestamp") or value is None:
                continue
            if key == "system_info" and isinstance(value, dict):
                self._facts[f"system_info/{value.get('key')}"] = json_value(value.get("value"))
            elif key == "git_metadata" and isinstance(value, dict):
                self._facts |= {f"git/{name}": json_value(fact) for name, fact in value.items()}
            else:
                self._facts[_FACT_NAMES.get(key, key)] = json_value(value)
        yield from ()
