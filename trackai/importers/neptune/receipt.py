"""The receipt of an import: what became of every row of the export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.importers.counts import Counts, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.importers.neptune.layout import Problem

AllCounts = dict[str, Counts]


class RunReceipt(msgspec.Struct):
    """What became of the rows of a run.

    Attributes:
        id: the run's id in the store; None as long as it is not there.
        complete: whether all parts of the run are stored to their ends.
        types: counts by attribute type.
    """

    kind: str
    id: int | None = None
    complete: bool = False
    parts: int = 0
    rows_in_files: int = 0
    types: AllCounts = {}

    def add(self, counts: AllCounts) -> None:
        """Count rows of the run."""
        for type_, one in counts.items():
            self.types.setdefault(type_, Counts()).add(one)


class ProjectReceipt(msgspec.Struct):
    """The runs of a project by their ids; models and their versions are beside them."""

    name: str
    runs: dict[str, RunReceipt] = {}
    models: dict[str, RunReceipt] = {}
    model_versions: dict[str, RunReceipt] = {}

    def run(self, kind: str, run: str) -> RunReceipt:
        """The receipt of a run."""
        of_kind = {"run": self.runs, "model": self.models}.get(kind, self.model_versions)
        return of_kind.setdefault(run, RunReceipt(kind))

    def all(self) -> Iterable[RunReceipt]:
        """The receipts of everything in the project."""
        for of_kind in (self.runs, self.models, self.model_versions):
            yield from of_kind.values()


class Verification(msgspec.Struct):
    """What reading the store back against the export has shown."""

    rows: int = 0
    differences: list[str] = []


class Receipt(msgspec.Struct):
    """What became of the rows of an export.

    Attributes:
        rows_in_files: how many the files themselves say that they have.
        adds_up: whether every one of them is stored, there already, without a value, or not
            stored for a reason that is given.
        complete: whether nothing is left that could not be stored.
    """

    export: str
    database: str
    dry_run: bool
    seconds: float = 0.0
    rows_in_files: int = 0
    totals: Counts = msgspec.field(default_factory=Counts)
    types: AllCounts = {}
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
            sum(counts.read for counts in run.types.values()) == run.rows_in_files
            and all(counts.adds_up for counts in run.types.values())
            for run in runs
        )
        self.complete = self.adds_up and not self.problems and not self.totals.not_stored

    def note(self, problem: Problem) -> None:
        """Add a problem or a remark."""
        (self.remarks if problem.remark else self.problems).append(problem)

    @property
    def ok(self) -> bool:
        """Whether all is in the store, and it has been read back if that was asked for."""
        verified = self.verification is None or not self.verification.differences
        return self.complete and verified


_SHOWN = 50


def as_text(receipt: Receipt) -> str:
    """The receipt for people."""
    lines = [f"{receipt.export} -> {receipt.database}" + ("  (dry run)" if receipt.dry_run else "")]
    for name, project in receipt.projects.items():
        mapped = "" if project.name == name else f" as {project.name}"
        lines += ["", f"{name}{mapped}"]
        for title, runs in (
            ("", project.runs), ("model ", project.models), ("version ", project.model_versions)
        ):  # fmt: skip
            for run, one in runs.items():
                total = Counts()
                for counts in one.types.values():
                    total.add(counts)
                state = "" if one.complete or receipt.dry_run else "  INCOMPLETE"
                lines.append(f"  {title}{run}: {_sentence(total)}{state}")
    lines += ["", *table(receipt.types, receipt.totals)]
    for title, problems in (("problem", receipt.problems), ("remark", receipt.remarks)):
        lines += [f"{title}: {one.file}: {one.problem}" for one in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"{title}: and {len(problems) - _SHOWN} more, see --json")
    lines += ["", *_conclusion(receipt)]
    return "\n".join(lines)


def _sentence(counts: Counts) -> str:
    parts = [f"{counts.read} rows"]
    for number, what in (
        (counts.stored, "stored"),
        (counts.already_there, "already there"),
        (counts.null, "without a value"),
        (sum(counts.not_stored.values()), "not stored"),
    ):
        if number:
            parts.append(f"{number} {what}")
    return ", ".join(parts)


def _conclusion(receipt: Receipt) -> list[str]:
    lines = []
    if not receipt.adds_up:
        lines.append(
            f"THE SUMS DO NOT ADD UP: the files have {receipt.rows_in_files} rows, "
            f"{receipt.totals.read} are accounted for"
        )
    elif receipt.totals.not_stored:
        reasons = ", ".join(f"{why} ({n})" for why, n in receipt.totals.not_stored.items())
        lines.append(f"All {receipt.rows_in_files} rows are accounted for; not stored: {reasons}")
    else:
        lines.append(f"All {receipt.rows_in_files} rows of the files are accounted for.")
    if receipt.verification is not None:
        differences = receipt.verification.differences
        lines += [f"DIFFERENCE: {one}" for one in differences[:_SHOWN]]
        lines.append(
            f"Read back {receipt.verification.rows} rows: "
            + (f"{len(differences)} DIFFERENCES" if differences else "the store holds them all.")
        )
    return lines
