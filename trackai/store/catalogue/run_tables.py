"""Tables of runs: filtered, sorted by any field, page by page, with columns that people choose."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import InvalidInputError
from trackai.filters.tree import TIMES, Attribute, Config, Field, Filter, Metric, field_text
from trackai.store.catalogue import filter_sql
from trackai.store.catalogue.runs import COLUMNS, run_from_row
from trackai.structs.records import ConfigColumn, MetricColumn, ProjectColumns, RunPage, RunRow
from trackai.values.non_finite import json_value
from trackai.values.times import utc
from trackai.values.types import INT64, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiosqlite import Connection

Order = Literal["asc", "desc"]
# The name of a metric alone may take 5 500.
_MAX_CURSOR = 8192


class RunFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which runs to list; what is None does not restrict."""

    project_id: int | None = None
    group: str | None = None
    state: State | None = None
    search: str | None = None
    tree: Filter | None = None


class _Cursor(msgspec.Struct, array_like=True):
    """The last run of a page: where it stands in which order."""

    sort_by: str
    order: Order
    key: Any
    id: int


async def list_page(
    conn: Connection,
    where: RunFilter,
    *,
    sort_by: Field = Attribute("created_at"),  # noqa: B008 - immutable
    sort_order: Order = "desc",
    columns: Mapping[str, Field] | None = None,
    limit: int,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """A page of the runs that match; those without the field they are sorted by come last.

    Args:
        columns: what to show of each run as `values`, by the name it gets there.
        cursor: the `next_cursor` of the page before; runs that were added or removed meanwhile
            shift nothing.

    Raises:
        InvalidInputError: the cursor is none, or belongs to another order.
    """
    matching, values = conditions(where)
    after = None if cursor is None else _decode(cursor, sort_by, sort_order)
    ids, total = await _ids(conn, matching, values, sort_by, sort_order, after, limit, offset)
    runs = await _rows(conn, [id_ for id_, _ in ids])
    if columns:
        await _fill(conn, runs, columns)
    if after is None:
        has_more = offset + len(ids) < total
    else:
        has_more = len(ids) > limit
        ids, runs = ids[:limit], runs[:limit]
    next_cursor = None
    if has_more and ids:
        next_cursor = _encode(sort_by, sort_order, ids[-1])
    return RunPage(runs, total, has_more, next_cursor)


async def list_ids(conn: Connection, where: RunFilter, *, limit: int) -> list[int]:
    """The row ids of the runs that match, the oldest first."""
    sql, values = conditions(where)
    rows = await conn.execute_fetchall(
        f"SELECT runs.id FROM runs WHERE {sql} ORDER BY runs.id LIMIT ?", (*values, limit)
    )
    return [run_id for (run_id,) in rows]


def conditions(where: RunFilter) -> tuple[str, list[Any]]:
    """The condition on rows of `runs` under which they match, and its values."""
    found: list[str] = []
    values: list[Any] = []
    for column, value in (
        ("project_id", where.project_id),
        ("group_name", where.group),
        ("state", where.state),
    ):
        if value is not None:
            found.append(f"runs.{column} = ?")
            values.append(value)
    if where.search:
        found.append("(instr(casefold(slug), ?) OR instr(casefold(name), ?))")
        values += [where.search.casefold()] * 2
    if where.tree is not None:
        sql, bound = filter_sql.condition(where.tree)
        found.append(sql)
        values += bound
    return " AND ".join(found) or "TRUE", values


async def _ids(
    conn: Connection,
    conditions: str,
    values: list[Any],
    sort_by: Field,
    sort_order: Order,
    after: _Cursor | None,
    limit: int,
    offset: int,
) -> tuple[list[tuple[int, Any]], int]:
    """The row ids and sort keys of a page (after a cursor: one more), and how many runs match."""
    key, key_values = filter_sql.sort_key(sort_by)
    direction = "ASC" if sort_order == "asc" else "DESC"
    beyond: str = "TRUE"
    beyond_values: list[Any] = []
    if after is not None:
        limit, offset = limit + 1, 0
    if isinstance(sort_by, Attribute) and sort_by.name in filter_sql.NEVER_NULL:
        # An index may have this order; then a page is read without looking at all that match.
        if after is not None:
            beyond, beyond_values = _beyond(after, direction, key, "runs.id")
        count = await conn.execute_fetchall(f"SELECT COUNT(*) FROM runs WHERE {conditions}", values)
        rows = await conn.execute_fetchall(
            f"""
            SELECT runs.id, {key} AS key FROM runs
            WHERE {conditions} AND {beyond}
            ORDER BY {key} {direction}, runs.id {direction}
            LIMIT ? OFFSET ?
            """,
            (*values, *beyond_values, limit, offset),
        )
        return [(id_, key) for id_, key in rows], next(int(number) for (number,) in count)
    if after is not None:
        beyond, beyond_values = _beyond(after, direction, "key", "id")
    rows = list(
        await conn.execute_fetchall(
            f"""
            WITH matched AS MATERIALIZED (
                SELECT runs.id AS id, {key} AS key FROM runs WHERE {conditions}
            )
            SELECT id, key, (SELECT COUNT(*) FROM matched) FROM matched
            WHERE {beyond}
            ORDER BY key {direction} NULLS LAST, id {direction}
            LIMIT ? OFFSET ?
            """,
            (*key_values, *values, *beyond_values, limit, offset),
        )
    )
    if rows:
        return [(id_, key) for id_, key, _ in rows], int(rows[0][2])
    count = await conn.execute_fetchall(f"SELECT COUNT(*) FROM runs WHERE {conditions}", values)
    return [], next(int(number) for (number,) in count)


def _beyond(after: _Cursor, direction: str, key: str, id_: str) -> filter_sql.Condition:
    further = ">" if direction == "ASC" else "<"
    if after.key is None:
        return f"({key} IS NULL AND {id_} {further} ?)", [after.id]
    return (
        f"({key} {further} ? OR ({key} = ? AND {id_} {further} ?) OR {key} IS NULL)",
        [after.key, after.key, after.id],
    )


def _encode(sort_by: Field, order: Order, last: tuple[int, Any]) -> str:
    packed = msgspec.msgpack.encode(_Cursor(field_text(sort_by), order, last[1], last[0]))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _decode(text: str, sort_by: Field, order: Order) -> _Cursor:
    try:
        if len(text) > _MAX_CURSOR:
            raise ValueError
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.msgpack.decode(packed, type=_Cursor)
        if not -INT64 <= cursor.id < INT64:
            raise ValueError
        if not isinstance(cursor.key, float | int | str | bytes | None):
            raise ValueError
        if isinstance(cursor.key, int) and not -INT64 <= cursor.key < INT64:
            raise ValueError
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise InvalidInputError("cursor", "it is no next_cursor of an earlier page") from None
    if (cursor.sort_by, cursor.order) != (field_text(sort_by), order):
        raise InvalidInputError("cursor", "it belongs to a page that was sorted in another way")
    return cursor


async def _rows(conn: Connection, ids: Sequence[int]) -> list[RunRow]:
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM runs WHERE id IN (SELECT value FROM json_each(?))", (_list(ids),)
    )
    runs = {run.id: run for run in (run_from_row(row, RunRow) for row in rows)}
    return [runs[id_] for id_ in ids]


