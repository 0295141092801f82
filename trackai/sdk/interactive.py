"""Whether the code runs in a script, at a prompt or in a notebook."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Whether the code runs in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def is_interactive() -> bool:
    """Whether the code is typed in a notebook or at a prompt."""
    return in_notebook() or hasattr(sys, "ps1") or bool(sys.flags.interactive)
