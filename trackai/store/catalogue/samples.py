"""The values of many runs from which the importance of their parameters is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.filters.tree import Config, field_text
from trackai.store.catalogue import run_tables, run_values
from trackai.sweeps.importance import Sample
from trackai.values.own_keys import is_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.filters.tree import Field
    from trackai.store.catalogue.run_tables import RunFilter
    from trackai.store.engine.connection import Connection

# Of more runs or values a part of the runs is read: a forest needs no more.
MAX_RUNS = 5000
MAX_VALUES = 300_000
MAX_PARAMETERS = 1000


async def read(
    conn: Connection, where: RunFilter, target: Field, parameters: Mapping[str, Field] | None
) -> Sample:
    """Read a target and parameters of matching runs.

    Args:
        where: the runs.
        target: the field that the parameters may say something about.
        parameters: fields, by their names; None for all configuration keys that
            scripts set.

    Raises:
        InvalidInputError: the runs have too many configuration keys.
    """
    ids = await run_tables.list_ids(conn, where)
    fields = await _configuration(conn, ids) if parameters is None else parameters
    fields = {name: field for name, field in fields.items() if field != target}
    sampled = evenly(ids, min(MAX_RUNS, MAX_VALUES // max(1, len(fields))))
    [values] = (await run_values.read_columns(conn, sampled, {"": target})).values()
    return Sample(len(ids), values, await run_values.read_columns(conn, sampled, fields))


def evenly(ids: Sequence[int], count: int) -> Sequence[int]:
    """At most `count` of these, at even distances."""
    if len(ids) <= count:
        return ids
    return [ids[at * len(ids) // count] for at in range(count)]


async def _configuration(conn: Connection, run_ids: Sequence[int]) -> dict[str, Field]:
    keys = [key for key in await run_values.parameter_keys(conn, run_ids) if not is_own(key)]
    if len(keys) > MAX_PARAMETERS:
        raise InvalidInputError(
            "parameters",
            f"must be given: the runs have {len(keys)} keys, more than {MAX_PARAMETERS}",
        )
    return {field_text(Config(key)): Config(key) for key in keys}
