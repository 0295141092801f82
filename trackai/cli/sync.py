"""trackai sync"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import click

from trackai.cli.output import echo, json_option, pluralize, print_json, print_table
from trackai.cli.progress import ProgressLine
from trackai.errors import ServerUnreachableError, TrackAIError
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.client.leftovers import Leftover

_NOT_SENT = 4


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be sent.")
@click.option("--to", metavar="URL", help="Send to this server instead of the original one.")
@json_option
@click.pass_context
def sync(ctx: click.Context, dry_run: bool, to: str | None, as_json: bool) -> None:
    """Send what waits on this machine for a server.

    Runs that are logged to a server are sent while they are logged. What a process could not send
    before it ended waits in the outbox (TRACKAI_OUTBOX_PATH) and is sent by this command, or by the
    next run that is logged to the same server from here. With TRACKAI_SERVER_URL, it sends what is
    for that server. The key is TRACKAI_API_KEY.

    The exit code is 4 if something could not be sent; it is kept.
    """
    from trackai.client import leftovers, outbox

    settings = Settings.from_env()
    found: list[Leftover] = []
    if settings.outbox.is_dir():
        for folder in sorted(path for path in settings.outbox.iterdir() if path.is_dir()):
            found += leftovers.find(folder)
    url = (settings.server_url or "").rstrip("/")
    for leftover in found:
        if leftover.journals[0].parent == outbox.folder_of(settings.outbox, url):
            leftover.server_url = leftover.server_url or url
    running = sum(leftover.is_running for leftover in found)
    waiting = [leftover for leftover in found if not leftover.is_running]
    sent = [_Sent(leftover, to) for leftover in waiting]
    if not dry_run:
        # The key is of one server, and no other may see it.
        servers = {each.url for each in sent}
        meant = to or url or (servers.pop() if len(servers) == 1 else None)
        for each in sent:
            if each.url is not None and each.url != meant:
                each.problem = (
                    f"it belongs to {each.url}: set TRACKAI_SERVER_URL to that address, and "
                    "TRACKAI_API_KEY to a key of it"
                )
        anyio.run(_send, [each for each in sent if each.problem is None], settings.api_key)
    for each in sent:
        if each.problem is not None:
            echo(f"could not send {each.name}: {each.problem}", err=True)
    if as_json:
        print_json(runs=[each.to_json() for each in sent], running=running)
    elif sent:
        print_table(
            ("project", "run", "server", "bytes", "points"),
            [
                (each.leftover.project, each.leftover.run, each.url, each.leftover.size,
                 each.points)
                for each in sent
            ],
        )  # fmt: skip
    if running:
        echo(
            f"{pluralize(running, 'run')} of running processes, which send what they log", err=True
        )
    if not (sent or running):
        echo("Nothing waits to be sent.", err=True)
    if any(each.problem is not None for each in sent):
        ctx.exit(_NOT_SENT)


class _Sent:
    """What is to be sent, and what became of it."""

    def __init__(self, leftover: Leftover, to: str | None) -> None:
        self.leftover = leftover
        self.url = to or leftover.server_url
        self.points: int | None = None
        self.problem: str | None = None

    @property
    def name(self) -> str:
        """The run, or else its journal."""
        return self.leftover.run or str(self.leftover.journals[0])

    def to_json(self) -> dict[str, Any]:
        """The line of `--json`."""
        return {
            "project": self.leftover.project,
            "run": self.leftover.run,
            "server_url": self.url,
            "journals": [str(path) for path in self.leftover.journals],
            "bytes": self.leftover.size,
            "points": self.points,
            "problem": self.problem,
        }


async def _send(items: list[_Sent], api_key: str | None) -> None:
    from trackai.client import leftovers
    from trackai.client.connection import Connection

    line, done = ProgressLine(), 0
    total = sum(item.leftover.size for item in items) or 1

    def advance(size: int) -> None:
        nonlocal done
        done = min(done + size, total - 1)
        line.share(done, total, "bytes")

    connections: dict[str, Connection] = {}
    unreachable: dict[str, str] = {}
    for item in items:
        if item.url is None:
            item.problem = "nothing says to which server it belongs: use --to"
            continue
        try:
            connection = connections.get(item.url)
            if connection is None:
                connection = connections[item.url] = Connection(item.url, api_key)
            item.problem = unreachable.get(item.url)
            if item.problem is None:
                item.points = await leftovers.send(connection, item.leftover, advance)
        except (TrackAIError, OSError) as error:
            item.problem = str(error)
            if isinstance(error, ServerUnreachableError):
                unreachable[item.url] = item.problem
    line.share(total, total, "bytes")
