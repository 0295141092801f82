"""Reads the trials of studies: each is a run, as `trackai.integrations.optuna` logs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.json_lines import decode
from trackai.importers.json_values import json_value
from trackai.importers.liveness import last_change, open_state
from trackai.importers.names import shown
from trackai.importers.optuna import values
from trackai.importers.optuna.tables import open_tables
from trackai.structs.exchange import RunHead, WriterHead
from trackai.values.nesting import flat
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from trackai.importers.optuna.tables import Tables
    from trackai.importers.optuna.url import DatabaseUrl
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Chunk, FileHead, Item

_TRIALS_TOGETHER = 1000
# In the configuration, as the integration names it.
_PREFIX = "optuna"
_STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
_METRIC_NAMES = "study:metric_names"
# Optuna before this version has stored the local time of its machine.
_FIRST_WITH_UTC = 5


class Source:
    """The studies of a storage: a SQLite file, a journal, or the database of a URL."""

    def __init__(self, path: Path | DatabaseUrl, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt, self._progress = receipt, progress

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each trial: its head and its points.

        Raises:
            InvalidInputError: there are no studies, or they cannot be read.
            MissingExtraError: the URL needs SQLAlchemy, which is not installed.
        """
        with open_tables(self._path, self._receipt) as tables:
            self._remark_local_times(tables)
            changed_at = _changed_at(self._path, tables)
            rows = list(tables.rows("SELECT study_id, study_name FROM studies ORDER BY study_id"))
            if not rows:
                raise InvalidInputError(str(self._path), "no studies found")
            [(total,)] = tables.rows("SELECT count(*) FROM trials")
            done = 0
            for study_id, name in rows:
                for items in _Study(tables, study_id, str(name), changed_at, self._receipt).read():
                    yield from items
                    done += 1
                    if done % _TRIALS_TOGETHER == 0:
                        self._progress.share(done, total, "trials")
            self._progress.share(total, total, "trials")

    def find_bytes(self, head: FileHead) -> None:
        """Return None: a storage has no files."""

    def _remark_local_times(self, tables: Tables) -> None:
        if not tables.has("version_info", "library_version"):
            return
        for (version,) in tables.rows("SELECT library_version FROM version_info"):
            major = str(version).partition(".")[0]
            if major.isdigit() and int(major) < _FIRST_WITH_UTC:
                self._receipt.add_remark(
                    str(self._path),
                    f"begun by Optuna {version}, which stored local times without their zone; "
                    "all times are read as UTC",
                )


def _changed_at(path: Path | DatabaseUrl, tables: Tables) -> float:
    """Return when the storage changed last, in seconds since the epoch."""
    if isinstance(path, Path):
        return last_change([path, path.with_name(f"{path.name}-wal")])
    queries = ["SELECT max(datetime_start), max(datetime_complete) FROM trials"]
    if tables.has("trial_heartbeats", "heartbeat"):
        queries.append("SELECT max(heartbeat) FROM trial_heartbeats")
    times = [values.time(value) for query in queries for row in tables.rows(query) for value in row]
    return max((time for time in times if time is not None), default=0) / 1e6


class _Trial(NamedTuple):
    """A row of the table of trials."""

    id: int
    number: int
    state: str
    started_at: Any
    ended_at: Any


