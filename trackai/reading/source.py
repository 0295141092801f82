"""The interface of a source of runs, which is a database file or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec

from trackai.errors import InvalidInputError
from trackai.values.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.reading.history import Curve
    from trackai.store.charts.chart_records import XAxis
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import ChartData, Project, Run, RunPage

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Source(Protocol):
    """Reads and changes runs. `run_id` and `project_id` are the numbers of rows.

    All methods but `projects` and `runs` raise NotFoundError if the run, project or
    metric does not exist.
    """

    def projects(self) -> list[Project]:
        """List all projects, the newest first."""

    def runs(
        self,
        project_id: int | None,
        *,
        filter: str | None,  # noqa: A002
        sort: str,
        ascending: bool,
        limit: int,
        offset: int,
    ) -> RunPage:
        """List a page of the runs of a project, or of all projects, that match a filter.

        Raises:
            InvalidInputError: the filter or the field to sort by is invalid.
        """

    def run(self, run_id: int) -> Run:
        """Return a run."""

    def resolve(self, text: str) -> Run:
        """Return the run that an id, a slug, "project/slug", a name or "latest" means.

        Raises:
            InvalidInputError: it means several runs.
        """

    def config(self, run_id: int) -> dict[str, Any]:
        """Return the configuration of a run, flat."""

    def paths(self, run_id: int) -> list[str]:
        """List the metrics of a run, with those that a forked run inherits, sorted by name."""

    def figures(self, run_id: int) -> list[MetricSummary]:
        """Return count, last, minimum and maximum of each metric of a run."""

    def points(self, run_id: int, path: str) -> Curve:
        """Return all points of a metric."""

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        """Return the chart of a metric, downsampled to at most `points` points."""

    def change(self, run_id: int, **fields: Any) -> Run:
        """Change the name, notes or project of a run.

        Raises:
            InvalidInputError: a field has a value that is not allowed.
        """

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        """Add tags to a run, and remove others.

        Raises:
            InvalidInputError: a tag is empty or too long, or there are too many.
        """

    def delete(self, run_id: int) -> None:
        """Delete a run with all its points."""


class _Change(msgspec.Struct):
    """The limits of the fields of a run, which are those of the HTTP API."""

    project: _Name = "-"
    name: _Name | None = None
    notes: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    tags: Annotated[list[_Tag], msgspec.Meta(max_length=100)] = []


def check_change(fields: dict[str, Any]) -> None:
    """Check changes of a run as the server does.

    Args:
        fields: new values by field: project, name, notes, tags.

    Raises:
        InvalidInputError: a value is not allowed; its field is named.
    """
    for name, value in fields.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                checked_text(name, text)
    try:
        msgspec.convert(fields, _Change)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        raise InvalidInputError(path.strip("`").removeprefix("$."), problem) from None
