"""trackai doctor"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click
import msgspec

from trackai.cli.output import human_bytes, json_option, print_json
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from trackai.store.engine.database import Database

_LITTLE_SPACE = 1_000_000_000


class Finding(msgspec.Struct):
    """Something that is not as it should be, and whether --fix mends it."""

    what: str
    fixable: bool = False


@click.command()
@click.option("--fix", is_flag=True, help="Store what was left behind, count figures anew.")
@db_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, fix: bool, db: str | None, as_json: bool) -> None:
    """Check the database: the file, journals left behind, figures against the rows, disk space.

    The exit code is 4 if something is wrong (still, with --fix).
    """

    async def work(database: Database) -> list[Finding]:
        if fix:
            await _mend(database)
        return await _examine(database)

    findings = with_store(db, work)
    if as_json:
        print_json(findings=findings)
    else:
        for finding in findings:
            click.echo(finding.what + (" (trackai doctor --fix)" if finding.fixable else ""))
        if not findings:
            click.echo("everything is as it should be")
    if findings:
        ctx.exit(4)


async def _examine(database: Database) -> list[Finding]:
    from trackai.ingest import recovery
    from trackai.store.upkeep import checks

    async with database.read() as conn:
        findings = [Finding(problem) for problem in await checks.integrity(conn)]
        findings += [
            Finding(f"the figures of the series {one} are not those of its rows", fixable=True)
            for one in await checks.wrong_figures(conn)
        ]
        if gone := await recovery.gone(conn, database.spool):
            findings.append(
                Finding(f"{len(gone)} journals are noted that were stored and removed", True)
            )
    left = sorted(database.spool.glob("*.journal"))
    if left:
        findings.append(
            Finding(f"{len(left)} journals wait in {database.spool}: of runs that are being logged,"
                    " or left behind", True)
        )  # fmt: skip
    damaged = sorted(database.spool.glob("*.damaged"))
    if damaged:
        findings.append(Finding(f"{len(damaged)} damaged journals are kept in {database.spool}"))
    free = shutil.disk_usage(database.path.parent).free
    if free < _LITTLE_SPACE:
        findings.append(Finding(f"only {human_bytes(free)} are free on the disk of the database"))
    return findings


async def _mend(database: Database) -> None:
    from trackai.ingest.recovery import forget_gone, recover
    from trackai.store.upkeep import checks

    await recover(database)
    await forget_gone(database)
    async with database.write() as conn:
        await checks.recount(conn, await checks.wrong_figures(conn))
