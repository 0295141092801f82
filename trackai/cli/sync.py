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
    from collections.abc import Sequence
    from pathlib import Path

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
    settings = Settings.from_env()
    url = (settings.server_url or "").rstrip("/")
    leftovers = _read_outbox(settings.outbox, url)
    running = sum(leftover.is_running for leftover in leftovers)
    deliveries = [_Delivery(leftover, to) for leftover in leftovers if not leftover.is_running]
    if not dry_run:
        _refuse_other_servers(deliveries, to or url)
        sendable = [delivery for delivery in deliveries if delivery.problem is None]
        anyio.run(_send, sendable, settings.api_key)
    _report(deliveries, running, as_json=as_json)
    if any(delivery.problem is not None for delivery in deliveries):
        ctx.exit(_NOT_SENT)


def _read_outbox(outbox_path: Path, server_url: str) -> list[Leftover]:
    """What processes have left in the outbox, for any server.

    Args:
        server_url: the server of what is in its folder and does not name a server.
    """
    from trackai.client import leftovers, outbox

    read: list[Leftover] = []
    if outbox_path.is_dir():
        for folder in sorted(path for path in outbox_path.iterdir() if path.is_dir()):
            read += leftovers.find(folder)
    for leftover in read:
        if leftover.journals[0].parent == outbox.folder_of(outbox_path, server_url):
            leftover.server_url = leftover.server_url or server_url
    return read


def _refuse_other_servers(deliveries: Sequence[_Delivery], server_url: str) -> None:
    """Set the problem of what is not for this server: the key is of one, no other may see it.

    Args:
        server_url: "" for the server of all deliveries, if it is the same.
    """
    servers = {delivery.url for delivery in deliveries}
    keyed = server_url or (servers.pop() if len(servers) == 1 else None)
    for delivery in deliveries:
        if delivery.url is not None and delivery.url != keyed:
            delivery.problem = (
                f"it belongs to {delivery.url}: set TRACKAI_SERVER_URL to that address, and "
                "TRACKAI_API_KEY to a key of it"
            )


def _report(deliveries: Sequence[_Delivery], running: int, *, as_json: bool) -> None:
    for delivery in deliveries:
        if delivery.problem is not None:
            echo(f"could not send {delivery.name}: {delivery.problem}", err=True)
    if as_json:
        print_json(runs=[delivery.to_json() for delivery in deliveries], running=running)
    elif deliveries:
        print_table(
            ("project", "run", "server", "bytes", "points"),
            [
                (delivery.leftover.project, delivery.leftover.run, delivery.url,
                 delivery.leftover.size, delivery.points)
                for delivery in deliveries
            ],
        )  # fmt: skip
    if running:
        echo(
            f"{pluralize(running, 'run')} of running processes, which send what they log", err=True
        )
    if not (deliveries or running):
        echo("Nothing waits to be sent.", err=True)


class _Delivery:
    """What is to be sent to a server, and the result."""

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


async def _send(deliveries: Sequence[_Delivery], api_key: str | None) -> None:
    from trackai.client import leftovers
    from trackai.client.connection import Connection

    line, done = ProgressLine(), 0
    total = sum(delivery.leftover.size for delivery in deliveries) or 1

    def advance(size: int) -> None:
        nonlocal done
        done = min(done + size, total - 1)
        line.share(done, total, "bytes")

    connections: dict[str, Connection] = {}
    unreachable: dict[str, str] = {}
    for delivery in deliveries:
        if delivery.url is None:
            delivery.problem = "nothing says to which server it belongs: use --to"
            continue
        try:
            connection = connections.get(delivery.url)
            if connection is None:
                connection = connections[delivery.url] = Connection(delivery.url, api_key)
            delivery.problem = unreachable.get(delivery.url)
            if delivery.problem is None:
                delivery.points = await leftovers.send(connection, delivery.leftover, advance)
        except (TrackAIError, OSError) as error:
            delivery.problem = str(error)
            if isinstance(error, ServerUnreachableError):
                unreachable[delivery.url] = delivery.problem
    line.share(total, total, "bytes")
