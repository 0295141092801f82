"""Functions of `wandb.util` and `wandb.sdk.lib.runid` that integrations call."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

from trackai.sdk.builtin_values import config_json

__all__ = ["generate_fast_id", "generate_id", "json_dumps_safer", "make_artifact_name_safe"]

_ID_CHARACTERS = string.ascii_lowercase + string.digits


def generate_id(length: int = 8) -> str:
    """Make a random id of lower-case letters and digits."""
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(length))


generate_fast_id = generate_id


def make_artifact_name_safe(name: str) -> str:
    """Replace what must not be in the name of an artifact by "_"."""
    return re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)[:128]


def json_dumps_safer(obj: Any, **ignored: Any) -> str:
    """Encode a value as JSON, as a configuration stores it."""
    return config_json(obj)