async def _fill(conn: Connection, runs: Sequence[RunRow], columns: Mapping[str, Field]) -> None:
    """Set `values` of runs: null where a run does not have the column."""
    ids = _list([run.id for run in runs])
    configs = await _config_values(
        conn, ids, {field.key for field in columns.values() if isinstance(field, Config)}
    )
    metrics = await _metric_values(
        conn, ids, [field for field in columns.values() if isinstance(field, Metric)]
    )
    attributes = await _attribute_values(
        conn, ids, {field.name for field in columns.values() if isinstance(field, Attribute)}
    )
    for run in runs:
        run.values = {}
        for name, field in columns.items():
            match field:
                case Config(key):
                    run.values[name] = configs.get((run.id, key))
                case Metric():
                    run.values[name] = metrics.get((run.id, field))
                case Attribute("tag"):
                    run.values[name] = run.tags
                case Attribute():
                    run.values[name] = attributes.get((run.id, field.name))


async def _config_values(
    conn: Connection, ids: str, keys: Iterable[str]
) -> dict[tuple[int, str], Any]:
    rows = await conn.execute_fetchall(
        """
        SELECT run_id, key, value FROM configs
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND key IN (SELECT value FROM json_each(?))
        """,
        (ids, _list(keys)),
    )
    return {(run_id, key): msgspec.json.decode(value) for run_id, key, value in rows}


