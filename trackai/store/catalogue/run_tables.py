"""Tables of runs: filtered, sorted by any field, with any columns, page by page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.filters.tree import Attribute, Comparison, Config, Field, Filter, fields_of
from trackai.store.catalogue import bare_names, filter_sql, run_cursors, run_values
from trackai.store.catalogue.runs import COLUMNS, run_from_row
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import json_array
from trackai.structs.records import RunPage, RunRow
from trackai.values.types import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.catalogue.filter_sql import Condition
    from trackai.store.catalogue.run_cursors import Cursor, Order
    from trackai.store.engine.connection import Connection


_DIRECTIONS: dict[Order, str] = {"asc": "ASC", "desc": "DESC"}


class RunFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Conditions on the runs to list; None for no condition.

    Runs that are archived or in the trash match only if they are asked for: by the following
    attributes, by a tree that compares `archived` or `trashed`, or by id.

    Attributes:
        archived: whether archived runs may match.
        trashed: whether only runs in the trash match.
        ids: row ids of the only runs that may match.
        include: row ids of runs that need not match `tree`.
        exclude: row ids of runs to leave out.
    """

    project_id: int | None = None
    group: str | None = None
    state: State | None = None
    search: str | None = None
    tree: Filter | None = None
    ids: tuple[int, ...] | None = None
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    archived: bool = False
    trashed: bool = False


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
    """A page of runs; runs without the field they are sorted by come last.

    Args:
        columns: fields to include in the `values` of each run, by their name there.
        offset: how many runs to skip; ignored with a cursor.
        cursor: the `next_cursor` of the previous page. Unlike with an offset, runs that are added
            or removed in between do not shift the page.

    Raises:
        InvalidInputError: the cursor is invalid, or from a page with another sort order.
    """
    if cursor is None:
        page = _Page(sort_by, sort_order, None, limit, offset)
    else:
        after = run_cursors.decode(cursor, sort_by, sort_order)
        # The additional run tells whether there is a next page.
        page = _Page(sort_by, sort_order, after, limit + 1)
    ids, total = await _ids(conn, where, page)
    runs = await _rows(conn, [run_id for run_id, _ in ids])
    if columns:
        await _fill(conn, runs, columns)
    if cursor is None:
        has_more = offset + len(ids) < total
    else:
        has_more = len(ids) > limit
        ids, runs = ids[:limit], runs[:limit]
    next_cursor = None
    if has_more and ids:
        run_id, key = ids[-1]
        next_cursor = run_cursors.encode(sort_by, sort_order, key=key, run_id=run_id)
    return RunPage(runs, total, has_more, next_cursor)


async def list_ids(
    conn: Connection, where: RunFilter, *, after: int = 0, limit: int = -1
) -> list[int]:
    """The row ids of matching runs, the oldest first.

    Args:
        after: leave out this row id and lower ones.
        limit: how many, at most; -1 for all.
    """
    sql, values = await conditions(conn, where)
    rows = await conn.execute_fetchall(
        f"SELECT runs.id FROM runs WHERE {sql} AND runs.id > ? ORDER BY runs.id LIMIT ?",
        (*values, after, limit),
    )
    return [run_id for (run_id,) in rows]


async def count(conn: Connection, where: RunFilter, *, after: int = 0) -> int:
    """The number of matching runs with row ids above `after`."""
    sql, values = await conditions(conn, where)
    return await _count(conn, (f"{sql} AND runs.id > ?", [*values, after]))


async def look_up(conn: Connection, where: RunFilter) -> RunFilter:
    """The conditions with fields in place of the names in their filter.

    Raises:
        InvalidInputError: a name is unknown or ambiguous.
    """
    if where.tree is None:
        return where
    tree = await bare_names.look_up(conn, where.tree, where.project_id)
    return msgspec.structs.replace(where, tree=tree)


async def conditions(conn: Connection, where: RunFilter) -> Condition:
    """The SQL condition on rows of `runs`, and the values for its placeholders.

    Raises:
        InvalidInputError: a name in the filter is unknown or ambiguous.
    """
    where = await look_up(conn, where)
    terms: list[str] = []
    values: list[Any] = []
    for column, value in (
        ("project_id", where.project_id),
        ("group_name", where.group),
        ("state", where.state),
    ):
        if value is not None:
            terms.append(f"runs.{column} = ?")
            values.append(value)
    if where.search:
        sql, bound = _contains(conn, where.search)
        terms.append(sql)
        values += bound
    matching = _where_kept(where)
    if where.tree is not None:
        sql, bound = filter_sql.condition(where.tree)
        values += bound
        matching.append(sql)
    if matching and where.include:
        terms.append(f"(({' AND '.join(matching)}) OR runs.id IN (SELECT value FROM json_each(?)))")
        values.append(json_array(where.include))
    else:
        terms += matching
    if where.ids is not None:
        terms.append("runs.id IN (SELECT value FROM json_each(?))")
        values.append(json_array(where.ids))
    if where.exclude:
        terms.append("runs.id NOT IN (SELECT value FROM json_each(?))")
        values.append(json_array(where.exclude))
    return " AND ".join(terms) or "TRUE", values


