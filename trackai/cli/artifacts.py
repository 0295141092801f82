"""trackai artifacts"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, open_source, url_option
from trackai.cli.output import echo, human_bytes, json_option, pluralize, print_json, print_table
from trackai.errors import ProjectNotFoundError
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.reading.source import Source

_LIST = "list"


class _Commands(click.Group):
    """Subcommands; without one, `list` is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_LIST, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Commands)
def artifacts() -> None:
    """List artifacts and their versions, and download them.

    `trackai artifacts PROJECT` is short for `trackai artifacts list PROJECT`.
    """


@artifacts.command(_LIST)
@click.argument("project", required=False)
@click.option("--type", "type_", help="Only artifacts of this type.")
@click.option("--name", help="Only artifacts of this name.")
@url_option
@db_option
@json_option
def list_(
    project: str | None,
    type_: str | None,
    name: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """List the versions of artifacts, newest first.

    Lists those of PROJECT, or of all projects.
    """
    source = _source(db, url)
    project_id = None if project is None else _project_id(source, project)
    versions = source.artifacts(project_id, type_=type_, name=name)
    if as_json:
        print_json(artifacts=versions)
        return
    print_table(
        ("project", "artifact", "type", "version", "aliases", "files", "bytes", "created"),
        [
            (version.project, version.name, version.type or None, f"v{version.version}",
             version.aliases, version.files, version.size, version.created_at)
            for version in versions
        ],
    )  # fmt: skip


@artifacts.command()
@click.argument("artifact")
@click.option("--out", "-o", type=click.Path(file_okay=False),
              help="Folder to write to.  [default: artifacts/NAME-VERSION]")  # fmt: skip
@click.option("--type", "type_", help="Only an artifact of this type.")
@url_option
@db_option
@json_option
def download(
    artifact: str, out: str | None, type_: str | None, url: str | None, db: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the files of a version to a folder.

    ARTIFACT is NAME:ALIAS, NAME:VERSION or NAME, also with PROJECT/ before it. Every file is
    checked. Files that are there and equal are not written again.
    """
    from trackai.reading.artifacts import StoredArtifact

    source = _source(db, url)
    stored = StoredArtifact(source, source.artifact(artifact, None, type_))
    folder = stored.download(out)
    if as_json:
        print_json(
            artifact=stored.qualified_name,
            version=stored.version,
            folder=os.path.abspath(folder),  # noqa: PTH100
            files=stored.file_count,
            bytes=stored.size,
        )
        return
    size = human_bytes(stored.size or 0)
    echo(f"{folder}: {stored.qualified_name}, {pluralize(stored.file_count, 'file')}, {size}")


def _source(db: str | None, url: str | None) -> Source:
    from trackai.reading.local_source import LocalSource

    source = open_source(db, url)
    if isinstance(source, LocalSource):
        return LocalSource(Settings.from_env(database=db).database, create=False)
    return source


def _project_id(source: Source, name: str) -> int:
    existing = source.projects()
    for project in sorted(existing, key=lambda project: project.name != name):
        if name in (project.name, project.project_id):
            return project.id
    raise ProjectNotFoundError(f"project {name!r} not found: see trackai projects")
