"""Reads the journals of Dalva: folders RUN-<id> with a manifest and events.

Checked with dalva 0.3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.importers.json_lines import decode

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"
EVENTS = "events"
_MAX_MANIFEST = 1 << 20


def recognises(path: Path) -> bool:
    """Whether a path is the folder of a run, or has such folders, or runs/ with them."""
    folders = [path, *path.glob("RUN-*"), *path.glob("runs/RUN-*")]
    return any(resource_type(read_manifest(folder)) == "run" for folder in folders)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder; None if there is none, or it is damaged or a link."""
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            manifest, _ = decode(file.read(_MAX_MANIFEST))
    except OSError:
        return None
    return manifest if isinstance(manifest, dict) else None


def resource_type(manifest: dict[str, Any] | None) -> str | None:
    """Return what a manifest of Dalva is of: "run" or "table"."""
    if manifest is None or "format_version" not in manifest:
        return None
    type_ = manifest.get("resource_type")
    return type_ if isinstance(type_, str) else None
