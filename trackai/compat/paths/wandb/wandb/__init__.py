"""The package that `import wandb` finds below `trackai run --as wandb`: other names for trackai."""

import sys

try:
    from trackai.compat import aliases
except ModuleNotFoundError as error:
    problem = f"wandb is trackai's here, but {sys.executable} has no module {error.name}"
    sys.stderr.write(f"trackai: {problem}; nothing will be logged\n")  # the program may go on
    raise ImportError(problem) from None

aliases.fill(__name__)
