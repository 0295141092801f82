"""Filters of runs as SQL: conditions on rows of `runs`, with all values bound.

A condition on a metric, configuration key or fact is a set of runs (`id IN (...)`), read from one
contiguous range of an index instead of run by run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from trackai.filters.tree import And, Attribute, Comparison, Config, Fact, Metric, Not, Or
from trackai.store.engine.sql import COMPARABLE, LAST_VALUE, MEAN

if TYPE_CHECKING:
    from trackai.filters.tree import Constant, Field, Figure, Filter, Operator

# An SQL expression, and the values for its placeholders.
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
# Attributes that are never NULL, so that an index can provide their order.
NEVER_NULL = frozenset({"id", "run_id", "state", "created_at", "updated_at", "project_id"})
FIGURES: dict[Figure, str] = {
    "last": LAST_VALUE,
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
_NEVER: Condition = ("FALSE", [])


def condition(tree: Filter) -> Condition:
    """The condition of a filter; NULL or false for a run that lacks the field."""
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
    """The expression to sort runs by; NULL for a run that lacks the field."""
    match field:
        case Attribute("name" | "group_name" | "notes" as name):
            return _prefix(ATTRIBUTES[name]), []
        case Attribute(name):
            return ATTRIBUTES[name], []
        case Config(key) | Fact(key):
            value = _prefix(COMPARABLE)
            return f"(SELECT {value} FROM {table(field)} WHERE run_id = runs.id AND key = ?)", [key]
        case Metric(path, figure):
            # The index covers the query; the planner would read the table as well.
            column = _prefix(LAST_VALUE) if figure == "last" else FIGURES[figure]
            on_axis = f"""
                (SELECT {column} FROM series INDEXED BY series_by_path
                 WHERE path = ? AND run_id = runs.id AND axis = '%s')
            """
            return f"coalesce({on_axis % 'step'}, {on_axis % 'time'})", [path, path]


def _prefix(column: str) -> str:
    """Limit texts to 256 characters: a cursor contains the sort key of the last run of a page."""
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
            slug, slug_values = _compared("projects.slug", operator, value)
            joint = "AND" if operator in {"!=", "!~"} else "OR"
            projects = f"SELECT id FROM projects WHERE {name} {joint} {slug}"
            return f"runs.project_id IN ({projects})", values + slug_values
        case Attribute(name):
            return _compared(ATTRIBUTES[name], operator, value)
        case Config() | Fact():
            return _keyed(field, operator, value)
        case Metric(path, figure):
            return _metric(path, figure, operator, value)


def _tag(operator: Operator, value: Constant) -> Condition:
    """`!=` and `!~` match runs of which no tag equals or contains the value."""
    tagged = "SELECT run_id FROM tags"
    if value is None:
        return f"runs.id {'NOT IN' if operator == '=' else 'IN'} ({tagged})", []
    member = "NOT IN" if operator in {"!=", "!~"} else "IN"
    positive: dict[Operator, Operator] = {"!=": "=", "!~": "~"}
    sql, values = _compared("tag", positive.get(operator, operator), value)
    return f"runs.id {member} ({tagged} WHERE {sql})", values


def table(field: Config | Fact) -> str:
    """The table or view with the key of a field, which also has a run_id, comparable and value."""
    return "configs" if isinstance(field, Config) else "latest_environment"


def _keyed(field: Config | Fact, operator: Operator, value: Constant) -> Condition:
    key, rows = field.key, table(field)
    if value is None:
        member = "NOT IN" if operator == "=" else "IN"
        having = f"SELECT run_id FROM {rows} WHERE key = ? AND comparable IS NOT NULL"
        return f"runs.id {member} ({having})", [key]
    if isinstance(value, bool):
        stored: Any = b"\x01" if value else b"\x00"
    elif isinstance(value, float) and math.isnan(value):
        stored = "NaN"  # in JSON a text, see `trackai.values.types`
    else:
        stored = value
    sql, values = _compared(COMPARABLE, operator, stored)
    return f"runs.id IN (SELECT run_id FROM {rows} WHERE key = ? AND {sql})", [key, *values]


def _metric(path: str, figure: Figure, operator: Operator, value: Constant) -> Condition:
    column = FIGURES[figure]
    if value is None:
        member = "NOT IN" if operator == "=" else "IN"
        # A last value that is NULL is NaN; any other figure that is NULL does not exist.
        exists = "TRUE" if figure == "last" else f"{column} IS NOT NULL"
        return f"runs.id {member} (SELECT run_id FROM series WHERE path = ? AND {exists})", [path]
    if isinstance(value, bool):
        sql, values = _compared(column, operator, int(value))
        sql = f"kind = 'bool' AND {sql}"
    elif isinstance(value, float) and math.isnan(value):
        if operator not in {"=", "!="}:
            return _NEVER
        sql, values = f"{column} IS {'NOT ' if operator == '!=' else ''}NULL AND points > 0", []
    else:
        sql, values = _compared(column, operator, value)
        if operator == "!=" and figure == "last":  # NaN is unequal to every number
            sql = f"({sql} OR (last_value IS NULL AND points > 0))"
    return f"runs.id IN (SELECT run_id FROM series WHERE path = ? AND {sql})", [path, *values]


def _compared(column: str, operator: Operator, value: Any) -> Condition:
    """Compare a column with a constant, matching only values of the type of the constant.

    SQLite orders numbers before texts, and texts before blobs: a comparison is bounded accordingly.
    """
    if value is None:
        return f"{column} IS {'NOT ' if operator == '!=' else ''}NULL", []
    if operator in {"~", "!~"}:
        position = f"instr(casefold(CAST({column} AS TEXT)), ?)"
        return f"{position} {'>' if operator == '~' else '='} 0", [str(value).casefold()]
    sql = f"{column} {_SQL_OPERATORS[operator]} ?"
    if isinstance(value, int | float) and operator in {">", ">="}:
        return f"({sql} AND {column} < '')", [value]
    if isinstance(value, str) and operator in {"<", "<="}:
        return f"({sql} AND {column} >= '')", [value]
    if isinstance(value, str) and operator in {">", ">="}:
        return f"({sql} AND {column} < x'')", [value]
    return sql, [value]
