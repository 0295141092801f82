"""Names in filters without a prefix: `lr < 0.01` is about `config.lr` or `metric.lr`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from trackai.errors import InvalidInputError
from trackai.filters.tree import (
    ATTRIBUTES,
    FIGURES,
    Config,
    Fact,
    Metric,
    Named,
    field_text,
    fields_of,
    replaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trackai.filters.tree import Field, Figure, Filter
    from trackai.store.engine.connection import Connection

# How many names the message about an unknown one lists, and of how many they are chosen.
_CANDIDATES = 5
_CHOICE = 20_000


async def look_up(conn: Connection, tree: Filter, project_id: int | None) -> Filter:
    """Replace the names in a filter by the fields that they stand for.

    Args:
        project_id: of the only project in which to look; None for all.

    Raises:
        InvalidInputError: a name is neither a configuration key nor a metric, or both.
    """
    named = {field for field in fields_of(tree) if isinstance(field, Named)}
    if not named:
        return tree
    fields = {name: await _look_up(conn, name, project_id) for name in named}
    return replaced(tree, fields.__getitem__)


async def _look_up(conn: Connection, named: Named, project_id: int | None) -> Field:
    fields = [field for field in _meanings(named.name) if await _exists(conn, field, project_id)]
    if len(fields) == 1:
        return fields[0]
    where = f"at position {named.at} ({named.name[:80]!r})"
    if fields:
        texts = " or ".join(_short(field) for field in fields)
        raise InvalidInputError("filter", f"{where}: ambiguous: use {texts}")
    similar = await _similar(conn, named.name, project_id)
    hint = f"did you mean {' or '.join(similar)}?" if similar else "see the columns of the project"
    raise InvalidInputError(
        "filter",
        f"{where}: unknown field, neither a configuration key nor a metric; {hint}",
    )


def _meanings(name: str) -> Iterator[Field]:
    yield Config(name)
    yield Metric(name)
    path, _, figure = name.rpartition(".")
    if path and figure in FIGURES:
        yield Metric(path, cast("Figure", figure))


async def _exists(conn: Connection, field: Field, project_id: int | None) -> bool:
    match field:
        case Config(name):
            table, column = "configs", "key"
        case Metric(name):
            table, column = "series", "path"
        case _:
            return False
    sql, values = _of_project(table, project_id)
    rows = await conn.execute_fetchall(
        f"SELECT 1 FROM {table} {sql} {table}.{column} = ? LIMIT 1", (*values, name)
    )
    return bool(list(rows))


def _of_project(table: str, project_id: int | None) -> tuple[str, list[int]]:
    """The beginning of a condition on the rows of a table."""
    if project_id is None:
        return "WHERE", []
    runs = f"JOIN runs ON runs.id = {table}.run_id"
    return f"{runs} WHERE runs.project_id = ? AND", [project_id]


async def _similar(conn: Connection, name: str, project_id: int | None) -> list[str]:
    """Fields whose names resemble one: the same last part, or nearly the same letters."""
    fields: dict[str, list[str]] = {}
    for table, column, field in (
        ("configs", "key", Config), ("series", "path", Metric), ("environment", "key", Fact),
    ):  # fmt: skip
        sql, values = _of_project(table, project_id)
        rows = await conn.execute_fetchall(
            f"""
            SELECT DISTINCT {table}.{column} FROM {table} {sql} TRUE
            ORDER BY {table}.{column} LIMIT ?
            """,
            (*values, _CHOICE),
        )
        for (known,) in rows:
            fields.setdefault(known, []).append(_short(field(known)))
    for attribute in ATTRIBUTES:
        fields.setdefault(attribute, []).append(attribute)
    return [text for known in _nearest(name, fields) for text in fields[known]][:_CANDIDATES]


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    # Imported here: few names are unknown.
    from difflib import get_close_matches

    folded: dict[str, list[str]] = {}
    for each in known:
        for key in {each.casefold(), each.rpartition("/")[2].casefold()}:
            folded.setdefault(key, []).append(each)
    return list(
        dict.fromkeys(
            each
            for key in get_close_matches(name.casefold(), folded, n=_CANDIDATES, cutoff=0.7)
            for each in folded[key]
        )
    )


def _short(field: Field) -> str:
    text = field_text(field)
    return text.removesuffix(".last") if isinstance(field, Metric) else text
