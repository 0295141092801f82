"""A run's configuration as a live mapping: what is set in it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from trackai.sdk.plain import config_json
from trackai.values.nesting import flat


class Config(MutableMapping[str, Any]):
    """The configuration of a run.

    A nested value is reached as it was set, `config["opt"]["lr"]`, and by the flat key under
    which it is stored, `config["opt/lr"]`. Keys are attributes too: `config.lr`. A value that is
    assigned replaces all of a nested one. A change inside a nested value is not seen; assign the
    key instead: `config["opt/lr"] = 0.1`.
    """

    def __init__(
        self, values: Mapping[str, Any], store: Callable[[dict[str, str], list[str]], None]
    ) -> None:
        object.__setattr__(self, "_values", dict(values))
        object.__setattr__(self, "_stored", set(flat_json(values)))
        object.__setattr__(self, "_store", store)

    _values: dict[str, Any]
    _stored: set[str]
    _store: Callable[[dict[str, str], list[str]], None]

    def __getitem__(self, key: str) -> Any:
        if key in self._values:
            return self._values[key]
        found: Any = self._values
        for part in key.split("/"):
            if not isinstance(found, Mapping) or part not in found:
                raise KeyError(key)
            found = found[part]
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        raise TypeError("a configuration that is stored stays stored: assign another value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name in Config.__annotations__ or name.startswith("__"):  # of one that is not made yet
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __repr__(self) -> str:
        return f"Config({self._values!r})"

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return dict, (self.as_dict(),)  # a copy stores nothing

    def update(
        self, values: Any = (), /, allow_val_change: bool | None = None, **more: Any
    ) -> None:
        """Set several keys at once.

        Args:
            values: a mapping, a list of pairs, or an object with attributes such as the result
                of `argparse`.
            allow_val_change: accepted for compatibility; values may always change.
        """
        if isinstance(values, type):
            raise TypeError("config: a mapping is needed, not a class")
        if not isinstance(values, Mapping) and hasattr(values, "__dict__"):
            values = vars(values)
        merged = {str(key): value for key, value in {**dict(values), **more}.items()}
        flat = flat_json(merged)
        replaced = [key for key in list(self._stored) if key not in flat and _is_below(key, merged)]
        self._store(flat, replaced)
        self._stored.difference_update(replaced)
        self._stored.update(flat)
        for key, value in merged.items():
            self._assign(key, value)

    def setdefaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set those keys that are not there yet; the configuration as it is then."""
        self.update({key: value for key, value in values.items() if key not in self})
        return self.as_dict()

    def as_dict(self) -> dict[str, Any]:
        """The configuration as a dict of its own."""
        return dict(self._values)

    def _assign(self, key: str, value: Any) -> None:
        *parents, last = key.split("/")
        target = self._values
        for part in parents:
            inner = target.get(part)
            if not isinstance(inner, dict):
                target[key] = value
                return
            target, key = inner, key.partition("/")[2]
        for below in [one for one in target if one.startswith(f"{last}/")]:
            del target[below]
        target[last] = value


def _is_below(path: str, keys: Mapping[str, Any]) -> bool:
    """Whether a flat key belongs to the value of one of the keys."""
    return path in keys or any(path[:at] in keys for at, one in enumerate(path) if one == "/")


def flat_json(values: Mapping[Any, Any]) -> dict[str, str]:
    """Nested values under flat keys, as JSON texts."""
    return flat(values, config_json)
