"""Notes values of a configuration that are lost when it is flattened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trackai.importers.names import shown
from trackai.importers.receipt import Problem
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.receipt import Receipt

_REASON = "another value has the same key: {'a/b': 1} beside {'a': {'b': 2}}"


def refuse_shared_keys(receipt: Receipt, run_id: str, config: Mapping[Any, Any]) -> None:
    """Refuse all values but the last that share a flat key: "a/b" and "b" inside "a"."""
    for key, number in Counter(_keys(config)).items():
        problem = f"key {shown(key)} has {number} values: only the last is stored"
        noted = Problem(without_surrogates(f"run {run_id}"), without_surrogates(problem))
        # A run that was resumed has its configuration several times.
        if number > 1 and noted not in receipt.problems:
            receipt.add_problem(noted.where, noted.problem)
            receipt.refuse("configuration", _REASON, number - 1)


def _keys(config: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}"
