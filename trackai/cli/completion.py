"""trackai completion"""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a SHELL complete commands, options, runs, projects and metrics.

    \b
    bash   echo 'source <(trackai completion bash)' >> ~/.bashrc
    zsh    echo 'source <(trackai completion zsh)' >> ~/.zshrc
    fish   trackai completion fish > ~/.config/fish/completions/trackai.fish
    """
    from click.shell_completion import get_completion_class

    from trackai.cli import NAME, cli

    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - click knows all three
    click.echo(script(cli, {}, NAME, f"_{NAME}_COMPLETE".upper()).source())
