"""Filters of runs as SQL: a condition on rows of `runs`, every value bound.

Where a metric or key is asked for, the condition is a set of runs (`id IN (...)`) read from one
contiguous range of an index; runs are not looked at one by one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from trackai.filters.tree import And, Attribute, Comparison, Config, Metric, Not, Or
from trackai.store.engine.sql import MEAN

if TYPE_CHECKING:
    from trackai.filters.tree import Constant, Field, Figure, Filter, Operator

# A piece of SQL and the values for its question marks.
Condition: TypeAlias = tuple[str, list[Any]]

ATTRIBUTES = {
    "id": "runs.id",
    "run_id": "runs.slug",
    "name": "runs.name",
    "group_name": "runs.group_name",
    "state": "runs.state",
    "created_at": "runs.created_at",
    "updated_at": "runs.updated_at",
    "finished_at": "runs.finished_at",
    "duration": "((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6)",
    "notes": "runs.notes",
    "project": "(SELECT projects.name FROM projects WHERE projects.id = runs.project_id)",
    "project_id": "runs.project_id",
    "tag": "(SELECT min(tags.tag) FROM tags WHERE tags.run_id = runs.id)",
}
# Attributes that are never NULL: an index serves their order in both directions.
NEVER_NULL = frozenset({"id", "run_id", "state", "created_at", "updated_at", "project_id"})
FIGURES: dict[Figure, str] = {
    "last": "last_value",
    "min": "min_value",
    "max": "max_value",
    "mean": MEAN,
    "points": "points",
    "nans": "nan_points",
    "first_step": "CASE axis WHEN 'step' THEN first_step END",
    "last_step": "CASE axis WHEN 'step' THEN last_step END",
    "min_step": "CASE axis WHEN 'step' THEN min_step END",
    "max_step": "CASE axis WHEN 'step' THEN max_step END",
}
_SQL_OPERATORS: dict[Operator, str] = {
    "=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_NOTHING: Condition = ("FALSE", [])


def condition(tree: Filter) -> Condition:
    """The condition for a tree; NULL where a run does not have what is asked for."""
    match tree:
        case Comparison(field, operator, value):
            return _comparison(field, operator, value)
        case Not(part):
            sql, values = condition(part)
            return f"NOT ifnull({sql}, FALSE)", values
        case And(parts):
            return _joined(" AND ", [condition(part) for part in parts])
        case Or(parts):
            return _joined(" OR ", [condition(part) for part in parts])


def sort_key(field: Field) -> Condition:
    """The expression by which runs are ordered; NULL where a run does not have the field."""
    match field:
        case Attribute("name" | "group_name" | "notes" as name):
            return _beginning(ATTRIBUTES[name]), []
        case Attribute(name):
            return ATTRIBUTES[name], []
        case Config(key):
            one = f"SELECT {_beginning('comparable')} FROM configs WHERE run_id = runs.id"
            return f"({one} AND key = ?)", [key]
        case Metric(path, figure):
            # The planner would look into the table itself; the index has what is needed.
            column = _beginning("last_value") if figure == "last" else FIGURES[figure]
            one = f"""
                (SELECT {column} FROM series INDEXED BY series_by_path
                 WHERE path = ? AND run_id = runs.id AND axis = '%s')
            """
            return f"coalesce({one % 'step'}, {one % 'time'})", [path, path]


def _beginning(column: str) -> str:
    """Text is ordered by its beginning: a cursor holds the value at which a page ends."""
    return f"CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, 256) ELSE {column} END"


def _joined(word: str, parts: list[Condition]) -> Condition:
    return (
        "(" + word.join(sql for sql, _ in parts) + ")",
        [value for _, values in parts for value in values],
    )


def _comparison(field: Field, operator: Operator, value: Constant) -> Condition:
    match field:
        case Attribute("tag"):
            return _tag(operator, value)
        case Attribute("project"):
            name, values = _compared("projects.name", operator, value)
            slug, more = _compared("projects.slug", operator, value)
            both = "AND" if operator in {"!=", "!~"} else "OR"
            projects = f"SELECT id FROM projects WHERE {name} {both} {slug}"
            return f"runs.project_id IN ({projects})", values + more
        case Attribute(name):
            return _compared(ATTRIBUTES[name], operator, value)
        case Config(key):
            return _config(key, operator, value)
        case Metric(path, figure):
            return _metric(path, figure, operator, value)


def _tag(operator: Operator, value: Constant) -> Condition:
    """`!=` and `!~` say that no tag is or holds it: a run has many, or none."""
    tagged = "SELECT run_id FROM tags"
    if value is None:
        return f"runs.id {'NOT IN' if operator == '=' else 'IN'} ({tagged})", []
    member = "NOT IN" if operator in {"!=", "!~"} else "IN"
    positive: dict[Operator, Operator] = {"!=": "=", "!~": "~"}
    sql, values = _compared("tag", positive.get(operator, operator), value)
    return f"runs.id {member} ({tagged} WHERE {sql})", values


def _config(key: str, operator: Operator, value: Constant) -> Condition:
    if value is None:
        member = "NOT IN" if operator == "=" else "IN"
        having = "SELECT run_id FROM configs WHERE key = ? AND comparable IS NOT NULL"
        return f"runs.id {member} ({having})", [key]
    if isinstance(value, bool):
        value_as_stored: Any = b"\x01" if value else b"\x00"
    elif isinstance(value, float) and math.isnan(value):
        value_as_stored = "NaN"  # in JSON a text, see `trackai.values.types`
    else:
        value_as_stored = value
    sql, values = _compared("comparable", operator, value_as_stored)
    return f"runs.id IN (SELECT run_id FROM configs WHERE key = ? AND {sql})", [key, *values]


def _metric(path: str, figure: Figure, operator: Operator, value: Constant) -> Condition:
    column = FIGURES[figure]
    if value is None:
        member = "NOT IN" if operator == "=" else "IN"
        # A last value that is NULL is a NaN; any other figure is not there.
        there = "TRUE" if figure == "last" else f"{column} IS NOT NULL"
        return f"runs.id {member} (SELECT run_id FROM series WHERE path = ? AND {there})", [path]
    if isinstance(value, bool):
        sql, values = _compared(column, operator, int(value))
        sql = f"kind = 'bool' AND {sql}"
    elif isinstance(value, float) and math.isnan(value):
        if operator not in {"=", "!="}:
            return _NOTHING
        sql, values = f"{column} IS {'NOT ' if operator == '!=' else ''}NULL AND points > 0", []
    else:
        sql, values = _compared(column, operator, value)
        if operator == "!=" and figure == "last":  # a NaN is not equal to anything
            sql = f"({sql} OR (last_value IS NULL AND points > 0))"
    return f"runs.id IN (SELECT run_id FROM series WHERE path = ? AND {sql})", [path, *values]


def _compared(column: str, operator: Operator, value: Any) -> Condition:
    """A column against a constant of the same type: numbers < text < blobs for SQLite."""
    if value is None:
        return f"{column} IS {'NOT ' if operator == '!=' else ''}NULL", []
    if operator in {"~", "!~"}:
        found = f"instr(casefold(CAST({column} AS TEXT)), ?)"
        return f"{found} {'>' if operator == '~' else '='} 0", [str(value).casefold()]
    sql = f"{column} {_SQL_OPERATORS[operator]} ?"
    if isinstance(value, int | float) and operator in {">", ">="}:
        return f"({sql} AND {column} < '')", [value]
    if isinstance(value, str) and operator in {"<", "<="}:
        return f"({sql} AND {column} >= '')", [value]
    if isinstance(value, str) and operator in {">", ">="}:
        return f"({sql} AND {column} < x'')", [value]
    return sql, [value]
