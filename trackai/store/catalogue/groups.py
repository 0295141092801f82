"""Groups of runs that share the values of fields: number of runs, and means of other fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import InvalidInputError
from trackai.filters.tree import Attribute, Config, Fact, equality_text
from trackai.store.catalogue import filter_sql, run_tables
from trackai.store.catalogue.filter_sql import Key
from trackai.store.engine.sql import json_array
from trackai.structs.records import GroupMembers, RunGroup, RunGroupPage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.filters.tree import Field
    from trackai.store.catalogue.run_tables import RunFilter
    from trackai.store.engine.connection import Connection
    from trackai.structs.records import GroupKey, GroupValue

# Attributes that runs can be grouped by.
_ATTRIBUTES = frozenset({"group_name", "state", "name"})


async def list_page(
    conn: Connection,
    where: RunFilter,
    by: Sequence[Field],
    *,
    columns: Mapping[str, Field],
    limit: int,
    offset: int = 0,
) -> RunGroupPage:
    """A page of groups, the largest first; the group of runs without the fields comes last.

    Args:
        where: the runs to group.
        by: the fields to group by. By tag, a run is in the group of each of its tags.
        columns: fields to average, by the name of the mean in the result. A mean is over the runs
            of the group in which the field is a finite number; it is null if there are none.

    Raises:
        InvalidInputError: runs cannot be grouped by these fields.
    """
    conditions, values = await run_tables.conditions(conn, where)
    keys = _keys(conn, by)
    averaged = [
        filter_sql.sort_key(conn, field, f"averaged_{at}")
        for at, field in enumerate(columns.values())
    ]
    means = "".join(f", {_mean(f'mean_{at}')}" for at in range(len(averaged)))
    shown = "".join(f", {mean.sql} AS mean_{at}" for at, mean in enumerate(averaged))
    joins = " ".join([keys.joins, *(mean.join for mean in averaged)])
    names = ", ".join(keys.names)
    rows = await conn.execute_fetchall(
        f"""
        WITH matched AS (
            SELECT {keys.columns} {shown} FROM runs {joins} WHERE {conditions}
        ), grouped AS (
            SELECT {names}, COUNT(*) AS runs {means} FROM matched GROUP BY {names}
        )
        SELECT (SELECT COUNT(*) FROM grouped), * FROM grouped
        ORDER BY {" AND ".join(f"{name} IS NULL" for name in keys.names)}, runs DESC,
                 {", ".join(f"{name} NULLS LAST" for name in keys.names)}
        LIMIT ? OFFSET ?
        """,
        (
            *keys.values,
            *(value for mean in averaged for value in mean.values),
            *values,
            limit,
            offset,
        ),
    )
    groups = [_group(by, columns, row) for _, *row in rows]
    return RunGroupPage(groups, next((int(total) for total, *_ in rows), 0))


def _mean(column: str) -> str:
    """The mean of the finite numbers in a column."""
    return f"""
        /*sqlite*/ avg(
            CASE WHEN typeof({column}) IN ('integer', 'real')
                  AND abs({column}) <= 1.7976931348623157e308 THEN {column} END
        ) /*end*/ /*pg: avg(finite({column}))::float8 */
    """


async def of_runs(
    conn: Connection, run_ids: Sequence[int], by: Sequence[Field]
) -> list[GroupMembers]:
    """Group runs by fields, sorted by value: numbers, text, booleans, then missing values.

    Args:
        run_ids: row ids of existing runs, in order.
        by: nothing for one group of all runs. By tag, a run is in the group of each of its tags.

    Raises:
        InvalidInputError: runs cannot be grouped by these fields.
    """
    if not by:
        return [GroupMembers(None, list(run_ids))] if run_ids else []
    keys = _keys(conn, by, name="group_by")
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {keys.columns} FROM runs {keys.joins}
        WHERE runs.id IN (SELECT value FROM json_each(?))
        ORDER BY runs.id
        """,
        (*keys.values, json_array(run_ids)),
    )
    # True == 1 and False == 0, so the key contains the type.
    members: dict[tuple[tuple[bool, GroupKey], ...], list[int]] = {}
    for run_id, *row_keys in rows:
        row_values = map(_value, row_keys)
        typed = tuple((isinstance(value, bool), value) for value in row_values)
        members.setdefault(typed, []).append(run_id)
    return [
        GroupMembers(_one_or_list([value for _, value in typed]), members[typed])
        for typed in sorted(members, key=lambda typed: [_order(*part) for part in typed])
    ]


def largest(groups: Sequence[GroupMembers], count: int) -> list[GroupMembers]:
    """The groups with most runs, at most `count` of them, in the order that they have."""
    by_size = sorted(range(len(groups)), key=lambda number: -len(groups[number].run_ids))
    return [groups[number] for number in sorted(by_size[:count])]


def _order(is_bool: bool, value: GroupKey) -> tuple[bool, bool, bool, Any]:
    return (value is None, is_bool, isinstance(value, str), value)


class _Keys(NamedTuple):
    """The values to group by, as SQL: columns of `runs` and of the joined tables.

    Attributes:
        names: the names of the columns.
        values: for the placeholders of the columns.
    """

    names: list[str]
    columns: str
    joins: str
    values: list[Any]


def _keys(conn: Connection, by: Sequence[Field], *, name: str = "by") -> _Keys:
    keys = [_key(conn, field, f"grouped_{at}", name) for at, field in enumerate(by)]
    names = [f"key_{at}" for at in range(len(by))]
    return _Keys(
        names,
        ", ".join(f"{key.sql} AS {name}" for key, name in zip(keys, names, strict=True)),
        " ".join(key.join for key in keys),
        [value for key in keys for value in key.values],
    )


def _key(conn: Connection, field: Field, table: str, name: str) -> Key:
    """The key to group by; texts are not truncated as in `sort_key`.

    Args:
        table: the name of the table that is joined, unique in its query.
        name: the parameter with the field, for the error.
    """
    match field:
        case Config() | Fact():
            return filter_sql.group_key(conn, field, table)
        case Attribute("tag"):
            return Key(f"{table}.tag", [], f"LEFT JOIN tags AS {table} ON {table}.run_id = runs.id")
        case Attribute(attribute) if attribute in _ATTRIBUTES:
            return Key(filter_sql.ATTRIBUTES[attribute], [])
    raise InvalidInputError(name, "must be group, state, name, tag, config.KEY or env.KEY")


def _group(by: Sequence[Field], columns: Mapping[str, Field], row: Sequence[Any]) -> RunGroup:
    values = [_value(key) for key in row[: len(by)]]
    runs, *means = row[len(by) :]
    equalities = [equality_text(field, value) for field, value in zip(by, values, strict=True)]
    return RunGroup(
        _one_or_list(values),
        runs,
        " and ".join(equalities),
        dict(zip(columns, means, strict=True)),
    )


def _one_or_list(values: list[GroupKey]) -> GroupValue:
    return values[0] if len(values) == 1 else values


def _value(key: Any) -> GroupKey:
    # The column `comparable` has booleans as blobs, see migration 0004.
    value: GroupKey = key == b"\x01" if isinstance(key, bytes) else key
    return value
