"""Values of runs: configurations, figures and attributes, by run or by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.filters.tree import TIMES, Attribute, Config, Fact, Field, Metric, Named, field_text
from trackai.store.catalogue import filter_sql
from trackai.store.engine.sql import LAST_VALUE, json_array
from trackai.structs.records import ConfigColumn, MetricColumn, ProjectColumns, RunValues
from trackai.values.non_finite import json_value
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trackai.store.engine.connection import Connection


async def read_columns(
    conn: Connection, run_ids: Sequence[int], fields: Mapping[str, Field]
) -> dict[str, list[Any]]:
    """The values of each field, by its name in `fields`, one for each run; None without it."""
    ids = json_array(run_ids)
    keyed = await _keyed_values(
        conn, ids, [field for field in fields.values() if isinstance(field, Config | Fact)]
    )
    metrics = await _metric_values(
        conn, ids, [field for field in fields.values() if isinstance(field, Metric)]
    )
    attributes = await _attribute_values(
        conn, ids, {field.name for field in fields.values() if isinstance(field, Attribute)}
    )
    columns: dict[str, list[Any]] = {}
    for name, field in fields.items():
        match field:
            case Config() | Fact():
                columns[name] = [keyed.get((run_id, field)) for run_id in run_ids]
            case Metric():
                columns[name] = [metrics.get((run_id, field)) for run_id in run_ids]
            case Attribute():
                columns[name] = [attributes.get((run_id, field.name)) for run_id in run_ids]
    return columns


async def _keyed_values(
    conn: Connection, ids: str, fields: Sequence[Config | Fact]
) -> dict[tuple[int, Config | Fact], Any]:
    values: dict[tuple[int, Config | Fact], Any] = {}
    for kind in {type(field) for field in fields}:
        of_kind = {field.key: field for field in fields if type(field) is kind}
        rows = await conn.execute_fetchall(
            f"""
            SELECT run_id, key, value FROM {filter_sql.table(next(iter(of_kind.values())))}
            WHERE run_id IN (SELECT value FROM json_each(?))
              AND key IN (SELECT value FROM json_each(?))
            """,
            (ids, json_array(of_kind)),
        )
        for run_id, key, value in rows:
            values[run_id, of_kind[key]] = msgspec.json.decode(value)
    return values


async def _metric_values(
    conn: Connection, ids: str, fields: Sequence[Metric]
) -> dict[tuple[int, Metric], Any]:
    figures = sorted({field.figure for field in fields})
    if not figures:
        return {}
    rows = await conn.execute_fetchall(
        f"""
        SELECT run_id, path, kind, points,
               {", ".join(filter_sql.FIGURES[figure] for figure in figures)}
        FROM series
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND path IN (SELECT value FROM json_each(?))
        ORDER BY axis DESC
        """,
        (ids, json_array({field.path for field in fields})),
    )
    by_metric: dict[tuple[int, Metric], Any] = {}
    for run_id, path, kind, points, *values in rows:
        for figure, value in zip(figures, values, strict=True):
            missing = value is None and (figure != "last" or not points)
            if not missing:
                value = json_value(value, kind if figure == "last" else "number")
            by_metric[run_id, Metric(path, figure)] = None if missing else value
    return by_metric


async def _attribute_values(
    conn: Connection, ids: str, names: Iterable[str]
) -> dict[tuple[int, str], Any]:
    names = sorted(names)
    if not names:
        return {}
    rows = await conn.execute_fetchall(
        f"""
        SELECT runs.id, {", ".join(filter_sql.ATTRIBUTES[name] for name in names)}
        FROM runs
        WHERE runs.id IN (SELECT value FROM json_each(?))
        """,
        (ids,),
    )
    return {
        (run_id, name): utc(value) if name in TIMES and value is not None else value
        for run_id, *values in rows
        for name, value in zip(names, values, strict=True)
    }


async def parameter_keys(conn: Connection, run_ids: Sequence[int]) -> list[str]:
    """The configuration keys of runs, sorted."""
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT key FROM configs
        WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY key
        """,
        (json_array(run_ids),),
    )
    return [key for (key,) in rows]


async def values(conn: Connection, run_ids: Sequence[int]) -> list[RunValues]:
    """The configurations and last values of runs; unknown ids are left out."""
    ids = json_array(run_ids)
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", (ids,)
    )
    runs = {run_id: RunValues(run_id, {}, {}, {}) for (run_id,) in rows}
    rows = await conn.execute_fetchall(
        """
        SELECT run_id, key, value FROM configs
        WHERE run_id IN (SELECT value FROM json_each(?))
        ORDER BY run_id, key
        """,
        (ids,),
    )
    for run_id, key, value in rows:
        runs[run_id].config[key] = msgspec.json.decode(value)
    rows = await conn.execute_fetchall(
        f"""
        SELECT run_id, path, kind, {LAST_VALUE} FROM series
        WHERE run_id IN (SELECT value FROM json_each(?)) AND points > 0 AND kind != 'histogram'
        ORDER BY run_id, path, axis DESC
        """,
        (ids,),
    )
    for run_id, path, kind, value in rows:
        by_path: dict[str, Any] = runs[run_id].texts if kind == "text" else runs[run_id].metrics
        by_path[path] = json_value(value, kind)
    return list(runs.values())


async def missing_fields(conn: Connection, fields: Iterable[Field | Named]) -> list[Field]:
    """The fields that are configuration keys, facts or metrics which no run has."""
    missing: list[Field] = []
    for field in dict.fromkeys(fields):
        match field:
            case Config(key) | Fact(key):
                table, column, name = filter_sql.table(field), "key", key
            case Metric(path):
                table, column, name = "series", "path", path
            case _:
                continue
        rows = await conn.execute_fetchall(
            f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (name,)
        )
        if not list(rows):
            missing.append(field)
    return missing


async def list_columns(conn: Connection, project_id: int) -> ProjectColumns:
    """The configuration keys, facts and metrics of a project, each with its number of runs."""
    [(has_others,)] = await conn.execute_fetchall(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE project_id != ?)", (project_id,)
    )
    # With a single project, the project of each of many rows need not be looked up.
    in_project = "run_id IN (SELECT id FROM runs WHERE project_id = ?)"
    if not has_others:
        in_project = "?/*pg: ::bigint */ IS NOT NULL"
    configs = await conn.execute_fetchall(
        f"SELECT key, COUNT(*) FROM configs WHERE {in_project} GROUP BY key ORDER BY key",
        (project_id,),
    )
    facts = await conn.execute_fetchall(
        f"""
        SELECT key, COUNT(DISTINCT run_id) FROM environment WHERE {in_project}
        GROUP BY key ORDER BY key
        """,
        (project_id,),
    )
    metrics = await conn.execute_fetchall(
        f"""
        SELECT path, COUNT(DISTINCT run_id), min(kind), max(kind)
        FROM series
        WHERE {in_project}
        GROUP BY path
        ORDER BY path
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
        environment=[ConfigColumn(key, field_text(Fact(key)), runs) for key, runs in facts],
    )
