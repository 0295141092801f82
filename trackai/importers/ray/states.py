"""Reads what Ray Tune has stored about the trials of an experiment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class TrialState(NamedTuple):
    """What an experiment knows of a trial.

    Attributes:
        status: such as "TERMINATED" or "ERROR".
    """

    trial_id: str
    status: str


def read_states(experiment: Path) -> dict[str, TrialState]:
    """Return the states of trials by the names of their folders, from the latest file that has any.

    An experiment that is restored begins another file, and has no trials in it at first.
    """
    for path in sorted(experiment.glob("experiment_state-*.json"), reverse=True):
        try:
            loaded = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # it is being written, or damaged
        trials = loaded.get("trial_data") if isinstance(loaded, dict) else None
        states = dict(filter(None, map(_state, trials if isinstance(trials, list) else ())))
        if states:
            return states
    return {}


def _state(entry: Any) -> tuple[str, TrialState] | None:
    """Read the entry of a trial, whose first element is JSON in a text."""
    try:
        trial = json.loads(entry[0])
        names = trial["relative_logdir"], trial["trial_id"], trial["status"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    folder, trial_id, status = names
    return folder, TrialState(trial_id, status)
