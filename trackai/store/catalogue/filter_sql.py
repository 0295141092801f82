"""Filters of runs as SQL: conditions on rows of `runs`, with all values bound.

A condition on a metric, configuration key or fact is a set of runs (`id IN (...)`), read from one
contiguous range of an index instead of run by run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from trackai.filters.patterns import compiled
from trackai.filters.tree import (
    PATTERNS,
    And,
    Attribute,
    Comparison,
    Config,
    Fact,
    Metric,
    Named,
    Not,
    Or,
)
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import COMPARABLE, LAST_VALUE, MEAN, SEARCHED, searched_figure

if TYPE_CHECKING:
    from types import UnionType

    from trackai.filters.tree import Constant, Field, Figure, Filter, Operator
    from trackai.store.engine.connection import Connection

# An SQL expression, and the values for its placeholders.
Condition: TypeAlias = tuple[str, list[Any]]

# What a column may contain: "any" is numbers, texts and, as bytes, booleans.
_Type: TypeAlias = Literal["integer", "number", "text", "any"]


class Key(NamedTuple):
    """A value that runs are sorted or grouped by.

    Attributes:
        sql: the expression; NULL for a run that lacks the value.
        values: for the placeholders, in `sql` or `join`.
        join: what to add to `FROM runs`.
    """

    sql: str
    values: list[Any]
    join: str = ""


ATTRIBUTES = {
    "id": "runs.id",
    "run_id": "runs.slug",
    "name": "runs.name",
    "group_name": "runs.group_name",
    "state": "runs.state",
    "created_at": "runs.created_at",
    "updated_at": "runs.updated_at",
    "finished_at": "runs.finished_at",
    "archived_at": "runs.archived_at",
    "trashed_at": "runs.trashed_at",
    "duration": """
        ((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6)/*pg: ::float8 */
    """,
    "notes": "runs.notes",
    "project": "(SELECT projects.name FROM projects WHERE projects.id = runs.project_id)",
    "project_id": "runs.project_id",
    "tag": "(SELECT min(tags.tag) FROM tags WHERE tags.run_id = runs.id)",
}
_TYPES: dict[str, _Type] = {
    "id": "integer",
    "run_id": "text",
    "name": "text",
    "group_name": "text",
    "state": "text",
    "created_at": "integer",
    "updated_at": "integer",
    "finished_at": "integer",
    "archived_at": "integer",
    "trashed_at": "integer",
    "duration": "number",
    "notes": "text",
    "project": "text",
    "project_id": "integer",
    "tag": "text",
}
_CLASSES: dict[_Type, type | UnionType] = {
    "integer": int, "number": int | float, "text": str, "any": int | float | str | bytes,
}  # fmt: skip
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
_DENIED: dict[Operator, Operator] = {"!=": "=", "!~": "~", "!=~": "=~"}
_NEVER: Condition = ("FALSE", [])
# A placeholder for what is compared with a column of type "any".
_ANY = "?/*pg: ::any_value */"


def condition(tree: Filter) -> Condition:
    """The condition of a filter; NULL or false for a run that lacks the field.

    Args:
        tree: a filter of fields; `trackai.store.catalogue.bare_names` looks up names.
    """
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


def split(tree: Filter) -> tuple[Comparison, Filter | None] | None:
    """A condition on the configuration that all matching runs fulfil, and the others; or None."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    for number, part in enumerate(parts):
        match part:
            case Comparison(Config(), _, value) if value is not None:
                rest = parts[:number] + parts[number + 1 :]
                return part, And(rest) if rest else None
    return None


def sort_key(conn: Connection, field: Field, name: str = "sorted") -> Key:
    """The key to sort runs by.

    Args:
        name: of the table that is joined, unique in its query.
    """
    match field:
        case Attribute("name" | "group_name" | "notes" as attribute):
            return Key(_prefix(ATTRIBUTES[attribute]), [])
        case Attribute("project") if _joins(conn):
            return Key(
                f"{name}.name", [], _join("SELECT id, name FROM projects", name, "project_id")
            )
        case Attribute("tag") if _joins(conn):
            tags = "SELECT run_id AS id, min(tag) AS tag FROM tags GROUP BY run_id"
            return Key(f"{name}.tag", [], _join(tags, name))
        case Attribute(attribute):
            return Key(ATTRIBUTES[attribute], [])
        case Config(key) | Fact(key):
            return _looked_up(
                conn, _prefix(COMPARABLE), f"{table(field)} WHERE key = ?", [key], name
            )
        case Metric(path, figure):
            column = _prefix(LAST_VALUE) if figure == "last" else FIGURES[figure]
            # The index covers the query; SQLite would read the table as well.
            rows = "series INDEXED BY series_by_path WHERE path = ? AND axis = '%s'"
            steps, times = (
                _looked_up(conn, column, rows % axis, [path], f"{name}_{axis}")
                for axis in ("step", "time")
            )
            return Key(
                f"coalesce({steps.sql}, {times.sql})",
                steps.values + times.values,
                f"{steps.join} {times.join}",
            )


def indexed_key(field: Config) -> Key:
    """The key to sort runs by in SQLite: twice as fast as `sort_key`, but always joined."""
    rows = f"SELECT run_id AS id, {_INDEXED} AS sort_key FROM configs INDEXED BY configs_by_key"
    return Key("sorted.sort_key", [field.key], _join(f"{rows} WHERE key = ?", "sorted"))


def may_be_key(field: Field, value: object) -> bool:
    """Whether runs that are sorted by a field may have this sort key."""
    return value is None or isinstance(value, _CLASSES[_type(field)])


def placeholder(field: Field) -> str:
    """A placeholder for a sort key of a field."""
    return _ANY if _type(field) == "any" else "?"


def _type(field: Field) -> _Type:
    match field:
        case Attribute(name):
            return _TYPES[name]
        case Metric(_, "points" | "nans"):
            return "integer"
        case Metric(_, figure) if figure != "last":
            return "number"
    return "any"


def group_key(conn: Connection, field: Config | Fact, name: str = "grouped_by") -> Key:
    """The key to group runs by; unlike in `sort_key`, texts are complete."""
    return _looked_up(conn, COMPARABLE, f"{table(field)} WHERE key = ?", [field.key], name)


def _looked_up(conn: Connection, column: str, rows: str, values: list[Any], name: str) -> Key:
    """A key in other rows, of which a run has at most one.

    Args:
        rows: a table and the condition on its rows.
    """
    if _joins(conn):
        query = f"SELECT run_id AS id, {column} AS key FROM {rows}"
        return Key(f"{name}.key", values, _join(query, name))
    return Key(f"(SELECT {column} FROM {rows} AND run_id = runs.id)", values)


def _joins(conn: Connection) -> bool:
    """Whether to join the rows that have keys: SQLite looks them up faster, run by run."""
    return isinstance(conn, Shared)


def _join(query: str, name: str, column: str = "id") -> str:
    return f"LEFT JOIN ({query}) AS {name} ON {name}.id = runs.{column}"


def _prefix(column: str) -> str:
    """Limit texts to 256 characters: a cursor contains the sort key of the last run of a page."""
    return f"CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, 256) ELSE {column} END"


# The sort key of a row of `configs`.
KEYED = _prefix(COMPARABLE)
# The same, read from the index alone except for long values. Numbers, the usual values, come before
# texts.
_INDEXED = """
    CASE
        WHEN comparable < '' THEN comparable
        WHEN comparable IS x'02' THEN (
            SELECT substr(json_text(long.value), 1, 256) FROM configs AS long
            WHERE long.run_id = configs.run_id AND long.key = configs.key
        )
        WHEN typeof(comparable) = 'text' THEN substr(comparable, 1, 256)
        ELSE comparable
    END
"""


def _joined(word: str, parts: list[Condition]) -> Condition:
    return (
        "(" + word.join(sql for sql, _ in parts) + ")",
        [value for _, values in parts for value in values],
    )


def _comparison(field: Field | Named, operator: Operator, value: Constant) -> Condition:
    match field:
        case Attribute("tag"):
            return _tag(operator, value)
        case Attribute("project"):
            name, values = _compared("projects.name", "text", operator, value)
            slug, slug_values = _compared("projects.slug", "text", operator, value)
            joint = "AND" if operator in _DENIED else "OR"
            projects = f"SELECT id FROM projects WHERE {name} {joint} {slug}"
            return f"runs.project_id IN ({projects})", values + slug_values
        case Attribute(name):
            return _compared(ATTRIBUTES[name], _type(field), operator, value)
        case Config() | Fact():
            return _keyed(field, operator, value)
        case Metric():
            return _metric(field, operator, value)
        case Named(name):
            raise TypeError(f"{name!r} was not looked up")


def _tag(operator: Operator, value: Constant) -> Condition:
    """`!=`, `!~` and `!=~` match runs of which no tag does what they deny."""
    tagged = "SELECT run_id FROM tags"
    if value is None:
        return f"runs.id {'NOT IN' if operator == '=' else 'IN'} ({tagged})", []
    member = "NOT IN" if operator in _DENIED else "IN"
    sql, values = _compared("tag", "text", _DENIED.get(operator, operator), value)
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
    sql, values = keyed(field, operator, value)
    return f"runs.id IN (SELECT run_id FROM {rows} WHERE {sql})", values


def keyed(field: Config | Fact, operator: Operator, value: Constant) -> Condition:
    """The condition on rows of `table(field)`."""
    if isinstance(value, bool):
        stored: Any = b"\x01" if value else b"\x00"
    elif isinstance(value, float) and math.isnan(value):
        stored = "NaN"  # in JSON a text, see `trackai.values.types`
    else:
        stored = value
    column = SEARCHED if operator in {"~", "!~", *PATTERNS} else COMPARABLE
    sql, values = _compared(column, "any", operator, stored)
    return f"key = ? AND {sql}", [field.key, *values]


def _metric(field: Metric, operator: Operator, value: Constant) -> Condition:
    path, figure = field.path, field.figure
    column, type_ = FIGURES[figure], _type(field)
    if value is None:
        member = "NOT IN" if operator == "=" else "IN"
        # A last value that is NULL is NaN; any other figure that is NULL does not exist.
        exists = "TRUE" if figure == "last" else f"{column} IS NOT NULL"
        return f"runs.id {member} (SELECT run_id FROM series WHERE path = ? AND {exists})", [path]
    if isinstance(value, bool):
        sql, values = _compared(column, type_, operator, int(value))
        sql = f"kind = 'bool' AND {sql}"
    elif isinstance(value, float) and math.isnan(value):
        if operator not in {"=", "!="}:
            return _NEVER
        sql, values = f"{column} IS {'NOT ' if operator == '!=' else ''}NULL AND points > 0", []
    elif operator in {"~", "!~", *PATTERNS}:
        sql, values = _compared(_searched(column, figure), "text", operator, value)
    else:
        sql, values = _compared(column, type_, operator, value)
        if operator == "!=" and figure == "last":  # NaN is unequal to every number
            sql = f"({sql} OR (last_value IS NULL AND points > 0))"
    return f"runs.id IN (SELECT run_id FROM series WHERE path = ? AND {sql})", [path, *values]


def _searched(column: str, figure: Figure) -> str:
    """The text of a figure, as it is in responses."""
    if figure in {"points", "nans"}:
        return column
    if figure != "last":
        return searched_figure(column, "float" if figure == "mean" else "number")
    text = searched_figure(column, "any")
    return f"""
        CASE
            WHEN kind = 'bool' THEN CASE {text} WHEN '0' THEN 'false' WHEN '1' THEN 'true' END
            WHEN points > 0 THEN ifnull({text}, 'NaN')
        END
    """


def _compared(column: str, type_: _Type, operator: Operator, value: Any) -> Condition:
    """Compare a column with a constant, matching only values of the type of the constant."""
    if value is None:
        return f"{column} IS {'NOT ' if operator == '!=' else ''}NULL", []
    if operator in {"~", "!~"}:
        position = f"instr(casefold(CAST({column} AS TEXT)), ?)"
        return f"{position} {'>' if operator == '~' else '='} 0", [str(value).casefold()]
    if operator in PATTERNS:
        sql = f"matches(?, CAST({column} AS TEXT))"
        return ("NOT " if operator == "!=~" else "") + sql, [compiled(str(value)).canonical]
    if isinstance(value, float) and math.isnan(value):
        return _NEVER
    if type_ == "any":
        return _bounded(column, operator, value)
    sql = f"{column} {_SQL_OPERATORS[operator]} ?"
    if type_ == "text" and not isinstance(value, str):
        value = str(int(value) if isinstance(value, bool) else value)
    if type_ == "integer" and isinstance(value, float):
        sql += "/*pg: ::numeric */"
    return sql, [value]


def _bounded(column: str, operator: Operator, value: Any) -> Condition:
    """Compare a column of type "any", where numbers are before texts, and texts before bytes."""
    sql = f"{column} {_SQL_OPERATORS[operator]} {_ANY}"
    if isinstance(value, int | float) and operator in {">", ">="}:
        return f"({sql} AND {column} < {_ANY})", [value, ""]
    if isinstance(value, str) and operator in {"<", "<="}:
        return f"({sql} AND {column} >= {_ANY})", [value, ""]
    if isinstance(value, str) and operator in {">", ">="}:
        return f"({sql} AND {column} < {_ANY})", [value, b""]
    return sql, [value]
