"""The package that `import trackio` finds below `trackai run --as trackio`: names of trackai."""

import sys

try:
    from trackai.compat import aliases
except ModuleNotFoundError as error:
    problem = (
        f"trackio is a package of trackai here, but {sys.executable} has no module {error.name}"
    )
    sys.stderr.write(f"trackai: {problem}; nothing will be logged\n")  # the program may go on
    raise ImportError(problem) from None

aliases.fill(__name__)
