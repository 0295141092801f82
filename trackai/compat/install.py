"""Let `import wandb` and `import trackio` find the packages of this one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from trackai.errors import ConflictError, InvalidInputError
from trackai.settings import put_on_python_path

NAMES = ("wandb", "trackio")


def folder_of(name: str) -> Path:
    """The folder with the package of a name, which the import path must have.

    Raises:
        InvalidInputError: TrackAI has no package of this name.
    """
    if name not in NAMES:
        names = " or ".join(f'"{known}"' for known in NAMES)
        raise InvalidInputError("name", f"must be {names}, got {name!r}")
    return Path(__file__).parent / "paths" / name


def install_as(name: str) -> None:
    """Make `import wandb` or `import trackio` import a package of TrackAI instead.

    It comes before any installed package of that name, here and in processes that this one starts.
    Call it before whatever imports the other tracker. `trackai run --as NAME` does the same for a
    program that is not changed.

    Args:
        name: "wandb" or "trackio".

    Raises:
        InvalidInputError: the name is another one.
        ConflictError: the tracker itself has been imported already.

    Example:
        trackai.install_as("wandb")
        from transformers import Trainer
    """
    folder = folder_of(name)
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        if file is None or not Path(file).is_relative_to(folder):
            raise ConflictError(
                f"{name} is already imported from {file}: call trackai.install_as({name!r}) before "
                "anything imports it"
            )
    put_on_python_path([str(folder)])
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
