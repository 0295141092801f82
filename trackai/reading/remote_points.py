"""Points of a metric on a server, read page by page: as columns, as images of tables, or as JSON.

The server chooses the format; servers that are older know only JSON.
"""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, NotFoundError
from trackai.reading.history import Curve, curve_of_arrays, from_json, read_images
from trackai.reading.server_client import IMAGES, MSGPACK, not_trackai, with_query
from trackai.store.points.series import MetricSummary
from trackai.structs.records import ColumnPage, Point, PointPage
from trackai.values.packing import unpack
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.reading.history import Arrays
    from trackai.reading.server_client import ServerClient
    from trackai.structs.points import PointImage
    from trackai.values.types import Step

# Points of a page: mostly all of them.
_PAGE = 1_000_000
# All steps are above minus this.
_STEP = 1 << 62
_ACCEPT_COLUMNS = {"Accept": f"{MSGPACK}, application/json;q=0.5"}
_ACCEPT_IMAGES = {"Accept": f"{IMAGES}, {MSGPACK};q=0.8, application/json;q=0.5"}


def read(client: ServerClient, run_id: int, path: str) -> Curve:
    """Read all points of a metric."""
    return _read(client, run_id, path, _PAGE)[0]


def read_arrays(client: ServerClient, run_id: int, path: str) -> Curve | Arrays:
    """Read all points of a metric, as arrays if all of them are numbers."""
    images: list[PointImage] = []
    curve, _ = _read(client, run_id, path, _PAGE, images=images)
    if len({image.axis for image in images}) == 1:
        return _read_images(client, images)
    _add_images(client, curve, images)
    return curve


def read_page(
    client: ServerClient,
    run_id: int,
    path: str,
    limit: int,
    step_min: Step | None,
    step_max: Step | None,
) -> tuple[Curve, bool]:
    """Read the first points between two steps, and whether there are more."""
    lowest = -_STEP if step_min is None else step_min
    return _read(client, run_id, path, limit, once=True, step_min=lowest, step_max=step_max)


def _read(
    client: ServerClient,
    run_id: int,
    path: str,
    limit: int,
    *,
    once: bool = False,
    images: list[PointImage] | None = None,
    **steps: Step | None,
) -> tuple[Curve, bool]:
    """Read points of a metric.

    Args:
        limit: points to ask for at once.
        once: stop at `limit` points.
        images: where to add images of all points if the server sends them; None to accept none.
        steps: the range of steps.

    Returns:
        The points, and whether there are more.
    """
    curve = Curve([], [], [])
    run: str | None = None
    is_text: bool | None = None
    query: dict[str, Any] = {"limit": limit, **steps}
    while True:
        accept = _ACCEPT_COLUMNS if images is None else _ACCEPT_IMAGES
        answer = client.send("GET", with_query(metric_path(run_id, path), query), None, accept)
        if answer.media_type in (MSGPACK, IMAGES):
            page: ColumnPage = client.decode(answer, ColumnPage)
            if run not in (None, page.run):
                raise NotFoundError(
                    f"run {run_id} was replaced while it was being read; request it again"
                )
            run = page.run
            if images is not None and not (curve.steps or page.columns):
                images += page.images
            else:
                _move_images(client, curve, images)
                _add_columns(client, curve, page)
                _add_images(client, curve, page.images)
            cursor = page.next_cursor
        else:  # of a server that is older
            if is_text is None:
                is_text = path in _texts(client, run_id)
            _move_images(client, curve, images)
            points: PointPage = client.decode(answer, PointPage)
            _add_points(curve, points.data, is_text=is_text)
            cursor = points.next_cursor or None
        if cursor is None or (once and len(curve.steps) >= limit):
            return curve, cursor is not None
        query["cursor"] = cursor


def _add_columns(client: ServerClient, curve: Curve, page: ColumnPage) -> None:
    for columns in page.columns:
        try:
            values = unpack(columns.values)
            timestamps: Any = unpack(columns.timestamps)
            steps: Any = [None] * len(values)
            if columns.steps is not None:
                steps = unpack(columns.steps)
        except InvalidInputError:
            raise not_trackai(client.url) from None
        if not len(steps) == len(timestamps) == len(values):
            raise not_trackai(client.url)
        curve.steps.extend(steps)
        curve.timestamps.extend(timestamps)
        curve.values.extend(values)


def _move_images(client: ServerClient, curve: Curve, images: list[PointImage] | None) -> None:
    """Convert images to lists: pages without images follow, such as those with a text."""
    if images:
        _add_images(client, curve, images)
        images.clear()


def _add_images(client: ServerClient, curve: Curve, images: Sequence[PointImage]) -> None:
    for image in images:
        part = curve_of_arrays(_read_images(client, [image]))
        curve.steps.extend(part.steps)
        curve.timestamps.extend(part.timestamps)
        curve.values.extend(part.values)


def _read_images(client: ServerClient, images: Sequence[PointImage]) -> Arrays:
    try:
        return read_images(images)
    except ValueError:
        raise not_trackai(client.url) from None


def _texts(client: ServerClient, run_id: int) -> set[str]:
    figures = client.get(f"/api/runs/{run_id}/figures", list[MetricSummary])
    return {metric.path for metric in figures if metric.kind == "text"}


def _add_points(curve: Curve, points: Sequence[Point], *, is_text: bool) -> None:
    curve.steps.extend(point.step for point in points)
    curve.timestamps.extend(
        microseconds(point.timestamp) if point.timestamp else 0 for point in points
    )
    values = (point.value for point in points)
    curve.values.extend(values if is_text else map(from_json, values))


def metric_path(run_id: int, path: str) -> str:
    """The path of requests for a metric."""
    return f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"
