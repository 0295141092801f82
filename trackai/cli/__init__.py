"""The command `trackai`.

It must start quickly: the module of a command is imported when the command is called, and what it
needs besides click is imported in the function.
"""

from __future__ import annotations

import os
import re
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import click

from trackai import __version__, standard_streams
from trackai.cli.completers import add_completers
from trackai.cli.encoding import prepare_stdout
from trackai.errors import InvalidInputError, NotFoundError, TrackAIError

# The module of each command, whose function has its name, and what it does: the beginning of its
# help, so that `trackai --help` need not import them all. In the order of that help.
_COMMANDS = {
    "serve": ("serve", "Serve the dashboard and API; --open shows it in a browser."),
    "keys": ("keys", "Create, list and revoke the keys of a server."),
    "projects": ("projects", "List projects, newest first."),
    "runs": ("runs", "List runs, newest first."),
    "show": ("show", "Show the configuration, metrics and environment of a run."),
    "compare": ("compare", "Compare the configuration and last metric values of runs."),
    "importance": ("importance", "Show which parameters matter for a metric."),
    "plot": ("plot", "Plot a metric of one or more runs."),
    "artifacts": ("artifacts", "List artifacts and their versions, and download them."),
    "alerts": ("alerts", "List alerts, latest first."),
    "tag": ("edit", "Add tags to a run, and print all its tags."),
    "rename": ("edit", "Rename a run; its slug does not change."),
    "move": ("edit", "Move a run to another project."),
    "archive": ("keep", "Archive runs: lists, tables, charts and counts leave them out."),
    "unarchive": ("keep", "Take runs out of the archive."),
    "trash": ("keep", "Move runs to the trash."),
    "restore": ("keep", "Take runs out of the trash."),
    "delete": ("delete", "Delete runs and all their data."),
    "sql": ("sql", "Run a read-only SQL query."),
    "mcp": ("mcp", "Serve runs to agents, over the Model Context Protocol."),
    "config": ("config", "Show the database path and settings."),
    "run": ("run", "Run a program that logs to another tracker, and store what it logs."),
    "log": ("log", "Log values to a run from a shell script."),
    "tail": ("tail", "Follow the values that are logged to a run until it ends."),
    "wait": ("wait", "Wait until a run ends or meets a condition."),
    "recover": ("recover", "Store the journals of crashed processes."),
    "sync": ("sync", "Send what waits on this machine for a server."),
    "export": ("export", "Export runs in full precision."),
    "import": ("imports", "Import runs from files and other trackers."),
    "merge": ("merge", "Add the runs and views of another TrackAI database."),
    "backup": ("backup", "Copy the database to a new file."),
    "doctor": ("doctor", "Check the database for problems."),
    "demo": ("demo", "Create example runs to explore."),
    "completion": ("completion", "Print the shell completion script."),
}
NAME = "trackai"
# Commands of other trackers, and what to use instead.
_ALTERNATIVES = {
    "list": "trackai projects and trackai runs",
    "get": "trackai show RUN, trackai export RUN and trackai sql",
    "query": "trackai sql",
    "status": "trackai projects",
    "dashboard": "trackai serve",
    "ui": "trackai serve",
    "init": "trackai log",
}


class _Commands(click.Group):
    """Commands by name, whose modules are imported when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"trackai.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_", None) or getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
        add_completers(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            message = f"unknown command {name!r}"
            if name in _ALTERNATIVES:
                message += f"; use {_ALTERNATIVES[name]}"
            elif close := get_close_matches(name, _COMMANDS):
                message += f"; did you mean {' or '.join(close)}?"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trackai")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Track machine learning experiments in a local database.

    Get help on a command with: trackai COMMAND --help
    """
    from trackai.settings import colors_are_unwanted

    if colors_are_unwanted():
        ctx.color = False


def _exit_code(error: TrackAIError) -> int:
    if isinstance(error, NotFoundError):
        return 3
    return 2 if isinstance(error, InvalidInputError) else 1


def _one_line(error: click.ClickException) -> str:
    text = _problem_with_number(error) or " ".join(error.format_message().split())
    if (
        isinstance(error, click.NoSuchOption)
        and error.option_name in {"--url", "--server-url"}
        and error.ctx is not None
    ):
        text = f"{error.ctx.info_name} works on a database file, not on a server: pass --db"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text += f" (see {error.ctx.command_path} --help)"
    return text


def _problem_with_number(error: click.ClickException) -> str | None:
    """The error for an option that is not a number in its range; click's words are unclear."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return None
    type_ = error.param.type
    value = re.match("(.*?) is not (?:a valid|in the range)", error.message, flags=re.DOTALL)
    if value is None or not isinstance(type_, click.IntRange | click.FloatRange):
        return None
    noun = "an integer" if isinstance(type_, click.IntRange) else "a number"
    bounds = [
        f"{word} {bound}"
        for word, bound in (
            ("above" if type_.min_open else "at least", type_.min),
            ("below" if type_.max_open else "at most", type_.max),
        )
        if bound is not None
    ]
    return f"{error.param.opts[0]}: must be {noun}, {' and '.join(bounds)}, got {value[1]}"


def _report(problem: str) -> None:
    from trackai.values.text import escaped

    click.echo(f"trackai: {escaped(problem)}", err=True)


def _discard_unwritten_output() -> None:
    """Keep Python from flushing stdout again at exit: a failure there changes the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; an error is one line on stderr, not a traceback.

    Exit codes: 0 success, 1 failure, 2 usage error, 3 not found, 4 condition not met, 130 Ctrl-C.
    """
    standard_streams.occupy()
    if sys.stdout is None:  # closed by the shell: `trackai runs >&-`
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - open until the process exits
    prepare_stdout()
    try:
        result = cli.main(arguments, prog_name=NAME, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _report(_one_line(error))
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except TrackAIError as error:
        _report(str(error))
        sys.exit(_exit_code(error))
    except UnicodeEncodeError as error:  # Python escapes the bytes that it cannot decode
        click.echo(f"trackai: arguments must be valid Unicode, got {error.object!r}", err=True)
        sys.exit(2)
    except OSError as error:  # such as a missing folder or a full disk
        prefix = f"{error.filename}: " if error.filename else ""
        _report(f"{prefix}{error.strerror or error}")
        _discard_unwritten_output()
        sys.exit(1)
    # Outside of click's standalone mode, the result of ctx.exit(4) is 4.
    sys.exit(result if isinstance(result, int) else 0)
