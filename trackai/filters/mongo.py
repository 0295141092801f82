"""Filters and orders of wandb's `Api.runs`, which are those of MongoDB, as filters of TrackAI.

    {"config.lr": {"$lt": 0.1}, "$or": [{"state": "finished"}, {"tags": {"$in": ["best"]}}]}

`name` is the `run_id` of a run and `display_name` its name, as in wandb. A key with dots is itself
or a nested one: `config.opt.lr` is `config.opt/lr`, too. A comparison that excludes
values (`$ne`, `$nin`, `$not`, `$nor`) matches runs without the field, as in MongoDB. `$regex`
is the operator `=~`.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast, get_args

from trackai.errors import InvalidInputError
from trackai.filters.parser import check_pattern, parse_field
from trackai.filters.tree import (
    ATTRIBUTES,
    FIGURES,
    SWITCHES,
    TIMES,
    And,
    Attribute,
    Comparison,
    Config,
    Field,
    Figure,
    Filter,
    Metric,
    Not,
    Operator,
    Or,
    comparison_with_bool,
)
from trackai.values.own_keys import JOB_TYPE
from trackai.values.times import microseconds
from trackai.values.types import State

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTRIBUTES = {
    "name": "run_id",
    "display_name": "name",
    "displayName": "name",
    "createdAt": "created_at",
    "heartbeat_at": "updated_at",
    "heartbeatAt": "updated_at",
    "updatedAt": "updated_at",
    "tags": "tag",
}
_CONFIG_KEYS = {"job_type": JOB_TYPE, "jobType": JOB_TYPE}
_METRICS = ("summary_metrics.", "summaryMetrics.", "summary.")
_STATES: tuple[str, ...] = get_args(State)
_WANDB_STATES = {"finished": "completed", "crashed": "failed", "killed": "failed"}
_COMPARISONS: dict[str, Operator] = {
    "$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=",
}  # fmt: skip
_LISTS = ("$and", "$or", "$nor")


def translate(filters: Mapping[str, Any]) -> Filter | None:
    """Translate the argument `filters`; None if it matches all runs.

    Raises:
        InvalidInputError: a field, operator or value is unknown or has no equivalent; it is named.
    """
    parts = _parts(filters)
    return None if not parts else _all(parts)


def translate_order(order: str) -> tuple[Field, bool]:
    """Translate the argument `order`, such as "-summary_metrics.loss".

    Returns:
        The field, and whether the order is ascending.

    Raises:
        InvalidInputError: the field is unknown.
    """
    name = order.removeprefix("-").removeprefix("+")
    return _field(name, "order"), not order.startswith("-")


def _parts(filters: Any) -> list[Filter]:
    """Translate a mapping to the filters that must all match."""
    if not isinstance(filters, dict):
        raise InvalidInputError("filters", f"must be a dict, got {filters!r}")
    parts: list[Filter] = []
    for key, value in filters.items():
        if key == "$and":
            parts += [part for item in _list(key, value) for part in _parts(item)]
        elif key in ("$or", "$nor"):
            anyone = _any([_all(_parts(item)) for item in _list(key, value)])
            parts.append(anyone if key == "$or" else Not(anyone))
        elif not isinstance(key, str) or key.startswith("$"):
            raise InvalidInputError("filters", f"operator {key!r} is not supported here")
        else:
            parts += _conditions(_field(key, "filters"), value, key)
    return parts


def _conditions(field: Field, value: Any, key: str) -> list[Filter]:
    if not isinstance(value, dict):
        return [_comparison(field, "=", value, key)]
    if not value:
        raise InvalidInputError("filters", f"{key}: must have an operator such as $lt")
    parts: list[Filter] = []
    for operator, operand in value.items():
        if operator == "$regex":
            parts.append(_compared(field, "=~", _pattern(field, operand, value, key)))
        elif operator != "$options":
            parts.append(_condition(field, operator, operand, key))
    return parts


def _condition(field: Field, operator: Any, operand: Any, key: str) -> Filter:
    if operator in _COMPARISONS:
        return _comparison(field, _COMPARISONS[operator], operand, key)
    if operator == "$ne":
        return Not(_comparison(field, "=", operand, key))
    if operator in ("$in", "$nin"):
        anyone = _any([_comparison(field, "=", item, key) for item in _list(operator, operand)])
        return anyone if operator == "$in" else Not(anyone)
    if operator == "$exists":
        return _compared(field, "!=" if operand else "=", None)
    if operator == "$not":
        return Not(_all(_conditions(field, operand, key)))
    raise InvalidInputError("filters", f"{key}: operator {operator!r} is not supported")


def _comparison(field: Field, operator: Operator, value: Any, key: str) -> Filter:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, int | float | str | None):
        raise InvalidInputError("filters", f"{key}: cannot compare with {value!r}")
    if operator != "=" and isinstance(value, bool | None):
        raise InvalidInputError("filters", f"{key}: cannot order {value!r}")
    if isinstance(field, Attribute) and field.name in SWITCHES and isinstance(value, bool):
        return comparison_with_bool(field, operator, value)
    if isinstance(field, Attribute) and value is not None:
        value = _attribute_value(field.name, value, key)
    if isinstance(field, Metric) and field.figure != "last" and isinstance(value, bool | str):
        raise InvalidInputError("filters", f"{key}: must be compared with a number, got {value!r}")
    return _compared(field, operator, value)


def _compared(field: Field, operator: Operator, value: Any) -> Filter:
    """A comparison; of a key with dots, also the nested keys that it may mean."""
    fields = (field, *nested_fields(field))
    if len(fields) == 1:
        return Comparison(field, operator, value)
    comparisons = tuple(Comparison(each, operator, value) for each in fields)
    is_absence = value is None and operator == "="
    return And(comparisons) if is_absence else Or(comparisons)


def nested_fields(field: Field) -> list[Field]:
    """The nested configuration keys that a key with dots may mean: "opt/lr" for "opt.lr".

    In wandb, the key "value" below the first one has the nested keys: "opt.value.lr".
    """
    if not isinstance(field, Config) or "." not in field.key:
        return []
    first, *others = field.key.split(".")
    paths = [[first, *others]]
    if others[0] == "value" and len(others) > 1:
        paths.append([first, *others[1:]])
    return [Config("/".join(path)) for path in paths]


def _attribute_value(name: str, value: Any, key: str) -> Any:
    if name in TIMES:
        try:
            return microseconds(datetime.fromisoformat(value))
        except (TypeError, ValueError, OverflowError):
            raise InvalidInputError(
                "filters", f"{key}: must be a time in ISO 8601, got {value!r}"
            ) from None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (name in ("id", "project_id", "duration")) != is_number or value in (math.inf, -math.inf):
        kind = "text" if is_number else "a number"
        raise InvalidInputError("filters", f"{key}: must be compared with {kind}, got {value!r}")
    if name == "state":
        state = _WANDB_STATES.get(value, value)
        if state not in _STATES:
            known = ", ".join((*_STATES, *_WANDB_STATES))
            raise InvalidInputError("filters", f"{key}: must be one of {known}, got {value!r}")
        return state
    return value


def _field(name: str, argument: str) -> Field:
    if name.startswith("config.") and name != "config.":
        return Config(name.removeprefix("config.").removesuffix(".value"))
    for prefix in _METRICS:
        if name.startswith(prefix) and name != prefix:
            path, _, figure = name.removeprefix(prefix).rpartition(".")
            if path and figure in FIGURES:
                return Metric(path, cast("Figure", figure))
            return Metric(name.removeprefix(prefix))
    if name in _CONFIG_KEYS:
        return Config(_CONFIG_KEYS[name])
    known = _ATTRIBUTES.get(name, name)
    if known in ATTRIBUTES:
        return Attribute(ATTRIBUTES[known])
    if name.startswith("metric."):
        return parse_field(name, name=argument)
    raise InvalidInputError(
        argument, f"unknown field {name!r}; use config.KEY, summary_metrics.NAME or one of "
        f"{', '.join(sorted({*ATTRIBUTES, *_ATTRIBUTES, *_CONFIG_KEYS}))}",
    )  # fmt: skip


def _pattern(field: Field, text: Any, condition: Mapping[str, Any], key: str) -> str:
    options = condition.get("$options", "")
    if options not in ("", "i"):
        raise InvalidInputError("filters", f'{key}: $options must be "i", got {options!r}')
    if isinstance(field, Attribute) and field.name in {*TIMES, "id", "project_id", "duration"}:
        raise InvalidInputError("filters", f"{key}: $regex only compares text")
    try:
        if not isinstance(text, str):
            raise ValueError("must be text")
        pattern = f"(?i){text.removeprefix('(?i)')}" if options == "i" else text
        check_pattern(pattern)
    except ValueError as error:
        raise InvalidInputError(
            "filters", f"{key}: $regex must be a regular expression, got {text!r}: {error}"
        ) from None
    return pattern


def _list(operator: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple | set) or (not value and operator in _LISTS):
        raise InvalidInputError("filters", f"{operator} must be a list, got {value!r}")
    return list(value)


def _all(parts: list[Filter]) -> Filter:
    # Of no conditions: all runs.
    return parts[0] if len(parts) == 1 else And(tuple(parts)) if parts else Not(_NEVER)


def _any(parts: list[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else Or(tuple(parts)) if parts else _NEVER


_NEVER: Filter = Comparison(Attribute("id"), "=", 0)
