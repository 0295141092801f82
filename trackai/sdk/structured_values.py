"""The fields of objects that scripts use as configurations, and the items of their lists."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any


def is_instance(value: Any, module: str, *names: str) -> bool:
    """Whether a value is of one of these classes of a module, which is not imported."""
    imported = sys.modules.get(module)
    if imported is None:
        return False
    for name in names:
        kind = getattr(imported, name, None)
        if isinstance(kind, type) and isinstance(value, kind):
            return True
    return False


def as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """Return a mapping, or an object with fields as a mapping; None for other values.

    Objects with fields are dataclasses, named tuples, namespaces, and objects of attrs, pydantic,
    msgspec, OmegaConf and ml_collections.
    """
    if is_instance(value, "omegaconf", "DictConfig"):
        return dict(_resolved(value, list(value.keys())))
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    if isinstance(value, type):
        return None
    if (names := _field_names(kind)) is not None:
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    if is_instance(value, "pydantic", "BaseModel") or is_instance(
        value, "pydantic.v1", "BaseModel"
    ):
        return dict(iter(value))
    if is_instance(value, "argparse", "Namespace") or is_instance(
        value, "types", "SimpleNamespace"
    ):
        return dict(vars(value))
    if is_instance(value, "ml_collections", "ConfigDict"):
        return dict(_readable(value))
    if is_instance(value, "absl.flags", "FlagValues"):
        flags: dict[str, Any] = value.flag_values_dict()
        return flags
    return None


def attributes(value: Any) -> Mapping[Any, Any] | None:
    """Like `as_mapping`, and the attributes of any other object; None if it has none."""
    mapping = as_mapping(value)
    if mapping is not None or isinstance(value, type):
        return mapping
    slots = [
        name
        for kind in type(value).__mro__
        for name in _slots(kind)
        if name not in ("__dict__", "__weakref__") and hasattr(value, name)
    ]
    if not slots and not hasattr(value, "__dict__"):
        return None
    return {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}


def keyed_by_text(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Iterate over a mapping by the text of each key; of equal texts, the later get quotes."""
    taken = set()
    for key, value in mapping.items():
        plain = key.value if isinstance(key, Enum) else key
        text = str.__str__(plain) if isinstance(plain, str) else str(plain)
        while text in taken:
            text = repr(text)
        taken.add(text)
        yield text, value


def list_items(value: Collection[Any]) -> Iterable[Any]:
    """Return the items of a list, also of one of OmegaConf with items that are missing."""
    if is_instance(value, "omegaconf", "ListConfig"):
        return [item for _, item in _resolved(value, range(len(value)))]
    return value


def _field_names(kind: type) -> Iterable[str] | None:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [attribute.name for attribute in kind.__attrs_attrs__]
    names: Iterable[str] | None = getattr(kind, "__struct_fields__", None)
    if names is None and issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
    return names


def _slots(kind: type) -> Iterable[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def _resolved(config: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Resolve a container of OmegaConf; what cannot be resolved is as it was written."""
    for key in keys:
        try:
            yield key, config[key]
        except Exception:
            container = sys.modules["omegaconf"].OmegaConf.to_container
            yield key, container(config, resolve=False)[key]


def _readable(config: Any) -> Iterator[tuple[Any, Any]]:
    """Read a ConfigDict; a placeholder without its required value is None."""
    for key in config.keys():  # noqa: SIM118 - it iterates over something else in old versions
        try:
            yield key, config[key]
        except Exception:
            yield key, None
