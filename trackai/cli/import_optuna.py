"""trackai import optuna"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.imports import SOURCE_PATH, tracker_command
from trackai.importers.optuna.url import DatabaseUrl, parse

if TYPE_CHECKING:
    from pathlib import Path


class _PathOrUrl(click.ParamType[Any]):
    name = "path"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | DatabaseUrl:
        place = parse(value)
        if isinstance(place, DatabaseUrl):
            return place
        path: Path = SOURCE_PATH.convert(place, param, ctx)
        return path


optuna = tracker_command(
    "optuna",
    """Import the studies of an Optuna storage.

    PATH is the file of a SQLite database or of a journal, or the URL of a database, such as
    postgresql://user@host/name, which needs the extra optuna. Importing again adds what is new.
    The exit code is 4 if something could not be stored; the printed receipt lists it.
    """,
    path_type=_PathOrUrl(),
)
