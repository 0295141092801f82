"""trackai merge"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackai.cli.database import Place, place_option
from trackai.cli.imports import run_import
from trackai.cli.output import json_option
from trackai.cli.progress import ProgressLine
from trackai.settings import DatabaseUrl, is_database_url

if TYPE_CHECKING:
    from trackai.client.connection import Connection
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store


class _Other(click.Path):
    """A path, or the address of a database on PostgreSQL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if is_database_url(value):
            return DatabaseUrl(value)
        return super().convert(value, param, ctx)


@click.command()
@click.argument("other", type=_Other(exists=True, dir_okay=False, path_type=Path))
@place_option
@json_option
@click.pass_context
def merge(ctx: click.Context, other: Path | DatabaseUrl, place: Place, as_json: bool) -> None:
    """Add the runs and views of another TrackAI database, to a database or a server.

    OTHER is its file, or postgresql://USER@HOST/NAME. Runs that are already stored are not
    changed, so merging again changes nothing. Files of runs are copied too. Views of the dashboard
    are copied to a database, not to a server. The exit code is 4 if something of OTHER could not be
    stored.
    """
    from trackai.importers.merge import merge as merge_into

    async def work(target: Store | Connection, receipt: Receipt) -> Receipt:
        return await merge_into(target, other, receipt, ProgressLine())

    run_import(ctx, place, str(other), work, as_json)
