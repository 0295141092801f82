"""Configuration keys that a tracker sets, and not the script.

They are stored, searched and exported like all others, and left out where scripts expect what they
have set themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

# Of wandb, whose own configurations have this key for the same purpose.
OWN = "_wandb"
# The argument `job_type` of `init`; imports from wandb keep it here, too.
JOB_TYPE = f"{OWN}/job_type"


def is_own(key: str) -> bool:
    """Whether a flat key is one of a tracker."""
    return key == OWN or key.startswith(f"{OWN}/")


def without_own(flat: Mapping[str, T]) -> dict[str, T]:
    """The keys of a flat configuration that scripts set."""
    return {key: value for key, value in flat.items() if not is_own(key)}


def job_type(flat: Mapping[str, object]) -> str | None:
    """The job type in a flat configuration; None without one."""
    value = flat.get(JOB_TYPE)
    return None if value is None else str(value)
