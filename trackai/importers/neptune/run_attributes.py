"""Converts the attributes under `sys/` to the columns of a run in the store."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackai.importers.neptune.layout import Kind
    from trackai.values.types import State, Step

# Any fixed UUID would do. Changing it would import every run a second time.
_NAMESPACE = uuid.UUID("5a4b2c6e-3f0d-4d39-9f57-9f6a1c0e7d11")

# Models and their versions become runs in these groups.
GROUPS: dict[Kind, str] = {"model": "models", "model_version": "model versions"}


class RunAttributes(msgspec.Struct, frozen=True):
    """The attributes of a run under `sys/`; None where one is missing.

    Times are microseconds since the epoch.
    """

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
    """Return the uid of a run.

    It depends only on Neptune's ids, so a fork can refer to a parent that is not yet imported.
    """
    return uuid.uuid5(_NAMESPACE, "\0".join((kind, project, run))).hex


def parse(project: str, kind: Kind, params: Mapping[str, tuple[str, str | None]]) -> RunAttributes:
    """Read the attributes of a run from its parameters.

    Args:
        params: the JSON and the type of each parameter, by path.
    """

    def get(path: str, *types: type) -> Any:
        if path not in params:
            return None
        value = msgspec.json.decode(params[path][0])
        return value if isinstance(value, types) else None

    parent = get("sys/forking/parent", str)
    step = get("sys/forking/step", int, float)
    groups = [tag for tag in get("sys/group_tags", list) or [] if tag]
    return RunAttributes(
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
    attributes: RunAttributes, *, complete: bool, times: tuple[int, int] | None, now: int
) -> dict[str, Any]:
    """Return the values of the run's columns in the store.

    Args:
        complete: whether all parts of the run are stored; if not, its state is "failed".
        times: the times of the first and the last point, if it has points; they replace missing
            attributes.
        now: the time for a run without attributes and points.
    """
    first, last = times or (now, now)
    created = first if attributes.created_at is None else attributes.created_at
    updated = max(created, last if attributes.updated_at is None else attributes.updated_at)
    state: State = "completed" if complete and not attributes.failed else "failed"
    return {
        "name": attributes.name,
        "group_name": attributes.group_name,
        "state": state,
        "created_at": created,
        "updated_at": updated,
        "finished_at": updated,
        "fork_uid": attributes.fork_uid,
        "fork_step": attributes.fork_step,
        "notes": attributes.notes,
    }


def _microseconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:  # a year beyond 9999; the configuration keeps the text
        return None
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
