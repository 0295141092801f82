"""The package that `import trackio` finds below `trackai run --as trackio`: names of trackai."""

from trackai.compat import aliases

aliases.fill(__name__)
