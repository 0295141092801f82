"""What the attributes under `sys/` say about a run, as columns of the store's table of runs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackai.importers.neptune.layout import Kind
    from trackai.values.types import State, Step

# Any fixed UUID would do: it makes that of a run depend on nothing but what it is.
_NAMESPACE = uuid.UUID("5a4b2c6e-3f0d-4d39-9f57-9f6a1c0e7d11")

# Models and their versions are runs in groups of these names.
GROUPS: dict[Kind, str] = {"model": "models", "model_version": "model versions"}


class About(msgspec.Struct, frozen=True):
    """What a run's attributes say about it; None where they say nothing."""

    name: str | None
    group_name: str | None
    created_at: int | None
    updated_at: int | None
    failed: bool
    fork_uid: str | None
    fork_step: Step | None
    notes: str | None
    tags: list[str]
    host: str | None


def run_uid(project: str, run: str, kind: Kind = "run") -> str:
    """The identity of a run: a fork knows its parent's before the parent has been imported."""
    return uuid.uuid5(_NAMESPACE, "\0".join((kind, project, run))).hex


def about(project: str, kind: Kind, params: Mapping[str, tuple[str, str | None]]) -> About:
    """Read what the parameters (JSON and type) of a run say about it."""

    def get(path: str, *types: type) -> Any:
        if path not in params:
            return None
        value = msgspec.json.decode(params[path][0])
        return value if isinstance(value, types) else None

    parent = get("sys/forking/parent", str)
    step = get("sys/forking/step", int, float)
    groups = [tag for tag in get("sys/group_tags", list) or [] if tag]
    return About(
        name=get("sys/name", str),
        group_name=GROUPS.get(kind) or next(iter(groups), None),
        created_at=_microseconds(get("sys/creation_time", str)),
        updated_at=_microseconds(get("sys/modification_time", str)),
        failed=get("sys/failed", bool) or False,
        fork_uid=run_uid(project, parent) if parent else None,
        fork_step=int(step) if isinstance(step, float) and step.is_integer() else step,
        notes=get("sys/description", str) or None,
        tags=get("sys/tags", list) or [],
        host=get("sys/hostname", str),
    )


def columns(
    about: About, *, whole: bool, times: tuple[int, int] | None, now: int
) -> dict[str, Any]:
    """The columns of the run in the store.

    Args:
        whole: whether all its parts are stored; without one of them it must not look complete.
        times: of its first and last point, for what the attributes do not say.
        now: for a run that has neither.
    """
    first, last = times or (now, now)
    created = first if about.created_at is None else about.created_at
    updated = max(created, last if about.updated_at is None else about.updated_at)
    state: State = "completed" if whole and not about.failed else "failed"
    return {
        "name": about.name,
        "group_name": about.group_name,
        "state": state,
        "created_at": created,
        "updated_at": updated,
        "finished_at": updated,
        "fork_uid": about.fork_uid,
        "fork_step": about.fork_step,
        "notes": about.notes,
    }


def _microseconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:  # a year that Python does not know; the configuration still has it
        return None
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


_MICROSECOND = datetime.resolution
