"""Converts the values and names in Comet's messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.importers.logged_numbers import stored_number

if TYPE_CHECKING:
    from trackai.values.types import Kind, Value

_TEXTS: dict[str, Value] = {
    "NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "True": True, "False": False,
}  # fmt: skip
# Comet gives these a step as well, which says nothing.
_WITHOUT_STEPS = ("source_code", "model-element", "notebook")
_EXTENSIONS = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp",
    b"<svg": ".svg", b"<?xm": ".svg", b"{": ".json", b"[": ".json",
}  # fmt: skip


def metric_value(value: Any) -> tuple[Kind, Value] | None:
    """Convert the value of a metric; None if it is not one."""
    if isinstance(value, str):
        return ("number", _TEXTS[value]) if value in _TEXTS else ("text", value)
    number = stored_number(value)
    return None if number is None else ("number", number)


def in_context(context: Any, name: Any) -> str:
    """Return the name of a metric or parameter as Comet shows it: train_loss."""
    return f"{context}_{name}" if isinstance(context, str) and context else str(name)


class Upload(NamedTuple):
    """Where a file is stored: as files of a series, with steps, or as one file."""

    path: str
    name: str
    has_steps: bool


def upload(payload: dict[str, Any], first_bytes: bytes) -> Upload:
    """Name the file of a `file_upload` message."""
    params = payload.get("additional_params")
    params = params if isinstance(params, dict) else {}
    kind = str(payload.get("upload_type"))
    path = str(params.get("figName") or params.get("fileName") or kind)
    if kind == "text-sample":
        path, extension = "text", ".txt"
    else:
        extension = _extension(params.get("extension"), first_bytes)
    if kind == "source_code":  # an absolute path of the machine
        path = f"code/{_base(path)}"
    elif kind == "model-element":
        path = f"models/{params.get('groupingName') or 'model'}/{path}"
    base = _base(path)
    name = base if "." in base or not extension else base + extension
    return Upload(path, name, kind not in _WITHOUT_STEPS)


def _base(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or "file"


def _extension(named: Any, first_bytes: bytes) -> str:
    if isinstance(named, str) and named.isalnum():
        return f".{named}"
    return next((ext for start, ext in _EXTENSIONS.items() if first_bytes.startswith(start)), "")
