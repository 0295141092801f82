"""The `trackai` command.

It must start quickly: a command's module is imported when it is called, and what the command
needs beyond click is imported inside it.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import click

from trackai import __version__
from trackai.cli.completing import complete_parameters
from trackai.errors import InvalidInputError, NotFoundError, TrackAIError

# The module of each command; the function in it has the command's name.
_COMMANDS = {
    "serve": "serve",
    "projects": "lists",
    "runs": "lists",
    "show": "show",
    "compare": "compare",
    "plot": "plot",
    "tag": "change",
    "rename": "change",
    "move": "change",
    "delete": "change",
    "sql": "sql",
    "config": "config",
    "log": "log",
    "tail": "tail",
    "wait": "wait",
    "recover": "recover",
    "export": "export",
    "import": "imports",
    "merge": "imports",
    "backup": "backup",
    "doctor": "doctor",
    "demo": "demo",
    "completion": "completion",
}
NAME = "trackai"
# What people look for who come from other trackers, and where it is.
_ELSEWHERE = {
    "list": "trackai projects and trackai runs",
    "get": "trackai show RUN, trackai export RUN and trackai sql",
    "query": "trackai sql",
    "status": "trackai projects",
    "dashboard": "trackai serve",
    "ui": "trackai serve",
    "init": "trackai log",
}


class _Commands(click.Group):
    """Commands by name, each from a module that is imported only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"trackai.cli.{_COMMANDS[cmd_name]}")
        command = getattr(module, f"{cmd_name}_", None) or getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
        complete_parameters(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            close = ", ".join(get_close_matches(name, _COMMANDS))
            there = _ELSEWHERE.get(name) or (close and f"did you mean {close}?")
            raise click.UsageError(f"there is no command {name!r}: {there}".rstrip(": "), ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trackai")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A local-first experiment tracker."""
    from trackai.settings import colors_are_unwanted

    if colors_are_unwanted():
        ctx.color = False


def _exit_code(error: TrackAIError) -> int:
    if isinstance(error, NotFoundError):
        return 3
    return 2 if isinstance(error, InvalidInputError) else 1


def _one_line(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text += f" (see {error.ctx.command_path} --help)"
    return text


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a mistake is one line on stderr, not a traceback.

    Exit codes: 0 done, 1 failed, 2 a mistake in the call, 3 not found, 4 a condition is not met.
    """
    if sys.stdout is None:  # it is closed: `trackai runs >&-`
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until this process ends
    try:
        result = cli.main(arguments, prog_name=NAME, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"trackai: {_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except TrackAIError as error:
        click.echo(f"trackai: {error}", err=True)
        sys.exit(_exit_code(error))
    except OSError as error:  # a folder that is not there, a disk that is full
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"trackai: {where}{error.strerror or error}", err=True)
        sys.exit(1)
    # Outside of click's standalone mode, ctx.exit(4) is the result 4.
    sys.exit(result if isinstance(result, int) else 0)
