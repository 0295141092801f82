"""The receipt of a Neptune import: what happened to every row of the export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.importers.counts import Counts
from trackai.importers.receipt_text import listing, reasons, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.importers.neptune.layout import Problem

CountsByType = dict[str, Counts]


class RunReceipt(msgspec.Struct):
    """The rows of a run, by outcome.

    Attributes:
        id: the run's id in the store; None if it is not there.
        complete: whether all parts of the run are completely stored.
        rows_in_files: the number of rows, from the metadata of the Parquet files.
        types: counts by attribute type.
    """

    kind: str
    id: int | None = None
    complete: bool = False
    parts: int = 0
    rows_in_files: int = 0
    types: CountsByType = {}

    def add(self, types: CountsByType) -> None:
        """Add counts by type."""
        for type_, counts in types.items():
            self.types.setdefault(type_, Counts()).add(counts)

    def total(self) -> Counts:
        """Return the sum over all types."""
        total = Counts()
        for counts in self.types.values():
            total.add(counts)
        return total


class ProjectReceipt(msgspec.Struct):
    """The runs, models and model versions of a project, by their Neptune ids."""

    name: str
    runs: dict[str, RunReceipt] = {}
    models: dict[str, RunReceipt] = {}
    model_versions: dict[str, RunReceipt] = {}

    def run(self, kind: str, run: str) -> RunReceipt:
        """Return the receipt of a run, creating it if needed."""
        of_kind = {"run": self.runs, "model": self.models}.get(kind, self.model_versions)
        return of_kind.setdefault(run, RunReceipt(kind))

    def all(self) -> Iterable[RunReceipt]:
        """Yield the receipts of all runs, models and model versions."""
        for of_kind in (self.runs, self.models, self.model_versions):
            yield from of_kind.values()


class Verification(msgspec.Struct):
    """The result of comparing the store with the export.

    Attributes:
        rows: the number of rows that were compared.
    """

    rows: int = 0
    differences: list[str] = []


class Receipt(msgspec.Struct):
    """The result of an import.

    Attributes:
        seconds: duration of the import.
        rows_in_files: the number of rows, from the metadata of the Parquet files.
        totals: the sum of `types`.
        types: counts by attribute type, over all runs.
        adds_up: whether every row in the files is counted exactly once: stored, already there,
            without a value, or not stored for a reason.
        complete: whether everything could be stored.
        projects: receipts by Neptune's project ids.
        problems: what was not imported completely.
        remarks: notes that do not affect `complete`.
    """

    export: str
    database: str
    dry_run: bool
    seconds: float = 0.0
    rows_in_files: int = 0
    totals: Counts = msgspec.field(default_factory=Counts)
    types: CountsByType = {}
    adds_up: bool = False
    complete: bool = False
    projects: dict[str, ProjectReceipt] = {}
    problems: list[Problem] = []
    remarks: list[Problem] = []
    verification: Verification | None = None

    def sum_up(self) -> None:
        """Add up the counts of all runs, and compare them with the rows in the files."""
        runs = [run for project in self.projects.values() for run in project.all()]
        self.types = {}
        self.totals = Counts()
        for run in runs:
            for type_, counts in run.types.items():
                self.types.setdefault(type_, Counts()).add(counts)
                self.totals.add(counts)
        self.rows_in_files = sum(run.rows_in_files for run in runs)
        self.adds_up = all(
            run.total().read == run.rows_in_files
            and all(counts.adds_up for counts in run.types.values())
            for run in runs
        )
        self.complete = self.adds_up and not self.problems and not self.totals.not_stored

    def add_problem(self, problem: Problem) -> None:
        """Add a problem, or a remark."""
        (self.remarks if problem.remark else self.problems).append(problem)

    @property
    def ok(self) -> bool:
        """Whether the import is complete, and verified if that was requested."""
        verified = self.verification is None or not self.verification.differences
        return self.complete and verified


def as_text(receipt: Receipt) -> str:
    """Format a receipt for people."""
    stored = "to store" if receipt.dry_run else "stored"
    lines = [f"{receipt.export} -> {receipt.database}" + ("  (dry run)" if receipt.dry_run else "")]
    for name, project in receipt.projects.items():
        new_name = "" if project.name == name else f" as {project.name}"
        lines += ["", f"{name}{new_name}"]
        for title, runs in (
            ("", project.runs), ("model ", project.models), ("version ", project.model_versions)
        ):  # fmt: skip
            for run_id, run in runs.items():
                state = "" if run.complete or receipt.dry_run else "  INCOMPLETE"
                lines.append(f"  {title}{run_id}: {_summary(run.total(), stored)}{state}")
    lines += ["", *table(receipt.types, receipt.totals, stored=stored)]
    for title, problems in (("problem", receipt.problems), ("remark", receipt.remarks)):
        lines += listing(title, [f"{item.file}: {item.problem}" for item in problems])
    lines += ["", *_conclusion(receipt)]
    return "\n".join(lines)


def _summary(counts: Counts, stored: str) -> str:
    parts = [f"{counts.read} rows"]
    for number, outcome in (
        (counts.stored, stored),
        (counts.already_there, "already there"),
        (counts.null, "without a value"),
        (sum(counts.not_stored.values()), "not stored"),
    ):
        if number:
            parts.append(f"{number} {outcome}")
    return ", ".join(parts)


def _conclusion(receipt: Receipt) -> list[str]:
    lines = []
    if not receipt.adds_up:
        lines.append(
            f"ROW COUNTS DO NOT MATCH: the files have {receipt.rows_in_files} rows, "
            f"{receipt.totals.read} are accounted for"
        )
    elif receipt.totals.not_stored:
        lines.append(
            f"All {receipt.rows_in_files} rows are accounted for; "
            f"not stored: {reasons(receipt.totals)}"
        )
    else:
        lines.append(f"All {receipt.rows_in_files} rows of the files are accounted for.")
    if receipt.verification is not None:
        differences = receipt.verification.differences
        lines += listing("DIFFERENCE", differences)
        lines.append(
            f"Verified {receipt.verification.rows} rows: "
            + (f"{len(differences)} DIFFERENCES" if differences else "all are in the store.")
        )
    return lines
