"""What an export to the folder of another tracker wrote, and what it had to change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trackai.structs.exchange import ArtifactHead


class Remark(msgspec.Struct, frozen=True):
    """Something that was changed or left out, and the run it is about."""

    where: str
    remark: str


class Summary(msgspec.Struct):
    """The result of an export.

    Attributes:
        folder: the path of the folder.
        format: the tracker whose files were written.
        runs: number of runs.
        points: number of points that were written.
        files: number of files that were written.
        remarks: what was changed or left out, because the format cannot hold it.
    """

    folder: str
    format: str
    runs: int = 0
    points: int = 0
    files: int = 0
    remarks: list[Remark] = []


class RunRemarks:
    """Counts what is changed or left out of one run."""

    def __init__(self, summary: Summary, run: str) -> None:
        self._summary = summary
        self._run = run
        self._counts: Counter[str] = Counter()

    def add_artifact(self, artifact: ArtifactHead) -> None:
        """Note an artifact: the trackers have none that is not on a server."""
        if artifact.role == "logged":
            self.add("versions of artifacts are left out; their files are files of the run")
        else:
            self.add("artifacts that the run used are left out")

    def add(self, remark: str, count: int = 1) -> None:
        """Count points, files or values that a remark is about."""
        if count:
            self._counts[remark] += count

    def add_once(self, remark: str) -> None:
        """Make a remark about the run as a whole."""
        self._counts[remark] = 0

    def finish(self) -> None:
        """Add the remarks to the summary, with their counts."""
        for remark, count in self._counts.items():
            text = f"{remark} ({count})" if count else remark
            self._summary.remarks.append(Remark(self._run, text))
