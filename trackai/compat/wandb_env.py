"""The setters of `wandb.env`: the variables of wandb that `trackai.init` reads."""

from __future__ import annotations

from trackai.settings import set_wandb_variable

__all__ = ["set_entity", "set_project"]


def set_project(value: str) -> None:
    """Set the default project of runs."""
    set_wandb_variable("WANDB_PROJECT", value)


def set_entity(value: str) -> None:
    """Set the account, which TrackAI does not have; `init` says so."""
    set_wandb_variable("WANDB_ENTITY", value)
