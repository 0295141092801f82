"""/api/runs/bulk: one change for all runs that match a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from trackai.api.requests import (
    Cursor,
    Name,
    RowIds,
    Selection,
    Tags,
    check_chosen,
    check_names,
    check_project,
    check_room,
    chosen_where,
    database,
    parse_body,
)
from trackai.api.responses import JSONResponse
from trackai.store.upkeep import bulk_changes
from trackai.values.types import KeepVerb

if TYPE_CHECKING:
    from starlette.requests import Request


class TagAction(msgspec.Struct, tag="tag", tag_field="type", forbid_unknown_fields=True):
    """Add and remove tags."""

    add: Tags = []
    remove: Annotated[list[str], msgspec.Meta(max_length=100)] = []

    def __post_init__(self) -> None:
        check_names(self, identifiers=("add",))

    def change(self) -> bulk_changes.Change:
        """What to do with each run."""
        return bulk_changes.Tagging(self.add, self.remove)


class MoveAction(msgspec.Struct, tag="move", tag_field="type", forbid_unknown_fields=True):
    """Move to the project with this name or slug, which is created if it does not exist."""

    project: Name

    def __post_init__(self) -> None:
        check_names(self, of=("project",))

    def change(self) -> bulk_changes.Change:
        """What to do with each run."""
        return bulk_changes.Moving(self.project)


class KeepAction(msgspec.Struct, forbid_unknown_fields=True):
    """Move to the archive or the trash, or take out of it."""

    how: ClassVar[KeepVerb]

    def change(self) -> bulk_changes.Change:
        """What to do with each run."""
        return bulk_changes.KEEPING[self.how]


class ArchiveAction(KeepAction, tag="archive", tag_field="type"):
    """Move to the archive."""

    how = "archive"


class UnarchiveAction(KeepAction, tag="unarchive", tag_field="type"):
    """Take out of the archive."""

    how = "unarchive"


class TrashAction(KeepAction, tag="trash", tag_field="type"):
    """Move to the trash."""

    how = "trash"


class RestoreAction(KeepAction, tag="restore", tag_field="type"):
    """Take out of the trash."""

    how = "restore"


class DeleteAction(msgspec.Struct, tag="delete", tag_field="type", forbid_unknown_fields=True):
    """Delete with all data."""

    def change(self) -> bulk_changes.Deleting:
        """What to do with each run."""
        return bulk_changes.Deleting()


class BulkChange(msgspec.Struct, forbid_unknown_fields=True):
    """A change of the runs of a selection, or of some ids.

    `cursor` is that of the previous response.
    """

    action: (
        TagAction
        | MoveAction
        | DeleteAction
        | ArchiveAction
        | UnarchiveAction
        | TrashAction
        | RestoreAction
    )
    run_ids: RowIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None
    cursor: Cursor = 0

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


async def change_matching(request: Request) -> JSONResponse:
    """Change the runs that match a filter or delete them; repeat it with the cursor it returns."""
    body = await parse_body(request, BulkChange)
    where = chosen_where(body.run_ids, body.select)
    db = database(request)
    if not isinstance(body.action, DeleteAction):
        await check_room(request)
    async with db.read() as conn:
        await check_project(conn, body.select)
    progress = await bulk_changes.change(db, where, body.action.change(), after=body.cursor)
    return JSONResponse(progress)
