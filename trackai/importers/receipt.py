"""The receipt of an import: what was read, and what happened to it."""

from __future__ import annotations

import msgspec

from trackai.importers.counts import Counts
from trackai.importers.receipt_text import listing, reasons, table
from trackai.values.text import without_surrogates


class Problem(msgspec.Struct, frozen=True):
    """A problem or a remark, and the part of the source it is about."""

    where: str
    problem: str


class Receipt(msgspec.Struct):
    """The result of an import.

    Attributes:
        source: the path that was imported.
        database: the path of the database, or the address of the server.
        seconds: duration of the import.
        runs: number of runs in the source.
        new_runs: number of runs that were not in the database before.
        points: number of points in the source.
        stored: number of points that were not in the database before.
        totals: the sum of `types`.
        types: counts of points, files and other rows, by type.
        complete: whether all of the source is in the database now.
        problems: what could not be read.
        remarks: notes that do not affect `complete`.
    """

    source: str
    database: str
    seconds: float = 0.0
    runs: int = 0
    new_runs: int = 0
    points: int = 0
    stored: int = 0
    totals: Counts = msgspec.field(default_factory=Counts)
    types: dict[str, Counts] = {}
    complete: bool = False
    problems: list[Problem] = []
    remarks: list[Problem] = []

    def counts(self, type_: str) -> Counts:
        """Return the counts of a type, which may be changed."""
        return self.types.setdefault(type_, Counts())

    def refuse(self, type_: str, reason: str, rows: int = 1) -> None:
        """Count rows that were read but cannot be stored."""
        counts = self.counts(type_)
        counts.read += rows
        counts.refuse(reason, rows)

    def count_null(self, type_: str, rows: int = 1) -> None:
        """Count rows that were read but have no value."""
        counts = self.counts(type_)
        counts.read += rows
        counts.null += rows

    def add_problem(self, where: str, problem: str) -> None:
        """Note something that could not be read or stored."""
        self.problems.append(Problem(without_surrogates(where), without_surrogates(problem)))

    def add_remark(self, where: str, remark: str) -> None:
        """Note something without counting it as a problem."""
        self.remarks.append(Problem(without_surrogates(where), without_surrogates(remark)))

    def add(self, receipt: Receipt) -> None:
        """Add the counts, problems and remarks of another receipt of the same import."""
        for type_, counts in receipt.types.items():
            self.counts(type_).add(counts)
        self.problems += receipt.problems
        self.remarks += receipt.remarks

    def sum_up(self) -> None:
        """Compute `totals` and `complete` from the counts and problems."""
        self.totals = Counts()
        for counts in self.types.values():
            self.totals.add(counts)
        self.complete = self.totals.adds_up and not self.problems and not self.totals.not_stored


def as_text(receipt: Receipt) -> str:
    """Format a receipt for people."""
    known = receipt.runs - receipt.new_runs
    lines = [
        f"{receipt.source} -> {receipt.database}",
        f"{receipt.runs} {'run' if receipt.runs == 1 else 'runs'}, {receipt.new_runs} new"
        + (f", {known} already stored" if known else ""),
        *(table(receipt.types, receipt.totals) if receipt.types else []),
    ]
    for title, problems in (("problem", receipt.problems), ("remark", receipt.remarks)):
        lines += listing(title, [f"{item.where}: {item.problem}" for item in problems])
    if receipt.totals.not_stored:
        lines.append(f"not stored: {reasons(receipt.totals)}")
    return "\n".join(lines)