class _Study:
    """Reads the trials of a study."""

    def __init__(
        self, tables: Tables, study_id: int, name: str, changed_at: float, receipt: Receipt
    ) -> None:
        self._tables = tables
        self._id = study_id
        self._name = name
        self._changed_at = changed_at
        self._receipt = receipt
        self._directions = [
            str(direction)
            for (direction,) in tables.rows(
                "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective",
                study_id,
            )
        ]
        self._user_attrs = self._attributes("study_user_attributes", "study_id", study_id)
        self._system_attrs = self._attributes("study_system_attributes", "study_id", study_id)

    def read(self) -> Iterator[Iterator[Item]]:
        """Yield the items of each trial."""
        waiting = count = 0
        for trial in self._trials():
            count += 1
            if trial.state == "WAITING":
                waiting += 1
            elif trial.state in _STATES:
                yield self._read_trial(trial)
            else:
                where = f"{self._name}-{trial.number}"
                self._receipt.add_problem(where, f"unknown state {shown(trial.state)}")
        if not count:
            self._receipt.add_remark(self._name, "the study has no trials")
        if waiting:
            remark = f"{waiting} trials that have not begun are not imported"
            self._receipt.add_remark(self._name, remark)

    def _trials(self) -> Iterator[_Trial]:
        query = f"""
            SELECT trial_id, number, state, datetime_start, datetime_complete
            FROM trials
            WHERE study_id = ? AND trial_id > ?
            ORDER BY trial_id
            LIMIT {_TRIALS_TOGETHER}
        """  # noqa: S608 - a number from above
        last = -1
        while rows := list(self._tables.rows(query, self._id, last)):
            for trial_id, number, state, started_at, ended_at in rows:
                yield _Trial(trial_id, number, str(state), started_at, ended_at)
            last = rows[-1][0]

    def _read_trial(self, trial: _Trial) -> Iterator[Item]:
        head = self._head(trial)
        yield head
        writer = WriterHead(
            uid=stable_uid(head.uid, "writer"), host="optuna", started_at=head.created_at
        )
        blocks = BlockBuilder(head.uid, writer)
        last_step = yield from self._read_intermediate_values(trial, head, blocks)
        if trial.state == "COMPLETE":
            yield from self._read_values(trial, head, blocks, max(last_step, 0))
        yield from blocks.flush()

    def _head(self, trial: _Trial) -> RunHead:
        started_at, ended_at = values.time(trial.started_at), values.time(trial.ended_at)
        created_at = started_at if started_at is not None else ended_at or 0
        name = f"{self._name}-{trial.number}"
        if trial.state == "RUNNING":
            state, ended_at = open_state(self._changed_at), None
        else:
            state = "failed" if trial.state == "FAIL" else "completed"
        updated_at = created_at if ended_at is None else ended_at
        return RunHead(
            # A study has only a name, which others may have; a trial has its time, too.
            uid=stable_uid("optuna", self._name, str(trial.number), str(started_at)),
            project=self._name, run_id=name, name=name, group_name=self._name, state=state,
            created_at=created_at, updated_at=updated_at,
            finished_at=None if state == "running" else updated_at,
            tags=["pruned"] if trial.state == "PRUNED" else [], config=self._config(trial),
        )  # fmt: skip

    def _config(self, trial: _Trial) -> dict[str, Any]:
        params: dict[str, Any] = {}
        distributions: dict[str, Any] = {}
        for name, value, distribution in self._tables.rows(
            """
            SELECT param_name, param_value, distribution_json
            FROM trial_params
            WHERE trial_id = ?
            ORDER BY param_id
            """,
            trial.id,
        ):
            try:
                params[name], distributions[name] = values.parameter(value, distribution)
            except (ValueError, TypeError) as error:
                self._receipt.refuse("configuration", "invalid parameter")
                where = f"{self._name}-{trial.number}"
                self._receipt.add_problem(where, f"parameter {shown(str(name))}: {error}")
        facts: dict[str, Any] = {
            "study": self._name, "directions": self._directions, "trial": trial.number,
            "distributions": distributions,
            "user_attrs": self._attributes("trial_user_attributes", "trial_id", trial.id),
            "system_attrs": self._attributes("trial_system_attributes", "trial_id", trial.id),
            "study_user_attrs": self._user_attrs, "study_system_attrs": self._system_attrs,
        }  # fmt: skip
        if trial.state != "RUNNING":  # a stored value does not change
            facts["state"] = trial.state
        return flat({**params, _PREFIX: {k: v for k, v in facts.items() if v != {}}}, json_value)

    def _attributes(self, table: str, owner: str, owner_id: int) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        if not self._tables.has(table, owner):
            return attributes
        for key, text in self._tables.rows(
            f"SELECT a.key, a.value_json FROM {table} AS a WHERE a.{owner} = ?",  # noqa: S608
            owner_id,
        ):
            value, error = decode(text) if isinstance(text, str) else (None, "not a text")
            if error is None:
                attributes[str(key)] = value
            else:
                self._receipt.refuse("configuration", "attribute is not JSON")
        return attributes

    def _read_intermediate_values(
        self, trial: _Trial, head: RunHead, blocks: BlockBuilder
    ) -> Generator[Block, None, int]:
        """Yield the values by step, with the time of the beginning; return the last step."""
        table, last_step = "trial_intermediate_values", 0
        type_ = _column(self._tables, table, "intermediate_value_type")
        for step, value, value_type in self._tables.rows(
            f"""
            SELECT step, intermediate_value, {type_}
            FROM {table}
            WHERE trial_id = ?
            ORDER BY trial_intermediate_value_id
            """,  # noqa: S608 - names from above
            trial.id,
        ):
            number = values.number(value, value_type)
            if number is None or not isinstance(step, int):
                self._receipt.refuse("metrics", "invalid intermediate value")
                continue
            last_step = max(step, last_step)
            yield from blocks.add(
                "intermediate_value", "step", "number", step, head.created_at, number
            )
        return last_step

    def _read_values(
        self, trial: _Trial, head: RunHead, blocks: BlockBuilder, step: int
    ) -> Iterator[Block]:
        """Yield the values of the objective, at the last step."""
        names = self._metric_names()
        type_ = _column(self._tables, "trial_values", "value_type")
        for objective, value, value_type in self._tables.rows(
            f"SELECT objective, value, {type_} FROM trial_values "  # noqa: S608 - names from above
            "WHERE trial_id = ? ORDER BY objective",
            trial.id,
        ):
            number = values.number(value, value_type)
            if number is None or objective not in names:
                self._receipt.refuse("metrics", "invalid value of the objective")
                continue
            yield from blocks.add(
                names[objective], "step", "number", step, head.updated_at or 0, number
            )

    def _metric_names(self) -> dict[int, str]:
        """Return the names of the values of the objective, as the integration names them."""
        count = len(self._directions)
        names = self._system_attrs.get(_METRIC_NAMES)
        if isinstance(names, list) and len(names) == count:
            return dict(enumerate(map(str, names)))
        if count == 1:
            return {0: "value"}
        return {index: f"value_{index}" for index in range(count)}


def _column(tables: Tables, table: str, column: str) -> str:
    return column if tables.has(table, column) else "NULL"
