"""The configuration of a stored run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.values.nesting import nested
from trackai.values.own_keys import is_own, without_own

if TYPE_CHECKING:
    from collections.abc import Mapping


_MISSING = object()


class StoredConfig(dict[str, Any]):
    """A configuration, nested as it was logged. Flat keys work, too: `config["opt/lr"]`.

    Keys that are set are stored by `StoredRun.update`. Keys below `_wandb`, which no script has
    set, can be read and are not listed.
    """

    def __init__(self, flat: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Nest a flat configuration; keys that are set later are added to `changes`."""
        super().__init__(nested(without_own(flat)))
        self._own = nested({key: value for key, value in flat.items() if is_own(key)})
        self._changes = changes

    def __missing__(self, key: str) -> Any:
        value: Any = self._own | self
        for part in key.split("/"):
            if not isinstance(value, dict) or part not in value:
                raise KeyError(key)
            value = value[part]
        return value

    def __contains__(self, key: object) -> bool:
        return self.get(str(key), _MISSING) is not _MISSING

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._changes[key] = value

    def update(self, *values: Any, **more: Any) -> None:
        for key, value in dict(*values, **more).items():
            self[key] = value

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
