"""Reads the files that describe a run: config.yaml and swanlab-metadata.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trackai.importers.yaml_values import load_yaml, plain
from trackai.values.secrets import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# SwanLab writes both infinities so. NaN is the text "NaN", as here.
_INFINITY = "Inf"
_FACTS = {
    "python": ("runtime", "python_version"),
    "executable": ("runtime", "python_executable"),
    "host": ("runtime", "hostname"),
    "os": ("runtime", "os"),
    "cpu_count": ("hardware", "cpu", "logical_count"),
    "command": ("runtime", "command"),
    "cwd": ("runtime", "cwd"),
    "git/commit": ("git", "commit"),
    "git/branch": ("git", "branch"),
    "git/remote": ("git", "remote_url"),
}


def read_config(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration, nested, and the keys with an infinity whose sign is not known.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a configuration.
    """
    items = load_yaml(path)
    if items is None:
        return {}, []
    if not isinstance(items, dict):
        raise ValueError("not a configuration")
    config: dict[str, Any] = {}
    unsigned = []
    for key, item in items.items():
        value = item.get("value") if isinstance(item, dict) else item
        # Only None is written as {} here; within a value it is null.
        config[str(key)] = None if value == {} else _signed(plain(value))
        if _contains(value, _INFINITY):
            unsigned.append(str(key))
    return config, unsigned


def read_facts(path: Path) -> dict[str, Any]:
    """Return facts about where the run ran, by the names of TrackAI.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON.
    """
    try:
        metadata = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    facts: dict[str, Any] = {}
    for name, keys in _FACTS.items():
        value = metadata
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            facts[name] = hide_secrets(value)
        elif type(value) is int:
            facts[name] = value
    names = list(_gpus(metadata))
    if names:
        facts |= {"gpu": ", ".join(dict.fromkeys(names)), "gpu_count": len(names)}
    return facts


def _gpus(metadata: Any) -> Iterator[str]:
    hardware = metadata.get("hardware") if isinstance(metadata, dict) else None
    accelerators = hardware.get("accelerators") if isinstance(hardware, dict) else None
    for accelerator in accelerators if isinstance(accelerators, list) else []:
        devices = accelerator.get("devices") if isinstance(accelerator, dict) else None
        for device in devices if isinstance(devices, list) else []:
            if isinstance(device, dict) and isinstance(device.get("name"), str):
                yield device["name"]


def _signed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _signed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_signed(item) for item in value]
    return "Infinity" if value == _INFINITY else value


def _contains(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_contains(item, text) for item in value.values())
    if isinstance(value, list):
        return any(_contains(item, text) for item in value)
    return bool(value == text)