def _contains(conn: Connection, text: str) -> Condition:
    """The condition on runs whose slug or name contains a text, in any case."""
    slug, slug_values = _column_contains(conn, "runs.slug", text.casefold())
    name, name_values = _column_contains(conn, "runs.name", text.casefold())
    return f"({slug} OR {name})", slug_values + name_values


# Characters: SQLite refuses longer patterns, in which each may be escaped.
_MAX_LIKE = 10_000
# What `casefold` makes of all other characters whose folding contains ASCII.
_FOLDINGS = (
    "s", "k", "ss", "st", "ff", "fi", "fl", "ffi", "ffl", "a\u02be", "h\u0331", "i\u0307",
    "j\u030c", "t\u0308", "w\u030a", "y\u030a", "\u02bcn",
)  # fmt: skip


def _column_contains(conn: Connection, column: str, folded: str) -> Condition:
    """The condition on a column that contains a text in any case.

    SQLite calls our `casefold` through Python, which takes ten times as long as its own LIKE. That
    knows upper and lower case of ASCII only; other texts have more bytes than characters. Few of
    these can contain an ASCII text that it does not find. It reads a pattern only up to U+0000.
    """
    sql, values = f"instr(casefold({column}), ?) > 0", [folded]
    if isinstance(conn, Shared) or "\0" in folded or len(folded) > _MAX_LIKE:
        return sql, values
    sql = f"(length({column}) != length(CAST({column} AS BLOB)) AND {sql})"
    if not folded.isascii():
        return sql, values
    escaped = re.sub(r"([\\%_])", r"\\\1", folded)
    like, pattern = f"{column} LIKE ? ESCAPE '\\'", f"%{escaped}%"
    if not any(_overlaps(folded, folding) for folding in _FOLDINGS):
        return like, [pattern]
    return f"({like} OR {sql})", [pattern, *values]


def _overlaps(text: str, part: str) -> bool:
    """Whether a text that contains `part` may contain another text with some of its characters."""
    return (
        part in text
        or text in part
        or any(text.startswith(part[at:]) or text.endswith(part[:at]) for at in range(1, len(part)))
    )


def _where_kept(where: RunFilter) -> list[str]:
    """The conditions on the archive and the trash."""
    if where.trashed:
        return ["runs.trashed_at IS NOT NULL"]
    compared = set() if where.tree is None else set(fields_of(where.tree))
    if where.ids is not None or Attribute("trashed_at") in compared:
        return []
    if where.archived or Attribute("archived_at") in compared:
        return ["runs.trashed_at IS NULL"]
    return ["runs.archived_at IS NULL", "runs.trashed_at IS NULL"]


class _Page(NamedTuple):
    """A page of sorted runs.

    Attributes:
        after: begin after this run; None to begin with the first.
        offset: how many runs to skip.
    """

    sort_by: Field
    sort_order: Order
    after: Cursor | None
    limit: int
    offset: int = 0

    @property
    def direction(self) -> str:
        return _DIRECTIONS[self.sort_order]

    def beyond(self, key: str, run_id: str) -> Condition:
        """The condition on runs after the cursor.

        Args:
            key, run_id: SQL of the sort key and the row id.
        """
        if self.after is None:
            return "TRUE", []
        return run_cursors.after(self.after, self.sort_by, key, run_id)


async def _ids(
    conn: Connection, where: RunFilter, page: _Page
) -> tuple[list[tuple[int, Any]], int]:
    """Row ids and sort keys of a page, and the number of matching runs."""
    sort_by = page.sort_by
    where = await look_up(conn, where)  # once for all conditions that are made of it
    matching = await conditions(conn, where)
    if isinstance(sort_by, Attribute) and sort_by.name in filter_sql.NEVER_NULL:
        rows = await _ids_in_order(conn, matching, sort_by, page)
        if page.after is None and len(rows) < page.limit and (rows or not page.offset):  # the last
            return rows, page.offset + len(rows)
        return rows, await _count(conn, matching)
    source = _Source(matching)
    if not isinstance(conn, Shared):
        source = await _narrow_source(conn, where) or source
        compared = () if where.tree is None else fields_of(where.tree)
        # Conditions on other tables take long; sorting needs them once, for the number as well.
        if isinstance(sort_by, Config) and all(isinstance(each, Attribute) for each in compared):
            rows = await _ids_with_key(conn, matching, sort_by, page)
            if len(rows) == page.limit:
                return rows, await _count(conn, matching)
    return await _ids_by_sorting(conn, source, page)


class _Source(NamedTuple):
    """Rows that matching runs are read from.

    Attributes:
        condition: on the rows.
        tables: `runs`, alone or joined to rows of `configs`.
        comparison: the condition on the rows of `configs`.
    """

    condition: Condition
    tables: str = "runs"
    comparison: Comparison | None = None


