"""The package that `import wandb` finds below `trackai run --as wandb`: other names for trackai."""

from trackai.compat import aliases

aliases.fill(__name__)
