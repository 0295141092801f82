"""trackai doctor"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click
import msgspec

from trackai.cli.database import file_option, with_file
from trackai.cli.output import echo, human_bytes, json_option, pluralize, print_json

if TYPE_CHECKING:
    from trackai.store.engine.database import Database

# Less free space than this is a problem.
_MIN_FREE_BYTES = 1_000_000_000
_PROBLEMS_FOUND = 4


class Finding(msgspec.Struct):
    """A problem, and whether --fix can repair it."""

    what: str
    fixable: bool = False


@click.command()
@click.option(
    "--fix",
    is_flag=True,
    help="Recover journals, recompute wrong metric summaries, and delete what nothing uses.",
)
@file_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, fix: bool, db: str | None, as_json: bool) -> None:
    """Check the database for problems.

    Checks the integrity of the file, unstored journals, metric summaries, large values, data of
    deleted runs, and free disk space. The exit code is 4 if there are problems, with --fix if any
    remain.
    """

    async def work(database: Database) -> list[Finding]:
        if fix:
            await _repair(database)
        return await _check(database)

    from trackai.settings import Settings
    from trackai.store.engine import write_ahead_log

    database_path = Settings.from_env(db).db_path
    findings = with_file(db, work)
    if as_json:
        print_json(findings=findings)
    else:
        for finding in findings:
            echo(finding.what + (" (fix: trackai doctor --fix)" if finding.fixable else ""))
        if not findings:
            echo("No problems found.")
        for log in write_ahead_log.orphaned(database_path):
            echo(
                f"note: {log} is the write-ahead log of a database file that was replaced; delete "
                "it if you do not need that file",
                err=True,
            )
    if findings:
        ctx.exit(_PROBLEMS_FOUND)


async def _check(database: Database) -> list[Finding]:
    from trackai.ingest import recovery
    from trackai.store.upkeep import checks

    async with database.read() as conn:
        findings = [Finding(problem) for problem in await checks.integrity(conn)]
        findings += [
            Finding(f"the summary figures of series {series_id} do not match its rows", True)
            for series_id in await checks.wrong_figures(conn)
        ]
        if lost := await checks.missing_large_values(conn):
            findings.append(Finding(f"the large values of {pluralize(lost, 'point')} are missing"))
        if unused := await checks.unused_large_values(conn):
            values = pluralize(unused, "large value")
            findings.append(Finding(f"{values} without a point take up space", True))
        if missing := await recovery.missing_journals(conn, database.spool):
            journals = pluralize(len(missing), "journal")
            findings.append(Finding(f"{journals} listed in the database but already removed", True))
    if paths := list(database.spool.glob("*.journal")):
        journals = pluralize(len(paths), "journal")
        findings.append(
            Finding(f"{journals} not stored yet in {database.spool}: of active runs or crashed "
                    "processes", True)
        )  # fmt: skip
    if paths := list(database.spool.glob("*.damaged")):
        findings.append(Finding(f"{pluralize(len(paths), 'damaged journal')} in {database.spool}"))
    findings += await _remains_of_deletions(database)
    free = shutil.disk_usage(database.path.parent).free
    if free < _MIN_FREE_BYTES:
        findings.append(Finding(f"only {human_bytes(free)} free on the disk of the database"))
    return findings


async def _remains_of_deletions(database: Database) -> list[Finding]:
    from trackai.importers import leftovers
    from trackai.store.catalogue import files
    from trackai.store.upkeep import garbage

    findings = []
    async with database.read() as conn:
        series, free = await garbage.pending_series(conn), await garbage.free_bytes(conn)
    if series:
        metrics = pluralize(series, "metric")
        findings.append(
            Finding(f"points of {metrics} of deleted runs are not deleted yet: a deletion is in "
                    "progress, or was interrupted", True)
        )  # fmt: skip
    elif free:
        findings.append(Finding(f"{human_bytes(free)} of the file are free space", True))
    if unused := await leftovers.find(database):
        size = human_bytes(sum(blob.size for blob in unused))
        findings.append(
            Finding(f"{pluralize(len(unused), 'file')} in {files.folder(database.path)} belong to "
                    f"no run: {size}", True)
        )  # fmt: skip
    return findings


async def _repair(database: Database) -> None:
    from trackai.importers import leftovers
    from trackai.ingest.recovery import forget_missing_journals, recover
    from trackai.store.upkeep import checks, garbage

    await recover(database)
    await garbage.collect(database)
    await leftovers.remove(database)
    await forget_missing_journals(database)
    async with database.write() as conn:
        await checks.recount(conn, await checks.wrong_figures(conn))
        await checks.delete_unused_large_values(conn)