_WITH_CONFIGS = "configs CROSS JOIN runs ON runs.id = configs.run_id"


async def _narrow_source(conn: Connection, where: RunFilter) -> _Source | None:
    """The rows of `configs` that fulfil a condition of the filter, with their runs.

    SQLite makes a list of these runs, and looks up each run of the project in it. To begin with the
    rows takes a third of the time.
    """
    if where.tree is None or where.include:
        return None
    split = filter_sql.split(where.tree)
    if split is None:
        return None
    comparison, rest = split
    assert isinstance(comparison.field, Config)  # noqa: S101 - for mypy
    keyed, keyed_values = filter_sql.keyed(comparison.field, comparison.operator, comparison.value)
    sql, values = await conditions(conn, msgspec.structs.replace(where, tree=rest))
    return _Source((f"{keyed} AND {sql}", keyed_values + values), _WITH_CONFIGS, comparison)


async def _ids_with_key(
    conn: Connection, matching: Condition, sort_by: Config, page: _Page
) -> list[tuple[int, Any]]:
    """Read a page of the runs that have a key, without looking it up run by run."""
    conditions, values = matching
    direction = page.direction
    key = filter_sql.KEYED
    beyond, beyond_values = page.beyond(key, "runs.id")
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {key} AS sorted
        FROM {_WITH_CONFIGS}
        WHERE configs.key = ? AND sorted IS NOT NULL AND {conditions} AND {beyond}
        ORDER BY sorted {direction}, runs.id {direction}
        LIMIT ? OFFSET ?
        """,
        (sort_by.key, *values, *beyond_values, page.limit, page.offset),
    )
    return [(run_id, key) for run_id, key in rows]


async def _ids_in_order(
    conn: Connection, matching: Condition, sort_by: Attribute, page: _Page
) -> list[tuple[int, Any]]:
    """Read a page in an order that an index may have, without reading all matching runs."""
    conditions, values = matching
    direction = page.direction
    key = filter_sql.sort_key(conn, sort_by).sql
    beyond, beyond_values = page.beyond(key, "runs.id")
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {key} AS key
        FROM runs
        WHERE {conditions} AND {beyond}
        ORDER BY {key} {direction}, runs.id {direction}
        LIMIT ? OFFSET ?
        """,
        (*values, *beyond_values, page.limit, page.offset),
    )
    return [(run_id, key) for run_id, key in rows]


async def _ids_by_sorting(
    conn: Connection, source: _Source, page: _Page
) -> tuple[list[tuple[int, Any]], int]:
    """Read a page by sorting all matching runs; also returns their number."""
    conditions, values = source.condition
    direction = page.direction
    sort_by = page.sort_by
    key = filter_sql.sort_key(conn, sort_by)
    if source.comparison is not None and source.comparison.field == sort_by:
        key = filter_sql.Key(filter_sql.KEYED, [])
    elif isinstance(sort_by, Config) and not isinstance(conn, Shared):
        key = filter_sql.indexed_key(sort_by)
    beyond, beyond_values = page.beyond("key", "id")
    rows = list(
        await conn.execute_fetchall(
            f"""
            WITH matched AS MATERIALIZED (
                SELECT runs.id AS id, {key.sql} AS key
                FROM {source.tables} {key.join}
                WHERE {conditions}
            )
            SELECT id, key, (SELECT COUNT(*) FROM matched)
            FROM matched
            WHERE {beyond}
            ORDER BY key {direction} NULLS LAST, id {direction}
            LIMIT ? OFFSET ?
            """,
            (*key.values, *values, *beyond_values, page.limit, page.offset),
        )
    )
    if not rows:
        return [], await _count(conn, source.condition, source.tables)
    return [(run_id, key) for run_id, key, _ in rows], int(rows[0][2])


async def _count(conn: Connection, matching: Condition, tables: str = "runs") -> int:
    conditions, values = matching
    rows = await conn.execute_fetchall(f"SELECT COUNT(*) FROM {tables} WHERE {conditions}", values)
    return next(int(number) for (number,) in rows)


async def _rows(conn: Connection, ids: Sequence[int]) -> list[RunRow]:
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (json_array(ids),),
    )
    runs = {run.id: run for run in (run_from_row(row, RunRow) for row in rows)}
    return [runs[id_] for id_ in ids]


async def _fill(conn: Connection, runs: Sequence[RunRow], columns: Mapping[str, Field]) -> None:
    """Set the `values` of runs; null for a run that lacks the field."""
    tags = Attribute("tag")
    read = {name: field for name, field in columns.items() if field != tags}
    values = await run_values.read_columns(conn, [run.id for run in runs], read)
    for place, run in enumerate(runs):
        run.values = {
            name: run.tags if field == tags else values[name][place]
            for name, field in columns.items()
        }
