"""The configuration of a run as a live mapping, whose changes are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import config_json, type_name
from trackai.sdk.left_out import LeftOut  # noqa: TC001 - for get_type_hints
from trackai.sdk.structured_values import as_mapping, attributes, keyed_by_text
from trackai.values.names import path_problem
from trackai.values.text import without_surrogates

# Deeper mappings are stored as values.
_MAX_DEPTH = 32


class Config(MutableMapping[str, Any]):
    """The configuration of a run. Keys that are set are stored; they cannot be deleted.

    A nested value can be read as it was set, `config["opt"]["lr"]`, or by the flat key under
    which it is stored, `config["opt/lr"]`. Keys are attributes too: `config.lr`. Assigning to a key
    replaces the whole value, nested ones included. A change inside a nested value is not noticed:
    assign to its flat key, `config["opt/lr"] = 0.1`.

    Objects with fields, such as dataclasses, are nested values. Values that JSON cannot express are
    stored as text. A key that cannot be stored is left out with a warning.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        store: Callable[[dict[str, str], list[str]], None],
        left_out: LeftOut,
    ) -> None:
        """Make a configuration.

        Args:
            values: the values so far, nested; they are stored already.
            store: stores JSON by flat key, and removes other flat keys.
            left_out: takes the errors about what cannot be stored.
        """
        object.__setattr__(self, "_values", dict(values))
        object.__setattr__(self, "_stored", set(flat_json(values)))
        object.__setattr__(self, "_store", store)
        object.__setattr__(self, "_left_out", left_out)

    _values: dict[str, Any]
    _stored: set[str]
    _store: Callable[[dict[str, str], list[str]], None]
    _left_out: LeftOut

    def __getitem__(self, key: str) -> Any:
        if key in self._values:
            return self._values[key]
        value: Any = self._values
        for part in key.split("/"):
            value = as_mapping(value)
            if value is None or part not in value:
                raise KeyError(key)
            value = value[part]
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        raise TypeError("config: keys cannot be deleted; assign another value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        # copy and pickle look for methods before the attributes of a new instance are set.
        if name in Config.__annotations__ or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"config: key {name!r} not found") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __repr__(self) -> str:
        return f"Config({self._values!r})"

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return dict, (self.as_dict(),)  # a copy is a plain dict: setting a key there stores nothing

    def update(
        self, values: Any = (), /, allow_val_change: bool | None = None, **keys: Any
    ) -> None:
        """Set several keys at once.

        Args:
            values: a mapping, a list of pairs, or an object with attributes, such as the result
                of `argparse`.
            allow_val_change: accepted for scripts written for wandb, and ignored: values may
                always change.
            keys: further keys.

        Raises:
            NoActiveRunError: the run is finished.
        """
        merged: dict[str, Any] = {}
        with self._left_out.errors_of("config"):
            merged = _as_mapping(values)
        merged.update(keys)
        flat = flat_json(merged, self._left_out)
        replaced = [key for key in list(self._stored) if key not in flat and _is_below(key, merged)]
        self._store(flat, replaced)
        self._stored.difference_update(replaced)
        self._stored.update(flat)
        for key, value in merged.items():
            self._assign(key, value)

    def setdefaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set those keys that are not set yet.

        Returns:
            The whole configuration, as `as_dict`.
        """
        self.update({key: value for key, value in values.items() if key not in self})
        return self.as_dict()

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as a new dict."""
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
        for below in [sibling for sibling in target if sibling.startswith(f"{last}/")]:
            del target[below]
        target[last] = value


def fields_of(values: Any) -> Mapping[Any, Any]:
    """Return a mapping, or the attributes of an object.

    Raises:
        TypeError: the value is neither.
    """
    fields = attributes(values)
    if fields is None:
        what = "a class" if isinstance(values, type) else type_name(values)
        raise TypeError(f"config: must be a mapping or an object with attributes, got {what}")
    return fields


def _as_mapping(values: Any) -> dict[str, Any]:
    try:
        mapping = fields_of(values)
    except TypeError:
        if not isinstance(values, Iterable) or isinstance(values, str | bytes | type):
            raise
        try:
            mapping = dict(values)
        except (TypeError, ValueError) as error:
            raise InvalidInputError("config", f"must be a mapping or pairs: {error}") from None
    try:
        return dict(keyed_by_text(mapping))
    except Exception as error:  # of a mapping of the script
        problem = f"cannot be read: {type(error).__name__}: {error}"
        raise InvalidInputError("config", problem) from error


def _is_below(path: str, keys: Mapping[str, Any]) -> bool:
    """Whether a flat key is one of `keys`, or belongs to the nested value of one."""
    return path in keys or any(path[:at] in keys for at, char in enumerate(path) if char == "/")


def flat_json(values: Any, left_out: LeftOut | None = None) -> dict[str, str]:
    """Flatten nested values, and encode each as JSON.

    Args:
        left_out: takes the errors about keys that cannot be stored; None for no errors.
    """
    flattened: dict[str, str] = {}
    _flatten(dict(keyed_by_text(values)), "", flattened, (), left_out)
    return flattened


def _flatten(
    values: Mapping[str, Any],
    prefix: str,
    flattened: dict[str, str],
    parents: tuple[int, ...],
    left_out: LeftOut | None,
) -> None:
    for key, value in values.items():
        path = prefix + without_surrogates(key)
        mapping = _safe_mapping(value)
        is_nested = mapping and id(value) not in parents and len(parents) < _MAX_DEPTH
        if mapping and is_nested:
            _flatten(mapping, f"{path}/", flattened, (*parents, id(value)), left_out)
            continue
        problem = path_problem(path)
        if path in flattened:
            problem = "two values have this key"
        if problem is None:
            flattened[path] = config_json(value)
        elif left_out is not None:
            name = f"config key {path[:100]!r}"
            left_out.add(name, InvalidInputError(name, problem))


def _safe_mapping(value: Any) -> dict[str, Any] | None:
    try:
        mapping = as_mapping(value)
        return None if mapping is None else dict(keyed_by_text(mapping))
    except Exception:  # of a property or a mapping of the script; the repr is stored
        return None
