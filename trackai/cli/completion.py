"""trackai completion"""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion script.

    It completes commands, options, and the names of runs, projects and metrics. To install it:

    \b
    bash   echo 'source <(trackai completion bash)' >> ~/.bashrc
    zsh    echo 'source <(trackai completion zsh)' >> ~/.zshrc
    fish   trackai completion fish > ~/.config/fish/completions/trackai.fish
    """
    from click.shell_completion import get_completion_class

    from trackai.cli import NAME, cli

    class_ = get_completion_class(shell)
    assert class_ is not None  # noqa: S101 - click supports all three
    click.echo(class_(cli, {}, NAME, f"_{NAME}_COMPLETE".upper()).source())