async def _metric_values(
    conn: Connection, ids: str, fields: Sequence[Metric]
) -> dict[tuple[int, Metric], Any]:
    figures = sorted({field.figure for field in fields})
    if not figures:
        return {}
    rows = await conn.execute_fetchall(
        f"""
        SELECT run_id, path, kind, points, {", ".join(filter_sql.FIGURES[name] for name in figures)}
        FROM series
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND path IN (SELECT value FROM json_each(?))
        ORDER BY axis DESC
        """,
        (ids, _list({field.path for field in fields})),
    )
    found: dict[tuple[int, Metric], Any] = {}
    for run_id, path, kind, points, *values in rows:
        for figure, value in zip(figures, values, strict=True):
            missing = value is None and (figure != "last" or not points)
            shown = None if missing else json_value(value, kind if figure == "last" else "number")
            found[run_id, Metric(path, figure)] = shown
    return found


async def _attribute_values(
    conn: Connection, ids: str, names: Iterable[str]
) -> dict[tuple[int, str], Any]:
    names = sorted(names)
    if not names:
        return {}
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {", ".join(filter_sql.ATTRIBUTES[name] for name in names)} FROM runs
        WHERE runs.id IN (SELECT value FROM json_each(?))
        """,
        (ids,),
    )
    return {
        (run_id, name): utc(value) if name in TIMES and value is not None else value
        for run_id, *values in rows
        for name, value in zip(names, values, strict=True)
    }


def _list(values: Iterable[Any]) -> str:
    """As SQLite's json_each reads it."""
    return msgspec.json.encode(list(values)).decode()


async def list_columns(conn: Connection, project_id: int) -> ProjectColumns:
    """The configuration keys and metrics of a project, and how many of its runs have them."""
    (others,) = next(
        iter(
            await conn.execute_fetchall(
                "SELECT EXISTS (SELECT 1 FROM runs WHERE project_id != ?)", (project_id,)
            )
        )
    )
    # Without other projects there is no need to ask where each of many rows belongs.
    mine = "run_id IN (SELECT id FROM runs WHERE project_id = ?)" if others else "? IS NOT NULL"
    configs = await conn.execute_fetchall(
        f"SELECT key, COUNT(*) FROM configs WHERE {mine} GROUP BY key ORDER BY key", (project_id,)
    )
    metrics = await conn.execute_fetchall(
        f"""
        SELECT path, COUNT(DISTINCT run_id), min(kind), max(kind) FROM series
        WHERE {mine} GROUP BY path ORDER BY path
        """,
        (project_id,),
    )
    return ProjectColumns(
        config=[ConfigColumn(key, field_text(Config(key)), runs) for key, runs in configs],
        metrics=[
            MetricColumn(
                path,
                field_text(Metric(path)).removesuffix(".last"),
                runs,
                low if low == high else "number",
            )
            for path, runs, low, high in metrics
        ],
    )
