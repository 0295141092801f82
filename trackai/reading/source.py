"""The interface of a source of runs, which is a database file or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trackai.errors import InvalidInputError
from trackai.values.artifact_names import alias_problem
from trackai.values.names import identifier_problem, name_problem, notes_problem, refuse
from trackai.values.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from trackai.reading.history import Arrays, Curve
    from trackai.store.charts.chart_records import XAxis
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import (
        ArtifactFile,
        ArtifactVersion,
        ChartData,
        FileRecord,
        LogPage,
        Project,
        ProjectColumns,
        Run,
        RunPage,
        RunValues,
    )
    from trackai.values.types import KeepVerb, Step

# Tags of one change.
MAX_TAGS = 100


class Source(Protocol):
    """Reads and changes runs. `run_id` and `project_id` are the numbers of rows.

    All methods but `projects` and `runs` raise NotFoundError if the run, project or
    metric does not exist.
    """

    @property
    def place(self) -> str:
        """The path of the database file, or the URL of the server."""

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
        cursor: str | None = None,
        columns: str | None = None,
    ) -> RunPage:
        """List a page of the runs of a project, or of all projects, that match a filter.

        Args:
            columns: fields for the `values` of each run, separated by commas.
            cursor: the `next_cursor` of the previous page.

        Raises:
            InvalidInputError: the filter, a column or the field to sort by is invalid.
        """

    def values(self, run_ids: Sequence[int]) -> list[RunValues]:
        """Return the configurations and last values of runs; unknown ids are left out."""

    def run(self, run_id: int) -> Run:
        """Return a run."""

    def resolve(self, text: str) -> Run:
        """Return the run that an id, a slug, "project/slug", a name or "latest" means.

        Raises:
            InvalidInputError: it means several runs.
        """

    def config(self, run_id: int) -> dict[str, Any]:
        """Return the configuration of a run, flat."""

    def environment(self, run_id: int) -> dict[str, Any]:
        """Return facts about where the latest attempt of a run runs or ran, flat."""

    def paths(self, run_id: int) -> list[str]:
        """List the metrics of a run, with those that a forked run inherits, sorted by name."""

    def figures(self, run_id: int) -> list[MetricSummary]:
        """Return count, last, minimum and maximum of each metric of a run."""

    def points(self, run_id: int, path: str) -> Curve:
        """Return all points of a metric."""

    def arrays(self, run_id: int, path: str) -> Curve | Arrays:
        """Return all points of a metric; many numbers as arrays. Needs NumPy."""

    def pages(
        self, run_id: int, starts: Mapping[str, Step | None], step_max: Step | None, limit: int
    ) -> dict[str, tuple[Curve, bool]]:
        """Return points of metrics from a step on, without system metrics.

        Args:
            starts: the first step to read of each metric; None for its first one.
            step_max: the last step to read; None for all.
            limit: the largest number of points of a metric.

        Returns:
            The points of each metric in order of step, and whether there are more.
        """

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        """Return the chart of a metric, downsampled to at most `points` points."""

    def files(self, run_id: int) -> list[FileRecord]:
        """List the files of a run, sorted by path, step, time and name."""

    def copy_file(self, file: FileRecord, target: Path) -> None:
        """Write the contents of a file to a path, which is replaced.

        Raises:
            NotFoundError: the contents are not stored.
        """

    def columns(self, project_id: int) -> ProjectColumns:
        """List the configuration keys and metrics of the runs of a project."""

    def log(
        self, run_id: int, path: str, search: str | None = None, *, limit: int, offset: int = 0
    ) -> LogPage:
        """Return a page of the lines of a text.

        Args:
            search: only lines that contain this text, ignoring case.
        """

    def own_charts(self, run_id: int, paths: Sequence[str], points: int) -> dict[str, ChartData]:
        """Return the charts of metrics by name, without what the run inherits."""

    def change(self, run_id: int, **fields: Any) -> Run:
        """Change the name, group_name, notes or project of a run, and keys of its config.

        Raises:
            InvalidInputError: a field has a value that is not allowed.
        """

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        """Add tags to a run, and remove others.

        Raises:
            InvalidInputError: a tag is empty or too long, or there are too many.
        """

    def keep(self, run_id: int, how: KeepVerb) -> Run:
        """Archive or trash a run, or undo that."""

    def delete(self, run_id: int) -> None:
        """Delete a run with all its points."""

    def artifact(
        self, text: str, project: str | None = None, type_: str | None = None
    ) -> ArtifactVersion:
        """Return the version that a text such as "project/name:alias" means.

        Args:
            project: the name or slug of the project of a text that has none; None for any.
            type_: only artifacts of this type.

        Raises:
            InvalidInputError: it means several versions.
        """

    def artifacts(
        self,
        project_id: int | None,
        *,
        type_: str | None = None,
        name: str | None = None,
        run_id: int | None = None,
        digest: str | None = None,
    ) -> list[ArtifactVersion]:
        """List the versions of the artifacts with these properties, the newest first.

        Args:
            run_id: only versions that this run has logged or used.
        """

    def artifact_files(self, version_id: int) -> list[ArtifactFile]:
        """List the files of a version, sorted by name."""

    def artifact_bytes(
        self, version_id: int, name: str, sha256: str
    ) -> AbstractContextManager[Iterable[bytes]]:
        """Open the bytes of a file of a version."""

    def change_artifact(
        self,
        version_id: int,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> ArtifactVersion:
        """Add and remove aliases of a version; change its description and metadata.

        Args:
            description, metadata: None for no change.

        Raises:
            InvalidInputError: an alias is not allowed.
        """


_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "project": name_problem, "name": name_problem, "notes": notes_problem,
    "tags": identifier_problem, "group_name": identifier_problem,
}  # fmt: skip


def check_aliases(aliases: Sequence[str]) -> None:
    """Check aliases as the server does.

    Raises:
        InvalidInputError: one is not allowed.
    """
    for alias in aliases:
        if not isinstance(alias, str):
            raise InvalidInputError("aliases", f"must be a str, got {alias!r}")
        refuse("aliases", alias_problem(checked_text("aliases", alias)))


def check_change(fields: dict[str, Any]) -> None:
    """Check changes of a run as the server does.

    Args:
        fields: new values by field: project, name, notes, group_name, tags.

    Raises:
        InvalidInputError: a value is not allowed; its field is named.
    """
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [] if value is None else [value]
        if len(texts) > MAX_TAGS:
            raise InvalidInputError(name, f"must be at most {MAX_TAGS} tags, got {len(texts)}")
        for text in texts:
            if not isinstance(text, str):
                raise InvalidInputError(name, f"must be a str, got {text!r}")
            refuse(name, _PROBLEMS[name](checked_text(name, text)))
