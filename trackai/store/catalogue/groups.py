"""Groups of runs that share the value of a field: number of runs, and means of other fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.filters.tree import Attribute, Config, Fact, equality_text
from trackai.store.catalogue import filter_sql, run_tables
from trackai.store.catalogue import runs as runs_table
from trackai.store.catalogue.filter_sql import Key
from trackai.store.engine.sql import json_array
from trackai.structs.records import GroupMembers, RunGroup, RunGroupPage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.filters.tree import Field
    from trackai.store.catalogue.run_tables import RunFilter
    from trackai.store.engine.connection import Connection

# Attributes that runs can be grouped by.
_ATTRIBUTES = frozenset({"group_name", "state", "name"})


async def list_page(
    conn: Connection,
    where: RunFilter,
    by: Field,
    *,
    columns: Mapping[str, Field],
    limit: int,
    offset: int = 0,
) -> RunGroupPage:
    """A page of groups, the largest first; the group of runs without the field comes last.

    Args:
        where: the runs to group.
        by: the field to group by.
        columns: fields to average, by the name of the mean in the result. A mean is over the runs
            of the group in which the field is a finite number; it is null if there are none.

    Raises:
        InvalidInputError: runs cannot be grouped by this field.
    """
    conditions, values = run_tables.conditions(where)
    key = _key(conn, by)
    averaged = [
        filter_sql.sort_key(conn, field, f"averaged_{at}")
        for at, field in enumerate(columns.values())
    ]
    means = "".join(f", {_mean(f'mean_{at}')}" for at in range(len(averaged)))
    shown = "".join(f", {mean.sql} AS mean_{at}" for at, mean in enumerate(averaged))
    joins = " ".join([key.join, *(mean.join for mean in averaged)])
    rows = await conn.execute_fetchall(
        f"""
        WITH matched AS (
            SELECT {key.sql} AS key {shown} FROM runs {joins} WHERE {conditions}
        ), grouped AS (
            SELECT key, COUNT(*) AS runs {means} FROM matched GROUP BY key
        )
        SELECT (SELECT COUNT(*) FROM grouped), * FROM grouped
        ORDER BY key IS NULL, runs DESC, key
        LIMIT ? OFFSET ?
        """,
        (
            *key.values,
            *(value for mean in averaged for value in mean.values),
            *values,
            limit,
            offset,
        ),
    )
    groups = [_group(by, columns, *row) for _, *row in rows]
    return RunGroupPage(groups, next((int(total) for total, *_ in rows), 0))


def _mean(column: str) -> str:
    """The mean of the finite numbers in a column."""
    return f"""
        /*sqlite*/ avg(
            CASE WHEN typeof({column}) IN ('integer', 'real')
                  AND abs({column}) <= 1.7976931348623157e308 THEN {column} END
        ) /*end*/ /*pg: avg(finite({column}))::float8 */
    """


async def of_runs(conn: Connection, run_ids: Sequence[int], by: Field | None) -> list[GroupMembers]:
    """Group runs by a field, sorted by its value: numbers, text, booleans, then missing values.

    Args:
        run_ids: row ids; unknown ones are left out.
        by: None for one group of all runs.

    Raises:
        InvalidInputError: runs cannot be grouped by this field.
    """
    if by is None:
        existing = await runs_table.existing(conn, run_ids)
        return [GroupMembers(None, existing)] if existing else []
    key = _key(conn, by, name="group_by")
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {key.sql} FROM runs {key.join}
        WHERE runs.id IN (SELECT value FROM json_each(?))
        ORDER BY runs.id
        """,
        (*key.values, json_array(run_ids)),
    )
    # True == 1 and False == 0, so the key contains the type.
    members: dict[tuple[bool, Any], list[int]] = {}
    for run_id, row_key in rows:
        value = _value(row_key)
        members.setdefault((isinstance(value, bool), value), []).append(run_id)
    return [GroupMembers(typed[1], members[typed]) for typed in sorted(members, key=_order)]


def _order(typed: tuple[bool, Any]) -> tuple[bool, bool, bool, Any]:
    is_bool, value = typed
    return (value is None, is_bool, isinstance(value, str), value)


def _key(conn: Connection, by: Field, *, name: str = "by") -> Key:
    """The key to group by."""
    match by:
        case Config() | Fact():
            return filter_sql.group_key(conn, by)
        case Attribute(attribute) if attribute in _ATTRIBUTES:
            return Key(filter_sql.ATTRIBUTES[attribute], [])
    raise InvalidInputError(name, "must be group, state, name, config.KEY or env.KEY")


def _group(
    by: Field, columns: Mapping[str, Field], key: Any, runs: int, *means: float | None
) -> RunGroup:
    value = _value(key)
    return RunGroup(value, runs, equality_text(by, value), dict(zip(columns, means, strict=True)))


def _value(key: Any) -> float | int | bool | str | None:
    # The column `comparable` has booleans as blobs, see migration 0004.
    value: float | int | bool | str | None = key == b"\x01" if isinstance(key, bytes) else key
    return value
