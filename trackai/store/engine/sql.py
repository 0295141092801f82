"""SQL expressions and values that more than one wing of the store uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.store.engine.connection import Shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection

# Over columns of `series`. A sum beyond the largest float is infinite, its mean is not.
MEAN = """
    CASE WHEN finite_points > 0 THEN
        /*sqlite*/ max(min_value, min(max_value, sum / finite_points)) /*end*/
        /*pg: mean(min_value, max_value, sum, finite_points) */
    END
"""

# The values of rows of `metrics`. A large one has a marker there, and is in another table.
VALUE = """
    CASE
        WHEN metrics.value IS x'' THEN (
            SELECT large_values.value FROM large_values
            WHERE large_values.series_id = metrics.series_id
              AND large_values.step = metrics.step
              AND large_values.timestamp = metrics.timestamp
              AND large_values.writer_id = metrics.writer_id
        )
        ELSE metrics.value
    END
"""

# The last values of rows of `series`. Of `series`, the outer query needs only columns of the index
# `series_by_path`, which covers it. In PostgreSQL, large values are in `series` as well.
LAST_VALUE = """
    /*pg: series.last_value */ /*sqlite*/ CASE
        WHEN series.last_value IS x'' THEN (
            SELECT large_values.value
            FROM series AS own
            JOIN large_values
              ON large_values.series_id = own.id AND large_values.step = own.last_step
            JOIN writers ON writers.id = large_values.writer_id
            WHERE own.id = series.id
              AND NOT EXISTS (
                  SELECT 1 FROM attempts
                  WHERE attempts.series_id = own.id
                    AND attempts.first_step <= own.last_step
                    AND attempts.attempt > writers.attempt
              )
            ORDER BY large_values.timestamp DESC, large_values.writer_id DESC
            LIMIT 1
        )
        ELSE series.last_value
    END /*end*/
"""

# The values of rows of `configs` and `environment` as filters compare them: see `comparable` in the
# migrations. `json_text` is our own: SQLite's functions may end a text at U+0000.
COMPARABLE = """
    CASE
        WHEN comparable /*sqlite*/ IS x'02' /*end*/ /*pg: = (2, 0, '02')::any_value */
        THEN json_text(value)
        ELSE comparable
    END
"""

# The same as texts to search: numbers as in their JSON, where SQLite would round to 15 digits.
SEARCHED = """
    CASE
        WHEN typeof(comparable) = 'text' THEN comparable
        WHEN comparable IS NOT NULL THEN json_text(value)
    END
"""

# The value of a metric likewise. In PostgreSQL, a number with decimal places is a float.
_FLOAT_TEXT = r"""
    CASE
        WHEN {number} = 0 THEN CASE scale({number}) WHEN 2 THEN '-0.0' ELSE '0.0' END
        WHEN abs({number}) >= 0.00001 AND abs({number}) < 1e16 THEN regexp_replace(
            {number}::double precision::text::numeric::text, '^([-0-9]+)$', '\1.0'
        )
        ELSE regexp_replace(
            replace({number}::double precision::text, 'e+', 'e'), 'e([-]*)0+', 'e\1'
        )
    END
"""
_NUMBER_TEXT = f"CASE WHEN scale({{number}}) = 0 THEN {{number}}::text ELSE {_FLOAT_TEXT} END"


def searched_figure(column: str, kind: Literal["any", "number", "float"]) -> str:
    """The text of a column of `series` to search: the number as it is in responses.

    Args:
        kind: what the column holds in PostgreSQL: `any_value`, `numeric` or `double precision`.
    """
    if kind == "any":
        number = _NUMBER_TEXT.format(number="(shown.value).number")
        text = f"CASE (shown.value).kind WHEN 0 THEN {number} ELSE (shown.value).text END"
    elif kind == "number":
        text = _NUMBER_TEXT.format(number="shown.value")
    else:
        text = _FLOAT_TEXT.format(number="exact(shown.value)")
    return f"""
        /*sqlite*/ number_text( /*end*/ /*pg: (SELECT {text} FROM (SELECT */
        {column}
        /*sqlite*/ ) /*end*/ /*pg: AS value) AS shown) */
    """


class JsonArray(str):
    """The text of a JSON array, and the values in it.

    Attributes:
        items: the values, for an engine that has lists as parameters.
    """

    __slots__ = ("items",)

    items: list[int] | list[str]


async def fetch_integer(conn: Connection, query: str, *values: Any) -> int | None:
    """The integer that a query returns; None without a row."""
    for (value,) in await conn.execute_fetchall(query, values):
        return None if value is None else int(value)
    return None


def json_array(values: Iterable[int] | Iterable[str]) -> JsonArray:
    """Encode values as the JSON array that `IN (SELECT value FROM json_each(?))` takes.

    One parameter for a list of any length: SQLite limits how many parameters a statement has, and
    caches the statement only if its text stays the same.
    """
    items: list[Any] = list(values)
    array = JsonArray(msgspec.json.encode(items).decode())
    array.items = items
    return array


async def lock(
    conn: Connection, table: str, ids: Iterable[int], *, to_delete: bool = False
) -> None:
    """Let no other transaction change rows until this one ends.

    All callers lock in the order of ids, so that none waits for one that waits for it. Each row has
    its own statement, as a distributed engine locks rows of one shard at a time.

    Args:
        to_delete: let no other transaction refer to the rows either.
    """
    if isinstance(conn, Shared):
        strength = "FOR UPDATE" if to_delete else "FOR NO KEY UPDATE"
        sql = f"SELECT 1 FROM {table} WHERE id = ? {strength}"
        new = sorted({row_id for row_id in ids if (sql, row_id) not in conn.locked})
        if new:
            await conn.executemany(sql, [(row_id,) for row_id in new])
            conn.locked.update((sql, row_id) for row_id in new)
