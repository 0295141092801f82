"""The tree of a filter: fields, comparisons and how they are combined."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

import msgspec

from trackai.values.times import utc

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~"]
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
    "duration": "duration",
    "notes": "notes",
    "project": "project",
    "project_id": "project_id",
    "tag": "tag",
}
TIMES = frozenset({"created_at", "updated_at", "finished_at"})

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


Field: TypeAlias = Attribute | Config | Fact | Metric


class Comparison(msgspec.Struct, frozen=True):
    """A field against a constant; times are microseconds since the epoch."""

    field: Field
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


def fields_of(tree: Filter) -> list[Field]:
    """The fields that a filter compares."""
    match tree:
        case Comparison(field):
            return [field]
        case Not(part):
            return fields_of(part)
        case And(parts) | Or(parts):
            return [field for part in parts for field in fields_of(part)]


def field_text(field: Field) -> str:
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


def filter_text(tree: Filter) -> str:
    """Write a filter as it is parsed."""
    match tree:
        case Comparison(field, operator, value):
            return f"{field_text(field)} {operator} {_constant_text(field, value)}"
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


def _constant_text(field: Field, value: Constant) -> str:
    if isinstance(field, Attribute) and field.name in TIMES and isinstance(value, int):
        return f'"{utc(value).isoformat()}"'
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return repr(value)


def _quoted(name: str, *, metric: bool = False) -> str:
    ends_like_figure = metric and name.rpartition(".")[2] in FIGURES and "." in name
    if UNQUOTED.fullmatch(name) and not ends_like_figure:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
