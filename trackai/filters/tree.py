"""The tree of a filter: fields, comparisons and how they are combined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import msgspec

from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Callable

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~", "=~", "!=~"]
Figure = Literal[
    "last", "min", "max", "mean", "points", "nans", "first_step", "last_step", "min_step",
    "max_step",
]  # fmt: skip
Constant: TypeAlias = float | int | bool | str | None

FIGURES: tuple[str, ...] = get_args(Figure)
# Names in filters, and the names of the attributes.
ATTRIBUTES = {
    "id": "id",
    "run_id": "run_id",
    "name": "name",
    "group": "group_name",
    "group_name": "group_name",
    "state": "state",
    "created": "created_at",
    "created_at": "created_at",
    "updated": "updated_at",
    "updated_at": "updated_at",
    "finished": "finished_at",
    "finished_at": "finished_at",
    "archived": "archived_at",
    "archived_at": "archived_at",
    "trashed": "trashed_at",
    "trashed_at": "trashed_at",
    "duration": "duration",
    "notes": "notes",
    "project": "project",
    "project_id": "project_id",
    "tag": "tag",
}
TIMES = frozenset({"created_at", "updated_at", "finished_at", "archived_at", "trashed_at"})
# Times that can be compared with true and false: whether a run has one.
SWITCHES = frozenset({"archived_at", "trashed_at"})
PATTERNS: frozenset[Operator] = frozenset({"=~", "!=~"})

# Names of configuration keys and metrics that need quotes to be taken for one.
_RESERVED = frozenset({*ATTRIBUTES, "not"})
# Names that need no quotes.
UNQUOTED = re.compile(r"""[^\s"'()<>=!~,]+""")


class Attribute(msgspec.Struct, frozen=True):
    """A field that every run has; `name` is one of the values of `ATTRIBUTES`."""

    name: str


class Config(msgspec.Struct, frozen=True):
    """A key of a run's flat configuration."""

    key: str


class Fact(msgspec.Struct, frozen=True):
    """A fact about the environment of a run's latest attempt."""

    key: str


class Metric(msgspec.Struct, frozen=True):
    """A figure of a metric."""

    path: str
    figure: Figure = "last"


class Named(msgspec.Struct, frozen=True):
    """A configuration key or a metric, whichever exists; `at` is its position in the text."""

    name: str
    at: int = 1


Field: TypeAlias = Attribute | Config | Fact | Metric


class Comparison(msgspec.Struct, frozen=True):
    """A field against a constant; times are microseconds since the epoch.

    The constant of `=~` and `!=~` is a regular expression, see `trackai.filters.patterns`.
    """

    field: Field | Named
    operator: Operator
    value: Constant


class Not(msgspec.Struct, frozen=True):
    """Matches runs that do not match `part`."""

    part: Filter


class And(msgspec.Struct, frozen=True):
    """Matches runs that match all parts."""

    parts: tuple[Filter, ...]


class Or(msgspec.Struct, frozen=True):
    """Matches runs that match at least one part."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Not | And | Or


def comparison_with_bool(field: Attribute, operator: Operator, value: bool) -> Comparison:
    """Whether a run has a time of `SWITCHES`, by the operator `=` or `!=`."""
    return Comparison(field, "!=" if value == (operator == "=") else "=", None)


def replaced(tree: Filter, replacement: Callable[[Named], Field]) -> Filter:
    """The filter with the fields that names stand for."""
    match tree:
        case Comparison(Named() as named, operator, value):
            return Comparison(replacement(named), operator, value)
        case Not(part):
            return Not(replaced(part, replacement))
        case And(parts):
            return And(tuple(replaced(part, replacement) for part in parts))
        case Or(parts):
            return Or(tuple(replaced(part, replacement) for part in parts))
        case _:
            return tree


def fields_of(tree: Filter) -> list[Field | Named]:
    """The fields that a filter compares."""
    match tree:
        case Comparison(field):
            return [field]
        case Not(part):
            return fields_of(part)
        case And(parts) | Or(parts):
            return [field for part in parts for field in fields_of(part)]


def field_text(field: Field | Named) -> str:
    """Write a field as it is parsed in filters, lists of columns and sort orders."""
    match field:
        case Attribute(name):
            return name
        case Config(key):
            return f"config.{_quoted(key)}"
        case Fact(key):
            return f"env.{_quoted(key)}"
        case Metric(path, figure):
            return f"metric.{_quoted(path, metric=True)}.{figure}"
        case Named(name):
            is_plain = UNQUOTED.fullmatch(name) is not None and name not in _RESERVED
            has_prefix = name.startswith(("config.", "env.", "metric."))
            return name if is_plain and not has_prefix else _in_quotes(name)


def filter_text(tree: Filter) -> str:
    """Write a filter as it is parsed."""
    match tree:
        case Comparison(field, operator, value):
            text = _constant_text(field, value)
            if operator in PATTERNS:
                # Only quotes are escaped there: a backslash belongs to the regular expression.
                escaped = re.sub(r'\\.|"', _escaped_quote, str(value), flags=re.DOTALL)
                text = f'"{escaped}"'
            return f"{field_text(field)} {operator} {text}"
        case Not(part):
            return f"not ({filter_text(part)})"
        case And(parts):
            return " and ".join(f"({filter_text(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({filter_text(part)})" for part in parts)


def equality_text(field: Field, value: Constant) -> str:
    """Write the filter that matches runs with this value of a field.

    Args:
        field: any field but a time.
        value: any value but NaN; None matches runs without one.
    """
    return filter_text(Comparison(field, "=", value))


def _escaped_quote(match: re.Match[str]) -> str:
    return '\\"' if match[0] == '"' else match[0]


def _constant_text(field: Field | Named, value: Constant) -> str:
    if isinstance(field, Attribute) and field.name in TIMES and isinstance(value, int):
        return f'"{utc(value).isoformat()}"'
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return _in_quotes(value)
        case _:
            return repr(value)


def _quoted(name: str, *, metric: bool = False) -> str:
    ends_like_figure = metric and name.rpartition(".")[2] in FIGURES and "." in name
    if UNQUOTED.fullmatch(name) and not ends_like_figure:
        return name
    return _in_quotes(name)


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
