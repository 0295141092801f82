"""Imports exports of Neptune as one of several sources."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from trackai.client.connection import Connection
from trackai.errors import InvalidInputError, MissingExtraError
from trackai.importers.counts import Counts

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.importers.neptune.importer import Progress
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store


async def load(db: Store | Connection, path: Path, receipt: Receipt, progress: Progress) -> None:
    """Import an export, and add what happened to the receipt."""
    if find_spec("pyarrow") is None or find_spec("numpy") is None:
        receipt.add_problem(path.name, str(MissingExtraError("reading an export", "neptune")))
        return
    if isinstance(db, Connection):
        receipt.add_problem(
            path.name, "exports of Neptune are imported into a file: `trackai merge` sends it"
        )
        return
    from trackai.importers.neptune.importer import Options, import_export

    try:
        imported = await import_export(db, path, receipt.database, Options(), progress)
    except InvalidInputError as error:
        receipt.add_problem(path.name, str(error))
        return
    for type_, counts in imported.types.items():
        receipt.types.setdefault(type_, Counts()).add(counts)
        if type_.endswith("_series") and type_ != "file_series":
            receipt.points += counts.read - counts.null - sum(counts.not_stored.values())
            receipt.stored += counts.stored
    totals = [run.total() for project in imported.projects.values() for run in project.all()]
    receipt.runs += len(totals)
    receipt.new_runs += sum(not total.already_there for total in totals)
    for problem in imported.problems:
        receipt.add_problem(problem.file, problem.problem)
    for remark in imported.remarks:
        receipt.add_remark(remark.file, remark.problem)
    if not imported.adds_up:
        receipt.add_problem(
            path.name,
            f"{imported.totals.read} of its {imported.rows_in_files} rows were counted",
        )
