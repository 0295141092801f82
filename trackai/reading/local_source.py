"""Runs in a database file, read and changed through the store."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from anyio.from_thread import start_blocking_portal

from trackai.errors import InvalidInputError, NotFoundError, TrackAIError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.reading.history import Curve, read_images
from trackai.reading.source import check_aliases, check_change
from trackai.script_end import check_threads_run
from trackai.store.catalogue import (
    artifact_versions,
    artifacts,
    configs,
    environments,
    files,
    projects,
    run_tables,
    run_values,
    runs,
    slugs,
    tags,
)
from trackai.store.charts import chart_records, charts, training_time
from trackai.store.charts.smoothing import Smoothing
from trackai.store.engine.sql import lock
from trackai.store.factory import create_store
from trackai.store.points import arrivals, curves, images, lineage, series, texts
from trackai.store.upkeep import bulk_changes, deletion
from trackai.values.names import path_problem, refuse
from trackai.values.nesting import flat

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from trackai.reading.history import Arrays
    from trackai.settings import DatabaseUrl
    from trackai.store.charts.chart_records import XAxis
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.store.points.curves import Columns
    from trackai.store.points.lineage import Segment
    from trackai.store.points.series import MetricSummary
    from trackai.structs.points import PointImage
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

T = TypeVar("T")
# Projects a page: all of them.
_PAGE = 1_000_000
_CHUNK_BYTES = 1 << 20


class LocalSource:
    """A database. See `trackai.reading.source.Source`; all methods also raise StoreError.

    It is opened for each call, so that nothing stays open in a notebook.
    """

    def __init__(self, address: Path | DatabaseUrl, *, create: bool = True) -> None:
        """Make a source; nothing is opened yet.

        Args:
            address: the database file, or the address of a database on PostgreSQL.
            create: create the file if it does not exist; otherwise raise NotFoundError.
        """
        self._address = address
        self._create = create

    @property
    def place(self) -> str:
        address = self._address
        return str(address.resolve() if isinstance(address, Path) else address)

    def projects(self) -> list[Project]:
        return self._read(lambda conn: projects.list_page(conn, limit=_PAGE))

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
        tree = None if filter is None else parse_filter(filter)
        fields = None if columns is None else parse_fields(columns)
        return self._read(
            lambda conn: run_tables.list_page(
                conn,
                run_tables.RunFilter(project_id=project_id, tree=tree),
                sort_by=parse_field(sort, name="sort"),
                sort_order="asc" if ascending else "desc",
                columns=fields,
                limit=limit,
                cursor=cursor,
            )
        )

    def values(self, run_ids: Sequence[int]) -> list[RunValues]:
        return self._read(lambda conn: run_values.values(conn, run_ids))

    def run(self, run_id: int) -> Run:
        return self._read(lambda conn: runs.get(conn, run_id))

    def resolve(self, text: str) -> Run:
        return self._read(lambda conn: runs.resolve(conn, text))

    def find_by_uid(self, uid: str) -> Run | None:
        """Find a run by its identity, which it keeps when the file is replaced."""
        return self._read(lambda conn: runs.find_by_uid(conn, uid))

    def config(self, run_id: int) -> dict[str, Any]:
        return self._read(lambda conn: configs.get(conn, run_id))

    def environment(self, run_id: int) -> dict[str, Any]:
        return self._read(lambda conn: environments.get(conn, run_id))

    def paths(self, run_id: int) -> list[str]:
        return self._read(lambda conn: lineage.list_paths(conn, run_id))

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self._read(lambda conn: series.summaries(conn, run_id))

    def points(self, run_id: int, path: str) -> Curve:
        async def read(conn: Connection) -> Curve:
            return await _read_curve(conn, await lineage.find(conn, run_id, path))

        return self._read(read)

    def arrays(self, run_id: int, path: str) -> Curve | Arrays:
        async def read(conn: Connection) -> Curve | list[PointImage]:
            series = await lineage.find(conn, run_id, path)
            parts = None
            if len(series) == 1 and images.suit(conn, series):
                parts = await curves.read_images(conn, series[0])
            return await _read_curve(conn, series) if parts is None else parts

        points = self._read(read)
        return points if isinstance(points, Curve) else read_images(points)

    def pages(
        self, run_id: int, starts: Mapping[str, Step | None], step_max: Step | None, limit: int
    ) -> dict[str, tuple[Curve, bool]]:
        async def read(conn: Connection) -> dict[str, tuple[Curve, bool]]:
            pages = {}
            for path, start in starts.items():
                segments = (await lineage.find(conn, run_id, path))[0]
                if segments[0].series.axis == "step":
                    columns = await curves.read(
                        conn, segments, step_min=start, step_max=step_max, limit=limit
                    )
                    pages[path] = _curve(columns), len(columns.steps) == limit
            return pages

        return self._read(read)

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        async def read(db: Store) -> ChartData:
            async with db.snapshot() as conn:
                await runs.get(conn, run_id)
                segments, *_ = await lineage.find(conn, run_id, path)
                training = None
                if x == "relative":
                    training = (await training_time.read(conn, [run_id]))[run_id]
                cursor = await arrivals.last(conn, run_id)
                (chart,) = await charts.read(conn, [segments], points)
                if smooth:
                    smoothing = Smoothing(smooth, over_time=x != "step")
                    await charts.smooth(conn, [segments], [chart], smoothing, [training])
            return chart_records.show(chart, lineage.as_one(segments), x, cursor, training)

        return self._call(read)

    def files(self, run_id: int) -> list[FileRecord]:
        async def read(conn: Connection) -> list[FileRecord]:
            await runs.get(conn, run_id)
            return await files.list_of_run(conn, run_id)

        return self._read(read)

    def copy_file(self, file: FileRecord, target: Path) -> None:
        stored = create_store(self._address).blobs.find(file.sha256)
        if stored is None:
            raise NotFoundError(f"contents of file {file.path!r} not found")
        with stored.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)

    def columns(self, project_id: int) -> ProjectColumns:
        return self._read(lambda conn: run_values.list_columns(conn, project_id))

    def log(
        self, run_id: int, path: str, search: str | None = None, *, limit: int, offset: int = 0
    ) -> LogPage:
        async def read(conn: Connection) -> LogPage:
            series = await lineage.find(conn, run_id, path)
            of_texts = [segments for segments in series if segments[0].series.kind == "text"]
            if not of_texts:
                raise NotFoundError(f"run {run_id} has no text {path!r}")
            return await texts.read(conn, of_texts[0], search=search, limit=limit, offset=offset)

        return self._read(read)

    def own_charts(self, run_id: int, paths: Sequence[str], points: int) -> dict[str, ChartData]:
        async def read(db: Store) -> dict[str, ChartData]:
            async with db.snapshot() as conn:
                # If a metric has two series, the one with steps comes last.
                metrics = await lineage.find_many(conn, [run_id], paths, inherited=False)
                many = {segments[0].series.path: segments for _, segments in metrics}
                cursor = await arrivals.last(conn, run_id)
                drawn = await charts.read(conn, list(many.values()), points)
            return {
                path: chart_records.show(chart, lineage.as_one(segments), "step", cursor)
                for (path, segments), chart in zip(many.items(), drawn, strict=True)
            }

        return self._call(read)

    def change(self, run_id: int, **fields: Any) -> Run:
        config = flat(fields.pop("config", {}), _json)
        check_change(fields)
        for key in config:
            refuse(f"config: key {key[:80]!r}", path_problem(key))

        async def change(conn: Connection) -> Run:
            now = time.time_ns() // 1000
            await lock(conn, "runs", [run_id])
            run = await runs.get(conn, run_id)
            project_id = run.project_id
            if "project" in fields:
                project_id = (await projects.get_or_create(conn, fields["project"], now=now)).id
            await configs.put(conn, run_id, config)
            return await runs.change(
                conn,
                run_id,
                slug=await slugs.keep_if_free(conn, project_id, run.run_id, run_id=run.id),
                name=fields.get("name", run.name),
                group_name=fields.get("group_name", run.group_name),
                notes=fields.get("notes", run.notes),
                project_id=project_id,
                now=now,
            )

        return self._write(change)

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        check_change({"tags": [*add]})

        async def change(conn: Connection) -> Run:
            await runs.get(conn, run_id)
            await tags.remove(conn, run_id, remove)
            await tags.add(conn, run_id, add)
            await runs.touch(conn, run_id, now=time.time_ns() // 1000)
            return await runs.get(conn, run_id)

        return self._write(change)

    def keep(self, run_id: int, how: KeepVerb) -> Run:
        async def change(db: Store) -> Run:
            async with db.read() as conn:
                await runs.get(conn, run_id)
            where = run_tables.RunFilter(ids=(run_id,))
            await bulk_changes.change(db, where, bulk_changes.KEEPING[how])
            async with db.read() as conn:
                return await runs.get(conn, run_id)

        return self._call(change)

    def delete(self, run_id: int) -> None:
        self._call(lambda db: deletion.delete_run(db, run_id))

    def artifact(
        self, text: str, project: str | None = None, type_: str | None = None
    ) -> ArtifactVersion:
        return self._read(lambda conn: artifacts.resolve(conn, text, project=project, type_=type_))

    def artifacts(
        self,
        project_id: int | None,
        *,
        type_: str | None = None,
        name: str | None = None,
        run_id: int | None = None,
        digest: str | None = None,
    ) -> list[ArtifactVersion]:
        return self._read(
            lambda conn: artifacts.list_page(
                conn, project_id=project_id, type_=type_, name=name, run_id=run_id,
                digest=digest, limit=_PAGE,
            )
        )  # fmt: skip

    def artifact_files(self, version_id: int) -> list[ArtifactFile]:
        async def read(conn: Connection) -> list[ArtifactFile]:
            await artifacts.get(conn, version_id)
            return await artifacts.list_files(conn, version_id)

        return self._read(read)

    @contextmanager
    def artifact_bytes(self, version_id: int, name: str, sha256: str) -> Iterator[Iterable[bytes]]:
        stored = create_store(self._address).blobs.find(sha256)
        if stored is None:
            raise NotFoundError(f"contents of file {name!r} not found")
        with stored.open("rb") as file:
            yield iter(lambda: file.read(_CHUNK_BYTES), b"")

    def change_artifact(
        self,
        version_id: int,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> ArtifactVersion:
        check_aliases(add)
        text = None if metadata is None else msgspec.json.encode(metadata).decode()

        async def change(conn: Connection) -> ArtifactVersion:
            await artifacts.get(conn, version_id)
            await artifact_versions.set_aliases(conn, version_id, add=add, remove=remove)
            await artifact_versions.describe(
                conn, version_id, description=description, metadata=text
            )
            return await artifacts.get(conn, version_id)

        return self._write(change)

    @property
    def _file(self) -> Path:
        if isinstance(self._address, Path):
            return self._address
        raise InvalidInputError("db", f"files of {self._address} are read from a server")

    def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def read(db: Store) -> T:
            async with db.snapshot() as conn:
                return await work(conn)

        return self._call(read)

    def _write(self, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        return self._call(lambda db: db.change(work))

    def _call(self, work: Callable[[Store], Awaitable[T]]) -> T:
        address = self._address
        if not self._create and isinstance(address, Path) and not address.exists():
            raise NotFoundError(f"database {address} not found")

        async def main() -> T:
            db = create_store(address)
            try:
                return await work(db)
            finally:
                await db.close()

        # Not in the event loop of the caller, which may be running, as in a notebook.
        check_threads_run()
        with start_blocking_portal() as portal:
            try:
                return portal.call(main)
            except TrackAIError as error:  # its message says all; sixty frames would hide it
                raise error.with_traceback(None) from None


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, OverflowError, RecursionError) as error:
        raise InvalidInputError("config", f"must be values of JSON: {error}") from None


async def _read_curve(conn: Connection, series: Sequence[Sequence[Segment]]) -> Curve:
    curve = Curve([], [], [])
    for segments in series:
        columns = await curves.read(conn, segments)
        # Lists of a million points are copied only if there are several.
        curve = _joined(curve, _curve(columns)) if curve.steps else _curve(columns)
    return curve


def _curve(columns: Columns) -> Curve:
    steps: list[Any] = columns.steps if columns.axis == "step" else [None] * len(columns.steps)
    return Curve(steps, columns.timestamps, columns.values)


def _joined(curve: Curve, second: Curve) -> Curve:
    return Curve(
        curve.steps + second.steps,
        curve.timestamps + second.timestamps,
        curve.values + second.values,
    )
