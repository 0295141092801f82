"""The receipt of an import: what became of everything that the source had."""

from __future__ import annotations

import msgspec

from trackai.importers.counts import Counts, table

_SHOWN = 50


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it should be, and where."""

    where: str
    problem: str


class Receipt(msgspec.Struct):
    """What became of the rows of a source.

    Attributes:
        runs: how many the source has.
        new_runs: those that were not here.
        points: how many points it has; `stored` of them are new.
        types: what became of points, files and the like, by their type.
        complete: whether all of it is in the store now.
        problems: what could not be read.
        remarks: what is worth knowing, but no loss.
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

    def of(self, type_: str) -> Counts:
        """The counts of a type."""
        return self.types.setdefault(type_, Counts())

    def refuse(self, type_: str, reason: str, rows: int = 1) -> None:
        """Count rows that were read, and for which there is no place."""
        self.of(type_).read += rows
        self.of(type_).refuse(reason, rows)

    def nothing(self, type_: str, rows: int = 1) -> None:
        """Count rows that were read, and have no value."""
        self.of(type_).read += rows
        self.of(type_).null += rows

    def problem(self, where: str, problem: str) -> None:
        """Note what could not be read."""
        self.problems.append(Problem(where, problem))

    def remark(self, where: str, remark: str) -> None:
        """Note what is worth knowing."""
        self.remarks.append(Problem(where, remark))

    def sum_up(self) -> None:
        """Add up the counts."""
        self.totals = Counts()
        for counts in self.types.values():
            self.totals.add(counts)
        self.complete = self.totals.adds_up and not self.problems and not self.totals.not_stored


def as_text(receipt: Receipt) -> str:
    """The receipt for people."""
    known = receipt.runs - receipt.new_runs
    lines = [
        f"{receipt.source} -> {receipt.database}",
        f"{receipt.runs} {'run' if receipt.runs == 1 else 'runs'}, {receipt.new_runs} new"
        + (f", {known} already stored" if known else ""),
        *(table(receipt.types, receipt.totals) if receipt.types else []),
    ]
    for title, problems in (("problem", receipt.problems), ("remark", receipt.remarks)):
        lines += [f"{title}: {one.where}: {one.problem}" for one in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"{title}: and {len(problems) - _SHOWN} more, see --json")
    if receipt.totals.not_stored:
        reasons = (f"{why} ({n})" for why, n in receipt.totals.not_stored.items())
        lines.append(f"not stored: {', '.join(reasons)}")
    return "\n".join(lines)
