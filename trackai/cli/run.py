"""trackai run"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import click

from trackai.cli.output import echo
from trackai.compat.install import NAMES

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # the exit codes of shells


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--as", "names", multiple=True, type=click.Choice(NAMES),
              help="A tracker whose name TrackAI answers to; may be repeated.")  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(names: tuple[str, ...], command: tuple[str, ...]) -> None:
    """Run a program that logs to another tracker, and store what it logs.

    With --as wandb, the program and those that it starts import a package of TrackAI as wandb.

    Example: trackai run --as wandb -- python train.py
    """
    if names:
        from trackai.compat.install import folder_of
        from trackai.settings import put_on_python_path

        put_on_python_path([str(folder_of(name)) for name in names])
    try:
        _execute(list(command))
    except FileNotFoundError:
        _fail(f"{command[0]}: command not found", _NOT_FOUND)
    except OSError as error:
        _fail(f"{command[0]}: {error.strerror}", _NOT_EXECUTABLE)


def _execute(command: list[str]) -> None:
    """Replace this process by the command, whose exit code and signals are then its own."""
    if sys.platform == "win32":  # there, the shell would not wait for it
        import subprocess

        sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and a new program would, too
        with suppress(AttributeError):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606


def _fail(problem: str, code: int) -> None:
    echo(f"trackai: {problem}", err=True)
    sys.exit(code)
