"""Reads the runs of MLflow's databases and folders."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.importers.mlflow import find_databases, find_folders
from trackai.importers.mlflow.artifacts import Artifacts
from trackai.importers.mlflow.database import Database
from trackai.importers.mlflow.points import Points
from trackai.importers.mlflow.runs import end_head, groups, make_head, problem_of
from trackai.structs.exchange import WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.mlflow.file_store import FileStore
    from trackai.importers.mlflow.runs import Run
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Chunk, FileHead, Item

    Store = Database | FileStore


class Source:
    """The runs of a database, of `mlruns`, or of a folder that holds them.

    Args:
        deleted: also import runs that were deleted, or whose experiments were.
    """

    def __init__(
        self, path: Path, *, receipt: Receipt, progress: Progress, deleted: bool = False
    ) -> None:
        self._path = path
        self._receipt = receipt
        self._progress = progress
        self._deleted = deleted
        root = path.resolve()
        self._root = root if root.is_dir() else root.parent
        self._artifacts = Artifacts(self._root, receipt)

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, its points and files, and its final head.

        Raises:
            InvalidInputError: there are no runs of MLflow; or there is only one database, and it
                cannot be read.
            MissingExtraError: there is a folder of runs, and PyYAML is not installed.
        """
        left_out = 0
        with ExitStack() as resources:
            for store in self._open(resources):
                named = groups({run.uuid: run for run in store.runs})
                for run in store.runs:
                    if run.is_deleted and not self._deleted:
                        left_out += 1
                    else:
                        yield from self._read_run(store, run, named.get(run.uuid))
                store.finish()
                self._progress.share(store.size, store.size, store.unit)
        self._artifacts.finish()
        if left_out:
            self._receipt.add_remark(
                self._path.resolve().name,
                f"{left_out} deleted runs are left out; --deleted imports them",
            )

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing."""
        return self._artifacts.find_bytes(head)

    def _open(self, resources: ExitStack) -> list[Store]:
        """Open all stores. Of a run that is in several, the one that changed last has the say."""
        path = self._path.resolve()
        if not path.is_dir():
            return [resources.enter_context(Database(path, self._receipt))]
        databases, folders = find_databases(path), find_folders(path)
        if not (databases or folders):
            raise InvalidInputError(str(self._path), "no runs of MLflow found (mlflow.db, mlruns)")
        if folders and find_spec("yaml") is None:
            raise MissingExtraError("reading the folder mlruns", "mlflow")
        stores: list[Store] = []
        for database in databases:
            if not database.resolve().is_relative_to(path):
                self._receipt.add_problem(database.name, "a link out of the folder")
                continue
            try:
                stores.append(resources.enter_context(Database(database, self._receipt)))
            except InvalidInputError as error:
                if len(databases) + len(folders) == 1:
                    raise
                self._receipt.add_problem(database.name, problem_of(error))
        for folder in folders:
            from trackai.importers.mlflow.file_store import FileStore

            stores.append(resources.enter_context(FileStore(folder, self._root, self._receipt)))
        return sorted(stores, key=lambda store: store.changed_at)

    def _read_run(self, store: Store, run: Run, group: str | None) -> Iterator[Item]:
        head = make_head(run, store.details(run), group)
        writer = WriterHead(
            uid=stable_uid(head.uid, "writer"), host="mlflow", started_at=run.started_at or 0
        )
        points = Points(head.uid, writer, self._receipt)
        blocks = self._read_points(store, run, points)
        first = next(blocks, None)
        if first is not None:
            if not run.started_at:  # made by a program that did not tell
                head.created_at = min(first.timestamps)
            blocks = chain([first], blocks)
        yield head
        yield from blocks
        yield from self._artifacts.files(run, store.folder(run), store.models(run), writer)
        end_head(head, run, points.last_time)
        if not run.has_ended and store.is_changing(run, points.last_time or head.created_at):
            head.state, head.finished_at = "running", None
        yield head

    def _read_points(self, store: Store, run: Run, points: Points) -> Iterator[Block]:
        try:
            for block in store.read_points(run, points):
                yield block
                self._progress.share(min(store.done, store.size), store.size, store.unit)
        except InvalidInputError as error:
            problem = f"only {points.number} of its points can be read: {problem_of(error)}"
            self._receipt.add_problem(f"run {run.uuid}", problem)
